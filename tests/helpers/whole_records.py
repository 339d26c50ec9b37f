"""Planted records made whole: what a run writes in several places agrees, as `verify` asks of published ones."""

import math

import msgspec

from bench import data
from bench.config.workload import primary_of
from bench.store.record import Evaluation, History, Record
from bench.training.blocks import block_ends
from bench.training.trajectory import trajectory_metrics

_LEVELS = {"discriminator_loss": 1.0, "generator_signal": 10.0, "discriminator_accuracy": 0.9}
_OF_REAL_DATA = ("_floor", "_ceiling")


def whole(record: Record) -> Record:
    """Return the record with the history, summaries and costs that its spec and its last distance ask for.

    Its status must be the one that its distances give. Other seeds begin with another generator.
    """
    workload = data.workload(record.spec.workload)
    primary, spec = primary_of(workload), record.spec
    constants = {name: value for name, value in record.metrics.items() if name.endswith(_OF_REAL_DATA)}
    constants[f"{primary}_floor"] = record.metrics["distance_floor"]
    measured = {
        name: value
        for name, value in record.metrics.items()
        if name not in constants and not name.startswith(("distance", primary))
    }
    first = 8000.0 * (1.0 + spec.seed / 1000.0)
    last = record.metrics["distance"]
    steps = [*range(0, spec.steps, spec.evaluate_every), spec.steps]
    path = [first * ((last or first) / first) ** (step / spec.steps) for step in steps]
    distances = [*path[:-1], last]
    evaluations = [
        Evaluation(step=step, metrics={**measured, "modes": 1.0, primary: distance})
        for step, distance in zip(steps[:-1], distances[:-1], strict=True)
    ]
    evaluations.append(Evaluation(step=steps[-1], metrics={**measured, primary: last}))
    best = min((distance for distance in distances[1:] if distance is not None), default=None)
    summary = {"": last, "_init": first, "_best": best, "_floor": constants["distance_floor"]}
    named = {f"{name}{suffix}": value for name in ("distance", primary) for suffix, value in summary.items()}
    blocks = [float(step) for step in block_ends(spec.steps, spec.evaluate_every)]
    training = {
        "step": blocks,
        **{
            name: [level * math.exp(-step / spec.steps) for step in blocks]
            for name, level in (
                ("discriminator_loss", 1.0),
                ("generator_signal", 10.0),
                ("discriminator_accuracy", 0.9),
            )
        },
    }
    pace = record.cost["images_per_second"] / spec.batch_size
    made = msgspec.structs.replace(
        record,
        metrics={**constants, **measured, **named},
        history=History(evaluations=evaluations, training=training),
        stability={
            **record.stability,
            "first_nonfinite_step": None,
            "completed_steps": float(spec.steps),
            **trajectory_metrics(evaluations, primary, constants[f"{primary}_floor"]),
        },
        cost={
            **record.cost,
            "steps_per_second": pace,
            "discriminator_images": float(2 * spec.batch_size * spec.critic_steps * spec.steps),
        },
    )
    # As a record is after a child process has sent it: whole numbers that are measured are floats too.
    return msgspec.json.decode(msgspec.json.encode(made), type=Record)
