"""Where and how trials run. Nothing of it is part of a trial's identity. Importing it needs no torch."""

from pathlib import Path

from msgspec import Struct

from bench.common.gpus import MOST_TRIALS_PER_PROCESS
from bench.config.workload import Workload
from bench.extractors.inception_weights import InceptionPlan
from bench.extractors.weight_files import Weights


class RunOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What whoever starts a campaign chooses, and everybody down to the training loop reads.

    No trained number depends on it, but for `threads` and `device`: they decide how sums are rounded.
    """

    device: str = "cpu"
    """`cpu`, `cuda` or `cuda:N`."""
    threads: int = 1
    """Intra-op threads of the CPU, of each process."""
    data_dir: str | None = None
    """The folder of downloaded data sets, an absolute path; `None` for the default one."""
    timeout_minutes: float = 240.0
    """How long an attempt may take, where the executor can enforce it."""
    capture: bool = False
    """Whether steps are replayed as CUDA graphs where the method allows it, and evaluations made beside them."""
    trials_per_process: int = 1
    """How many trials of one workload may share a process."""
    checkpoint_dir: str | None = None
    """The folder of checkpoints, an absolute path; `None` for none. A campaign has them in its results folder."""
    checkpoint_minutes: float = 10.0
    """A checkpoint is written with evaluations, and after so long at the latest; 0 for none."""
    progress_seconds: float = 0.25
    """Progress of a trial is told after so long at the earliest; a campaign of very many at once makes it longer."""
    inception: InceptionPlan | None = None
    """On which workloads FID, KID and the Inception score are measured, and with which weights."""
    also_in: tuple[Weights, ...] = ()
    """The weights of the judges that look at the images of all trials beside Inception."""

    def __post_init__(self) -> None:
        if self.trials_per_process < 1:
            raise ValueError(f"a process trains at least one trial, not {self.trials_per_process}")
        if self.trials_per_process > MOST_TRIALS_PER_PROCESS:
            raise ValueError(
                f"a process trains at most {MOST_TRIALS_PER_PROCESS} trials, not {self.trials_per_process}: more would "
                "share CUDA streams; use more --workers"
            )
        if not self.checkpoint_minutes >= 0:
            raise ValueError(f"checkpoint_minutes are 0 (none) or more, not {self.checkpoint_minutes}")

    @property
    def data_folder(self) -> Path | None:
        """The folder of downloaded data sets as a path."""
        return None if self.data_dir is None else Path(self.data_dir)

    @property
    def timeout_seconds(self) -> float:
        """How long an attempt may take, in seconds."""
        return 60 * self.timeout_minutes

    def inception_weights(self, workload: Workload) -> Weights | None:
        """Return what FID is measured with on a workload; `None` where it is not measured."""
        plan = self.inception
        return plan.weights if plan is not None and plan.covers(workload) else None

    @property
    def all_weights(self) -> list[Weights]:
        """The weights of all judges that look at the images of some trials, Inception first."""
        return [*([self.inception.weights] if self.inception is not None else []), *self.also_in]

    def judges(self, workload: Workload) -> list[Weights]:
        """Return those of the judges that look at the images of a trial on a workload, when it has ended."""
        inception = self.inception_weights(workload)
        others = self.also_in if workload.has_single_images else ()
        return [*([inception] if inception is not None else []), *others]
