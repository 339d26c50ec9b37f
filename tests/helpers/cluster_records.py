"""What is asked of records from a cluster: those of this machine, bit for bit."""

from pathlib import Path

from bench import campaign
from bench.config.trial import Trial
from bench.execution.interface import Executor, Finished, Task
from bench.execution.local import LocalExecutor
from bench.store.journal import Store, differing_fields
from bench.store.record import Record
from bench.training.run_options import RunOptions

IMPATIENT = "impatient_training:train"


def ends(executor: Executor, *groups: tuple[Task, ...]) -> list[Finished]:
    for group in groups:
        executor.submit(*group)
    return [message for message in executor.messages() if isinstance(message, Finished)]


def assert_same(found: dict[str, Record], expected: dict[str, Record]) -> None:
    assert found.keys() == expected.keys()
    for trial_id, record in expected.items():
        assert differing_fields(found[trial_id], record) == []
        assert found[trial_id].attempt == record.attempt


def locally(folder: Path, trials: list[Trial], **options: object) -> dict[str, Record]:
    """Return the records of the local executor, of one thread each, as a node's processes have."""
    store = Store(folder)
    list(campaign.run(trials, LocalExecutor(1), store, RunOptions(**options), trainer=IMPATIENT))
    return store.latest()
