"""Stage 1: what captured steps take for granted of torch, and was never seen on a GPU."""

import gc
from collections.abc import Callable, Iterator

import torch
from gpu_results import Found
from gpu_setup import Check, Setup
from torch import Tensor, nn

SEEDS = (1, 2**31, 7)


def probes(setup: Setup) -> Iterator[Check]:
    for name in DRAWS:
        yield f"seeded draws, {name}", lambda name=name: draws(setup, name)
    yield "a recording that fails", lambda: failing_recording(setup)
    yield "two graphs of a stream, one dropped", lambda: dropped_graph(setup)
    for precision in ("float32", "bfloat16"):
        yield f"strides of GroupNorm, {precision}", lambda precision=precision: group_norm(setup, precision)


DRAWS: dict[str, Callable[..., Tensor]] = {
    "normal": torch.randn,
    "uniform": torch.rand,
    "integers": lambda *size, **where: torch.randint(0, 1000, size, **where).float(),
}


def draws(setup: Setup, name: str) -> Found:
    """Hold draws that are replayed, after the generator was seeded from outside, to those made eagerly."""
    generator = torch.Generator(setup.device)
    place = torch.zeros(1000, device=setup.device)

    def draw() -> None:
        place.copy_(DRAWS[name](1000, generator=generator, device=setup.device))
        place.add_(DRAWS[name](1000, generator=generator, device=setup.device))

    recorder = setup.recorder()
    recorder.run(draw)
    generator.manual_seed(0)
    replay = recorder.record(draw, [generator])
    for seed in SEEDS:
        generator.manual_seed(seed)
        recorder.run(draw)
        eager = place.clone()
        generator.manual_seed(seed)
        place.zero_()
        replay()
        if not torch.equal(eager, place):
            return Found("failed", f"seed {seed}: {int((eager != place).sum())} of 1,000 numbers are others")
    return Found("ok", f"the same numbers, of {len(SEEDS)} seeds")


def failing_recording(setup: Setup) -> Found:
    """A call that waits for the device cannot be recorded; it is told, and the device goes on."""
    numbers = torch.arange(100.0, device=setup.device)
    before = torch.cuda.current_stream(setup.device) if setup.cuda else None
    recorder = setup.recorder()
    try:
        recorder.record(lambda: numbers.sum().item(), [])
    except RuntimeError as error:
        said = str(error).splitlines()[0]
    else:
        return Found("failed", "what waits for the device was recorded")
    if setup.cuda and torch.cuda.current_stream(setup.device) != before:
        return Found("failed", "the recording's stream stayed the current one")
    place = torch.zeros((), device=setup.device)
    recorder.record(lambda: place.copy_(numbers.sum()), [])()
    if place.item() != 4950:
        return Found("failed", f"the next recording computes {place.item()} instead of 4950")
    return Found("ok", f"told ({said}), and the next one computes")


def dropped_graph(setup: Setup) -> Found:
    """A graph that is dropped must not take the workspace of another along, which cuBLAS keeps one a stream."""
    size = 64 if setup.small else 1024
    left, right = (torch.randn(size, size, device=setup.device) for _ in range(2))
    places = [torch.zeros(size, size, device=setup.device) for _ in range(3)]
    recorder = setup.recorder()

    def product(number: int) -> Callable[[], object]:
        return lambda: places[number].copy_(left @ right + number)

    for number in range(3):
        recorder.run(product(number))
    expected = [place.clone() for place in places]
    replays = [recorder.record(product(number), []) for number in range(3)]
    del replays[0]
    gc.collect()
    others = [torch.full((2**20,), 7.0, device=setup.device) for _ in range(2 if setup.small else 32)]
    for _ in range(20):
        recorder.run(product(0))  # work in the stream's new workspace, between the replays
        for place in places[1:]:
            place.zero_()
        for replay in replays:
            replay()
    if not all(torch.equal(place, wanted) for place, wanted in zip(places, expected, strict=True)):
        return Found("failed", "a replay computes other products once another graph is dropped")
    if not all(bool((each == 7).all()) for each in others):
        return Found("failed", "a replay wrote to memory of somebody else")
    return Found("ok", "the others compute as before, and write nowhere else")


def group_norm(setup: Setup, precision: str) -> Found:
    """Say which layout GroupNorm returns for a channels-last batch, forward and backward."""
    kind = getattr(torch, precision)
    norm = nn.GroupNorm(1, 64).to(setup.device, kind)
    batch = torch.randn(64, 64, 16, 16, device=setup.device, dtype=kind).to(memory_format=torch.channels_last)
    batch.requires_grad_()
    made = norm(batch)
    (slope,) = torch.autograd.grad(made.float().square().sum(), batch)
    layouts = {name: _layout(tensor) for name, tensor in (("forward", made), ("backward", slope))}
    said = "; ".join(f"{name} returns {layout}" for name, layout in layouts.items())
    return Found("note", said, layouts)


def _layout(tensor: Tensor) -> str:
    return "NHWC" if tensor.is_contiguous(memory_format=torch.channels_last) else "NCHW"
