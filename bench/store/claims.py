"""Which campaign is at which attempt, so that several on one results folder, on any machines, share the work out.

    ROOT/claims/<trial_id>.<attempt>.<number>.claim    the name of the campaign that is at this attempt
    ROOT/claims/<campaign>.alive                       whether it lives (see `liveness`)

Of an attempt's claims the one with the highest number counts, and only as long as its campaign lives: the next campaign
then adds the next number, which can be created once. None is removed before the attempt is recorded. So a claim that
was seen is never another one of the same name, and two campaigns cannot both take over from a dead one. After that,
claims mean nothing: whoever has made one asks for the record first.

A claim is a courtesy, and no record depends on it. Where none can be made, trials are run without.
"""

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.files.regular import UnusableFileError, read_regular
from bench.store.journal import Store
from bench.store.liveness import Holder, SignOfLife, is_dead_for_sure, read_holder

_CLAIM_NAME: Final = re.compile(r"(?P<trial_id>[0-9a-f]{16})\.(?P<attempt>[0-9]+)\.(?P<number>[0-9]+)\.claim")
_CAMPAIGN_NAME: Final = re.compile(r"[0-9a-f]{12}")
_LONGEST: Final = 64

_log = logging.getLogger(__name__)


class Claims:
    """The claims of one campaign on a results folder."""

    def __init__(self, store: Store, sign: SignOfLife) -> None:
        """Begin with what others have left that means nothing any more tidied away.

        Args:
            store: of the records.
            sign: of this campaign, which is being given.
        """
        self._store = store
        self._sign = sign
        self._is_refused = False
        self._tidy()

    def take(self, trial_id: str, attempt: int) -> Holder | None:
        """Claim an attempt; return who is at it, or None where it is now this campaign's."""
        while True:
            holder, path = self._look(trial_id, attempt)
            if holder is not None:
                return None if holder == self._sign.holder else holder
            try:
                self._create(path)
            except FileExistsError:  # another one was faster
                continue
            except OSError as error:
                if not self._is_refused:
                    _log.warning("no claims can be made in %s (%s): trials are run without", path.parent, error)
                self._is_refused = True
            return None

    def holder(self, trial_id: str, attempt: int) -> Holder | None:
        """Return who is at an attempt; None where nobody is."""
        return self._look(trial_id, attempt)[0]

    def release(self, trial_id: str, attempt: int) -> None:
        """Remove all claims of an attempt that is recorded."""
        number = 0
        with contextlib.suppress(OSError):  # they mean nothing, and the next campaign tidies up
            while True:
                _path(self._sign.folder, trial_id, attempt, number).unlink()
                number += 1

    def _create(self, path: Path) -> None:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            os.write(file, self._sign.holder.campaign.encode())
        finally:
            os.close(file)

    def _look(self, trial_id: str, attempt: int) -> tuple[Holder | None, Path]:
        """Return who is at an attempt, and the claim that says so, or the next one to be made."""
        number = 0
        while True:
            path = _path(self._sign.folder, trial_id, attempt, number)
            if not os.path.lexists(path):
                return None, path
            holder = self._living(path)
            if holder is not None:
                return holder, path
            number += 1

    def _living(self, path: Path) -> Holder | None:
        """Return whose claim it is, if that campaign lives."""
        campaign = _campaign_of(path)
        if campaign == self._sign.holder.campaign:
            return self._sign.holder
        if campaign is not None:
            return read_holder(self._sign.folder, campaign) if self._sign.lives(campaign) else None
        # It is being written, or was when its machine lost its power.
        return None if self._sign.is_unchanged(path.name, "nameless") else Holder(campaign="unknown")

    def _tidy(self) -> None:
        for claim in _claims(self._sign.folder):
            if self._store.record_path(claim.trial_id, claim.attempt).exists():
                with contextlib.suppress(OSError):
                    claim.path.unlink()
        self._sign.forget_the_dead()


def held(store: Store) -> dict[str, Holder]:
    """Return who is at which trial just now, by trial id, at one look and without writing anything.

    A campaign of another machine that has ended without a word is among them as long as its sign lies there.
    """
    folder = store.claims
    latest: dict[tuple[str, int], _Claim] = {}
    for claim in _claims(folder):
        known = latest.get((claim.trial_id, claim.attempt))
        if known is None or known.number < claim.number:
            latest[claim.trial_id, claim.attempt] = claim
    holders = {}
    for claim in latest.values():
        campaign = _campaign_of(claim.path)
        if campaign is None or store.record_path(claim.trial_id, claim.attempt).exists():
            continue
        if not is_dead_for_sure(folder, campaign):
            holders[claim.trial_id] = read_holder(folder, campaign)
    return holders


@dataclass(frozen=True)
class _Claim:
    path: Path
    trial_id: str
    attempt: int
    number: int


def _claims(folder: Path) -> Iterator[_Claim]:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        name = _CLAIM_NAME.fullmatch(path.name)
        if name is not None:
            yield _Claim(path, name["trial_id"], int(name["attempt"]), int(name["number"]))


def _path(folder: Path, trial_id: str, attempt: int, number: int) -> Path:
    return folder / f"{trial_id}.{attempt}.{number}.claim"


def _campaign_of(path: Path) -> str | None:
    """Return the name in a claim; None where there is none, or the claim is gone."""
    try:
        name = read_regular(path, largest=_LONGEST, links=False).decode("ascii", "replace")
    except UnusableFileError:
        return None
    return name if _CAMPAIGN_NAME.fullmatch(name) else None
