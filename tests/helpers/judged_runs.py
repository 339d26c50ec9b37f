"""One short trial whose images a judge looks at, as the tests of `--inception` and `--also-in` run it."""

from collections.abc import Callable, Collection
from pathlib import Path

from click.testing import Result

from bench.store.record import Record

TINY = ("--method", "nsgan", "--seeds", "1", "--steps", "1", "--set", "samples=12", "--set", "batch_size=2")


def runner(bench: Callable[..., Result], photos: Path, folder: Path, *always: str) -> Callable[..., Result]:
    """Return what runs one trial, on a folder of pictures unless another workload is named."""

    def run(*arguments: object, workload: str = f"imagefolder:{photos}") -> Result:
        where = ("--data", folder / "data", "--results", folder / "results")
        return bench("run", "--workload", workload, *TINY, "--executor", "inline", *always, *where, *arguments)

    return run


def assert_judged_alone(measured: Record, plain: Record, names: Collection[str]) -> None:
    """Assert that a record differs from that of the same trial without a judge in what the judge measures alone."""
    assert plain.trial_id == measured.trial_id
    assert plain.environment.fingerprint == measured.environment.fingerprint
    assert set(measured.metrics) - set(plain.metrics) == set(names)
    assert {name: measured.metrics[name] for name in plain.metrics} == plain.metrics
    assert (plain.history, plain.stability, plain.spec) == (measured.history, measured.stability, measured.spec)
    assert plain.judges == {}
