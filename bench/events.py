"""The small frozen events of a campaign. Whoever shows progress reads this stream; nobody below prints."""

from collections.abc import Callable

from msgspec import Struct

from bench.config.trial import Trial

OnProgress = Callable[[str, int, int], None]
"""Called with what is being done, how many steps or bytes of it are done, and how many there are (0: unknown)."""


class Progress(Struct, frozen=True, tag="progress"):
    """Where one trial stands, sent by the process that trains it."""

    trial_id: str
    step: int
    steps: int
    images_per_second: float
    distance: float | None = None
    """The latest primary distance to the data, if one has been measured."""
    doing: str = ""
    """What goes on beside the steps, where that takes long: "FID 6,400/50,000"."""
    note: str = ""
    """What is to be said of the trial, once: "goes on at step 12,000"."""

    @classmethod
    def remark(cls, trial: Trial, note: str) -> "Progress":
        """Return what is to be said of a trial, and nothing of where it stands."""
        return cls(trial_id=trial.id, step=0, steps=trial.spec.steps, images_per_second=0.0, note=note)


class CampaignStarted(Struct, frozen=True, tag="campaign-started"):
    """The plan is made: `planned` trials in all, `recorded` of them need no work."""

    planned: int
    recorded: int
    workers: int
    results: str


class TrialStarted(Struct, frozen=True, tag="trial-started"):
    trial: Trial
    attempt: int


class TrialRetried(Struct, frozen=True, tag="trial-retried"):
    """The process that trained the trial was lost, or had no memory for it, and the trial is given to a new one."""

    trial_id: str
    attempt: int
    reason: str
    trials_per_process: int = 1
    """At most so many trials share the new one."""


class TrialFinished(Struct, frozen=True, tag="trial-finished"):
    trial: Trial
    attempt: int
    status: str
    message: str
    distance: float | None
    seconds: float


class RecordedElsewhere(Struct, frozen=True, tag="recorded-elsewhere"):
    """Another campaign on the same results folder has recorded a trial of the plan."""

    trial: Trial
    attempt: int
    status: str


class HeldElsewhere(Struct, frozen=True, tag="held-elsewhere"):
    """Other campaigns on the same results folder are at these trials of the plan; `waiting`: nothing else is left."""

    trial_ids: tuple[str, ...]
    holders: tuple[str, ...]
    """Each campaign in words."""
    waiting: bool


class RecordDisagrees(Struct, frozen=True, tag="record-disagrees"):
    """The trial had been recorded already, and the two runs differ although their environments do not."""

    trial_id: str
    fields: tuple[str, ...]


class NotKept(Struct, frozen=True, tag="not-kept"):
    """What a trial has left could not be put into the results folder, and lies in `place` if anywhere."""

    trial_id: str
    what: str
    """"artifacts" or "record"."""
    reason: str
    place: str = ""


class CampaignStopping(Struct, frozen=True, tag="campaign-stopping"):
    """The campaign was interrupted. What runs is ended next, which may take a while, and then the interrupt goes on."""


class CampaignFinished(Struct, frozen=True, tag="campaign-finished"):
    finished: int
    failed: int
    seconds: float


Event = (
    CampaignStarted
    | TrialStarted
    | Progress
    | TrialRetried
    | TrialFinished
    | RecordedElsewhere
    | HeldElsewhere
    | RecordDisagrees
    | NotKept
    | CampaignStopping
    | CampaignFinished
)
