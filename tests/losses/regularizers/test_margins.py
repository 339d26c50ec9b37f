"""GAN-QP and the loss-sensitive margin, on numbers worked out by hand."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from slow_cases import sampled
from torch import Tensor

import losses


def term(critic: Callable, expression: str, real: Tensor, fake: Tensor) -> losses.LossPart:
    method = losses.get(f"wasserstein + {expression}")
    return method.discriminator_loss(critic, real, fake, step=0)[method.regularizers[0].name]


def total(x: Tensor) -> Tensor:
    return x.flatten(1).sum(1)


REAL = torch.tensor([[3.0, 1.0], [0.0, 2.0]], dtype=torch.float64)
FAKE = torch.tensor([[0.0, 0.0], [1.0, -5.0]], dtype=torch.float64)
# a = 4, 2; b = 0, -4; pixel differences 3, 1 and 1, 7.


def test_gan_qp_divides_by_the_mean_absolute_difference() -> None:
    found = term(total, "gan_qp(lam=5)", REAL, FAKE)
    assert found.value.item() == pytest.approx((16 / (10 * 2) + 36 / (10 * 4)) / 2, rel=1e-12)
    assert found.weighted.item() == found.value.item()
    lazily = term(total, "gan_qp(lam=5, every=4)", REAL, FAKE)
    assert lazily.weighted.item() == pytest.approx(4 * found.value.item(), rel=1e-12)


def test_gan_qp_divides_by_the_root_of_the_mean_square() -> None:
    found = term(total, "gan_qp(norm=2)", REAL, FAKE)
    assert found.value.item() == pytest.approx((16 / (20 * 5**0.5) + 36 / (20 * 5)) / 2, rel=1e-12)


def test_the_best_critic_of_gan_qp_on_one_pair_rises_by_lam_times_the_distance() -> None:
    """-(a - b) + (a - b)^2 / (2 lam d) is least where a - b = lam d."""
    scale = torch.tensor(2.5, dtype=torch.float64, requires_grad=True)  # a - b = 4 s, and lam d = 5 * 2
    found = losses.get("wasserstein + gan_qp(lam=5)").discriminator_loss(lambda x: scale * total(x), REAL[:1], FAKE[:1])
    found.total.backward()
    assert scale.grad.item() == pytest.approx(0, abs=1e-12)
    assert found.total.item() == pytest.approx(-5.0, rel=1e-12)


@pytest.mark.parametrize("norm", [1, 2])
def test_gan_qp_on_equal_images_is_zero_with_finite_gradients(
    norm: int, images: Callable, smooth_critic: Callable
) -> None:
    critic = smooth_critic(dtype=torch.float32)
    same = images(0, dtype=torch.float32)
    found = term(critic, f"gan_qp(norm={norm})", same, same.clone())
    found.value.backward()
    assert found.value.item() == 0
    assert all(each.grad.isfinite().all() for each in critic.parameters())


def test_gan_qp_offers_two_norms() -> None:
    with pytest.raises(ValueError, match="expected one of 1, 2"):
        losses.get("wasserstein + gan_qp(norm=3)")


def test_lsgan_qi_asks_for_a_lead_of_the_summed_difference() -> None:
    # Leads 4 and 6 against margins 4 and 8: the first pair is content, the second lacks 2.
    found = term(total, "lsgan_qi(weight=3, scale=1)", REAL, FAKE)
    assert found.value.item() == pytest.approx(1.0, rel=1e-12)
    assert found.weighted.item() == pytest.approx(3.0, rel=1e-12)
    # Margins 8 and 16 at twice the scale: 4 and 10 are lacking.
    assert term(total, "lsgan_qi(scale=2)", REAL, FAKE).value.item() == pytest.approx(7.0, rel=1e-12)


def test_lsgan_qi_pushes_the_pairs_that_lack_the_margin_and_no_others() -> None:
    shift = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)  # leads 5 and 6, margins 4 and 8
    calls = []

    def critic(x: Tensor) -> Tensor:
        calls.append(x)
        return total(x) + (shift if len(calls) == 1 else 0)

    term(critic, "lsgan_qi(scale=1)", REAL, FAKE).value.backward()
    assert shift.grad.tolist() == pytest.approx([0.0, -0.5])


@pytest.mark.slow
@pytest.mark.parametrize("expression", sampled(["gan_qp", "gan_qp(norm=2)", "lsgan_qi(scale=0.1)"], every=3))
def test_their_gradients_match_finite_differences(expression: str, images: Callable, smooth_critic: Callable) -> None:
    critic, real, fake = smooth_critic(), images(0, batch=3), images(1, batch=3)
    names, weights = zip(*critic.named_parameters(), strict=True)

    def value(*tensors: Tensor) -> Tensor:
        swapped = dict(zip(names, tensors, strict=True))
        return term(lambda x: torch.func.functional_call(critic, swapped, (x,)), expression, real, fake).weighted

    assert torch.autograd.gradcheck(value, tuple(w.detach().requires_grad_() for w in weights), atol=1e-6)


@pytest.mark.parametrize("expression", ["gan_qp", "lsgan_qi(scale=0.1)"])
def test_images_pair_by_index(expression: str, images: Callable, smooth_critic: Callable) -> None:
    critic, real, fake = smooth_critic(), images(0), images(1)
    together = torch.tensor([3, 0, 5, 1, 2, 4])
    plain = term(critic, expression, real, fake).value.item()
    assert term(critic, expression, real[together], fake[together]).value.item() == pytest.approx(plain, rel=1e-12)
    assert abs(term(critic, expression, real[together], fake).value.item() - plain) > 1e-6 * plain
    with pytest.raises(ValueError, match="pairs real with fake"):
        term(critic, expression, images(0, batch=4), images(1, batch=1))


@pytest.mark.parametrize("name", ["gan_qp", "lsgan_qi"])
@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_huge_logits_stay_finite(name: str, scale: float) -> None:
    factor = torch.tensor(scale, requires_grad=True)
    found = term(lambda x: factor * total(x), name, REAL.float(), FAKE.float())
    found.weighted.backward()
    assert np.isfinite(found.value.item())
    assert factor.grad.isfinite()
