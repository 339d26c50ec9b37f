"""The adaptive transforms: the controller against a simulation, each operation against numpy and scipy, the rates."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import losses
from losses.transforms.adaptive import OPERATIONS, Ada
from losses.transforms.augmentation import indexed, picked, scaled_and_rotated

EXPRESSIONS = ["ada", "apa"]
CONTROLLED = [*EXPRESSIONS, "diffusion"]


def at(name: str, probability: float) -> dict[str, dict[str, Tensor]]:
    return {name: {"probability": torch.tensor(probability)}}


class Told:
    """A context that draws what a test says: which operation is on, the uniform and the normal numbers."""

    def __init__(self, operation: str, uniform: list[float], normal: list[float]) -> None:
        gates = [0.0 if name == operation else 0.9 for name in OPERATIONS]
        self._uniform, self._normal = ([*gates, *uniform], normal)

    def uniform(self, *shape: int, like: Tensor) -> Tensor:
        return torch.tensor(self._uniform, dtype=like.dtype).expand(shape)

    def normal_like(self, tensor: Tensor) -> Tensor:
        return torch.tensor(self._normal, dtype=tensor.dtype).expand(tensor.shape)

    def get_state(self, name: str, initial: Tensor) -> Tensor:
        return torch.tensor(0.5)

    device = torch.device("cpu")


def under(
    operation: str, image: Tensor, *, uniform: tuple = (0.9,) * 5, normal: tuple = (1.5, -1.0, 0.5, -0.75)
) -> Tensor:
    return Ada()(image[None], Told(operation, list(uniform), list(normal)), "real")[0]


def picture(height: int = 9, width: int = 9, channels: int = 3) -> Tensor:
    return torch.randn((channels, height, width), generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_flip() -> None:
    image = picture(5, 8)
    assert np.array_equal(under("flip", image, uniform=(0.49, 0, 0, 0, 0)), image.numpy()[:, :, ::-1])
    assert torch.equal(under("flip", image, uniform=(0.5, 0, 0, 0, 0)), image)


@pytest.mark.parametrize(("drawn", "quarters"), [(0.24, 0), (0.25, 1), (0.6, 2), (0.99, 3)])
def test_quarter_turns(drawn: float, quarters: int) -> None:
    image = picture()
    expected = np.rot90(image.numpy(), quarters, (1, 2))
    assert np.array_equal(under("quarter turn", image, uniform=(0.9, drawn, 0, 0, 0)), expected)
    oblong = picture(9, 8)
    assert torch.equal(under("quarter turn", oblong, uniform=(0.9, drawn, 0, 0, 0)), oblong)


@pytest.mark.parametrize(("drawn", "moves"), [((0.0, 0.5), (-2, 0)), ((0.99, 0.0), (2, -1)), ((0.7, 0.99), (1, 1))])
def test_translation(drawn: tuple[float, float], moves: tuple[int, int]) -> None:
    image, (dx, dy) = picture(8, 16), moves
    expected = ndimage.shift(image.numpy(), (0, dy, dx), order=0)
    assert np.array_equal(under("translation", image, uniform=(0.9, 0.9, *drawn, 0)), expected)


@pytest.mark.parametrize(("height", "width"), [(9, 9), (8, 11)])
@pytest.mark.parametrize(
    ("operation", "normal", "drawn", "scale", "angle"),
    [
        ("scale", 2.0, 0.9, 2**0.4, 0.0),
        ("scale", -3.0, 0.9, 2**-0.6, 0.0),
        ("rotation", 1.0, 0.6, 1.0, 0.2 * math.pi),
        ("rotation", 1.0, 0.03, 1.0, -0.94 * math.pi),
    ],
)
def test_scale_and_rotation_are_bilinear_about_the_center(
    height: int, width: int, operation: str, normal: float, drawn: float, scale: float, angle: float
) -> None:
    image = picture(height, width)
    # In rows and columns, a place (y, x) shows what was at M (y, x): counter-clockwise to the eye, as rows go down.
    inverse = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]) / scale
    center = np.array([(height - 1) / 2, (width - 1) / 2])
    expected = [
        ndimage.affine_transform(
            np.pad(channel, 1), inverse, center + 1 - inverse @ (center + 1), order=1, mode="constant"
        )[1:-1, 1:-1]
        for channel in image.numpy()
    ]
    found = under(operation, image, uniform=(0.9, 0.9, 0.9, 0.9, drawn), normal=(normal, 0.0, 0.0, 0.0))
    np.testing.assert_allclose(found, np.stack(expected), atol=1e-12)


def test_a_rotation_by_a_quarter_agrees_with_a_quarter_turn() -> None:
    image = picture()
    found = under("rotation", image, uniform=(0.9, 0.9, 0.9, 0.9, 0.75))  # pi (2 * 0.75 - 1) = pi/2
    np.testing.assert_allclose(found, np.rot90(image.numpy(), 1, (1, 2)), atol=1e-12)


def test_colors() -> None:
    image = picture()
    gray = image.mean(0, keepdim=True)
    expected = {
        "brightness": image - 0.2,
        "contrast": image * 2**0.25,
        "saturation": gray + 2**-0.75 * (image - gray),
    }
    for operation, changed in expected.items():
        torch.testing.assert_close(under(operation, image), changed, rtol=0, atol=1e-12)
    assert torch.equal(under("saturation", image[:2]), image[:2])


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_images_pass_unchanged_to_the_last_bit_while_the_probability_is_zero(name: str, shown: Callable) -> None:
    images = torch.randn((64, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    assert torch.equal(shown(name, images, fake=-images), images)
    assert not torch.equal(shown(name, images, fake=-images, state=at(name, 1.0)), images)


@pytest.mark.parametrize("p", [0.1, 0.4, 1.0])
def test_ada_changes_as_many_images_as_its_operations_say(p: float, shown: Callable) -> None:
    samples = 4000
    images = torch.randn((samples, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    view = shown("ada", images, state=at("ada", p))
    same = (view == images).flatten(1).all(1).double().mean().item()
    # Flip, quarter turn and the 3 by 3 moves of 8 by 8 pixels may draw "none"; the five others never do.
    expected = (1 - p / 2) * (1 - p * 3 / 4) * (1 - p * 8 / 9) * (1 - p) ** 5
    assert same == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / samples))


def test_ada_draws_its_strengths_independently_from_the_stated_laws(shown: Callable) -> None:
    # Black images stay black under everything geometric; a pixel is then 0.2 s * 2^(0.5 s').
    value = shown("ada", torch.zeros(20000, 1, 2, 2, dtype=torch.float64), state=at("ada", 1.0)).mean((1, 2, 3))
    assert value.mean().item() == pytest.approx(0, abs=0.01)
    assert value.square().mean().item() == pytest.approx(0.04 * math.exp(math.log(2) ** 2 / 2), rel=0.05)
    logarithm = value.abs().log2()
    # The logarithm of |s| to base 2 has the mean -(gamma + ln 2) / 2 / ln 2 and the variance pi^2 / 8 / ln(2)^2.
    mean = math.log2(0.2) - (np.euler_gamma + math.log(2)) / (2 * math.log(2))
    assert logarithm.mean().item() == pytest.approx(mean, abs=0.05)
    assert logarithm.var().item() == pytest.approx(math.pi**2 / 8 / math.log(2) ** 2 + 0.25, rel=0.06)


def test_apa_replaces_reals_by_the_fakes_of_their_index_at_its_rate(shown: Callable) -> None:
    real, fake = torch.arange(4000.0)[:, None].expand(4000, 2), -1 - torch.arange(4000.0)[:, None].expand(4000, 2)
    view = shown("apa", real, fake=fake, state=at("apa", 0.3))
    replaced = view[:, 0] < 0
    assert torch.equal(view, torch.where(replaced[:, None], fake, real))
    assert replaced.double().mean().item() == pytest.approx(0.3, abs=4 * math.sqrt(0.21 / 4000))


@pytest.mark.parametrize("name", ["ada", "diffusion"])
def test_a_penalty_alone_is_taken_under_the_transform_without_any_fakes(name: str) -> None:
    """As a separate step on real images does; at p = 0 ada leaves them as they are."""
    real = torch.randn((4, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    options = {"rng": torch.Generator().manual_seed(0), "state": {}}

    def penalty(method: str) -> float:
        parts = losses.get(method).discriminator_loss(lambda x: x.flatten(1).square().sum(1), real, None, **options)
        return parts.total.item()

    assert math.isfinite(penalty(f"r1 + {name}"))
    assert (penalty(f"r1 + {name}") == penalty("r1")) is (name == "ada")


def test_apa_leaves_fakes_and_the_generators_phase_alone() -> None:
    seen: list[Tensor] = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.flatten(1).sum(1)

    method, rng, state = losses.get("rp_bce + apa"), torch.Generator().manual_seed(0), at("apa", 1.0)
    real, fake = torch.ones(3, 2), -torch.ones(3, 2, requires_grad=True)
    method.discriminator_loss(critic, real, fake, rng=rng, state=state)
    method.generator_loss(critic, lambda z: z, fake, real, rng=rng, state=state)
    assert [view.mean().item() for view in seen] == [-1, -1, -1, 1]


def test_apa_leaves_points_that_a_part_makes_up_alone() -> None:
    seen: list[Tensor] = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.flatten(1).sum(1)

    rng = torch.Generator().manual_seed(0)
    losses.get("hinge + gp1 + apa").discriminator_loss(
        critic, torch.ones(3, 2), -torch.ones(3, 2), rng=rng, state=at("apa", 1.0)
    )
    assert seen[2].abs().max().item() < 1


def test_apa_names_batches_that_do_not_pair(shown: Callable) -> None:
    with pytest.raises(ValueError, match=r"apa pairs real with fake: .* got \(4, 2\) and \(3, 2\)"):
        shown("apa", torch.zeros(4, 2), fake=torch.zeros(3, 2))


@pytest.mark.parametrize("name", CONTROLLED)
@pytest.mark.parametrize(("target", "interval"), [(0.63, 4), (0.13, 3), (-0.23, 1)])
def test_the_controller_is_the_papers(name: str, target: float, interval: int, scripted: Callable) -> None:
    generator = np.random.default_rng(7)
    state: dict[str, dict[str, Tensor]] = {}
    expression = f"hinge + {name}(target={target}, interval={interval}, speed=0.1)"
    p, window, path = 0.0, [], []
    for update in range(90):
        logits = generator.normal(3 - update / 15, 1, size=5)
        logits[0] = 0  # neither sign
        window.append(np.sign(logits).mean())
        if len(window) == interval:
            p = min(1.0, max(0.0, p + np.sign(np.mean(window) - target) * 5 * interval / 100))
            window = []
        scripted(expression, logits.tolist(), [0.0] * 5, state)
        path.append(p)
        assert state[name]["probability"].item() == pytest.approx(p, abs=1e-5)
    assert max(path) > 0.3
    assert path[-1] < max(path)


@pytest.mark.parametrize("name", CONTROLLED)
def test_the_probability_climbs_at_its_speed_while_d_is_always_right_and_stops_at_one(
    name: str, scripted: Callable
) -> None:
    state: dict[str, dict[str, Tensor]] = {}
    for update in range(1, 131):
        scripted(f"hinge + {name}(speed=0.5)", [3.0] * 5, [-3.0] * 5, state)
        expected = min(1.0, update // 4 * 20 / 500)
        assert state[name]["probability"].item() == pytest.approx(expected, abs=1e-5)
    for _ in range(8):
        scripted(f"hinge + {name}(speed=0.5)", [-3.0] * 5, [3.0] * 5, state)
    assert state[name]["probability"].item() < 0.99


@pytest.mark.parametrize("name", CONTROLLED)
def test_the_generators_step_moves_no_probability_also_where_it_looks_at_reals(
    name: str, images: Callable, latents: Tensor, smooth_critic: Callable, tiny_generator: Callable
) -> None:
    method, state = losses.get(f"ra_bce + {name}(interval=1, speed=0.1)"), at(name, 0.5)
    rng = torch.Generator().manual_seed(0)
    before = {key: value.clone() for key, value in state[name].items()}
    method.generator_loss(smooth_critic(), tiny_generator(), latents, images(0), rng=rng, state=state)
    assert state[name] == before
    method.discriminator_loss(smooth_critic(), images(0), images(1), rng=rng, state=state)
    assert state[name]["probability"].item() != 0.5


@pytest.mark.parametrize("name", CONTROLLED)
@pytest.mark.usefixtures("scratch_registry")
def test_a_vector_head_is_judged_by_its_critic(name: str, scripted: Callable) -> None:
    @losses.register("second_output")
    @dataclass(frozen=True)
    class SecondOutput(losses.Objective):
        @property
        def outputs(self) -> int:
            return 2

        def critic(self, logits: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
            return logits[:, 1]

        def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
            return fake_logits.mean() - real_logits.mean()

        def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
            return -fake_logits.mean()

    for sign, expected in ((1.0, 0.02), (-1.0, 0.0)):
        state: dict[str, dict[str, Tensor]] = {}
        scripted(f"second_output + {name}(interval=1, speed=0.1)", [[-sign, sign]] * 2, [[0.0, 0.0]] * 2, state)
        assert state[name]["probability"].item() == pytest.approx(expected, abs=1e-7)


class Operators(TorchDispatchMode):
    """Writes down the name of every operator."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        self.names.append(func.name())
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("device", "sorts"), [("cpu", False), ("meta", True)])
def test_pixels_that_are_read_twice_have_their_gradients_summed_in_one_order(device: str, sorts: bool) -> None:
    """`scatter_add` has none on CUDA, for which a device without numbers stands here; an index that accumulates has."""
    images = torch.zeros(2, 3, 8, 8, device=device, requires_grad=True)
    numbers = torch.full((2,), 0.3, device=device)
    with Operators() as seen:
        (slope,) = torch.autograd.grad(
            scaled_and_rotated(images, numbers, numbers).square().sum(), images, create_graph=True
        )
        torch.autograd.grad(slope.square().sum(), images)
    unordered = [name for name in seen.names if name.startswith(("aten::scatter_add", "aten::gather"))]
    assert (unordered == []) is sorts
    assert any(name.startswith(("aten::index_put", "aten::_index_put_impl")) for name in seen.names) is sorts


def test_pixels_that_are_indexed_are_those_that_are_gathered() -> None:
    torch.manual_seed(0)
    pixels = torch.randn(3, 2, 9, dtype=torch.float64, requires_grad=True)
    index = torch.randint(0, 9, (3, 20))  # many are named more than once
    slopes = []
    for pick in (picked, indexed):
        found = pick(pixels, index)
        assert torch.equal(found, pixels.detach().gather(2, index[:, None].expand(3, 2, 20)))
        slopes.append(torch.autograd.grad((found**3).sum(), pixels)[0])
    assert torch.allclose(*slopes, rtol=1e-13, atol=0)
    assert torch.autograd.gradgradcheck(lambda pixels: indexed(pixels, index) ** 3, pixels)
