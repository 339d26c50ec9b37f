"""The terms that read parameters, against sums written out in numpy."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import losses
from losses.weights import filters_of


class Convolutional(nn.Module):
    """A critic with a kernel, a gain, a bias and a last layer."""

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(8)
        shapes = {"kernel": (4, 3, 2, 2), "gain": (4,), "last": (1, 4)}
        for name, shape in shapes.items():
            setattr(self, name, nn.Parameter(torch.randn(shape, generator=rng, dtype=torch.float64)))

    def forward(self, x: Tensor) -> Tensor:
        maps = torch.tanh(nn.functional.conv2d(x, self.kernel)) * self.gain[:, None, None]
        return nn.functional.linear(maps.mean((2, 3)), self.last)


def term(critic: Callable, expression: str, images: Callable, **options) -> losses.LossPart:
    method = losses.get(f"bce_ns + {expression}")
    return method.discriminator_loss(critic, images(0), images(1), **options)[method.regularizers[0].name]


def test_l2_d_is_half_the_squared_length_averaged_over_the_weight_tensors(images: Callable) -> None:
    critic = Convolutional()
    found = term(critic, "l2_d(weight=6)", images)
    expected = ((critic.kernel.detach().numpy() ** 2).sum() + (critic.last.detach().numpy() ** 2).sum()) / 4
    assert found.value.item() == pytest.approx(expected, rel=1e-12)
    assert found.weighted.item() == pytest.approx(6 * expected, rel=1e-12)
    found.value.backward()
    assert critic.gain.grad is None
    assert critic.kernel.grad.numpy() == pytest.approx(critic.kernel.detach().numpy() / 2, rel=1e-12)


def test_ortho_sums_the_squared_products_of_different_filters(images: Callable) -> None:
    critic = Convolutional()
    rows = critic.kernel.detach().numpy().reshape(4, -1)
    expected = sum(float(rows[i] @ rows[j]) ** 2 for i in range(4) for j in range(4) if i != j)
    found = term(critic, "ortho", images)
    assert found.value.item() == pytest.approx(expected, rel=1e-12), "the last layer has one row and adds nothing"
    assert found.weighted.item() == pytest.approx(1e-4 * expected, rel=1e-12)


def test_ortho_leaves_orthogonal_filters_of_any_length_alone(images: Callable) -> None:
    critic = Convolutional()
    rows = torch.linalg.qr(torch.randn(12, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[0].T
    critic.kernel.data = (rows * torch.tensor([[1.0], [2.0], [5.0], [9.0]])).reshape(4, 3, 2, 2)
    assert term(critic, "ortho", images).value.item() == pytest.approx(0, abs=1e-20)


def test_ortho_stays_in_full_precision_under_autocast(images: Callable) -> None:
    critic = Convolutional().float()
    rounded = lambda seed: images(seed, dtype=torch.float32)  # noqa: E731
    exact = term(critic, "ortho", rounded).value.item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert term(critic, "ortho", rounded).value.item() == exact


@pytest.mark.parametrize("expression", ["l2_d", "ortho"])
def test_their_gradients_match_finite_differences(expression: str, images: Callable) -> None:
    critic = Convolutional()
    found = term(critic, expression, images).value
    (slope,) = torch.autograd.grad(found, critic.kernel)
    way = torch.randn(critic.kernel.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            critic.kernel.add_(way, alpha=sign * 1e-5)
        ends.append(term(critic, expression, images).value.item())
        with torch.no_grad():
            critic.kernel.sub_(way, alpha=sign * 1e-5)
    assert (slope * way).sum().item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-7)


def test_a_player_without_weights_is_refused(images: Callable) -> None:
    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.zeros((), dtype=torch.float64))

        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1).sum(1) + self.bias

    with pytest.raises(ValueError, match="l2_d reads weight matrices, and the discriminator has none"):
        term(Bare(), "l2_d", images)
    with pytest.raises(ValueError, match=r"ortho reads the discriminator's weights: pass it as a torch\.nn\.Module"):
        term(Bare().forward, "ortho", images)


def _jumps(network: nn.Module) -> list[list[np.ndarray]]:
    """Return five sets of parameters for the network, far from each other."""
    rng = np.random.default_rng(0)
    return [[rng.normal(size=tuple(each.shape)) for each in network.parameters()] for _ in range(5)]


def _expected(path: list[list[np.ndarray]], t: int) -> tuple[float, list[np.ndarray]]:
    """Return the squared distance of step t from the mean of the steps before, and half its gradient."""
    if t == 0:
        return 0.0, [np.zeros_like(each) for each in path[0]]
    gaps = [path[t][k] - np.mean([path[s][k] for s in range(t)], axis=0) for k in range(len(path[0]))]
    return sum(float((gap**2).sum()) for gap in gaps), gaps


@pytest.mark.parametrize("name", ["historical_avg", "historical_avg_g"])
def test_the_distance_from_the_mean_of_the_past_over_five_steps(
    name: str, images: Callable, latents: Tensor, tiny_generator: Callable
) -> None:
    critic, generator = Convolutional(), tiny_generator()
    player = critic if name == "historical_avg" else generator
    method, path, state = losses.get(f"bce_ns + {name}(weight=3)"), _jumps(player), {}
    for t, parameters in enumerate(path):
        for each, value in zip(player.parameters(), parameters, strict=True):
            each.data = torch.from_numpy(value.copy())
        if player is critic:
            found = method.discriminator_loss(critic, images(0), images(1), step=t, state=state)[name]
        else:
            found = method.generator_loss(critic, generator, latents, step=t, state=state)[name]
        value, gaps = _expected(path, t)
        assert found.value.item() == pytest.approx(value, rel=1e-10, abs=1e-20)
        assert found.weighted.item() == pytest.approx(3 * value, rel=1e-10, abs=1e-20)
        slopes = torch.autograd.grad(found.value, list(player.parameters()))
        for slope, gap in zip(slopes, gaps, strict=True):
            assert slope.numpy() == pytest.approx(2 * gap, rel=1e-9, abs=1e-12)
    assert set(state) == {name}


def test_the_two_histories_are_kept_apart(images: Callable, latents: Tensor, tiny_generator: Callable) -> None:
    critic, generator, state = Convolutional(), tiny_generator(), {}
    method = losses.get("bce_ns + historical_avg + historical_avg_g")
    method.discriminator_loss(critic, images(0), images(1), state=state)
    method.generator_loss(critic, generator, latents, state=state)
    assert len(state["historical_avg"]) == 1 + 3
    assert len(state["historical_avg_g"]) == 1 + 1
    assert not any(tensor.requires_grad for part in state.values() for tensor in part.values())


class Normalized(nn.Module):
    """A critic whose normalizations have gains and biases of two dimensions and more."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(3, 4, 2)
        self.down = nn.Conv2d(4, 2, 2)
        self.across = nn.LayerNorm([2, 5, 4])
        self.root = nn.RMSNorm([2, 5, 4])
        self.last = nn.Linear(2 * 5 * 4, 1)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.root(self.across(self.down(self.up(x)))).flatten(1))


def test_the_gains_of_a_normalization_are_no_weights(images: Callable) -> None:
    critic = Normalized()
    squares = [(layer.weight.detach().numpy() ** 2).sum() / 2 for layer in (critic.up, critic.down, critic.last)]
    assert term(critic, "l2_d", images).value.item() == pytest.approx(sum(squares) / 3, rel=1e-12)
    before = term(critic, "ortho", images).value.item()
    for normalization in (critic.across, critic.root):
        nn.init.constant_(normalization.weight, 7.0)
    assert term(critic, "ortho", images).value.item() == pytest.approx(before, rel=1e-12)


def hooked_weight_norm(layer: nn.Module) -> None:
    """The older way, which torch advises against and older networks have."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        nn.utils.weight_norm(layer)


@pytest.mark.parametrize("divide", [nn.utils.parametrizations.weight_norm, hooked_weight_norm])
def test_the_lengths_that_weight_norm_splits_off_are_no_weights(divide: Callable, images: Callable) -> None:
    critic = Normalized()
    before = {name: term(critic, name, images).value.item() for name in ("l2_d", "ortho")}
    divide(critic.down)
    for name, value in before.items():
        assert term(critic, name, images).value.item() == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("parametrized", [False, True])
def test_the_filters_of_a_transposed_convolution_are_its_output_channels(groups: int, parametrized: bool) -> None:
    layer = nn.ConvTranspose2d(6, 9, 3, groups=groups, bias=False)
    if parametrized:
        nn.utils.parametrize.register_parametrization(layer, "weight", nn.Identity())
    (rows,) = filters_of(layer)
    assert rows.shape == (9, 6 // groups * 3 * 3)
    # Each output is its channel's filter on the inputs of its group, so one pixel of them gives the filter back.
    for channel in range(9):
        group = channel // (9 // groups)
        inputs = torch.zeros(6 // groups, 6, 1, 1)
        for place in range(6 // groups):
            inputs[place, group * (6 // groups) + place] = 1
        assert torch.equal(layer(inputs)[:, channel].flatten(), rows[channel])
