from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from bench.common import clock as clock_of_campaigns
from bench.config.workload import Workload
from bench.events import HeldElsewhere, RecordedElsewhere
from bench.store.claims import Claims
from bench.store.journal import Store
from bench.store.liveness import SignOfLife
from bench.store.record import Record
from bench.store.scratch import scratch_folder
from bench.store.sharing import SharedPlan

Campaign = tuple[SignOfLife, Claims]


class Clock(clock_of_campaigns.Clock):
    seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 1.0  # whoever asks has waited
        return self.seconds


@pytest.fixture
def campaigns(store: Store) -> Iterator[tuple[Campaign, Campaign]]:
    store.check_writable()
    with ExitStack() as both:
        signs = [both.enter_context(SignOfLife(store.claims, beat=1e6)) for _ in range(2)]
        yield tuple((sign, Claims(store, sign)) for sign in signs)


@pytest.fixture
def made(workload: Workload, record: Callable[..., Record]) -> Callable[..., Record]:
    return lambda seed, status="ok", attempt=0: msgspec.structs.replace(
        record(workload, "plain", seed), status=status, attempt=attempt
    )


def plan_of(store: Store, claims: Claims, *groups: list[tuple[Record, int]]) -> SharedPlan:
    named = [[(record.trial, attempt) for record, attempt in group] for group in groups]
    return SharedPlan(named, claims, store, look_again=0.0, clock=Clock())


def test_groups_come_in_their_order_without_what_others_are_at(
    store: Store, campaigns: tuple[Campaign, Campaign], made: Callable[..., Record]
) -> None:
    (_, ours), (other, theirs) = campaigns
    a, b, c, d = (made(seed) for seed in range(4))
    theirs.take(b.trial_id, 0)
    theirs.take(c.trial_id, 0)
    plan = plan_of(store, ours, [(a, 0), (b, 0)], [(c, 0)], [(d, 3)])
    assert plan.next_group() == [(a.trial, 0)], "the half of a group that is free"
    assert plan.next_group() == [(d.trial, 3)], "a group that is taken is gone past"
    assert plan.next_group() == []
    assert list(plan.events()) == [
        HeldElsewhere(trial_ids=(b.trial_id, c.trial_id), holders=(str(other.holder),), waiting=False)
    ]
    assert list(plan.events()) == [], "it is said once of each campaign"
    (waiting,) = plan.wait()
    assert waiting.waiting
    assert list(plan.wait()) == [], "as long as nothing changes"
    store.append(b)
    (store.claims / f"{other.holder.campaign}.alive").unlink()
    assert plan.next_group() == [(c.trial, 0)], "its campaign is gone"
    assert list(plan.events()) == [RecordedElsewhere(trial=b.trial, attempt=0, status="ok")]
    assert not plan.is_waited_for


def test_what_is_recorded_between_the_plan_and_the_claim_is_not_run(
    store: Store, campaigns: tuple[Campaign, Campaign], made: Callable[..., Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    (_, ours), _ = campaigns
    one = made(0)
    take = Claims.take

    def slow(self: Claims, trial_id: str, attempt: int) -> object:
        store.append(one)  # by another one, which then lets go of its claim
        return take(self, trial_id, attempt)

    monkeypatch.setattr(Claims, "take", slow)
    plan = plan_of(store, ours, [(one, 0)])
    assert plan.next_group() == []
    assert [event.status for event in plan.events()] == ["ok"]
    assert list(store.claims.glob("*.claim")) == []


@pytest.mark.parametrize(("status", "followed"), [("error", True), ("timeout", True), ("nonfinite", False)])
def test_a_lost_attempt_of_another_campaign_is_followed_by_its_next_one(
    store: Store, campaigns: tuple[Campaign, Campaign], made: Callable[..., Record], status: str, followed: bool
) -> None:
    (_, ours), (_, theirs) = campaigns
    lost = made(0, status)
    store.append(lost)
    theirs.take(lost.trial_id, 1)
    plan = plan_of(store, ours, [(lost, 0)])
    assert plan.next_group() == []
    assert plan.is_waited_for == followed
    if followed:
        store.append(made(0, "ok", attempt=1))
        assert plan.next_group() == []
    ends = [event for event in plan.events() if isinstance(event, RecordedElsewhere)]
    assert [(end.attempt, end.status) for end in ends] == [(1, "ok") if followed else (0, status)]


def test_an_error_that_nobody_tries_again_is_the_end_of_it(
    store: Store, campaigns: tuple[Campaign, Campaign], made: Callable[..., Record]
) -> None:
    (_, ours), _ = campaigns
    lost = made(0, "error")
    store.append(lost)
    plan = plan_of(store, ours, [(lost, 0)])
    assert plan.next_group() == []
    assert [event.status for event in plan.events()] == ["error"]
    assert not plan.is_waited_for


def test_a_scratch_folder_whose_lock_is_not_seen_is_swept_only_if_its_campaign_is_dead(tmp_path: Path) -> None:
    """As on a share whose locks hold on one machine only."""
    for name in ("lives", "dead"):
        (tmp_path / "scratch" / name).mkdir(parents=True)
    with scratch_folder(tmp_path, "mine", is_dead=lambda name: name == "dead") as folder:
        assert folder == tmp_path / "scratch" / "mine"
        assert sorted(path.name for path in folder.parent.iterdir() if path.is_dir()) == ["lives", "mine"]
