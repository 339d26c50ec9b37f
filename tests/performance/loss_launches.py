"""How many launches a loss with its gradient takes: operators one by one, compiled by torch.compile, and fused.

    python tests/performance/loss_launches.py                # every scalar objective that is no alias
    python tests/performance/loss_launches.py hinge rp_bce

Forward and backward together, at a batch of 64, as Markdown. A launch is an operator that computes (no view), a C++
function, or a Triton kernel. The code is written by inductor and not run; for CUDA it is written for a GPU that is only
described (an H100), so none is needed. This reaches into torch's insides, and was made with torch 2.14.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch import Tensor

import losses
from bench.costs.profiling import outermost_operators
from losses import fusion, registry

BATCH = 64
PHASES = ("discriminator", "generator")
NO_LAUNCH = {f"aten::{name}" for name in ("detach", "expand", "expand_as", "narrow", "slice", "unsqueeze", "view")}
_CALLED = r"cpp_fused_\w+|triton_\w+\.run|extern_kernels\.\w+|aten\.[\w.]+|torch\.ops\.[\w.]+"
_LAUNCH = re.compile(rf"^ +(?:\w+ = )?(?:{_CALLED})\(", re.MULTILINE)
GPU = {
    "name": "H100", "major": 9, "minor": 0, "multi_processor_count": 132, "warp_size": 32, "total_memory": 80 << 30,
    "regs_per_multiprocessor": 65536, "max_threads_per_multi_processor": 2048, "max_threads_per_block": 1024,
    "shared_memory_per_block": 49152, "shared_memory_per_block_optin": 232448, "gcnArchName": "",
}  # fmt: skip

Loss = Callable[..., Tensor]


def made_logits(device: str = "cpu") -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(BATCH, generator=generator).to(device) for _ in range(2)]


def inputs(objective: losses.Objective, phase: str) -> list[Tensor]:
    """The logits of a phase as leaves; what the generator compares with has no gradient, as in a step."""
    real, fake = made_logits()
    if phase == "discriminator":
        return [real.requires_grad_(), fake.requires_grad_()]
    return [fake.requires_grad_(), *([real] if objective.needs_real_in_generator else [])]


def forward_and_backward(loss: Loss, logits: Sequence[Tensor]) -> None:
    value = loss(*logits)
    if value.requires_grad:
        torch.autograd.grad(value, [each for each in logits if each.requires_grad], allow_unused=True)


def eager(objective: losses.Objective, phase: str) -> int:
    logits = inputs(objective, phase)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], acc_events=True) as profiler:
        forward_and_backward(getattr(objective, phase), logits)
    ran = [name for name, _ in outermost_operators(profiler.events())]
    # autograd begins with a 1, whatever is differentiated; in a step it is one for all terms.
    return sum(name not in {*NO_LAUNCH, "aten::ones_like"} for name in ran)


def launches(source: str) -> int:
    return len(_LAUNCH.findall(source))


def dependencies(objective: losses.Objective, phase: str) -> tuple[int, ...]:
    logits = inputs(objective, phase)
    return fusion._dependencies(getattr(objective, phase), logits, [each.requires_grad for each in logits])


# --- what inductor writes -----------------------------------------------------------------------------------------


@contextmanager
def described_gpu() -> Iterator[None]:
    """Let torch believe in a GPU as far as writing code for it goes."""
    import triton.runtime
    from torch._inductor.runtime.hints import DeviceProperties
    from triton.backends.compiler import GPUTarget

    shape = {key: GPU[key] for key in ("major", "multi_processor_count", "warp_size", "regs_per_multiprocessor")}
    shape["max_threads_per_multi_processor"] = GPU["max_threads_per_multi_processor"]
    made = DeviceProperties(type="cuda", index=0, cc=90, **shape)
    before = triton.runtime.driver._active
    triton.runtime.driver.set_active(
        SimpleNamespace(get_current_target=lambda: GPUTarget("cuda", 90, 32), get_current_device=lambda: 0)
    )
    try:
        with (
            mock.patch.object(DeviceProperties, "create", classmethod(lambda *_: made)),
            mock.patch("torch.cuda.get_device_properties", return_value=SimpleNamespace(**GPU)),
            mock.patch("torch.cuda.get_device_capability", return_value=(9, 0)),
            mock.patch("torch.cuda.current_device", return_value=0),
            mock.patch("torch.cuda.device_count", return_value=1),
            mock.patch("torch._inductor.scheduler.has_triton", return_value=True),
        ):
            yield
    finally:
        triton.runtime.driver._active = before


def written(graph: torch.fx.GraphModule, given: Sequence[Tensor], device: str) -> str:
    """Return what inductor writes for a graph that was traced on the CPU, with its tensors on another device."""
    from torch._inductor.graph import GraphLowering
    from torch._inductor.virtualized import V
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.passes.fake_tensor_prop import FakeTensorProp

    for node in graph.graph.nodes:
        if "device" in node.kwargs:
            node.kwargs = {**node.kwargs, "device": torch.device(device)}
    graph.recompile()
    mode = FakeTensorMode()
    with mode:
        there = [torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=device) for x in given]
    FakeTensorProp(graph, mode).propagate_dont_convert_inputs(*there)
    lowering = GraphLowering(graph, is_inference=True)
    on_gpu = described_gpu() if device.startswith("cuda") else nullcontext()
    with on_gpu, V.set_graph_handler(lowering), V.set_fake_mode(mode), V.set_debug_handler(mock.MagicMock()):
        lowering.run(*there)
        return str(lowering.codegen()[0].value)


def traced(run: Callable[[Loss], object], function: Loss) -> list[tuple[torch.fx.GraphModule, Sequence[Tensor]]]:
    """Return the graphs that torch.compile would have inductor write for what is run of a function."""
    from functorch.compile import make_boxed_func, min_cut_rematerialization_partition
    from torch._functorch.aot_autograd import aot_function
    from torch._inductor.decomposition import select_decomp_table

    graphs = []

    def keep(graph: torch.fx.GraphModule, given: Sequence[Tensor]) -> Callable[..., Any]:
        graphs.append((graph, given))
        return make_boxed_func(graph.forward)

    split, decompositions = min_cut_rematerialization_partition, select_decomp_table()
    run(aot_function(function, keep, keep, partition_fn=split, decompositions=decompositions))
    return graphs


def compiled(objective: losses.Objective, phase: str, device: str) -> int:
    logits = inputs(objective, phase)
    graphs = traced(lambda loss: forward_and_backward(loss, logits), getattr(objective, phase))
    return sum(launches(written(*each, device)) for each in graphs)


def fused(objective: losses.Objective, phase: str, device: str) -> int:
    by = dependencies(objective, phase)
    logits = [each.detach() for each in inputs(objective, phase)]
    graphs = traced(lambda program: program(*logits), fusion._value_and_slopes(getattr(objective, phase), by))
    return sum(launches(written(*each, device)) for each in graphs) + bool(by)  # the multiplication


# --- the table ----------------------------------------------------------------------------------------------------

COUNTS = {
    "operators": eager,
    "C++ compiled": partial(compiled, device="cpu"),
    "C++ fused": partial(fused, device="cpu"),
    "Triton compiled": partial(compiled, device="cuda:0"),
    "Triton fused": partial(fused, device="cuda:0"),
}


def scalar_objectives() -> list[str]:
    found = {name: part() for name, part in registry.parts("objective").items()}
    return [name for name, made in found.items() if made.outputs == 1 and made.alias is None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("objectives", metavar="OBJECTIVE", nargs="*", help="by name; all by default")
    chosen = parser.parse_args().objectives or scalar_objectives()
    unknown = sorted(set(chosen) - set(scalar_objectives()))
    if unknown:
        parser.error(f"{unknown[0]} is no scalar objective; there are {', '.join(scalar_objectives())}")
    sys.stdout.write(f"| objective | {' | '.join(COUNTS)} |\n{'|---' * (1 + len(COUNTS))}|\n")
    for done, name in enumerate(chosen, start=1):
        objective = registry.part(name)()
        cells = [", ".join(str(count(objective, phase)) for phase in PHASES) for count in COUNTS.values()]
        sys.stdout.write(f"| `{name}` | {' | '.join(cells)} |\n")
        sys.stdout.flush()
        sys.stderr.write(f"[{done}/{len(chosen)}] {name}\n")


if __name__ == "__main__":
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    torch.set_num_threads(1)
    main()
