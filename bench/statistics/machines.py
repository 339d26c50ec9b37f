"""Whether numbers of two kinds of machine may stand in one table: decided by what both have measured, never assumed.

On equal hardware and software every number is equal to the last bit. Elsewhere sums are rounded otherwise, and training
makes more of it with every step. Two things are looked at then. The untrained generator must have the same distance: so
data, weights, latents and metric agree. And a published trial that is trained here again must end where its method's
published seeds do: what training makes of rounding is about what another seed makes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from bench.config.trial import PART, Spec, Trial, canonical_json
from bench.config.workload import Workload, primary_of, workload_kind
from bench.statistics.scales import no_scale
from bench.statistics.scores import is_result, score
from bench.store.record import Record

UNTRAINED_TOLERANCE: Final = 1e-4
"""By how much the distance of an untrained generator may differ among machines, relatively: only its rounding does.

Kernels for AVX2 instead of those for AVX-512 moved it by less than 1e-9 on digits."""

TRAINED_TOLERANCE: Final = 0.03
"""By how much the score of a trial that is trained again may lie outside of those of the method's published seeds.

Training makes of rounding about what another seed makes: the same kernels moved the scores of two trials of 1,000 steps
on digits by 0.007 and 0.010, and their distances by 4 % and 6 %."""


@dataclass(frozen=True, kw_only=True)
class MachineCheck:
    """Whether what was trained here may be ranked among a campaign's records of one setting, and what shows it."""

    campaign: str
    workload: str
    steps: int
    comparable: bool
    words: str

    @property
    def title(self) -> str:
        return f"{self.campaign}, {self.workload}, {self.steps:,} steps"


def setting_of(trial: Trial) -> bytes:
    """Name by its content what trials of one table share on a workload: all but method and seed, and all versions.

    The versions of a method's own parts are the method's, and the folder that a workload reads is nobody's.
    """
    shared = {name: version for name, version in trial.components.items() if not name.startswith(PART)}
    return canonical_json({"spec": _without_method(trial.spec), "components": shared})


def differences(planned: Trial, recorded: Trial) -> list[str]:
    """Say in what the settings of two trials differ, as "engine 4 here, 3 there"."""
    words = []
    for name in sorted({*planned.components, *recorded.components}):
        here, there = planned.components.get(name, "none"), recorded.components.get(name, "none")
        if not name.startswith(PART) and here != there:
            words.append(f"{name} {_short(here)} here, {_short(there)} there")
    mine, theirs = (msgspec.to_builtins(_without_method(trial.spec)) for trial in (planned, recorded))
    words += [f"{name} {mine[name]} here, {theirs[name]} there" for name in mine if mine[name] != theirs[name]]
    return words


def check_machine(
    campaign: str, published: Sequence[Record], own: Sequence[Record], workload: Workload
) -> MachineCheck:
    """Decide whether records that were made here may be ranked among published ones of the same setting.

    Args:
        campaign: the name of the published ones.
        published: all of them; whatever has no result says nothing.
        own: what was trained here: the new trials, and any published one that was trained here again.
        workload: theirs.
    """
    theirs, mine = ([record for record in records if is_result(record)] for records in (published, own))
    spec = published[0].spec

    def decided(words: str, *, comparable: bool = False) -> MachineCheck:
        return MachineCheck(
            campaign=campaign, workload=spec.workload, steps=spec.steps, comparable=comparable, words=words
        )

    if not mine:
        return decided("nothing that was trained here has a result", comparable=not own)
    untrained = list(_untrained(theirs, mine, workload))
    if not untrained:
        return decided("no seed has the distance of its untrained generator both here and there")
    kinds = {record.fingerprint for record in theirs}
    equal = all(record.fingerprint in kinds for record in mine)
    kind = "the same kind of machine" if equal else "another kind of machine"
    off = [generator for generator in untrained if generator.difference > generator.allowed]
    if off:
        return decided(f"{kind}, and the untrained generators differ: {off[0].words}")
    largest = max(generator.difference for generator in untrained)
    closeness = "to the last bit" if largest == 0.0 else f"within {largest:.1g}"
    if equal:
        return decided(f"{kind}: the untrained generators agree {closeness}", comparable=True)
    again = [(there, here) for here in mine for there in theirs if there.trial_id == here.trial_id]
    if not again:
        return decided(f"{kind}, and no published trial was trained here again to show that it gets to the same")
    words = []
    for there, here in again:
        fits, said = _trained_again(there, here, theirs, workload)
        if not fits:
            return decided(f"{kind}, and {said}")
        words.append(said)
    return decided(f"{kind}: the untrained generators agree {closeness}, and {', and '.join(words)}", comparable=True)


def _trained_again(there: Record, here: Record, published: Iterable[Record], workload: Workload) -> tuple[bool, str]:
    """Say whether a trial that was trained here again ends where its method's published seeds do."""
    who = f"{there.spec.method_name}, seed {there.spec.seed}, trained here again"
    if there.status != here.status:
        return False, f"{who} ends as {here.status}, and was recorded as {there.status}"
    lacking = no_scale(there, workload) or no_scale(here, workload)
    if lacking:
        return False, f"{who} has no score to compare: {lacking.reason}"
    scores = [score(record, workload) for record in published if record.spec.method == there.spec.method]
    low, high = min(scores) - TRAINED_TOLERANCE, max(scores) + TRAINED_TOLERANCE
    reached = score(here, workload)
    within = low <= reached <= high
    return within, (
        f"{who} scores {reached:.3f}, {score(there, workload):.3f} as published, which is "
        f"{'within' if within else 'outside of'} the {max(0.0, low):.3f} to {high:.3f} of its seeds and rounding"
    )


@dataclass(frozen=True)
class _Difference:
    difference: float
    """Relative."""
    allowed: float
    words: str


def _untrained(theirs: Iterable[Record], mine: Iterable[Record], workload: Workload) -> Iterator[_Difference]:
    """Compare the untrained generators of equal seeds, which no loss has touched.

    Where the seed has one of the same kind of machine, that is what must be equal, and no other.
    """
    known: dict[int, dict[str | None, float]] = defaultdict(dict)
    for record in theirs:
        if (distance := _distance(record, workload)) is not None:
            known[record.spec.seed][record.fingerprint] = distance
    for record in mine:
        if (here := _distance(record, workload)) is None:
            continue
        of_seed, kind = known[record.spec.seed], record.fingerprint
        same = kind in of_seed
        for there in [of_seed[kind]] if same else sorted(of_seed.values()):
            yield _Difference(
                abs(here - there) / there if there else float(here != there),
                0.0 if same else UNTRAINED_TOLERANCE,
                f"seed {record.spec.seed} has {there!r} there and {here!r} here",
            )


def _distance(record: Record, workload: Workload) -> float | None:
    """Return the distance of the untrained generator."""
    first = record.history.evaluations[:1]
    return first[0].metrics.get(primary_of(workload)) if first and first[0].step == 0 else None


def _without_method(spec: Spec) -> Spec:
    kind = workload_kind(spec.workload)
    return msgspec.structs.replace(spec, method="", method_name="", workload=kind, seed=0, allow_invalid=False)


def _short(version: str) -> str:
    return version if len(version) <= 40 else f"{version[:12]}..."
