"""topk, accuracy_gate and began_balance, against numpy; the gates change gradients and never values."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor

import losses
from losses.transforms.logits import TopK

GATES = ["accuracy_gate", "began_balance"]
STEPS = {"accuracy_gate": "accuracy_gate(threshold=0.4)", "began_balance": "began_balance(gamma=0.1, rate=0.5)"}


@pytest.fixture
def two_outputs(scratch_registry: None) -> None:
    """An objective with two numbers a sample, of which the second is the critic."""

    @losses.register("two_outputs")
    @dataclass(frozen=True)
    class TwoOutputs(losses.Objective):
        @property
        def outputs(self) -> int:
            return 2

        def critic(self, logits: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
            return logits[:, 1]

        def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
            return fake_logits.mean() - real_logits.mean()

        def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
            return -fake_logits.sum(1).mean()


def generator_loss(expression: str, fake: Tensor, real: Tensor | None = None, step: int = 0) -> losses.LossParts:
    """Run the generator's phase, whose images are the logits themselves."""
    latents = torch.zeros(len(fake), 1)
    return losses.get(expression).generator_loss(
        lambda x: x, lambda z: fake, latents, real, step=step, rng={"topk": None}
    )


def numbers(seed: int, count: int = 9) -> Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("batch", "share", "step", "kept"),
    [
        (64, 0.5, 0, 64),
        (64, 0.5, 99, 64),
        (64, 0.5, 100, 57),  # 57.6
        (64, 0.5, 250, 51),  # 51.84
        (64, 0.5, 10**6, 32),
        (9, 0.5, 10**6, 5),
        (100, 0.07, 10**6, 7),
        (3, 0.01, 10**6, 1),
        (7, 1.0, 10**6, 7),
    ],
)
def test_topk_keeps_fewer_from_period_to_period_down_to_its_share(
    batch: int, share: float, step: int, kept: int
) -> None:
    assert TopK(share=share, gamma=0.9, period=100).kept(batch, step) == kept


@pytest.mark.parametrize("hundredths", [57, 58, 90, 99])
def test_the_k_of_topk_is_that_of_exact_fractions(hundredths: int) -> None:
    part, gamma = TopK(share=0.01, gamma=hundredths / 100, period=1), Fraction(hundredths, 100)
    for batch in (50, 64, 100, 200):
        for step in range(6):
            assert part.kept(batch, step) == max(math.ceil(Fraction(batch, 100)), math.floor(batch * gamma**step))


@pytest.mark.parametrize("step", [0, 20, 60])
def test_topk_of_hinge_is_the_mean_of_the_highest(step: int) -> None:
    fake = numbers(0).requires_grad_()
    kept = {0: 9, 20: 7, 60: 4}[step]  # 9, 9 * 0.9^2 = 7.29, 9 * 0.9^6 = 4.78
    found = generator_loss("hinge + topk(share=0.2, gamma=0.9, period=10)", fake, step=step).total
    highest = np.sort(fake.detach().numpy())[-kept:]
    assert found.item() == pytest.approx(-highest.mean(), rel=1e-12)
    (gradient,) = torch.autograd.grad(found, fake)
    np.testing.assert_allclose(gradient, np.where(fake.detach() >= highest[0], -1 / kept, 0), rtol=1e-12)


def test_topk_of_pairs_keeps_the_pairs() -> None:
    fake, real = numbers(0).requires_grad_(), numbers(1)
    found = generator_loss("rp_bce + topk(share=0.4, gamma=0.5, period=1)", fake, real, step=5).total
    best = np.argsort(fake.detach().numpy())[-4:]
    difference = real.numpy()[best] - fake.detach().numpy()[best]
    assert found.item() == pytest.approx(np.log1p(np.exp(difference)).mean(), rel=1e-12)


@pytest.mark.usefixtures("two_outputs")
def test_topk_ranks_vector_heads_by_their_critic() -> None:
    fake = torch.stack([-2 * numbers(1), numbers(1)], dim=1)
    found = generator_loss("two_outputs + topk(share=0.3, gamma=0.5, period=1)", fake, fake + 1, step=9).total
    best = np.argsort(numbers(1).numpy())[-3:]
    assert found.item() == pytest.approx(-fake.numpy()[best].sum(1).mean(), rel=1e-12)


def test_topk_leaves_the_discriminators_phase_alone(scripted: Callable) -> None:
    real, fake = numbers(0).tolist(), numbers(1).tolist()
    plain, with_it = (scripted(name, real, fake, {})[0].total for name in ("hinge", "hinge + topk(gamma=0.01)"))
    assert plain.item() == with_it.item()


@pytest.mark.parametrize("name", GATES)
def test_a_gate_never_changes_a_value(name: str, scripted: Callable) -> None:
    state: dict[str, dict[str, Tensor]] = {}
    weakened = 0
    for update in range(20):
        real, fake = (numbers(update) + 1).tolist(), numbers(100 + update, 7).tolist()
        plain, *gradients = scripted("hinge", real, fake, {})
        gated, *found = scripted(f"hinge + {STEPS[name]}", real, fake, state)
        assert gated.total.item() == plain.total.item()
        weakened += not all(map(torch.equal, gradients, found))
    assert weakened > 5


def test_the_accuracy_gate_shuts_on_the_running_share_of_well_ranked_pairs(scripted: Callable) -> None:
    state: dict[str, dict[str, Tensor]] = {}
    average, shut = 0.5, []
    for update in range(40):
        real, fake = numbers(update) + 2 * np.sin(update / 6), numbers(100 + update, 7)
        fake[0] = real[0]  # a pair that counts half
        pairs = (real[:, None].numpy() > fake.numpy()).mean() + 0.5 * (real[:, None].numpy() == fake.numpy()).mean()
        average = 0.8 * average + 0.2 * pairs
        _, by_real, by_fake = scripted(
            "wasserstein + accuracy_gate(threshold=0.7, decay=0.8)", real.tolist(), fake.tolist(), state
        )
        assert state["accuracy_gate"]["accuracy"].item() == pytest.approx(average, rel=1e-9)
        opening = 0.0 if average > 0.7 else 1.0
        np.testing.assert_allclose(by_real, np.full(9, -opening / 9), rtol=1e-12)
        np.testing.assert_allclose(by_fake, np.full(7, opening / 7), rtol=1e-12)
        shut.append(average > 0.7)
    assert 5 < sum(shut) < 35
    assert not shut[0]


def test_a_flat_critic_is_at_chance_and_its_gate_open(scripted: Callable) -> None:
    state: dict[str, dict[str, Tensor]] = {}
    _, by_real, _ = scripted("hinge + accuracy_gate(threshold=0.5)", [0.0] * 4, [0.0] * 4, state)
    assert state["accuracy_gate"]["accuracy"].item() == 0.5
    assert by_real.tolist() == [-0.25] * 4


def test_a_shut_gate_lets_regularisers_through(images: Callable, smooth_critic: Callable, streams: Callable) -> None:
    def gradients(expression: str, factor: float = 1) -> list[Tensor]:
        critic, state = smooth_critic(), {"accuracy_gate": {"accuracy": torch.tensor(1.0, dtype=torch.float64)}}
        parts = losses.get(expression).discriminator_loss(critic, images(0), images(1), rng=streams(), state=state)
        value = parts.total if "gate" in expression else parts["r1"].weighted
        return [
            g if g is not None else torch.zeros(1)
            for g in torch.autograd.grad(value, [critic.hidden.weight, critic.last.weight])
        ]

    for found, expected in zip(gradients("hinge + r1 + accuracy_gate"), gradients("hinge + r1"), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


def test_began_balance_weighs_the_fakes_by_its_controller(scripted: Callable) -> None:
    state: dict[str, dict[str, Tensor]] = {}
    k, path = 1.0, []
    for update in range(60):
        real, fake = numbers(update) + 2 * np.sin(update / 6), numbers(100 + update, 7)
        _, by_real, by_fake = scripted(
            "wasserstein + began_balance(gamma=2, rate=0.1)", real.tolist(), fake.tolist(), state
        )
        np.testing.assert_allclose(by_real, np.full(9, -1 / 9), rtol=1e-12)
        np.testing.assert_allclose(by_fake, np.full(7, k / 7), rtol=1e-9, atol=1e-15)
        energies = (np.log1p(np.exp(-logits.numpy())).mean() for logits in (real, fake))
        k = min(1.0, max(0.0, k + 0.1 * (2 * next(energies) - next(energies))))
        path.append(k)
        assert state["began_balance"]["k"].item() == pytest.approx(k, abs=1e-12)
    assert min(path) < 0.7
    assert max(path) == 1


@pytest.mark.parametrize(("gamma", "rises"), [(3.0, True), (0.5, False)])
def test_began_balance_at_chance(gamma: float, rises: bool, scripted: Callable) -> None:
    state = {"began_balance": {"k": torch.tensor(0.5, dtype=torch.float64)}}
    scripted(f"hinge + began_balance(gamma={gamma}, rate=0.01)", [0.0] * 3, [0.0] * 3, state)
    moved = 0.01 * (gamma - 1) * np.log(2)
    assert state["began_balance"]["k"].item() == pytest.approx(0.5 + moved, rel=1e-12)
    assert bool(moved > 0) is rises


@pytest.mark.parametrize("name", GATES)
def test_huge_logits_leave_a_gate_finite(name: str) -> None:
    a, b = (torch.full((3,), logit, requires_grad=True) for logit in (1e4, -1e4))
    turns, state = iter((a, b)), {}
    x = torch.zeros(3, 2)
    parts = losses.get(f"bce_ns + {name}").discriminator_loss(
        lambda _: next(turns), x, x, rng={name: None}, state=state
    )
    assert torch.isfinite(parts.total)
    assert all(torch.isfinite(gradient).all() for gradient in torch.autograd.grad(parts.total, (a, b)))
    assert all(torch.isfinite(value) for value in state[name].values())


@pytest.mark.parametrize("name", GATES)
@pytest.mark.usefixtures("two_outputs")
def test_a_gate_reads_the_critic_of_a_vector_head(name: str, scripted: Callable) -> None:
    real, fake = numbers(0, 5) + 1, numbers(1, 5)
    wide, flat = {}, {}
    scripted(
        f"two_outputs + {name}", torch.stack([-9 * real, real], 1).tolist(), torch.stack([real, fake], 1).tolist(), wide
    )
    scripted(f"hinge + {name}", real.tolist(), fake.tolist(), flat)
    assert {k: v.item() for k, v in wide[name].items()} == {k: v.item() for k, v in flat[name].items()}
