"""Made-up records of one trial, for everything that reads records and never trains."""

import msgspec

from bench.config.trial import Network, Optimizer, Spec, Trial
from bench.config.workload import Mixture, Workload
from bench.store.record import Environment, Evaluation, History, Outcome, Record, make_record

FLOOR, UNTRAINED = 2.0, 8000.0
_POINTS = {"high_quality": 0.8, "high_quality_ceiling": 0.989}
_IMAGES = {
    **{"precision": 0.71, "precision_ceiling": 0.9, "recall": 0.55, "recall_ceiling": 0.85},
    **{"coverage": 0.6, "coverage_ceiling": 0.9, "unreadable": 0.12, "unreadable_floor": 0.02},
}


def make_workload(name: str = "digits", **changes: object) -> Workload:
    workload = Workload(
        name=name,
        summary="synthetic",
        content_hash="0" * 64,
        network="dcgan-v2",
        width=32,
        latent_size=100,
        steps=600,
        evaluate_every=200,
        samples=2000,
        modes=10,
        extractor="digits-cnn-v1",
    )
    return msgspec.structs.replace(workload, **changes)


def make_toy(name: str = "ring8") -> Workload:
    mixture = Mixture(centres=tuple((float(i), 0.0) for i in range(8)), sigma=0.01)
    return make_workload(name, network="mlp-v1", modes=8, extractor=None, mixture=mixture, scored_by="modes")


def make_stacks(name: str = "stacked-digits") -> Workload:
    return make_workload(name, modes=1000, channels=3, stack=3, scored_by="modes", samples=26_000)


def planted_record(
    workload: Workload,
    method: str = "nsgan",
    seed: int = 0,
    *,
    distance: float | None = 100.0,
    status: str = "ok",
    attempt: int = 0,
    name: str | None = None,
    finished_at: str = "2026-01-02T03:05:00+00:00",
    fingerprint: str = "cafe01234567",
    components: dict[str, str] | None = None,
    metrics: dict[str, float | None] | None = None,
    **spec_changes: object,
) -> Record:
    """A record whose distance falls geometrically from the untrained generator's to `distance`.

    `metrics` are set on top of the planted ones. Scored by version 1, and by version 2 with `protocol_version="1.1"`.
    """
    spec = Spec(
        protocol_version="1.0",
        track="controlled",
        method=method,
        method_name=name or method,
        workload=workload.name,
        data_hash=workload.content_hash,
        network=Network(
            name=workload.network, width=workload.width, channels=1, image_size=32, latent_size=100, d_norm="ln"
        ),
        optimizer=Optimizer(name="adam", lr_generator=2e-4, lr_discriminator=2e-4, betas=(0.5, 0.999)),
        critic_steps=1,
        batch_size=64,
        steps=workload.steps,
        evaluate_every=workload.evaluate_every,
        samples=workload.samples,
        precision="fp32",
        seed=seed,
    )
    trial = Trial(spec=msgspec.structs.replace(spec, **spec_changes), components=components or {"losses": "1"})
    primary = "sliced_w2" if workload.is_toy else "fd"
    steps = list(range(0, workload.steps + 1, workload.evaluate_every))
    last = UNTRAINED if distance is None else distance
    path: list[float | None] = [UNTRAINED * (last / UNTRAINED) ** (step / workload.steps) for step in steps]
    if distance is None:
        path[-1] = None
    blocks = list(range(50, workload.steps + 1, 50))
    outcome = Outcome(
        status=status,  # type: ignore[arg-type]
        message="" if status == "ok" else f"planted {status}",
        metrics={
            "distance": distance,
            "distance_init": UNTRAINED,
            "distance_floor": FLOOR,
            "distance_best": distance,
            "modes": float(workload.modes),
            "kl_uniform": 0.05,
            **(_POINTS if workload.is_toy else _IMAGES),
            **(metrics or {}),
        },
        history=History(
            evaluations=[
                Evaluation(step=step, metrics={primary: value, "modes": 5.0})
                for step, value in zip(steps, path, strict=True)
            ],
            training={
                "step": [float(step) for step in blocks],
                "generator_signal": [10.0 * 0.9 ** (step / 50) for step in blocks],
                "discriminator_accuracy": [0.5 + 0.4 * step / workload.steps for step in blocks],
                "discriminator_loss": [1.0 for _ in blocks],
            },
        ),
        stability={"late_regression": 0.0 if distance is not None else None, "signal_first": 10.0, "signal_last": 3.0},
        cost={"images_per_second": 2000.0 + seed, "train_seconds": 20.0, "evaluation_seconds": 2.0},
        environment=Environment(
            fingerprint=fingerprint,
            device="cpu",
            device_name="Test CPU x2",
            cpu="Test CPU x2",
            threads=1,
            platform="Linux-test",
            versions={"python": "3.11.7", "torch": "2.15.0"},
        ),
        commit="0123456789abcdef",
        started_at="2026-01-02T03:04:00+00:00",
        finished_at=finished_at,
    )
    return make_record(trial, attempt, outcome)
