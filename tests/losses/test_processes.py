"""Two processes with half a batch each train as one with all of it: same gradients, same memory.

The processes are threads here, which meet in a sum; test_loops.py has two real ones.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from slow_cases import sampled
from torch import Tensor, nn

import losses
from losses.contract.toy_problem import Batch, ToyProblem
from losses.types import PHASES, Phase
from losses.whole_batch import WholeBatch

PROCESSES = 2
METHODS = [
    *losses.names("objective"),
    *(f"bce_ns + {name}" for kind in ("regularizer", "transform") for name in losses.names(kind)),
    *("ra_bce + r1 + lecam(start=0)", "mmd_rq + drift", "bce_ns + lecam(start=0) + accuracy_gate + began_balance"),
    *("wasserstein + fisher", "wasserstein + sobolev(rho=0.1)", "mmd_rq + r1", "realness + r1 + r2"),
]


class Sum:
    """An all_reduce between threads: each adds its tensor, and all take the sum."""

    def __init__(self) -> None:
        self._barrier = threading.Barrier(PROCESSES, timeout=60)
        self._given: dict[int, Tensor] = {}

    def of(self, rank: int) -> Callable[[Tensor], None]:
        def all_reduce(tensor: Tensor) -> None:
            self._given[rank] = tensor.clone()
            self._barrier.wait()
            total = sum(self._given[other] for other in range(PROCESSES))
            self._barrier.wait()
            tensor.copy_(total)

        return all_reduce

    def abort(self) -> None:
        self._barrier.abort()


class Outcome:
    """What a run leaves behind: the gradients, what is remembered, and whether anything was drawn."""

    def __init__(self, method: losses.Method, phase: Phase, batch: Batch, whole: WholeBatch | None, steps: int) -> None:
        self.problem = ToyProblem(method)
        self.state: dict[str, dict[str, Tensor]] = {name: {"probability": torch.tensor(0.0)} for name in ("ada", "apa")}
        rng = torch.Generator().manual_seed(0)
        before = rng.get_state()
        for step in range(steps):
            self.problem.critic.zero_grad()
            self.problem.generator.zero_grad()
            options = {"rng": rng, "step": step * 64, "state": self.state, "whole": whole}
            real, latents = batch
            if phase == "generator":
                parts = method.generator_loss(self.problem.critic, self.problem.generator, latents, real, **options)
            else:
                fake = self.problem.generator(latents)
                parts = method.discriminator_loss(
                    self.problem.critic, real, fake, latents=latents, generator=self.problem.generator, **options
                )
            parts.total.backward()
        self.value = parts.total.item()
        self.drew = not torch.equal(before, rng.get_state())
        player: nn.Module = self.problem.player(phase)
        self.gradients = [weights.grad for weights in player.parameters() if weights.grad is not None]


def in_two_processes(method: losses.Method, phase: Phase, batch: Batch, steps: int) -> list[Outcome]:
    meeting = Sum()

    def work(rank: int) -> Outcome:
        own = Batch(*(tensor.chunk(PROCESSES)[rank] for tensor in batch))
        try:
            return Outcome(method, phase, own, WholeBatch(meeting.of(rank), rank, PROCESSES), steps)
        except BaseException:
            meeting.abort()
            raise

    with ThreadPoolExecutor(PROCESSES) as pool:
        runs = [pool.submit(work, rank) for rank in range(PROCESSES)]
    causes = [cause for run in runs if (cause := run.exception()) is not None]
    for cause in causes:  # whoever waits when another fails has only a broken barrier to tell of
        if not isinstance(cause, threading.BrokenBarrierError):
            raise cause
    return [run.result() for run in runs]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("expression", sampled(METHODS, every=4))
def test_gradients_and_memory_are_those_of_one_process(expression: str, phase: Phase) -> None:
    method = losses.get(expression)
    batch = Batch(
        *(torch.cat(pair) for pair in zip(ToyProblem(method).batch(0), ToyProblem(method).batch(1), strict=True))
    )
    one = Outcome(method, phase, batch, None, steps=2)
    two = in_two_processes(method, phase, batch, steps=2)
    assert two[0].state.keys() == two[1].state.keys() == one.state.keys()
    if one.drew:  # each process has random numbers of its own, so that only what is shared can be compared
        assert all(gradient.isfinite().all() for process in two for gradient in process.gradients)
        return
    for mine, other, whole in zip(two[0].gradients, two[1].gradients, one.gradients, strict=True):
        largest = max(1.0, whole.abs().max().item())
        torch.testing.assert_close((mine + other) / 2, whole, rtol=1e-9, atol=1e-11 * largest)
    for part, own in one.state.items():
        for name, value in own.items():
            for process in two:
                torch.testing.assert_close(process.state[part][name], value, rtol=1e-9, atol=1e-12)


def test_slopes_of_a_critic_that_is_measured_against_the_batch_are_refused() -> None:
    method = losses.get("mmd_rq + gp1")
    with pytest.raises(ValueError, match="gp1 takes slopes of the critic of mmd_rq"):
        in_two_processes(method, "discriminator", ToyProblem(method).batch(), steps=1)


def test_what_is_gathered_is_in_the_order_of_the_ranks_and_its_own_gradient_is_multiplied() -> None:
    meeting = Sum()

    def work(rank: int) -> tuple[Tensor, Tensor]:
        own = torch.tensor([[1.0 + rank], [3.0 + rank]], requires_grad=True)
        gathered = WholeBatch(meeting.of(rank), rank, PROCESSES).gathered(own)
        gathered.square().sum().backward()
        assert own.grad is not None
        return gathered.detach(), own.grad

    with ThreadPoolExecutor(PROCESSES) as pool:
        (first, first_gradient), (second, second_gradient) = pool.map(work, range(PROCESSES))
    assert first.flatten().tolist() == second.flatten().tolist() == [1, 3, 2, 4]
    assert first_gradient.flatten().tolist() == [4, 12]  # 2 processes times the slope 2 x
    assert second_gradient.flatten().tolist() == [8, 16]


def test_a_rank_outside_the_processes_and_a_missing_sum_are_refused() -> None:
    with pytest.raises(ValueError, match="rank 2 of 2 processes"):
        WholeBatch(lambda _: None, 2, 2)
    with pytest.raises(ValueError, match="need all_reduce"):
        WholeBatch(None, 0, 2)
    networks = (torch.nn.Linear(2, 1), torch.nn.Linear(2, 2))
    with pytest.raises(ValueError, match="4 processes need all_reduce"):
        losses.Criterion("ra_bce", *networks, rank=1, processes=4)
    with pytest.raises(ValueError, match="rank 1 of 1 processes"):
        losses.Criterion("ra_bce", *networks, rank=1)
    losses.Criterion("ra_bce", *networks, rank=0, processes=1)
