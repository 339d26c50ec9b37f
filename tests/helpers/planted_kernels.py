"""Kernel records with planted times, for everything that reads them and never measures."""

import msgspec
import numpy as np

from bench.store.kernels import (
    KERNEL_SCHEMA,
    Kernel,
    KernelRecord,
    KernelSetting,
    Machine,
    Profile,
    Rates,
    Timing,
    kernel_id,
)
from bench.store.record import Environment

ENVIRONMENT = Environment(
    fingerprint="f" * 12, device="cpu", device_name="A CPU x2", cpu="A CPU x2", threads=2, platform="Linux",
    versions={"torch": "2.11"},
)  # fmt: skip
MACHINE = Machine(
    fingerprint="f" * 12,
    environment=ENVIRONMENT,
    accelerator=None,
    rates=Rates(flops_per_second=1e11, bytes_per_second=1e10),
)
SETTING = KernelSetting(batch_size=64, image_size=32, channels=3, width=64, d_norm="ln", precision="fp32", mode="eager")


def planted_timing(path: str, seconds: float, *, ratio: float = 1.0, reference: str = "") -> Timing:
    spread = (1.0, 1.1, 0.9, 1.0)
    return Timing(
        path=path,
        reference=reference or path,
        calls=2,
        reference_calls=3,
        blocks=[seconds * each for each in spread],
        reference_blocks=[seconds / ratio * each for each in spread],
        stages={"rest": seconds} if path.endswith("step") else {},
        profile=Profile(
            kernels=12, kernel_seconds=0.75 * seconds, wall_seconds=seconds, top=[Kernel("aten::mm", 3, seconds / 2)],
            peak_extra_bytes=5_000_000, flops=10**9, bytes=10**7,
        ),
    )  # fmt: skip


STAGES = {
    "D real": 0.2,
    "D fake": 0.2,
    "G fake": 0.1,
    "objective": 0.02,
    "D backward": 0.3,
    "D update": 0.1,
    "rest": 0.08,
}
"""The shares of a discriminator's step without a penalty."""


def noisy_kernels(label: str, seed: int, *, slower: dict[str, float] | None = None, **changes: object) -> KernelRecord:
    """A record whose blocks scatter by 3 %, with the paths named in `slower` slower by that factor."""
    rng = np.random.default_rng([seed, *label.encode()])
    timings = []
    for timing in planted_kernels(label).timings:
        seconds = timing.blocks[0] * (slower or {}).get(timing.path, 1.0)
        blocks, reference = (each * (1 + 0.03 * rng.standard_normal(12)) for each in (seconds, timing.blocks[0]))
        timings.append(
            msgspec.structs.replace(timing, blocks=blocks.tolist(), reference_blocks=reference.tolist(), stages=STAGES)
        )
    return planted_kernels(label, **({"timings": timings} | changes))


def planted_kernels(
    label: str, d_ratio: float = 1.0, *, setting: KernelSetting = SETTING, machine: Machine = MACHINE, **changes: object
) -> KernelRecord:
    """A record of a method whose D step takes 100 ms times its ratio."""
    components = changes.get("components", {"engine": "1", "losses": "1"})
    timings = [
        planted_timing("loss", 2e-5),
        planted_timing("loss.forward", 1e-5),
        planted_timing("d_step", 0.1 * d_ratio, ratio=d_ratio),
        planted_timing("g_step", 0.08),
    ]
    if d_ratio > 1:
        timings.append(planted_timing("penalty", 0.1 * (d_ratio - 1), ratio=d_ratio - 1, reference="d_step"))
    values = {
        "schema_version": KERNEL_SCHEMA,
        "id": kernel_id(label, setting, components, machine.fingerprint),
        "method": label,
        "label": label,
        "critic_steps": 1,
        "setting": setting,
        "components": components,
        "machine": machine,
        "timings": timings,
        "measured_at": "2027-01-01T00:00:00+00:00",
    }
    return KernelRecord(**(values | changes))
