"""gp1, dragan, r1 and r2 by closed forms; what every regularizer keeps is in contract/."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import losses

ONE_CENTRED = ["gp1", "dragan"]
ZERO_CENTRED = ["r1", "r2"]


def term(critic: nn.Module, expression: str, real: Tensor, fake: Tensor, seed: int = 0) -> losses.LossPart:
    """Return the term of a regularizer added to an objective that reads logits one by one."""
    method = losses.get(f"bce_ns + {expression}")
    rng = torch.Generator().manual_seed(seed)
    return method.discriminator_loss(critic, real, fake, rng=rng)[method.regularizers[0].name]


@pytest.mark.parametrize("name", ONE_CENTRED)
@pytest.mark.parametrize("slope", [0.5, 1.0, 3.0])
def test_one_centered_terms_on_a_linear_critic(
    name: str, slope: float, images: Callable, linear_critic: Callable
) -> None:
    found = term(linear_critic(slope), name, images(0), images(1))
    assert found.value.item() == pytest.approx((slope - 1) ** 2, abs=1e-12)
    assert found.weighted.item() == pytest.approx(10 * (slope - 1) ** 2, abs=1e-11)


@pytest.mark.parametrize(("name", "target"), [("gp1", "target"), ("dragan", "k")])
def test_one_centered_targets_and_weights_are_read(
    name: str, target: str, images: Callable, linear_critic: Callable
) -> None:
    found = term(linear_critic(2.0), f"{name}(weight=3, {target}=5)", images(0), images(1))
    assert found.value.item() == pytest.approx(9.0, rel=1e-12)
    assert found.weighted.item() == pytest.approx(27.0, rel=1e-12)


@pytest.mark.parametrize("name", ZERO_CENTRED)
def test_zero_centered_terms_have_the_half_and_the_square(name: str, images: Callable, linear_critic: Callable) -> None:
    unit = term(linear_critic(1.0), f"{name}(gamma=7)", images(0), images(1))
    assert unit.value.item() == pytest.approx(1.0, rel=1e-12)
    assert unit.weighted.item() == pytest.approx(3.5, rel=1e-12)
    assert term(linear_critic(3.0), name, images(0), images(1)).value.item() == pytest.approx(9.0, rel=1e-12)


def test_r1_and_r2_look_at_their_own_images(images: Callable) -> None:
    def bowl(x: Tensor) -> Tensor:
        return 0.5 * x.flatten(1).square().sum(1)  # the gradient at x is x

    real, fake = images(0), 3 * images(1)
    norms = {"r1": real.flatten(1).square().sum(1).mean(), "r2": fake.flatten(1).square().sum(1).mean()}
    for name, expected in norms.items():
        assert term(bowl, name, real, fake).value.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("name", [*ONE_CENTRED, *ZERO_CENTRED])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_flat_critic_gives_finite_values_and_gradients(
    name: str, dtype: torch.dtype, images: Callable, smooth_critic: Callable
) -> None:
    critic = smooth_critic(dtype=dtype)
    nn.init.zeros_(critic.last.weight)
    found = term(critic, name, images(0, dtype=dtype), images(1, dtype=dtype))
    found.weighted.backward()
    assert found.value.item() == pytest.approx(1.0 if name in ONE_CENTRED else 0.0)
    for parameter in critic.parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all()


@pytest.mark.parametrize("name", [*ONE_CENTRED, *ZERO_CENTRED])
def test_a_critic_that_is_cut_off_from_its_images_is_named_and_not_torchs_graph(
    name: str, images: Callable, smooth_critic: Callable
) -> None:
    critic = smooth_critic()
    cuts: list[Callable[[Tensor], Tensor]] = [
        torch.no_grad()(critic),
        lambda x: critic(x.detach()),
        lambda x: critic(torch.ones_like(x)),
    ]
    for cut in cuts:
        with pytest.raises(ValueError, match=r"does not depend on the input .* without torch\.no_grad\(\)"):
            term(cut, name, images(0), images(1))


def test_path_length_names_a_generator_that_is_cut_off_from_its_latents(
    images: Callable, latents: Tensor, smooth_critic: Callable, tiny_generator: Callable
) -> None:
    generator, method = tiny_generator(), losses.get("bce_ns + gp_pathlen")
    with pytest.raises(ValueError, match=r"does not depend on the input"):
        method.generator_loss(smooth_critic(), lambda z: generator(z.detach()), latents, step=0, state={})


def test_the_norm_has_finite_derivatives_of_second_order_at_zero() -> None:
    g = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad((losses.numerics.norms(g) - 1).square().sum(), g, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), g)
    assert first.tolist() == [[0.0] * 3] * 2
    assert second.isfinite().all()


def seen_points(expression: str, real: Tensor, fake: Tensor) -> Tensor:
    """Return the points at which a penalty asked the critic, which is its third call."""
    calls: list[Tensor] = []

    def critic(x: Tensor) -> Tensor:
        calls.append(x.detach())
        return x.flatten(1).sum(1)

    term(critic, expression, real, fake)
    assert len(calls) == 3
    return calls[2]


def test_gp1_asks_between_each_real_and_its_fake_with_one_coefficient_a_sample(images: Callable) -> None:
    real, fake = images(0), images(1)
    shares = ((seen_points("gp1", real, fake) - fake) / (real - fake)).flatten(1)
    for share in shares:
        assert share.min().item() == pytest.approx(share.max().item(), abs=1e-9)
    assert shares.min() >= 0
    assert shares.max() <= 1
    assert shares[:, 0].std() > 0.05, "one draw for the whole batch would give no spread"


def test_dragan_asks_near_the_reals_with_its_documented_noise(images: Callable) -> None:
    real = 3 + 5 * images(0)  # far from a deviation of 1, whose square, root and inverse are all the same
    rng = torch.Generator().manual_seed(0)
    e, u = (torch.rand(shape, generator=rng, dtype=torch.float64).numpy() for shape in ((6, 1, 1, 1), real.shape))
    deviation = real.numpy().std()  # that of the population
    found = seen_points("dragan", real, torch.zeros_like(real)).numpy()
    assert found == pytest.approx(real.numpy() + e * deviation / 2 * u, rel=1e-12)


def test_gp1_refuses_batches_that_do_not_pair(images: Callable, smooth_critic: Callable) -> None:
    with pytest.raises(ValueError, match="gp1 pairs real with fake"):
        term(smooth_critic(), "gp1", images(0, batch=4), images(1, batch=1))


@pytest.mark.parametrize("name", ["gp1", "dragan", "r1"])
def test_input_gradients_stay_float32_under_autocast(name: str, images: Callable, smooth_critic: Callable) -> None:
    critic, real, fake = (
        smooth_critic(dtype=torch.float32),
        images(0, dtype=torch.float32),
        images(1, dtype=torch.float32),
    )
    exact = term(critic, name, real, fake)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = term(critic, name, real, fake)
    assert found.value.dtype == torch.float32
    assert found.value.item() == pytest.approx(exact.value.item(), rel=0.1, abs=0.02)
    found.weighted.backward()
    assert critic.hidden.weight.grad.isfinite().all()
