"""Convolutions that are cheap to differentiate twice: torch's own values and derivatives of both orders."""

import itertools
from collections.abc import Callable

import pytest
import torch
from slow_cases import sampled
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.functional import conv2d
from torch.nn.utils import parametrizations
from torch.utils._python_dispatch import TorchDispatchMode

import losses
from losses.convolution import InputGradients, _is_given

GEOMETRIES = [
    {"stride": 1, "padding": 0},
    {"stride": 2, "padding": 1},
    {"stride": (2, 1), "padding": (0, 1)},
    {"stride": 1, "padding": 2, "dilation": 2},
    {"stride": 1, "padding": 1, "groups": 2},
]


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def operands(rng: torch.Generator, groups: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    shapes = ((3, 4, 7, 6), (6, 4 // groups, 3, 3), (6,))
    x, weight, bias = (torch.randn(shape, generator=rng, dtype=torch.float64) for shape in shapes)
    return x.requires_grad_(), weight.requires_grad_(), bias.requires_grad_()


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("biased", [True, False])
def test_values_and_derivatives_of_both_orders_are_those_of_torch(rng, geometry, biased):
    x, weight, bias = operands(rng, geometry.get("groups", 1))
    inputs = [x, weight, *([bias] if biased else [])]
    found = []
    for inside in (True, False):
        mode = InputGradients()
        with mode.replacing_conv2d(x) if inside else torch.enable_grad():
            y = conv2d(*inputs, **geometry)
        first = torch.autograd.grad(y.square().sum(), inputs, create_graph=True)
        second = torch.autograd.grad(sum(each.pow(3).sum() for each in first), inputs)
        found.append([y, *first, *second])
    for ours, torchs in zip(*found, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("geometry", sampled(GEOMETRIES, every=6), ids=str)
def test_second_derivatives_agree_with_finite_differences(rng, geometry):
    x, weight, bias = operands(rng, geometry.get("groups", 1))

    def convolved(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        with InputGradients().replacing_conv2d(x):
            return conv2d(x, weight, bias, **geometry)

    assert torch.autograd.gradgradcheck(convolved, (x, weight, bias))


class Critic(nn.Module):
    def __init__(self, *, norm: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(8, 8, 4, 2, 1, bias=not norm),
            nn.GroupNorm(1, 8) if norm else nn.Identity(),
            nn.Softplus(),
            nn.Conv2d(8, 1, 4),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images).flatten()


def plain(self: InputGradients, func: object, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
    return func(*args, **(kwargs or {}))


SLOPED = sorted(
    f"bce_ns + {name}"
    for name in losses.names("regularizer")
    if losses.get(f"bce_ns + {name}").parts[-1].needs & {"real_gradient", "fake_gradient", "input_gradient"}
)


@pytest.mark.parametrize(("method", "norm"), list(itertools.product([*SLOPED, "bce_ns + r1 + r2"], [True, False])))
def test_every_penalty_has_the_value_and_gradients_it_has_with_torchs_convolution(method, norm, monkeypatch):
    found = []
    for ours in (True, False):
        if not ours:
            monkeypatch.setattr(InputGradients, "__torch_function__", plain)
        rng = torch.Generator().manual_seed(1)
        critic = Critic(norm=norm).double()
        for parameter in critic.parameters():
            parameter.data.copy_(torch.randn(parameter.shape, generator=rng, dtype=torch.float64) * 0.3)
        real, fake = torch.randn(2, 4, 3, 16, 16, generator=rng, dtype=torch.float64)
        parts = losses.get(method).discriminator_loss(critic, real, fake, rng=rng, state={})
        parts.total.backward()
        found.append([parts.total, *(parameter.grad for parameter in critic.parameters())])
    assert any(gradient.abs().max() > 1e-6 for gradient in found[0][1:])
    for ours, torchs in zip(*found, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-10, atol=1e-12)


def convolution_gradients(
    method: str,
    *,
    joint: bool = False,
    fakes: torch.dtype = torch.float32,
    norm: Callable[[nn.Module], nn.Module] | None = None,
) -> list[tuple[bool, ...]]:
    """Return what each call for a convolution's first derivative computes: by the input, the weights, the bias."""
    asked = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func is torch.ops.aten.convolution_backward.default:
                asked.append(tuple(args[-1]))
            return func(*args, **(kwargs or {}))

    critic = Critic(norm=False)
    for index in (0, 2, 5) if norm else ():
        critic.layers[index] = norm(critic.layers[index])
    with Watch():
        real, fake = torch.rand(4, 3, 16, 16), torch.rand(4, 3, 16, 16, dtype=fakes)
        parts = losses.get(method).discriminator_loss(critic, real, fake, concat_batches=joint)
        parts.total.backward()
    return asked


@pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated:FutureWarning")
@pytest.mark.parametrize(
    "norm",
    [
        None,
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        torch.nn.utils.weight_norm,
        torch.nn.utils.spectral_norm,
    ],
)
def test_nothing_is_computed_that_nobody_asks_for(norm):
    through, last = [(True, False, False)], [(False, True, False)]
    asked = convolution_gradients("bce_ns + r1", norm=norm)
    assert asked[:3] == 3 * through, "the input gradient needs none by the weights"
    assert asked[3:6] == 3 * last, "nor its derivative any by the images"
    assert sorted(asked[6:]) == sorted(2 * [(False, True, True)] + 4 * [(True, True, True)])


def test_other_calls_are_left_to_torch(rng):
    x = torch.randn(3, 8, 8, generator=rng, requires_grad=True)
    weight = torch.randn(2, 3, 3, 3, generator=rng)
    with InputGradients().replacing_conv2d(x):
        single = conv2d(x, weight, padding="same")
        batch = conv2d(x[None], weight, padding="same")
    torch.testing.assert_close(single, batch[0])


@pytest.mark.parametrize("method", ["bce_ns + r1 + r2", "wgan-gp"])
def test_under_autocast_the_convolutions_run_in_bfloat16_as_torchs_do(method, monkeypatch):
    found = []
    for ours in (True, False):
        if not ours:
            monkeypatch.setattr(InputGradients, "__torch_function__", plain)
        rng = torch.Generator().manual_seed(1)
        critic = Critic(norm=True)
        for parameter in critic.parameters():
            parameter.data.copy_(torch.randn(parameter.shape, generator=rng) * 0.3)
        real, fake = torch.randn(2, 4, 3, 16, 16, generator=rng)
        with torch.autocast("cpu", torch.bfloat16):
            parts = losses.get(method).discriminator_loss(critic, real, fake, rng=rng, state={})
        parts.total.backward()
        found.append([parts.total.detach(), *(parameter.grad for parameter in critic.parameters())])
    assert not torch.equal(found[0][0], found[0][0].bfloat16().float()), "the loss itself is in float32"
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-6, atol=1e-6)
    for ours, torchs in zip(*found, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=0.02, atol=0.02 * float(torchs.abs().max()))


@pytest.mark.parametrize("fakes", [torch.float32, torch.bfloat16])
def test_both_input_gradients_of_a_shared_forward_cost_one_pass_and_nothing_that_nobody_asks_for(fakes):
    through, last = [(True, False, False)], [(False, True, False)]
    asked = convolution_gradients("bce_ns + r1 + r2", joint=True, fakes=fakes)
    assert asked[:3] == 3 * through, "the input gradients need none by the weights"
    assert asked[3:6] == 3 * last, "nor their derivatives any by the images"
    assert sorted(asked[6:]) == sorted([(False, True, True)] + 2 * [(True, True, True)])


def test_transformed_images_of_a_shared_forward_keep_their_gradient():
    """It is left out for images alone: what a transform made of them may be owed one on the way."""
    asked = convolution_gradients("bce_ns + r1 + r2 + instance_noise", joint=True)
    assert asked[:3] == 3 * [(True, False, False)]
    assert asked[6:].count((False, True, True)) == 0


def test_a_kernel_counts_as_given_where_all_that_it_is_made_of_are_parameters():
    parameter, images = nn.Parameter(torch.rand(2, 2)), torch.rand(2, 2, requires_grad=True)
    given = [None, parameter, torch.rand(2), parameter * 2, parameter @ parameter.exp(), images.detach() * parameter]
    assert all(map(_is_given, given))
    unknown = [
        images,
        images * 1,
        parameter @ images,
        torch.cat([parameter, images]),
        (parameter * 2)[0] + images.sum(),
    ]
    assert not any(map(_is_given, unknown))


def test_a_kernel_with_too_long_a_way_behind_it_does_not_count_as_given():
    kernel = nn.Parameter(torch.rand(2)) * 1
    for _ in range(100):
        kernel = kernel + kernel  # two ways each time, of which one is looked at
    assert _is_given(kernel)
    for _ in range(300):
        kernel = kernel + kernel
    assert not _is_given(kernel)


def test_under_torch_compile_and_torch_func_the_convolution_is_torchs(rng):
    """Nothing of the library may be in what a compiler records, nor be asked for a rule of torch.vmap."""
    x, weight, bias = operands(rng)
    seen = []

    def backend(graph: torch.fx.GraphModule, inputs: object) -> torch.fx.GraphModule:
        seen.extend(node.target for node in graph.graph.nodes if node.op == "call_function")
        return graph

    compiled = torch.compile(lambda *given: conv2d(*given), backend=backend, fullgraph=True)
    for _ in range(3):
        with InputGradients().replacing_conv2d(x):
            found = compiled(x, weight, bias)
    torch.testing.assert_close(found, conv2d(x, weight, bias))
    assert seen == [torch.conv2d], "compiled once, whoever the object belongs to"
    with InputGradients().replacing_conv2d(x):
        mapped = torch.vmap(lambda image: conv2d(image[None], weight, bias))(x)
    torch.testing.assert_close(mapped[:, 0], conv2d(x, weight, bias))


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:FutureWarning")  # by forward_ad itself
def test_tangents_go_through_torchs_convolution(rng):
    x, weight, bias = operands(rng)
    moved = torch.randn(x.shape, generator=rng, dtype=x.dtype)
    with InputGradients().replacing_conv2d(x), forward_ad.dual_level():
        found = forward_ad.unpack_dual(conv2d(forward_ad.make_dual(x, moved), weight, bias)).tangent
    torch.testing.assert_close(found, conv2d(moved, weight))


@pytest.mark.parametrize("which", range(3))
def test_a_tensor_of_another_kind_is_left_to_its_own_convolution(rng, which):
    met = []

    class Own(Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            met.append(func)
            return super().__torch_function__(func, types, args, kwargs)

    given = list(operands(rng))
    given[which] = given[which].as_subclass(Own)
    with InputGradients().replacing_conv2d(given[0]):
        assert type(conv2d(*given)) is Own
    assert torch.conv2d in met
