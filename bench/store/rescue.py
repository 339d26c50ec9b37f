"""Records that cannot be stored where they belong, as on a full disk: kept elsewhere, as their trials have been run."""

import tempfile
from pathlib import Path

import msgspec

from bench.files.writing import create_exclusively, reason
from bench.store.journal import Store, StoreError
from bench.store.record import Record


class Rescue:
    """Takes the records that a store cannot, into a folder of its own among the temporary files."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder: Path | None = None
        self._why = ""
        self._taken = 0

    def take(self, record: Record, why: str) -> Path:
        """Keep a record; return the folder in which it lies.

        Args:
            record: which could not be stored.
            why: the reason.

        Raises:
            StoreError: nor can it be kept there.
        """
        self._why = why
        path = self._store.record_path(record.trial_id, record.attempt)
        try:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="gan-loss-bench-records-"))
            create_exclusively(self._folder / path.name, msgspec.json.encode(record))
        except OSError as error:
            raise StoreError(
                f"the record {path} cannot be written ({why}), nor be kept in {self._folder or tempfile.gettempdir()} "
                f"({reason(error)}): make room and run the same command again, which trains {record.trial_id} again"
            ) from error
        self._taken += 1
        return self._folder

    def complain(self) -> None:
        """Say at the end what has to be done with the records that were taken.

        Raises:
            StoreError: there are some.
        """
        if self._taken:
            records = self._store.root / "records"
            raise StoreError(
                f"{self._taken:,} of the records cannot be written into {records} ({self._why}); they are kept in "
                f"{self._folder}: make room, and move them into {records}"
            )
