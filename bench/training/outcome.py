"""From a loop that has ended to the outcome that a record keeps."""

from datetime import UTC, datetime

from bench.metrics.evaluate import Scores
from bench.store.record import History, Outcome, Status
from bench.training.loop import TrainingLoop
from bench.training.stability import stability_metrics
from bench.training.trajectory import trajectory_metrics


def make_outcome(
    loop: TrainingLoop,
    *,
    status: Status,
    message: str,
    final_metrics: Scores,
    cost: dict[str, float | None],
    started: datetime,
) -> Outcome:
    """Return what became of a trial.

    Args:
        loop: the trial's, which has ended.
        status: what became of it.
        message: what is to be said beside the numbers.
        final_metrics: what was measured at the end alone.
        cost: what it cost.
        started: when it began; it ends now.
    """
    return Outcome(
        status=status,
        message=message,
        metrics=loop.evaluations.metrics() | final_metrics,
        history=History(evaluations=loop.evaluations.made, training=loop.curves.means),
        stability=_stability(loop),
        cost=cost,
        started_at=started.isoformat(timespec="seconds"),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _stability(loop: TrainingLoop) -> dict[str, float | None]:
    """Return the scalar measures of how the run went."""
    evaluations = loop.evaluations
    return {
        "first_nonfinite_step": loop.curves.first_nonfinite_step,
        "completed_steps": loop.completed_steps,
        **trajectory_metrics(evaluations.made, evaluations.primary, evaluations.floor),
        **stability_metrics(loop.curves.values),
    }
