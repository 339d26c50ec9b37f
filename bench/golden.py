"""Golden traces: the first training steps of every loss on generated images, by which changes are noticed.

The networks are small, the images are noise from a counter-based stream, and everything is float32 on one thread of the
CPU. A trace depends on the code, on torch and, in its last digits, on the processor.
"""

import math
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import torch
from torch import Tensor

import losses
from bench.common.threads import torch_threads
from bench.config.protocol import CORE_NORM, PROTOCOL_VERSION
from bench.config.trial import Network, Optimizer, Spec, Trial, part_versions
from bench.events import OnProgress
from bench.methods import part_components, resolve
from bench.store.environment import environment
from bench.store.golden import GOLDEN_SCHEMA, GoldenSetting, GoldenTraces, Trace, rounded
from bench.training.build import build_step
from bench.training.observations import discriminator_statistics, generator_statistics, stacked
from bench.training.precision import configure
from bench.training.seeding import Stream
from bench.training.version import ENGINE_VERSION
from losses import Method

SETTING: Final = GoldenSetting(
    # The learning rate is a hundredth of the protocol's. Adam enlarges rounding errors, and a LeakyReLU whose input
    # changes its sign moves a gradient norm by one percent. Even so small an update shows whether it is wrong.
    network=Network(name="dcgan-v2", width=8, channels=1, image_size=32, latent_size=100, d_norm=CORE_NORM),
    optimizer=Optimizer(name="adam", lr_generator=2e-6, lr_discriminator=2e-6, betas=(0.5, 0.999)),
    images="golden/images",
    image_count=64,
    batch_size=16,
    steps=20,
    seed=0,
)

_LEFT_OUT: Final = frozenset({"discriminator_accuracy", "generator_dead_fraction", "diversity_ratio"})
"""Left out of traces: shares of a batch, which one rounding error can move by a sample, and what no loss affects."""


def record_traces(methods: Sequence[str] = (), *, on_progress: OnProgress | None = None) -> GoldenTraces:
    """Record the traces of methods, given as names, expressions or parts; of the whole library if there are none.

    Raises:
        ValueError: the library does not have a name or expression, or the batch does not fit it.
    """
    chosen = {method.name: method for method in resolve(methods)}
    for name, method in chosen.items():
        if SETTING.batch_size % method.pack:
            raise ValueError(
                f"{name!r} joins {method.pack} samples to one input, which does not divide the batch of "
                f"{SETTING.batch_size} that golden traces have: leave it out"
            )
    images = made_up_images(SETTING)
    configure("fp32")
    with torch_threads(1):
        traces = [_trace(name, chosen[name], images, on_progress) for name in sorted(chosen)]
    return GoldenTraces(
        schema_version=GOLDEN_SCHEMA,
        setting=SETTING,
        device="cpu",
        cpu=_processor(),
        versions={"torch": version("torch"), "engine": ENGINE_VERSION, "losses": losses.VERSION},
        traces=traces,
    )


def made_up_images(setting: GoldenSetting) -> Tensor:
    """Return the images, uint8 [image_count, channels, size, size]: independent uniform gray values."""
    size, channels = setting.network.image_size, setting.network.channels
    shape = (setting.image_count, channels, size, size)
    return Stream(setting.seed, setting.images).integers(0, shape, 256)[0].to(torch.uint8)


def _processor() -> str:
    """Return the model of the processor and the instruction set that torch uses, such as "AMD EPYC, AVX512"."""
    model, _, _ = environment("cpu", 1).cpu.rpartition(" x")  # of how many cores is no matter to one thread
    return f"{model}, {torch.backends.cpu.get_cpu_capability()}"


def _trace(name: str, method: Method, images: Tensor, on_progress: OnProgress | None) -> Trace:
    step = build_step(_trial(method), images, torch.device("cpu"))
    values: dict[str, list[float | None]] = {}
    for index in range(SETTING.steps):
        discriminator, generator = step.run(index)
        says = discriminator_statistics(stacked([discriminator])) | generator_statistics(stacked([generator]))
        for quantity, measured in says.items():
            if quantity not in _LEFT_OUT:
                value = measured.item()
                values.setdefault(quantity, []).append(rounded(value) if math.isfinite(value) else None)
        if on_progress is not None:
            on_progress(name, index + 1, SETTING.steps)
    return Trace(method=name, expression=str(method), revisions=part_versions(part_components(method)), values=values)


def _trial(method: Method) -> Trial:
    spec = Spec(
        protocol_version=PROTOCOL_VERSION,
        track="controlled",
        method=str(method),
        method_name=method.name,
        workload=SETTING.images,
        data_hash="",
        network=SETTING.network,
        optimizer=SETTING.optimizer,
        critic_steps=1,
        batch_size=SETTING.batch_size,
        steps=SETTING.steps,
        evaluate_every=SETTING.steps,
        samples=SETTING.batch_size,
        precision="fp32",
        seed=SETTING.seed,
    )
    return Trial(spec=spec, components={})
