"""What one training iteration of each method costs beside the reference's, by the published kernel records.

`python -m bench.store.iteration_costs` writes `bench/config/costs.json` from the kernel records of all published
folders, so that the package has the costs without the records. Run it when those change; `make index` does.
"""

import sys
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.config.protocol import REFERENCE_METHOD
from bench.config.trial import DiscriminatorNorm
from bench.files.writing import replace_whole
from bench.store.kernels import KernelRecord, KernelStore, groups


class IterationCosts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The costs of one machine and setting."""

    d_norm: DiscriminatorNorm
    machine: str
    setting: str
    reference: str
    costs: dict[str, float]
    """By canonical expression: seconds of an iteration over the reference's."""


def iteration_costs(records: Iterable[KernelRecord], reference: str = REFERENCE_METHOD) -> IterationCosts:
    """Return the cost of an iteration of each method: its own number of D steps, and one G step.

    cost = (k r_D D + r_G G) / (D + G), with k the method's D steps for one G step, r its time over that of the
    reference measured beside it (a median over blocks), and D, G the reference's own seconds. Methods that lack one of
    the two steps are left out.

    Raises:
        ValueError: the records are of several machines or settings, or lack the reference.
    """
    grouped = groups(records)
    if len(grouped) != 1:
        raise ValueError(f"costs are of one machine and one setting, and these records are of {len(grouped)}")
    base = next((record for record in grouped[0] if record.label == reference), None)
    base_d, base_g = (base.timing(path) if base else None for path in ("d_step", "g_step"))
    if base is None or base_d is None or base_g is None:
        raise ValueError(f"the records have no D step and G step of {reference}")
    d_seconds, g_seconds = base_d.seconds.median, base_g.seconds.median
    costs = {}
    for record in grouped[0]:
        d_step, g_step = record.timing("d_step"), record.timing("g_step")
        if d_step is not None and g_step is not None:
            seconds = record.critic_steps * d_step.ratio.median * d_seconds + g_step.ratio.median * g_seconds
            costs[record.method] = round(seconds / (d_seconds + g_seconds), 3)
    environment = base.machine.environment
    return IterationCosts(
        d_norm=base.setting.d_norm,
        machine=f"{environment.device_name}, {environment.threads} threads",
        setting=base.setting.description,
        reference=reference,
        costs=dict(sorted(costs.items())),
    )


def costs_by_norm(records: Iterable[KernelRecord]) -> list[IterationCosts]:
    """Return the costs in float32 under each norm of the discriminator, which is part of every step.

    A folder of trials in bfloat16 has records in bfloat16 for its own table.

    Raises:
        ValueError: there are two machines or settings of one norm, or a norm lacks the reference.
    """
    by_norm = {}
    for group in groups(record for record in records if record.setting.precision == "fp32"):
        costs = iteration_costs(group)
        if costs.d_norm in by_norm:
            raise ValueError(f"there are kernel records of two machines or settings with d_norm {costs.d_norm}")
        by_norm[costs.d_norm] = costs
    return [by_norm[norm] for norm in sorted(by_norm)]


def published_kernels(published: Path) -> list[KernelRecord]:
    """Return the kernel records of all published folders."""
    folders = sorted(kernels.parent for kernels in published.glob("*/kernels"))
    return [record for folder in folders for record in KernelStore(folder).records()]


@cache
def published_costs() -> dict[str, IterationCosts]:
    """Read the costs that the package has, by the norm of the discriminator."""
    known = msgspec.json.decode(files("bench.config").joinpath("costs.json").read_bytes(), type=list[IterationCosts])
    return {costs.d_norm: costs for costs in known}


def encode(costs: list[IterationCosts]) -> bytes:
    """Write costs as `costs.json` has them."""
    return msgspec.json.format(msgspec.json.encode(costs), indent=1) + b"\n"


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    target = root / "bench" / "config" / "costs.json"
    replace_whole(target, encode(costs_by_norm(published_kernels(root / "results" / "published"))))
    sys.stdout.write(f"{target}\n")
