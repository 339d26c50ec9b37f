"""Other ways than one operator after another: calls captured in a CUDA graph, and losses that torch compiled."""

from collections.abc import Iterable

import torch

from bench.kernels.blocks import Call
from bench.kernels.paths import ROTATION, Paths
from bench.store.kernels import Mode

_CAPTURED = ("loss", "generator_loss", "penalty", "terms")
_WARM_UP = 3
"""Calls before a capture, on a stream of their own, as torch asks for."""


def calls(paths: Paths, mode: Mode) -> tuple[dict[str, Call], list[str]]:
    """Return what of a method can be run in a mode, and why the rest cannot.

    - eager: everything.
    - captured: the losses and the terms. A whole step draws its batches and asks the optimiser between the kernels.
    - compiled: the losses. torch.compile does not differentiate twice, which penalties on gradients need.
    """
    if mode == "eager":
        return paths.calls(), []
    found, notes = {}, []
    eager = paths.calls()
    for path in [each for each in _CAPTURED if each in eager]:
        if mode == "compiled" and path in ("penalty", "terms"):
            continue
        try:
            found[path] = _compiled(paths, path) if mode == "compiled" else _captured(eager[path], paths)
        except RuntimeError as error:  # what both torch.cuda and torch.compile raise where they cannot
            notes.append(f"{path} cannot be {mode}: {str(error).strip().splitlines()[0]}")
    return found, notes


def _captured(call: Call, paths: Paths) -> Call:
    return capture(call, paths.generators.values())


def capture(call: Call, generators: Iterable[torch.Generator] = ()) -> Call:
    """Capture a call once for each of its inputs; the new call replays them in turn. CUDA only.

    Raises:
        RuntimeError: it cannot be captured, because it waits for the device or allocates elsewhere.
    """
    call.reset()
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for index in range(_WARM_UP):
            call.run(index)
    torch.cuda.current_stream().wait_stream(aside)
    graphs = []
    for index in range(ROTATION):
        graph = torch.cuda.CUDAGraph()
        for generator in generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph):
            call.run(index)
        graphs.append(graph)
    return Call(lambda index: graphs[index % ROTATION].replay(), reset=call.reset)


def _compiled(paths: Paths, name: str) -> Call:
    loss, _ = paths.loss(name)
    call = paths.whole_loss(name, torch.compile(loss, fullgraph=True, dynamic=False))
    call.run(0)  # compiles, or raises
    return call
