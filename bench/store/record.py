"""The record: one immutable JSON file for each finished attempt. Every table is a pure function of records."""

import hashlib
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import msgspec
from msgspec import Struct

from bench.config.judges import JUDGES
from bench.config.protocol import INCEPTION
from bench.config.trial import Spec, Trial, canonical_json

SCHEMA_VERSION: Final = 1

OLDEST_SCHEMA: Final = 1
"""The first that any of our files ever had."""

Status = Literal["ok", "nonfinite", "diverged", "not_learned", "timeout", "error"]

INFRASTRUCTURE_STATUSES: Final[frozenset[str]] = frozenset({"timeout", "error"})
"""Statuses that say nothing about the loss; a later run tries these trials again, as a new attempt."""

OUT_OF_MEMORY: Final = "out of memory"
"""How the message of an attempt begins that ended for lack of memory. Its status is `error`: a status of its own would
be none that earlier programs read."""


class Evaluation(Struct, frozen=True, forbid_unknown_fields=True):
    """All metrics of the frozen generator after `step` generator updates."""

    step: int
    metrics: dict[str, float | None]


class History(Struct, frozen=True, forbid_unknown_fields=True):
    """What is drawn as a curve: the evaluations, and the monitors' means over blocks of steps.

    Every list of `training` has one value per block; `training["step"]` is the last step of the block.
    """

    evaluations: list[Evaluation] = []
    training: dict[str, list[float | None]] = {}


class UnreadHistoryError(RuntimeError):
    """A curve was asked of a record that was read for its scalars alone: a mistake of the caller."""


class _PartlyRead(History, frozen=True, kw_only=True):
    """Stands where not all of a history was read. Whoever touches what was not gets an error.

    Encoding a record that has it fails too, since an empty curve would be written as if nothing had been measured.
    """

    digest: str
    """The `content_digest` of the record."""

    _unread: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name in self._unread:
            vars(History)[name].__delete__(self)  # an unset field, not an empty one

    if not TYPE_CHECKING:  # a checker would take every name for one that is there

        def __getattr__(self, name: str) -> object:
            if name in self._unread:
                raise UnreadHistoryError(
                    f"this record was read without its history, and its {name} was asked for; read it with "
                    "histories=True"
                )
            raise AttributeError(name)


class UnreadHistory(_PartlyRead, frozen=True, kw_only=True):
    """The history of a record that was read for its scalars alone: no curve at all."""

    _unread: ClassVar[tuple[str, ...]] = History.__struct_fields__

    def __repr__(self) -> str:
        return f"{type(self).__name__}(digest={self.digest!r})"


class EvaluationsAlone(_PartlyRead, frozen=True, kw_only=True):
    """The history of a record that was read without the curves of its training, as published files have it."""

    _unread: ClassVar[tuple[str, ...]] = ("training",)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(digest={self.digest!r}, evaluations={self.evaluations!r})"


class Environment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the attempt ran. `fingerprint` is equal exactly where timings and bits may be compared."""

    fingerprint: str
    device: str
    device_name: str
    cpu: str
    threads: int
    platform: str
    versions: dict[str, str]


class Outcome(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one attempt produced, before it is given its identity and stored.

    `metrics` are the last evaluation's and the constants of the workload (floors, the untrained generator);
    `stability` and `cost` are scalars. A value that does not exist is `None`, never a magic number.
    """

    status: Status
    message: str = ""
    metrics: dict[str, float | None] = {}
    history: History = History()
    stability: dict[str, float | None] = {}
    cost: dict[str, float | None] = {}
    environment: Environment | None = None
    commit: str | None = None
    started_at: str
    finished_at: str


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An outcome with its identity. `attempt` counts from 0; the last one with a result is the one that counts."""

    schema_version: int
    protocol_version: str
    trial_id: str
    attempt: int
    spec: Spec
    components: dict[str, str]
    status: Status
    message: str
    metrics: dict[str, float | None]
    history: History
    stability: dict[str, float | None]
    cost: dict[str, float | None]
    environment: Environment | None
    commit: str | None
    started_at: str
    finished_at: str

    @property
    def judges(self) -> dict[str, str]:
        """The judges that have looked at the images, Inception too: the first digits of the hash of their weights."""
        versions = self.environment.versions if self.environment else {}
        return {name: versions[name] for name in JUDGES if name in versions}

    @property
    def inception_weights(self) -> str | None:
        """The first digits of the hash of the weights that FID was measured with; `None` where it was not."""
        return self.judges.get(INCEPTION)

    def is_judged_with(self, judge: str, digits: str) -> bool:
        """Whether a judge has looked at the images with weights whose hash begins with these digits."""
        # Of weights that are not downloaded yet, fewer digits are known than a record has.
        return self.judges.get(judge, "").startswith(digits)

    def is_judged_beyond(self, other: "Record") -> bool:
        """Whether a judge has looked at these images that has not at the other record's, or not with its weights."""
        return any(other.judges.get(judge) != digits for judge, digits in self.judges.items())

    @property
    def fingerprint(self) -> str | None:
        """The kind of machine; `None` where it is not known."""
        return self.environment.fingerprint if self.environment else None

    @property
    def is_lost(self) -> bool:
        """Whether a timeout or an error of the machinery ended the attempt: it says nothing about the loss."""
        return self.status in INFRASTRUCTURE_STATUSES

    @property
    def trial(self) -> Trial:
        return Trial(spec=self.spec, components=self.components)


def content_digest(record: Record) -> str:
    """Return SHA-256 over the canonical JSON of the whole record, also of one that was read without its history."""
    if isinstance(record.history, _PartlyRead):
        return record.history.digest
    return hashlib.sha256(canonical_json(record)).hexdigest()


def without_history(record: Record) -> Record:
    """Return the record with its scalars and its digest, and without its curves, which are most of its size."""
    return msgspec.structs.replace(record, history=UnreadHistory(digest=content_digest(record)))


def is_out_of_memory(ended: "Outcome | Record") -> bool:
    """Say whether an attempt ended for lack of memory, of the machine or of its GPU."""
    return ended.status == "error" and ended.message.startswith(OUT_OF_MEMORY)


def contradiction(record: Record) -> str:
    """Say in which way a record does not fit itself, as one that was edited; empty where it does."""
    if record.protocol_version != record.spec.protocol_version:
        return f"names two protocol versions, {record.protocol_version} and {record.spec.protocol_version}"
    if record.trial_id != record.trial.id:
        return (
            f"calls its trial {record.trial_id}, and its spec and components are those of {record.trial.id}: "
            "one of them was edited"
        )
    return ""


def make_record(trial: Trial, attempt: int, outcome: Outcome) -> Record:
    """Give an outcome its identity."""
    return Record(
        schema_version=SCHEMA_VERSION,
        protocol_version=trial.spec.protocol_version,
        trial_id=trial.id,
        attempt=attempt,
        spec=trial.spec,
        components=trial.components,
        **msgspec.structs.asdict(outcome),
    )
