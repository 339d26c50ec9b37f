"""What `run` is asked for: the trials of a suite with its tables, or the same held against published records."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cli.options import print_json

if TYPE_CHECKING:
    from bench.config.suite import Suite
    from bench.config.trial import Trial
    from bench.store.journal import Store


@dataclass
class Asked:
    """A suite, and what is told of it."""

    suite: "Suite"

    def trials(
        self,
        store: "Store",
        place: tuple[str, int | None],
        data_dir: Path | None,
        report: Callable[[str, int, int], None] | None,
        *,
        fetch: bool,
    ) -> "list[Trial]":
        """Return the plan.

        Args:
            store: of the results.
            place: the device and the number of workers that are asked for.
            data_dir: as in `plan.expand`.
            report: likewise.
            fetch: likewise.

        Raises:
            ValueError: as `plan.expand` does.
        """
        from bench.plan import expand

        return expand(self.suite, data_dir, report, fetch=fetch)

    def notes(self, trials: "Sequence[Trial]") -> list[str]:
        """Return what else is said of the plan."""
        from bench.cli.planning import without_effect

        return without_effect(self.suite, trials)

    def conclude(self, trials: "Sequence[Trial]", results: Path, data_dir: Path | None, style: str) -> int:
        """Write the report, print the tables that contain this suite's trials, and say where everything lies.

        Returns:
            the exit code.
        """
        from bench.cli.reading import print_leaderboards, print_places, read_kernels, read_leaderboards, read_records
        from bench.cli.report import write_report
        from bench.cli.terminal import console

        records = read_records(results, histories=True)
        wanted = {trial.id for trial in trials}
        everything = read_leaderboards(records, read_kernels(results))
        boards = [board for board in everything if wanted & {name.split(".")[0] for name in board.record_ids}]
        if style == "json":
            import json

            from bench.report.publication import write_table
            from bench.store.journal import latest_attempts

            report = write_report(results, records, data_dir=data_dir, boards=everything)
            artifacts = results / "artifacts"
            # Of each trial the attempt that the tables count, which a later one that was lost is not.
            status = {record.trial_id: record.status for record in latest_attempts(records)}
            states = [{"trial": trial.id, "status": status.get(trial.id)} for trial in trials]
            tables = json.loads(write_table(boards, "json", results))
            print_json({"trials": states, "report": report, "artifacts": artifacts, **tables})
            return 0
        to = console()
        to.print()
        print_leaderboards(boards, to)
        print_places(write_report(results, records, data_dir=data_dir, boards=everything), results, to)
        return 0


def asked_of(
    suite: "Suite",
    target: str | None,
    options: Mapping[str, Any],
    data_dir: Path | None,
    report: Callable[[str, int, int], None] | None,
) -> Asked:
    """Return what the options of `run` ask for; `target` is that of --against.

    Raises:
        click.UsageError: for published records that are not there, or options that contradict them.
    """
    if target is None:
        return Asked(suite)
    from bench.cli.against import against

    return against(target, options, suite, data_dir, report)
