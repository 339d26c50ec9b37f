"""What one training iteration of each method costs beside the reference's, by the published kernel records.

`python -m bench.store.iteration_costs` writes `bench/config/costs.json` from `results/published/kernels`, so that the
package has the costs without the records. Run it when those change; `make index` does.
"""

import sys
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.config.protocol import REFERENCE_METHOD
from bench.files.writing import replace_whole
from bench.store.kernels import KernelRecord, KernelStore, groups


class IterationCosts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The costs of one machine and setting."""

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
        machine=f"{environment.device_name}, {environment.threads} threads",
        setting=base.setting.description,
        reference=reference,
        costs=dict(sorted(costs.items())),
    )


@cache
def published_costs() -> IterationCosts:
    """Read the costs that the package has."""
    return msgspec.json.decode(files("bench.config").joinpath("costs.json").read_bytes(), type=IterationCosts)


def encode(costs: IterationCosts) -> bytes:
    """Write costs as `costs.json` has them."""
    return msgspec.json.format(msgspec.json.encode(costs), indent=1) + b"\n"


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    target = root / "bench" / "config" / "costs.json"
    replace_whole(target, encode(iteration_costs(KernelStore(root / "results/published/kernels").records())))
    sys.stdout.write(f"{target}\n")
