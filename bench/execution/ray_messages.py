"""What is said between the machines of a cluster, and between the campaign and its gateway. Importing it needs no Ray.

Everything is msgpack or JSON of these structs, the arrays of data sets apart: no object of this program is pickled.
"""

from typing import Final

import msgspec
from msgspec import Struct

from bench.events import Progress
from bench.execution.interface import Finished, Resources, Started, Task
from bench.store.record import Outcome

WAITING: Final = 64
"""So many processes are queued with Ray beyond those that there is room for, so that a cluster that grows on demand
sees the demand."""

LOSSES_VARIABLE: Final = "GAN_LOSS_BENCH_LOSSES"
"""`losses.plugins.FILES_VARIABLE`, for Ray's own processes on nodes, which do without torch."""


class LossFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Python file of the user that registers losses, or that such a file imports from its folder."""

    name: str
    content: bytes
    sha256: str
    named: bool
    """Whether the user has named it, so that it is imported at the first look-up of a loss."""


class Need(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A large thing that trials cannot do without. A node that lacks it asks for it once."""

    kind: str
    """`data`, `classifier`, or the short name of a judge whose weights it is: `inception`, `clip`, `vgg16`."""
    name: str
    """Of the workload, or of the file."""
    digest: str
    """The content hash of data, the SHA-256 of a file."""

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.digest}"


class Parcel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a node is sent: tasks for one process, and what small things they need."""

    tasks: list[Task]
    program: dict[str, str]
    """As `ray_versions.program` says it, of the machine that sends."""
    needs: list[Need] = []
    losses: list[LossFile] = []
    checkpoints: dict[str, bytes] = {}
    """Of trials that have begun before, by trial id."""


class Lacks(Struct, frozen=True, tag="lacks"):
    """The node has not begun: it lacks these, and wants the parcel again with them."""

    keys: list[str]


class Refused(Struct, frozen=True, tag="refused"):
    """The node does not train for this program. The reason is one line."""

    why: str


class Begun(Struct, frozen=True, tag="begun"):
    """A process of the node has begun with a trial."""

    trial_id: str
    place: str


class Told(Struct, frozen=True, tag="told"):
    """How a trial gets on."""

    progress: Progress


class Kept(Struct, frozen=True, tag="kept"):
    """A trial has written a checkpoint."""

    trial_id: str
    content: bytes


class Ended(Struct, frozen=True, tag="ended"):
    """A trial has its outcome, with everything that it leaves."""

    trial_id: str
    outcome: Outcome
    lost: bool
    artifacts: dict[str, bytes]
    """By file name."""
    log: bytes


FromNode = Lacks | Refused | Begun | Told | Kept | Ended


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line that a gateway is given. Each further line is a list of tasks for one process."""

    address: str
    """Of the cluster; empty for one of this machine alone, which the gateway starts and ends."""
    folder: str
    """For files of a cluster that the gateway starts; it may write there, and need not clean up."""
    device: str
    """`auto`, `cpu` or `cuda`."""
    resources: Resources
    workers: int | None = None
    """How many processes there are at most; `None` for as many as there is room for."""


class Ready(Struct, frozen=True, tag="ready"):
    """The cluster is there, and its versions are those of this machine."""

    device: str
    resources: Resources
    workers: int
    """How many processes there is room for now."""
    notes: list[str]


class Room(Struct, frozen=True, tag="room"):
    """Nodes have joined or left: there is room for so many processes now."""

    workers: int


class Declined(Struct, frozen=True, tag="declined"):
    """The cluster cannot be used. The reason is one line."""

    why: str


FromGateway = Ready | Room | Declined | Started | Progress | Finished

encoded = msgspec.msgpack.encode


def from_node(content: bytes) -> FromNode:
    """Return what a node has said."""
    return msgspec.msgpack.decode(content, type=FromNode)  # type: ignore[no-any-return, unused-ignore]
