"""`run --against`: train what published records lack, and rank it among them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from bench.cli.asked import Asked
from bench.cli.options import print_json, usage_errors
from bench.cli.values import EMPTY, from_home
from bench.config.commands import command
from bench.files.places import resolved

if TYPE_CHECKING:
    from bench.against import Planned, Setting
    from bench.config.suite import Suite
    from bench.config.trial import Trial
    from bench.statistics.against import Joined
    from bench.statistics.board import Leaderboard
    from bench.store.campaigns import Campaign
    from bench.store.journal import Store
    from bench.store.record import Environment, Record

PAGE: Final = "against.html"
"""The page in the folder of results: `report.html` stays the page of its own records alone."""

_TAKEN: Final = ("suite", "seeds", "steps", "d_norm", "allow_invalid")
"""Options that the published campaign decides."""

_FREE_SETTING: Final = "timeout_minutes"
"""The one key of a suite that decides no number."""

_NOTHING: Final = 3
"""The exit code where nothing could be ranked among the published records, as `compare` has it."""


@dataclass
class Against(Asked):
    """The methods of a suite, at the settings of the campaigns that they are held against."""

    target: str
    campaigns: "list[Campaign]"
    settings: "list[Setting]"
    left_out: list[str]
    words: tuple[str | Path, ...]
    """What follows `run` on a command line that asks for this."""
    planned: "list[Planned]" = field(default_factory=list)
    threads: int | None = None
    """How many each trial would have here; None where the device is not here."""

    def trials(
        self,
        store: "Store",
        place: tuple[str, int | None],
        data_dir: Path | None,
        report: Callable[[str, int, int], None] | None,
        *,
        fetch: bool,
    ) -> "list[Trial]":
        """Return what is to be trained: the new methods' trials, and on another kind of machine published ones again.

        Raises:
            ValueError: none of the published trials can be trained by this program, or they lie where the new ones are
                to go.
        """
        from bench.against import plan_against

        if resolved(store.root) in {resolved(_folder(campaign)) for campaign in self.campaigns}:
            raise ValueError(
                f"the published records of {self.target} are in --results {store.root} itself, and stay as they are: "
                "name another folder for the new ones, or leave --against out to add them there"
            )
        self.planned, others = plan_against(self.settings, self.suite.methods, data_dir, report, fetch=fetch)
        self.left_out += others
        if not self.planned:
            raise ValueError(f"nothing of {self.target} can be trained here: {'; '.join(self.left_out)}")
        new = [trial for planned in self.planned for trial in planned.new]
        here = _environment(len(new), place)
        self.threads = None if here is None else here.threads
        latest = store.latest(histories=False)
        again = []
        for planned in self.planned:
            made = [latest[trial.id] for trial in planned.new if trial.id in latest]
            kinds = {None if here is None else here.fingerprint} | {
                record.environment.fingerprint for record in made if record.environment
            }
            again += planned.to_train_again(kinds)
        return [*{trial.id: trial for trial in again}.values(), *new]

    def notes(self, trials: "Sequence[Trial]") -> list[str]:
        """Say what of the plan is no new trial, and what of the published records is left out."""
        from bench.report.formatting import plural

        new = {trial.id for planned in self.planned for trial in planned.new}
        again = sum(trial.id not in new for trial in trials)
        said = [f"left out: {why}" for why in self.left_out]
        if again:
            said.append(
                f"{plural(again, 'published trial')} trained again: this is another kind of machine than that of the "
                "published records, and their numbers are compared only if it gets to the same" + self._other_threads()
            )
        return said

    def _other_threads(self) -> str:
        """Say how many threads the published trials had, where it is another number: they are part of the kind."""
        from bench.report.formatting import plural

        published = {
            record.environment.threads
            for planned in self.planned
            for record in planned.setting.published
            if record.environment
        }
        if self.threads is None or self.threads in published or len(published) != 1:
            return ""
        (theirs,) = published
        return f". A trial had {plural(theirs, 'thread')} there and has {self.threads} here: see --workers"

    def conclude(self, trials: "Sequence[Trial]", results: Path, data_dir: Path | None, style: str) -> int:
        """Rank what was trained among the published records, print the tables and write the page.

        Returns:
            the exit code: `_NOTHING` where no number may be compared.
        """
        from bench.cli.reading import read_records, workloads_of
        from bench.statistics.against import rank_against

        wanted = {trial.id for planned in self.planned for trial in planned.new}
        wanted |= {trial.id for planned in self.planned for trial in planned.references.values()}
        own = [record for record in read_records(results, needed=False, histories=True) if record.trial_id in wanted]
        published = {record.trial_id for planned in self.planned for record in planned.setting.published}
        campaigns = {
            campaign.name: [record for record in campaign.records if record.trial_id in published]
            for campaign in self.campaigns
        }
        everything = [*own, *(record for records in campaigns.values() for record in records)]
        with usage_errors():
            joined = rank_against(campaigns, own, workloads_of(everything))
        page = self._write_page(results, data_dir, joined)
        if style == "json":
            print_json(self._document(results, own, joined, page))
        else:
            self._print(results, joined, page)
        return 0 if joined.boards else _NOTHING

    def _print(self, results: Path, joined: "Joined", page: Path) -> None:
        from bench.cli.reading import print_leaderboards, print_places
        from bench.cli.terminal import console

        to = console()
        to.print()
        for line in [*_check_lines(joined), *(f"left out: {why}" for why in self.left_out)]:
            to.print(line, markup=False, soft_wrap=True)
        to.print()
        print_leaderboards(joined.boards, to)
        if joined.apart:
            to.print("Trained here, and in no table with the published records:", markup=False, soft_wrap=True)
            print_leaderboards(joined.apart, to)
        print_places(page, results, to)

    def _document(self, results: Path, own: "Sequence[Record]", joined: "Joined", page: Path) -> dict[str, object]:
        import json

        from bench.report.publication import write_table
        from bench.store.journal import latest_attempts

        def tables(boards: "Sequence[Leaderboard]") -> object:
            return json.loads(write_table(boards, "json", results))["tables"]

        return {
            "against": {
                "target": self.target,
                "campaigns": {campaign.name: campaign.place for campaign in self.campaigns},
                "read_only": True,
                "left_out": self.left_out,
                "checks": [
                    {
                        "campaign": check.campaign,
                        "workload": check.workload,
                        "steps": check.steps,
                        "comparable": check.comparable,
                        "words": check.words,
                    }
                    for check in joined.checks
                ],
            },
            "trials": [{"trial": record.trial_id, "status": record.status} for record in latest_attempts(own)],
            "report": page,
            "artifacts": results / "artifacts",
            "tables": tables(joined.boards),
            "apart": tables(joined.apart),
        }

    def _write_page(self, results: Path, data_dir: Path | None, joined: "Joined") -> Path:
        """Write the page of the joined tables, with what was trained here alone below them."""
        import msgspec

        from bench.cli.reading import open_store, workloads_of, write_text
        from bench.report.html import render
        from bench.report.real_images import real_pictures
        from bench.store.record import EvaluationsAlone, History

        shown = {name.rpartition(".")[0] for board in (*joined.boards, *joined.apart) for name in board.record_ids}
        published = {record.trial_id: record for records in joined.published.values() for record in records}
        kept = [record for record in joined.new if record.trial_id in shown]
        for record in (record for record in published.values() if record.trial_id in shown):
            known = record.history
            if isinstance(known, EvaluationsAlone):  # what a page draws of it; its curves of training did not ship
                record = msgspec.structs.replace(record, history=History(evaluations=known.evaluations))
            kept.append(record)
        store = open_store(results)
        folders = {campaign.name: _artifacts(campaign) for campaign in self.campaigns}
        samples = {
            record.trial_id: folders[name] / record.trial_id / "samples.png"
            for name, records in joined.published.items()
            for record in records
        }
        page = render(
            kept,
            workloads_of(kept),
            sample_file=lambda trial: samples.get(trial, store.artifacts_dir(trial) / "samples.png"),
            command=command("run", *self.words, "--results", results),
            boards=[*joined.boards, *joined.apart],
            real=real_pictures(kept, data_dir),
        )
        write_text(results / PAGE, page)
        return results / PAGE


def against(
    target: str,
    options: Mapping[str, Any],
    suite: "Suite",
    data_dir: Path | None,
    report: Callable[[str, int, int], None] | None,
) -> Against:
    """Read the published records that a run is held against.

    Args:
        target: what names them.
        options: of `run`, by name.
        suite: the methods that are held against them.
        data_dir: the folder of downloaded data.
        report: is told how the reading of a folder of images gets on.

    Raises:
        click.UsageError: there are none, or an option contradicts them.
    """
    from bench.against import named_against, settings_of
    from bench.store.campaigns import find_campaigns

    taken = [f"--{name.replace('_', '-')}" for name in _TAKEN if options[name]]
    taken += [f"--set {text}" for text in options["settings"] if text.partition("=")[0].strip() != _FREE_SETTING]
    if taken:
        raise click.UsageError(
            f"{', '.join(taken)}: --against trains as the published records were trained; leave it out"
        )
    if not target:
        raise click.UsageError(f"--against: {EMPTY}")
    if not options["methods"]:
        raise click.UsageError("--against ranks methods of your own among published ones: name them with --method")
    with usage_errors():
        target = from_home(target)
        campaigns = find_campaigns(target)
        settings, left_out = settings_of(campaigns, options["workloads"], data_dir, report)
        if not settings:
            raise ValueError(f"nothing of {target} can be trained here: {'; '.join(left_out)}")
    words: list[str | Path] = ["--against", target]
    for option, key in (("--losses", "loss_files"), ("--method", "methods"), ("--workload", "workloads")):
        words += [word for value in options[key] for word in (option, value)]
    return Against(named_against(suite, target), target, campaigns, settings, left_out, tuple(words))


def _check_lines(joined: "Joined") -> Iterable[str]:
    for check in joined.checks:
        verdict = "ranked among the published records" if check.comparable else "NOT ranked among the published records"
        yield f"{check.title}: {verdict}: {check.words}"


def _artifacts(campaign: "Campaign") -> Path:
    return _folder(campaign) / "artifacts"


def _folder(campaign: "Campaign") -> Path:
    return campaign.place if campaign.place.is_dir() else campaign.place.parent


def _environment(planned: int, place: tuple[str, int | None]) -> "Environment | None":
    """Return what trials would run in, in this process's own place; None where its device is not here."""
    from bench.campaign import divide
    from bench.execution.device import accelerator_name, resolve
    from bench.store.environment import environment

    try:
        device = resolve(place[0])
        threads = divide(max(1, planned), place[1], device)[1]
    except ValueError:
        return None
    return environment(device, threads, accelerator_name(device))
