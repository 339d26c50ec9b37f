"""Every named method, and every part that no named method has, trains on the digits, and leaves an honest record."""

import math
from pathlib import Path

import pytest

import losses
from bench import campaign, data, plan
from bench.config.suite import Suite
from bench.events import TrialFinished
from bench.execution.local import LocalExecutor
from bench.execution.template import WARM_MODULES
from bench.report.self_checks import self_contradictions
from bench.store.journal import Store
from bench.training.monitors import MONITORS
from bench.training.run_options import RunOptions
from losses import registry

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

STEPS = 30


def everything() -> list[str]:
    """Return all methods but aliases, then one expression for each part that is in none of them."""
    methods = [name for name in losses.names("method") if not losses.describe(name, "method").alias]
    named = {part.name for name in methods for part in losses.get(name).parts}
    others = [part for name, part in registry.parts().items() if name not in named and not losses.describe(name).alias]
    return [
        *methods,
        *(part.name if part.kind == "objective" else f"bce_ns + {part.name}" for part in others),
    ]


def test_every_method_trains_and_its_record_says_how(tmp_path: Path) -> None:
    suite = Suite(
        name="everything",
        methods=everything(),
        workloads=["digits"],
        seeds=1,
        steps=STEPS,
        evaluate_every=STEPS,
        samples=200,
        batch_size=16,
    )
    trials, store = plan.expand(suite), Store(tmp_path)
    assert len(trials) >= 95
    workers, threads = campaign.divide(len(trials), None, "cpu")
    seen = {}
    executor, options = LocalExecutor(workers, warm=WARM_MODULES), RunOptions(threads=threads)
    for event in campaign.run(trials, executor, store, options, trainer="untimed_training:train"):
        if isinstance(event, TrialFinished):
            seen[event.trial.id] = event.status

    records = {record.trial_id: record for record in store.records()}
    assert set(records) == {trial.id for trial in trials}
    broken = {record.spec.method_name: record.message for record in records.values() if record.status == "error"}
    assert not broken
    for trial in trials:
        record = records[trial.id]
        assert record.status == seen[trial.id]
        assert record.status in ("ok", "not_learned", "diverged", "nonfinite"), record.spec.method_name
        assert list(self_contradictions(record, data.workload("digits"))) == [], record.spec.method_name
        if record.status == "nonfinite":
            continue
        assert record.stability["completed_steps"] == STEPS, record.spec.method_name
        for monitor in MONITORS:
            (mean,) = record.history.training[monitor]
            assert mean is not None, (record.spec.method_name, monitor)
            assert math.isfinite(mean), (record.spec.method_name, monitor)
