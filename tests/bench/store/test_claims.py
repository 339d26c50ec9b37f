import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from bench.common import clock as clock_of_campaigns
from bench.config.workload import Workload
from bench.store.claims import Claims, held
from bench.store.journal import Store
from bench.store.liveness import Holder, SignOfLife
from bench.store.record import Record

TRIAL = "0123456789abcdef"
GONE = "aaaaaaaaaaaa"
AWAY = Holder(campaign="bbbbbbbbbbbb", host="elsewhere", pid=7, boot="another")

Join = Callable[[], Claims]


class Clock(clock_of_campaigns.Clock):
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def join(store: Store, clock: Clock) -> Iterator[Join]:
    """A function that has one more campaign begin."""
    store.check_writable()
    with ExitStack() as all_of_them:
        yield lambda: Claims(
            store, all_of_them.enter_context(SignOfLife(store.claims, lease=100.0, beat=1e6, clock=clock))
        )


def plant(store: Store, campaign: str, number: int = 0, attempt: int = 0) -> Path:
    path = store.claims / f"{TRIAL}.{attempt}.{number}.claim"
    path.write_text(campaign)
    return path


def plant_sign_of_life(store: Store) -> Path:
    path = store.claims / f"{AWAY.campaign}.alive"
    path.write_bytes(msgspec.json.encode(AWAY))
    return path


def test_an_attempt_is_one_campaigns(join: Join, store: Store) -> None:
    one, other = join(), join()
    assert one.take(TRIAL, 0) is None
    assert one.take(TRIAL, 0) is None, "whoever has it may ask again"
    holder = other.take(TRIAL, 0)
    assert holder is not None
    assert (holder.pid, other.holder(TRIAL, 0), held(store)) == (os.getpid(), holder, {TRIAL: holder})
    assert other.take(TRIAL, 1) is None, "another attempt is another thing"
    assert one.take(TRIAL, 1) != holder


def test_of_two_that_see_nothing_at_the_same_time_one_has_it(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = join(), join()
    assert one.take(TRIAL, 0) is None
    seen, first = os.path.lexists, iter([False])
    monkeypatch.setattr(os.path, "lexists", lambda path: next(first, True) and seen(path))
    assert other.take(TRIAL, 0) is not None
    assert other.holder(TRIAL, 0) == one.holder(TRIAL, 0)


def test_what_is_released_is_free(join: Join, store: Store) -> None:
    one, other = join(), join()
    assert one.take(TRIAL, 0) is None
    one.release(TRIAL, 0)
    assert held(store) == {}
    assert other.take(TRIAL, 0) is None


def test_the_claim_of_a_campaign_that_is_gone_holds_nothing_and_one_alone_takes_over(join: Join, store: Store) -> None:
    plant(store, GONE)
    one, other = join(), join()
    assert held(store) == {}
    assert one.holder(TRIAL, 0) is None
    assert one.take(TRIAL, 0) is None
    assert other.take(TRIAL, 0) is not None, "though it saw the same dead claim"
    one.release(TRIAL, 0)
    assert not list(store.claims.glob("*.claim")), "the dead one's too"


def test_the_last_of_several_claims_counts(join: Join, store: Store) -> None:
    plant(store, GONE, 0)
    plant(store, GONE, 1)
    plant(store, AWAY.campaign, 2)
    plant_sign_of_life(store)
    claims = join()
    assert claims.take(TRIAL, 0) == AWAY
    assert held(store) == {TRIAL: AWAY}


def test_a_campaign_of_another_machine_has_its_lease(join: Join, store: Store, clock: Clock) -> None:
    plant(store, AWAY.campaign)
    sign = plant_sign_of_life(store)
    claims = join()
    assert claims.take(TRIAL, 0) == AWAY
    clock.seconds += 99
    assert claims.take(TRIAL, 0) == AWAY
    os.utime(sign, (5.0, 5.0))
    assert claims.take(TRIAL, 0) == AWAY
    clock.seconds += 99
    assert claims.take(TRIAL, 0) == AWAY, "it has given a sign"
    clock.seconds += 1
    assert claims.take(TRIAL, 0) is None


@pytest.mark.parametrize("content", ["", "junk", "x" * 1000, "../../somewhere"])
def test_a_claim_without_a_name_holds_for_the_length_of_a_lease(
    join: Join, store: Store, clock: Clock, content: str
) -> None:
    plant(store, content)
    claims = join()
    assert claims.take(TRIAL, 0) is not None, "it may be on its way to the disk"
    clock.seconds += 100
    assert claims.take(TRIAL, 0) is None


def test_claims_on_what_is_recorded_are_tidied_away_at_the_next_beginning(
    join: Join, store: Store, workload: Workload, record: Callable[..., Record]
) -> None:
    made = record(workload, "plain", 0)
    store.append(made)
    recorded = store.claims / f"{made.trial_id}.0.0.claim"
    recorded.write_text(GONE)
    other = plant(store, GONE)
    assert held(store) == {}
    join()
    assert not recorded.exists()
    assert other.exists(), "its number is taken until the attempt is recorded"


def test_files_of_others_among_the_claims_are_left_alone(join: Join, store: Store) -> None:
    for name in ("README", "x.claim", f"{TRIAL}.0.claim", f"{TRIAL}.-1.0.claim"):
        (store.claims / name).write_text(GONE)
    (store.claims / f"{TRIAL}.0.0.claim").mkdir()
    join()
    assert held(store) == {}
    assert len(list(store.claims.iterdir())) == 6
