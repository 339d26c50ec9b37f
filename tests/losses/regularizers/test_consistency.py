"""The terms that compare the critic's answers about an image and a changed copy of it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from directions import derivatives_agree
from torch import Tensor

import losses
from losses.pixel_shifts import eighth, flipped, shifted, whole_moves
from losses.regularizers.consistency import flip_and_shift


class Noting:
    """A linear critic that notes where it is asked; its features are the first two numbers of the image, times 3."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight
        self.calls: list[Tensor] = []

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.calls.append(x.detach())
        return (x * self.weight).flatten(1).sum(1), 3 * x.flatten(1)[:, :2]

    def answers(self, x: Tensor) -> np.ndarray:
        return (x * self.weight).flatten(1).sum(1).detach().numpy()


@pytest.fixture
def critic(linear_critic: Callable) -> Noting:
    return Noting(linear_critic(2.0).weight.detach())


def term(critic: Callable, expression: str, real: Tensor, fake: Tensor, **options) -> losses.LossPart:
    method = losses.get(f"bce_ns + {expression}")
    rng = torch.Generator().manual_seed(0)
    return method.discriminator_loss(critic, real, fake, rng=rng, **options)[method.regularizers[0].name]


@pytest.mark.parametrize(("name", "own"), [("ar1", 0), ("ar2", 1)])
def test_ar_terms_square_the_change_under_noise_on_their_own_images(
    name: str, own: int, images: Callable, critic: Noting
) -> None:
    batches = images(0), images(1)
    found = term(critic, f"{name}(weight=7, sigma=0.1)", *batches)
    assert len(critic.calls) == 3
    change = critic.answers(critic.calls[2]) - critic.answers(batches[own])
    assert found.value.item() == pytest.approx((change**2).mean(), rel=1e-9)
    assert found.weighted.item() == pytest.approx(7 * (change**2).mean(), rel=1e-9)
    noise = (critic.calls[2] - batches[own]).numpy() / 0.1
    assert noise.mean() == pytest.approx(0, abs=0.15)
    assert noise.std() == pytest.approx(1, abs=0.15)


def test_ar1_is_on_average_sigma_squared_times_r1(images: Callable, smooth_critic: Callable) -> None:
    real = images(0).repeat(2000, 1, 1, 1)
    found = term(smooth_critic(), "ar1(sigma=0.001)", real, real).value.item()
    exact = term(smooth_critic(), "r1", images(0), images(1)).value.item()
    assert found == pytest.approx(1e-6 * exact, rel=0.05)


def test_ct_compares_two_dropped_out_looks(images: Callable, critic: Noting) -> None:
    real = images(0)
    found = term(critic, "ct(m=0.5, dropout=0.25)", real, images(1))
    looks = [call for call in critic.calls if not any(torch.equal(call, batch) for batch in (real, images(1)))]
    first, second = looks
    for look in looks:
        ratio = (look / real).flatten().numpy()
        assert set(np.round(ratio, 9)) == {0.0, round(1 / 0.75, 9)}
        assert (ratio == 0).mean() == pytest.approx(0.25, abs=0.07)
    assert not torch.equal(first, second)
    logits = (critic.answers(first) - critic.answers(second)) ** 2
    features = np.mean((3 * (first - second).flatten(1)[:, :2].numpy()) ** 2, axis=1)
    expected = np.maximum(logits + 0.1 * features - 0.5, 0)
    assert found.value.item() == pytest.approx(expected.mean(), rel=1e-9)
    assert found.weighted.item() == pytest.approx(2 * expected.mean(), rel=1e-9)


def test_ct_without_dropout_is_zero_with_finite_gradients(images: Callable, smooth_critic: Callable) -> None:
    critic = smooth_critic(features=True)
    found = term(critic, "ct(dropout=0)", images(0), images(1))
    found.weighted.backward()
    assert found.value.item() == 0
    assert all(each.grad is None or each.grad.isfinite().all() for each in critic.parameters())


def test_ct_needs_features(images: Callable, smooth_critic: Callable) -> None:
    with pytest.raises(ValueError, match="ct needs features"):
        term(smooth_critic(), "ct", images(0), images(1))


def test_cr_compares_each_real_with_its_own_mirrored_and_moved_copy(images: Callable, critic: Noting) -> None:
    real, fake = images(0, batch=64), images(1, batch=64)
    found = term(critic, "cr", real, fake)
    assert len(critic.calls) == 3
    change = critic.answers(critic.calls[2]) - critic.answers(real)
    assert found.value.item() == pytest.approx((change**2).mean(), rel=1e-9)
    assert found.weighted.item() == pytest.approx(10 * (change**2).mean(), rel=1e-9)
    # An eighth of 5 and of 4 is rounded to one pixel: every copy is one of 2 * 3 * 3 pictures, all of which occur.
    seen = set()
    for image, copy in zip(real.numpy(), critic.calls[2].numpy(), strict=True):
        ways = [way for way in _all_ways() if np.array_equal(_by_hand(image, *way), copy)]
        assert len(ways) == 1
        seen.update(ways)
    assert len(seen) >= 15
    assert {way[0] for way in seen} == {False, True}
    assert {way[1] for way in seen} == {way[2] for way in seen} == {-1, 0, 1}


def test_an_eighth_of_a_side_is_rounded_to_the_nearest_pixel() -> None:
    assert {side: eighth(side) for side in (3, 4, 11, 12, 19, 20, 32)} == {
        3: 0, 4: 1, 11: 1, 12: 2, 19: 2, 20: 3, 32: 4,
    }  # fmt: skip


def test_half_of_the_copies_are_mirrored(images: Callable) -> None:
    class Told:
        def uniform(self, *shape: int, like: Tensor) -> Tensor:
            return torch.tensor([[0.0, 0.49, 0.5, 0.99], [0.5] * 4, [0.5] * 4])  # a move by 0.5 is none

    batch = images(0, batch=4)
    copies = flip_and_shift(batch, Told())
    assert torch.equal(copies[:2], batch[:2].flip(3))
    assert torch.equal(copies[2:], batch[2:])


def test_bcr_weighs_both_halves_and_draws_for_each(images: Callable, critic: Noting) -> None:
    real, fake = images(0), images(1)
    found = term(critic, "bcr(weight_real=3, weight_fake=5)", real, fake)
    halves = [
        ((critic.answers(moved) - critic.answers(batch)) ** 2).mean()
        for moved, batch in zip(critic.calls[2:], (real, fake), strict=True)
    ]
    assert found.value.item() == pytest.approx(3 * halves[0] + 5 * halves[1], rel=1e-9)
    assert found.weighted.item() == pytest.approx(found.value.item(), rel=1e-12)


def test_both_answers_are_differentiated(images: Callable, linear_critic: Callable) -> None:
    critic = linear_critic(1.0)
    calls = []

    def noting(x: Tensor) -> Tensor:
        calls.append(x)
        return critic(x)

    term(noting, "cr", images(0), images(1)).value.backward()
    gap = images(0) - calls[2]
    expected = 2 * ((gap * critic.weight).flatten(1).sum(1)[:, None, None, None] * gap).mean(0)
    assert critic.weight.grad.numpy() == pytest.approx(expected.detach().numpy(), rel=1e-9)


@pytest.mark.parametrize("name", ["cr", "bcr"])
def test_points_cannot_be_mirrored(name: str) -> None:
    points = torch.zeros(4, 2)
    with pytest.raises(ValueError, match=rf"{name} mirrors and moves images \[B, C, H, W\]: got .* \(4, 2\)"):
        term(lambda x: x.sum(1), name, points, points)


def test_zcr_compares_the_images_of_neighboring_latents(
    latents: Tensor, images: Callable, critic: Noting, tiny_generator: Callable
) -> None:
    generator, seen = tiny_generator(), []

    def noting(z: Tensor) -> Tensor:
        seen.append(z)
        return generator(z)

    fake = generator(latents)
    found = term(critic, "zcr(sigma=0.3)", images(0), fake, latents=latents, generator=noting)
    noise = (seen[0] - latents).numpy() / 0.3
    assert noise.std() == pytest.approx(1, abs=0.3)
    change = critic.answers(fake) - critic.answers(generator(seen[0]))
    assert found.value.item() == pytest.approx((change**2).mean(), rel=1e-9)
    assert found.weighted.item() == pytest.approx(5 * (change**2).mean(), rel=1e-9)


def test_zcr_trains_the_discriminator_alone_and_asks_for_the_generator(
    latents: Tensor, images: Callable, smooth_critic: Callable, tiny_generator: Callable
) -> None:
    critic, generator = smooth_critic(), tiny_generator()
    term(critic, "zcr", images(0), generator(latents), latents=latents, generator=generator).value.backward()
    assert critic.hidden.weight.grad.abs().sum() > 0
    assert generator.weight.grad is None
    with pytest.raises(ValueError, match="zcr needs the latents of the fakes"):
        term(critic, "zcr", images(0), generator(latents))


@pytest.mark.parametrize("expression", ["ar1(sigma=0.5)", "ar2(sigma=0.5)", "ct", "cr", "bcr"])
def test_the_gradient_matches_finite_differences(expression: str, images: Callable, smooth_critic: Callable) -> None:
    critic, real, fake = smooth_critic(features=True), images(0, batch=3), images(1, batch=3)
    names, weights = zip(*critic.named_parameters(), strict=True)

    def value(*tensors: Tensor) -> Tensor:
        swapped = dict(zip(names, tensors, strict=True))
        return term(lambda x: torch.func.functional_call(critic, swapped, (x,)), expression, real, fake).weighted

    assert derivatives_agree(value, weights, atol=1e-6)


def _all_ways() -> list[tuple[bool, int, int]]:
    return [(mirrored, dx, dy) for mirrored in (False, True) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]


def _by_hand(image: np.ndarray, mirrored: bool, dx: int, dy: int) -> np.ndarray:
    if mirrored:
        image = image[:, :, ::-1]
    height, width = image.shape[1:]
    moved = np.zeros_like(image)
    for i in range(height):
        for j in range(width):
            if 0 <= i - dy < height and 0 <= j - dx < width:
                moved[:, i, j] = image[:, i - dy, j - dx]
    return moved


def test_each_image_moves_by_its_own_pixels_and_zeros_come_in(images: Callable) -> None:
    batch = images(0)
    dx, dy = torch.tensor([0, 1, -2, 4, 0, -9]), torch.tensor([0, -1, 3, 0, 5, 2])
    found = shifted(batch, dx, dy).numpy()
    for i in range(6):
        assert np.array_equal(found[i], _by_hand(batch[i].numpy(), False, int(dx[i]), int(dy[i])))
    mirrored = flipped(batch, torch.tensor([True, False] * 3)).numpy()
    for i in range(6):
        assert np.array_equal(mirrored[i], _by_hand(batch[i].numpy(), i % 2 == 0, 0, 0))


def test_moving_is_differentiable_twice(images: Callable) -> None:
    batch = images(0, batch=2).requires_grad_()

    def moved(x: Tensor) -> Tensor:
        return shifted(flipped(x, torch.tensor([True, False])), torch.tensor([1, -2]), torch.tensor([-1, 2])).sin()

    assert torch.autograd.gradcheck(moved, batch)
    assert torch.autograd.gradgradcheck(moved, batch)


def test_whole_moves_are_equally_likely_and_include_both_ends() -> None:
    u = torch.rand(70000, generator=torch.Generator().manual_seed(0))
    values, counts = whole_moves(u, 3).unique(return_counts=True)
    assert values.tolist() == [-3, -2, -1, 0, 1, 2, 3]
    assert counts.numpy() == pytest.approx(np.full(7, 10000), abs=400)
    largest = torch.tensor([0.0, 1 - 2**-24])
    assert whole_moves(largest, 4).tolist() == [-4, 4]
    assert whole_moves(torch.ones(1), 4).tolist() == [4], "a half precision may round up to 1"
    assert whole_moves(largest, 0).tolist() == [0, 0]
