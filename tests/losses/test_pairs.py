"""Statistics over pairs: what they are, that blocks change nothing, and how much memory they need."""

import math
from collections.abc import Callable

import in_blocks
import pytest
import torch
from in_blocks import LIMIT, batches
from made_logits import objective
from slow_cases import mostly_slow, sampled
from tape import Tape
from tensor_memory import Kept, TensorMemory
from torch import Tensor

from losses import pairs
from losses.numerics import gaussian, root, squared_distances

OBJECTIVES = ("mmd_rbf", "mmd_rq", "mmd_repulsive", "cramer")
MIB = 2**20


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "LIMIT", LIMIT)


def kernel(x: Tensor, y: Tensor) -> Tensor:
    return gaussian(squared_distances(x, y), (1.0, 2.0))


def matrix(x: Tensor, y: Tensor) -> Tensor:
    """The same kernel, pair by pair."""
    rows = [torch.stack([sum(((u - v) ** 2).sum().mul(-0.5 / s**2).exp() for s in (1, 2)) for v in y]) for u in x]
    return torch.stack(rows)


def without_diagonal(square: Tensor) -> Tensor:
    return square[~torch.eye(len(square), dtype=torch.bool)]


STATISTICS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "mean over pairs": (lambda x, y: pairs.mean_over_pairs(kernel, x, y), lambda x, y: matrix(x, y).mean()),
    "mean within": (lambda x, _: pairs.mean_within(kernel, x), lambda x, _: without_diagonal(matrix(x, x)).mean()),
    "row means": (lambda x, y: pairs.row_means(kernel, x, y), lambda x, y: matrix(x, y).mean(dim=1)),
    "row minima": (
        lambda x, y: pairs.over_rows(lambda values: values.amin(dim=1), kernel, x, y),
        lambda x, y: matrix(x, y).amin(dim=1),
    ),
    "row maxima": (lambda x, y: pairs.maxima(kernel, x, y)[0], lambda x, y: matrix(x, y).amax(dim=1)),
    "column maxima": (lambda x, y: pairs.maxima(kernel, x, y)[1], lambda x, y: matrix(x, y).amax(dim=0)),
    "unbiased mmd": (
        lambda x, y: pairs.unbiased_mmd(kernel, x, y),
        lambda x, y: (
            without_diagonal(matrix(x, x)).mean() + without_diagonal(matrix(y, y)).mean() - 2 * matrix(x, y).mean()
        ),
    ),
}


@pytest.mark.parametrize("limit", [2**22, LIMIT, 1])
@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_and_two_derivatives_are_those_of_all_pairs(
    name: str, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "LIMIT", limit)
    found, expected = (in_blocks.derivatives(each, *batches(7, 5)) for each in STATISTICS[name])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
@pytest.mark.usefixtures("small_limit")
def test_blocks_can_be_differentiated_a_third_time() -> None:
    x, y = batches(5, 5, size=4)

    def slope(x: Tensor, y: Tensor) -> Tensor:
        return torch.autograd.grad(pairs.row_means(kernel, x, y).square().sum(), x, create_graph=True)[0]

    assert not pairs.fit(x, y)
    assert torch.autograd.gradcheck(slope, (x, y))
    assert torch.autograd.gradgradcheck(slope, (x, y))


@pytest.mark.usefixtures("small_limit")
def test_what_has_no_curvature_or_no_gradient_is_zero_and_no_error() -> None:
    x, y = batches()
    products = lambda x, y: x @ y.detach().T  # noqa: E731 - reads as mathematics
    (slope,) = torch.autograd.grad(pairs.mean_over_pairs(products, x, y.detach(), width=4), x, create_graph=True)
    torch.testing.assert_close(slope, y.detach().mean(dim=0).expand(7, 4) / 7)
    (curvature,) = torch.autograd.grad(slope.square().sum(), x)
    assert curvature.abs().max() == 0
    by_y = torch.autograd.grad(pairs.mean_over_pairs(products, x, y, width=4), (x, y))[1]
    assert by_y.abs().max() == 0


def test_one_sample_has_no_pairs_in_blocks_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "LIMIT", 1)
    with pytest.raises(ValueError, match="at least two samples"):
        pairs.mean_within(kernel, torch.ones(1, 4))


@pytest.mark.usefixtures("small_limit")
def test_only_what_is_asked_for_is_differentiated() -> None:
    x, y = batches()
    value = pairs.mean_over_pairs(kernel, x, y.detach())
    assert torch.autograd.grad(value, x)[0].abs().sum() > 0
    with torch.no_grad():
        assert not pairs.mean_over_pairs(kernel, x, y).requires_grad


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_are_the_same_in_blocks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = objective(f"{name}(dimension=4)")
    in_blocks.check(found.discriminator, monkeypatch)
    in_blocks.check(lambda real, fake: found.generator(fake, real), monkeypatch)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_slope_of_the_critic_is_the_same_in_blocks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The witness at interpolates, differentiated twice, as a gradient penalty does."""
    found = objective(f"{name}(dimension=4)")

    def penalty(real: Tensor, fake: Tensor) -> Tensor:
        between = 0.3 * real + 0.7 * fake
        critic = found.critic(between, real, fake)
        (slope,) = torch.autograd.grad(critic.sum(), between, create_graph=True)
        return (slope.square().sum(dim=1).sqrt() - 1).square().mean()

    in_blocks.check(penalty, monkeypatch)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_batches_of_the_protocol_are_one_matrix_to_the_last_bit(name: str) -> None:
    """64 samples in 256 dimensions, the largest head: nothing is computed anew in the backward pass."""
    x, y = (each.detach().float().requires_grad_() for each in batches(64, 64, 256))
    assert pairs.fit(x, y)
    found = objective(f"{name}(dimension=256)")
    profile = root if name == "cramer" else found.kernel

    def of(x: Tensor, y: Tensor) -> Tensor:
        return profile((x.unsqueeze(1) - y.unsqueeze(0)).square().sum(dim=2))

    def within(x: Tensor) -> Tensor:
        values = of(x, x)
        return (values.sum() - values.diagonal().sum()) / (64 * 63)

    # In the order in which the gradients are added up: roundings depend on it.
    expected = 2 * of(x, y).mean() - within(y) if name == "cramer" else within(x) + within(y) - 2 * of(x, y).mean()
    value = found.generator(y, x)
    assert torch.equal(value, expected)
    assert all(map(torch.equal, torch.autograd.grad(value, (x, y)), torch.autograd.grad(expected, (x, y))))
    assert "Recomputed" not in graph(found.generator(y, x)) + graph(found.critic(x, x, y).sum())


def graph(value: Tensor) -> str:
    nodes, seen = [value.grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is not None and node not in seen:
            seen.add(node)
            nodes += [following for following, _ in node.next_functions]
    return " ".join(node.name() for node in seen)


@pytest.mark.usefixtures("small_limit")
def test_two_runs_of_blocks_are_equal_to_the_last_bit() -> None:
    x, y = batches()
    assert "Recomputed" in graph(pairs.unbiased_mmd(kernel, x, y))
    first, again = (in_blocks.derivatives(lambda x, y: pairs.unbiased_mmd(kernel, x, y), x, y) for _ in range(2))
    assert all(map(torch.equal, first, again))


@pytest.mark.usefixtures("small_limit")
def test_blocks_do_not_wait_for_the_device_and_can_be_replayed() -> None:
    x, y = (each.detach() for each in batches())
    game, found = objective("mmd_rq(dimension=4)"), []

    def call() -> None:
        real, fake = x.requires_grad_(), y.requires_grad_()
        (slope,) = torch.autograd.grad(game.critic(real, real.detach(), fake).sum(), real, create_graph=True)
        loss = game.discriminator(real, fake) + slope.square().sum()
        shares = torch.stack([pairs.share_above(x[:, 0], y[:, 0]).double(), pairs.mean_sign(x[:, 0], y[:, 0])])
        found[:] = [loss, shares, *torch.autograd.grad(loss, (real, fake))]

    with Tape() as tape:
        call()
    recorded = list(found)
    with torch.no_grad():
        x.add_(y).mul_(0.6)
    tape.replay()
    call()
    for replayed, plain in zip(recorded, found, strict=True):
        assert torch.equal(replayed, plain)


@pytest.mark.usefixtures("small_limit")
def test_blocks_keep_the_precision_of_their_inputs_under_autocast() -> None:
    x, y = (each.detach().float().requires_grad_() for each in batches())
    products = lambda x, y: (x @ y.T).square()  # noqa: E731 - reads as mathematics

    def value_and_slope() -> list[Tensor]:
        value = pairs.mean_over_pairs(products, x, y, width=4)
        return [value, *torch.autograd.grad(value, (x, y), create_graph=True)]

    plain = value_and_slope()
    with torch.autocast("cpu", torch.bfloat16):
        assert all(map(torch.equal, plain, value_and_slope()))


def test_compiled_code_has_one_matrix_whatever_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = batches()
    game = objective("mmd_rq(dimension=4)")
    expected = in_blocks.derivatives(game.discriminator, x, y)
    monkeypatch.setattr(pairs, "LIMIT", LIMIT)
    compiled = torch.compile(game.discriminator, fullgraph=True, dynamic=False, backend="eager")
    assert "Recomputed" not in graph(compiled(x, y))
    for one, other in zip(in_blocks.derivatives(compiled, x, y), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-13)


def lived(name: str, batch: int, *, penalty: bool, dimension: int = 16) -> tuple[TensorMemory, Kept]:
    """Return what a loss, or a penalty on the slope of its critic, keeps in so many dimensions with both passes."""
    game = objective(f"{name}(dimension={dimension})")
    real, fake = (torch.empty(batch, dimension, device="meta", requires_grad=True) for _ in range(2))
    with TensorMemory() as memory:
        with Kept() as kept:
            value = game.critic(real, real.detach(), fake).sum() if penalty else game.discriminator(real, fake)
        if penalty:
            (slope,) = torch.autograd.grad(value, real, create_graph=True)
            value = slope.square().sum()
        value.backward()
    return memory, kept


@pytest.mark.slow
@pytest.mark.parametrize("penalty", [False, True])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_memory_is_bounded_for_4096_samples(name: str, penalty: bool) -> None:
    """All pairs at once have tensors of 2^28 elements, and keep gigabytes for the backward pass."""
    memory, kept = lived(name, 4096, penalty=penalty)
    assert memory.largest == pairs.LIMIT == 2**22
    assert kept.size < 2 * MIB
    assert 32 * MIB < memory.peak < 160 * MIB


@pytest.mark.parametrize("penalty", sampled([False, True], every=2))
@pytest.mark.parametrize("name", mostly_slow(OBJECTIVES, fast=["mmd_rq"]))
def test_memory_is_bounded_by_the_limit_and_not_by_the_pairs(
    name: str, penalty: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As above with fewer samples: all pairs at once have tensors of 2^22 elements, 16 times the limit."""
    monkeypatch.setattr(pairs, "LIMIT", 2**18)
    memory, kept = lived(name, 512, penalty=penalty)
    assert memory.largest == pairs.LIMIT
    assert kept.size < MIB / 2
    assert 2 * MIB < memory.peak < 10 * MIB


@pytest.mark.parametrize("name", ["mmd_rbf", "mmd_rq"])
def test_a_narrow_head_is_bounded_too_whose_kernel_has_more_terms_than_dimensions(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "LIMIT", 2**14)
    memory, _ = lived(name, 128, penalty=False, dimension=2)
    assert 2**13 < memory.largest <= pairs.LIMIT


def test_a_block_is_a_single_row_where_a_row_alone_has_more_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "LIMIT", 2)
    memory, _ = lived("mmd_rq", 32, penalty=False)
    assert memory.largest == 32 * 16  # a batch, or the differences of one sample from it


def test_columns_of_heads_are_ranked_without_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second number in memory, as a column of critics is, for which a search would make a copy of its own."""
    heads = torch.linspace(-1, 1, 24).reshape(12, 2)
    expected = pairs.share_above(heads[:, 0], heads[:, 1]).item()
    monkeypatch.setattr(pairs, "LIMIT", 1)
    torch.set_warn_always(True)
    try:
        assert pairs.share_above(heads[:, 0], heads[:, 1]).item() == pytest.approx(expected)
    finally:
        torch.set_warn_always(False)


def test_pairs_fit_up_to_the_limit_and_it_included(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = torch.ones(4, 8), torch.ones(6, 8)
    for limit, width, expected in ((192, None, True), (191, None, False), (24, 1, True), (23, 1, False)):
        monkeypatch.setattr(pairs, "LIMIT", limit)
        assert pairs.fit(x, y, width) is expected


def test_the_counts_of_memory_are_right_where_they_can_be_worked_out() -> None:
    """Differences and their squares, 64 * 64 * 16 each, are alive together with the batch and the squares' sum."""
    x = torch.empty(64, 16, device="meta", requires_grad=True)
    with TensorMemory() as memory, Kept() as kept:
        squared_distances(x, x).exp().sum()
    assert memory.largest == 64 * 64 * 16
    assert kept.size == 4 * (64 * 64 * 16 + 64 * 64)
    assert memory.peak == 4 * (2 * 64 * 64 * 16 + 64 * 64 + 64 * 16)


INF, NAN = math.inf, math.nan
CRITICS = {
    "ties": ([0.0, 1.0, 1.0, 2.0], [1.0, 1.0, 0.0]),
    "different sizes": ([3.0, -1.0, 0.5, 0.0, -0.0], [0.5, 0.0]),
    "infinite": ([INF, -INF, 0.0], [1.0, -1.0]),
    "infinite on both sides": ([INF, 0.0], [INF, -1.0]),
    "lowest on both sides": ([-INF, 0.0], [-INF, -1.0]),
    "opposite infinities": ([INF, 0.0], [-INF, -1.0]),
    "undefined above": ([NAN, 2.0, INF], [1.0, 2.0]),
    "undefined below": ([0.0, 2.0, INF], [NAN, 1.0, INF]),
    "mostly undefined": ([0.5, 2.0, -INF, NAN], [NAN, NAN, 0.0, NAN, 1.0, NAN, NAN]),
    "all undefined": ([NAN, NAN], [NAN]),
}


@pytest.mark.parametrize("name", CRITICS)
def test_ranks_count_pairs_as_all_pairs_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = map(torch.tensor, CRITICS[name])
    share = (a[:, None] > b[None, :]).float().mean()
    sign = (a[:, None] - b[None, :]).sign().mean()
    for limit in (2**22, 1):
        monkeypatch.setattr(pairs, "LIMIT", limit)
        torch.testing.assert_close(pairs.share_above(a, b), share, rtol=1e-7, atol=0)
        torch.testing.assert_close(pairs.mean_sign(a, b), sign, rtol=1e-6, atol=1e-8)


def test_ranks_of_many_rounded_logits_are_exact_and_small(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = ((torch.randn(700, generator=generator, dtype=torch.float64) * 20).round() / 20 for _ in range(2))
    share, sign = pairs.share_above(a + 0.1, b), pairs.mean_sign(a + 0.1, b)
    monkeypatch.setattr(pairs, "LIMIT", 1000)
    with TensorMemory() as memory:
        assert pairs.share_above(a + 0.1, b).item() == pytest.approx(share.item(), rel=1e-6)
        assert pairs.mean_sign(a + 0.1, b).item() == pytest.approx(sign.item(), rel=1e-12)
    assert memory.largest <= 700
    assert pairs.mean_sign(a, b).dtype == torch.float64


@pytest.mark.parametrize("limit", [pairs.LIMIT, 60, 10])
def test_rows_are_ranked_each_by_itself(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """All rows at once, row by row, and each row by ranks."""
    monkeypatch.setattr(pairs, "LIMIT", limit)
    a, b = torch.randn(3, 7), torch.randn(3, 5)
    a[0, 2] = b[1, 3] = torch.nan
    expected = [sum(x > y for x in one for y in other) / 35 for one, other in zip(a.tolist(), b.tolist(), strict=True)]
    assert pairs.share_above(a, b).tolist() == pytest.approx(expected)
