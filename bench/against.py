"""Trials for a method that is to be ranked among published ones: exactly those that the published records lack.

A published campaign says how its trials were trained. The same is planned for the new methods, at the seeds that the
campaign's own table counts, and nothing that is published is trained again. On another kind of machine than the
campaign's, one published trial of each setting is: `bench.statistics.machines` compares the two.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from bench import data
from bench.config.protocol import PROTOCOL_VERSION, REFERENCE_METHOD
from bench.config.suite import Suite
from bench.config.trial import Trial
from bench.config.workload import folder_name, workload_kind
from bench.extractors.specs import features_of
from bench.extractors.workload_extractor import MissingFeaturesError
from bench.plan import expand
from bench.statistics.comparable_groups import ComparableGroup, MethodKey, comparable_groups
from bench.statistics.current import data_name, names_of_data, renamed
from bench.statistics.machines import differences
from bench.statistics.rows import name_of
from bench.statistics.scores import is_result
from bench.store.campaigns import Campaign
from bench.store.record import Record

_MOST_DIFFERENCES: Final = 3


@dataclass(frozen=True)
class Setting:
    """What published trials have in common that share a table and a workload."""

    record: Record
    """One of them, on its workload as that is called now."""
    seeds: tuple[int, ...]
    """Those that most of the published methods have."""
    campaigns: Mapping[str, Sequence[Record]]
    """The published ones, by the name of the campaign."""
    references: tuple[str, ...]
    """The published methods, as expressions, in the order in which one is chosen to be trained again."""

    @property
    def published(self) -> list[Record]:
        return [record for records in self.campaigns.values() for record in records]


@dataclass(frozen=True)
class Planned:
    """The trials of one setting."""

    setting: Setting
    new: tuple[Trial, ...]
    """Those that are not published, in the order of seeds."""
    references: Mapping[str, Trial]
    """A published one of each campaign that can be trained again; none where this program plans none as it was."""

    def to_train_again(self, kinds: Collection[str | None]) -> list[Trial]:
        """Return the published trials that must be trained on these kinds of machine, whose fingerprints are given.

        None stands for a kind that is not known.
        """
        if not self.new:
            return []
        trials = []
        for name, records in self.setting.campaigns.items():
            there = {record.environment.fingerprint for record in records if record.environment}
            if name in self.references and not there.issuperset(kinds):
                trials.append(self.references[name])
        return trials


class _AgainstSuite(Suite, frozen=True, kw_only=True):
    """Methods that are held against published records."""

    @property
    def label(self) -> str:
        return self.name


def named_against(suite: Suite, target: str) -> Suite:
    """Return the suite under a name that says what its methods are held against."""
    return _AgainstSuite(**(msgspec.structs.asdict(suite) | {"name": f"against {target}"}))


def settings_of(
    campaigns: Sequence[Campaign],
    workloads: Collection[str] = (),
    data_dir: Path | None = None,
    on_progress: data.OnProgress | None = None,
) -> tuple[list[Setting], list[str]]:
    """Return the settings of published records that could be trained today, and say what was left out and why.

    Args:
        campaigns: the published records.
        workloads: those that are asked for, as a user writes them; all, if it is empty. A folder of images that no
            record names is read: it may hold the images that the records name by another folder.
        data_dir: as in `data.resolve`.
        on_progress: likewise.

    Raises:
        DataError: a folder of images cannot be read.
        ValueError: there is no such workload; the message names the nearest one.
    """
    kept: list[Record] = []
    names: dict[str, list[str]] = {}
    of_workloads, lacking = _asked_for(campaigns, workloads, data_dir, on_progress)
    left_out: dict[str, None] = dict.fromkeys(lacking)
    for campaign, record in of_workloads:
        why = _why_not(record)
        if why:
            left_out[f"{campaign}: {why}"] = None
        else:
            kept.append(record)
            names.setdefault(record.trial_id, []).append(campaign)
    known = {name: data.workload(name) for name in {record.spec.workload for record in kept}}
    settings: list[Setting] = []
    for group in comparable_groups(kept, known):
        counting = group.counting()
        for workload in group.workloads:
            if workload in counting:
                settings.append(_setting(group, workload, counting[workload], names))
            else:
                left_out[
                    f"{workload}: it is in no score, since few of the methods have run on it ({group.key.title})"
                ] = None
    return settings, list(left_out)


def plan_against(
    settings: Iterable[Setting],
    methods: Sequence[str],
    data_dir: Path | None = None,
    on_progress: data.OnProgress | None = None,
    *,
    fetch: bool = True,
) -> tuple[list[Planned], list[str]]:
    """Plan the methods at each setting; say which settings this program cannot train as they were published, and why.

    Args:
        settings: of published records.
        methods: names or expressions.
        data_dir: as in `plan.expand`. A folder of images that is not here leaves its setting out.
        on_progress: likewise.
        fetch: likewise.

    Raises:
        ValueError: as for `plan.expand`.
    """
    planned: list[Planned] = []
    left_out: list[str] = []
    for setting in settings:
        workload = setting.record.spec.workload
        try:
            trials = expand(_suite(setting, methods), data_dir, on_progress, fetch=fetch)
        except MissingFeaturesError as error:
            left_out.append(f"{workload}: {error}")
            continue
        except data.DataError as error:
            if folder_name(workload) is None:  # what can be downloaded, and was not, is no reason to go on without it
                raise
            left_out.append(f"{workload}: {error}; if its images lie elsewhere, name the folder with --workload")
            continue
        other = differences(trials[0], setting.record.trial)
        if other:
            more = f", and {len(other) - _MOST_DIFFERENCES} more" if len(other) > _MOST_DIFFERENCES else ""
            words = ", ".join(other[:_MOST_DIFFERENCES])
            left_out.append(f"{workload}: the published trials are of another version: {words}{more}")
            continue
        known = {record.trial_id for record in setting.published if is_result(record)}
        new = [trial for trial in trials if trial.spec.seed in setting.seeds and trial.id not in known]
        planned.append(Planned(setting, tuple(new), _references(setting, data_dir)))
    return planned, left_out


def _asked_for(
    campaigns: Sequence[Campaign],
    workloads: Collection[str],
    data_dir: Path | None,
    on_progress: data.OnProgress | None,
) -> tuple[list[tuple[str, Record]], list[str]]:
    """Return the records on the workloads that are asked for with their campaigns, and say of which there are none."""
    published = [(campaign.name, record) for campaign in campaigns for record in campaign.records]
    names = dict(names_of_data(record for _, record in published))
    known = {data_name(record.spec, names) for _, record in published}
    asked = {data.workload(name).name for name in workloads} or known
    for name in sorted(asked - known):
        if folder_name(name) is not None and any(kind == workload_kind(name) for kind, _ in names):
            here = data.resolve(name, data_dir, on_progress)
            names[here.kind, here.content_hash] = name
    called = [(campaign, renamed(record, data_name(record.spec, names))) for campaign, record in published]
    there = {record.spec.workload for _, record in called}
    kept = [(campaign, record) for campaign, record in called if record.spec.workload in asked]
    return kept, [
        f"no record on {name}; there are some on {', '.join(sorted(known))}" for name in sorted(asked - there)
    ]


def _why_not(record: Record) -> str:
    """Say why a record's setting cannot be trained today; nothing if it can."""
    spec = record.spec
    if spec.protocol_version != PROTOCOL_VERSION:
        return f"records of protocol {spec.protocol_version}, and this program trains {PROTOCOL_VERSION}"
    if spec.track != "controlled":
        return f"records of the {spec.track} track, on which every method brings a recipe of its own"
    try:
        data.workload(spec.workload)
    except ValueError as error:
        return str(error)
    return ""


def _setting(
    group: ComparableGroup, workload: str, seeds: Sequence[int], names: Mapping[str, Sequence[str]]
) -> Setting:
    records = [record for record in group.records_on(workload) if not record.spec.allow_invalid]
    campaigns: dict[str, list[Record]] = {}
    for record in records:
        for name in names[record.trial_id]:
            campaigns.setdefault(name, []).append(record)

    def order(method: MethodKey) -> tuple[object, ...]:
        return name_of(group, method) != REFERENCE_METHOD, method.expression

    methods = sorted((method for method in group.methods if group.records_of(method, workload)), key=order)
    return Setting(
        record=renamed(records[0], workload),
        seeds=tuple(seeds),
        campaigns=campaigns,
        references=tuple(method.expression for method in methods if not method.variant),
    )


def _suite(setting: Setting, methods: Sequence[str], seeds: int | None = None) -> Suite:
    spec = setting.record.spec
    return Suite(
        name="",
        methods=list(methods),
        workloads=[spec.workload],
        seeds=1 + max(setting.seeds) if seeds is None else seeds,
        d_norm=spec.network.d_norm,
        steps=spec.steps,
        evaluate_every=spec.evaluate_every,
        samples=spec.samples,
        batch_size=spec.batch_size,
        precision=spec.precision,
        features=features_of(setting.record.components),
    )


def _references(setting: Setting, data_dir: Path | None) -> dict[str, Trial]:
    """Return of each campaign the first trial that this program would plan with the same identity."""
    results = {
        name: {record.trial_id for record in records if is_result(record)}
        for name, records in setting.campaigns.items()
    }
    references: dict[str, Trial] = {}
    for expression in setting.references:
        if len(references) == len(results):
            break
        try:
            (trial,) = expand(_suite(setting, [expression], 1), data_dir, fetch=False)
        except ValueError:  # a part of somebody's own, whose file is not here
            continue
        for name, known in results.items():
            if trial.id in known:
                references.setdefault(name, trial)
    return references
