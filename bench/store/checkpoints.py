"""Where checkpoints lie: a file for each trial that is on its way, removed when its record is there.

What is in them is known to `bench.training.checkpoint`. Whoever deletes one costs its trial the steps so far.
"""

from collections.abc import Iterable
from pathlib import Path


def checkpoint_path(folder: Path, trial_id: str) -> Path:
    """Return the place of a trial's checkpoint in the folder of all checkpoints."""
    return folder / f"{trial_id}.checkpoint"


def remove_checkpoints(folder: Path, trial_ids: Iterable[str]) -> None:
    """Remove the checkpoints of these trials, where there are any and the folder allows it."""
    if not folder.is_dir():
        return
    for trial_id in trial_ids:
        try:
            checkpoint_path(folder, trial_id).unlink(missing_ok=True)
        except OSError:  # a read-only folder: nobody reads the checkpoint of a trial that is recorded
            return
