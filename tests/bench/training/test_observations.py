"""Rows of updates and what they say, by hand."""

import pytest
import torch
from torch import Tensor

from bench.training.observations import (
    DiscriminatorRow,
    GeneratorRow,
    discriminator_statistics,
    generator_statistics,
    logit_slopes,
    signals_at,
    slopes_at,
    stacked,
    total_variance,
)


def discriminator_row(real: Tensor, fake: Tensor, **changes: Tensor) -> DiscriminatorRow:
    """Return the row of logits that retained their gradients, of a scalar head."""
    row = DiscriminatorRow(
        loss=torch.tensor(0.5),
        gradient_norm=torch.tensor(7.0),
        diversity=torch.tensor(0.75),
        update_ratio=torch.tensor(torch.nan),
        real_critic=real.detach(),
        fake_critic=fake.detach(),
        real_slopes=slopes_at(real),
        fake_slopes=slopes_at(fake),
    )
    return row._replace(**changes)


def generator_row(images: Tensor, logits: Tensor) -> GeneratorRow:
    """Return the row of images and logits that retained their gradients."""
    return GeneratorRow(
        loss=torch.tensor(1.0),
        gradient_norm=torch.tensor(2.0),
        weight=slopes_at(logits).sum(),
        update_ratio=torch.tensor(torch.nan),
        signals=signals_at(images),
    )


def numbers(statistics: dict[str, Tensor]) -> dict[str, list[float]]:
    return {name: values.tolist() for name, values in statistics.items()}


def test_what_rows_of_discriminator_updates_say() -> None:
    a, b = torch.tensor([1.0, 3.0], requires_grad=True), torch.tensor([0.0, 2.0], requires_grad=True)
    (3 * a - b.square()).sum().backward()
    row = discriminator_row(a, b)
    later = DiscriminatorRow(
        *torch.zeros(3), torch.tensor(9.0), torch.tensor([1.0, 1.0]), torch.tensor([2.0, 0.5]), *torch.ones(2, 2)
    )
    assert numbers(discriminator_statistics(stacked([row, later]))) == {
        "discriminator_loss": [0.5, 0],
        "discriminator_gradient_norm": [7, 0],
        "logit_gap": [1, -0.25],
        "discriminator_accuracy": [3 / 4, 1 / 2],  # of the first pairs, only (1, 2) is the wrong way round
        "diversity_ratio": [0.75, 0],
    }
    # B times the slopes 3 and 3, 0 and -4.
    assert logit_slopes(stacked([row, later])).tolist() == [[6, 6, 0, 8], [2, 2, 2, 2]]


def test_the_slopes_of_vector_heads_and_of_logits_nobody_reads() -> None:
    real, fake = torch.tensor([[3.0, 4.0], [0.0, 2.0]], requires_grad=True), torch.ones(2, 2, requires_grad=True)
    (real.square().sum(dim=1) / 2).mean().backward()
    critics = real.detach().sum(dim=1), fake.detach().sum(dim=1)
    row = discriminator_row(real, fake, real_critic=critics[0], fake_critic=critics[1])
    assert logit_slopes(stacked([row])).tolist() == [[5, 2, 0, 0]]


def test_what_rows_of_generator_updates_say() -> None:
    fake_images = torch.tensor([[3.0, 4.0], [0.0, 2.0], [6.0, 8.0]], requires_grad=True)
    fake_logits = fake_images.square().sum(dim=1) / 2
    fake_images.retain_grad()
    fake_logits.retain_grad()
    (-fake_logits.mean()).backward()
    found = numbers(generator_statistics(stacked([generator_row(fake_images, fake_logits)])))
    assert (found["generator_loss"], found["generator_gradient_norm"]) == ([1], [2])
    assert found["generator_dead_fraction"] == [0]
    assert found["generator_signal"] == pytest.approx(
        [5]
    )  # the median of the norms 5, 2, 10: each sample's gradient is -x / 3
    assert found["generator_weight"] == pytest.approx([1])


def test_a_sample_is_dead_below_a_signal_of_1e_6() -> None:
    fake_images = torch.tensor([[0.99e-6], [1.01e-6], [-0.5e-6], [0.0]], requires_grad=True)
    fake_logits = fake_images.flatten().square() / 2
    fake_images.retain_grad()
    fake_logits.retain_grad()
    fake_logits.mean().backward()  # B times each sample's gradient is the sample itself
    row = generator_row(fake_images, fake_logits)
    signals = row.signals.clone()
    signals[-1] = torch.nan
    assert numbers(generator_statistics(stacked([row])))["generator_dead_fraction"] == [3 / 4]
    broken = generator_statistics(stacked([row._replace(signals=signals)]))
    assert broken["generator_dead_fraction"].isnan().all()


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_variance_of_a_batch_is_the_trace_of_its_covariance(memory_format: torch.memory_format) -> None:
    images = torch.randn(6, 3, 4, 5, dtype=torch.float64) + 3
    expected = torch.cov(images.flatten(1).T).trace()
    found = total_variance(images.to(memory_format=memory_format))
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=0)
    points = torch.tensor([[3.0, 4.0], [0.0, 2.0], [6.0, 8.0]])
    assert total_variance(points).item() == pytest.approx(points.var(dim=0).sum().item())
