"""New records among published ones: the ranks of one folder, times of none, and tables that stay apart."""

import msgspec
import pytest
from planted_campaigns import METHODS, WORKLOADS, campaign

from bench.statistics.against import rank_against
from bench.statistics.ranking import rank

NEW = {"own": 22.0}


def elsewhere(record):
    environment = msgspec.structs.replace(record.environment, fingerprint="beef01234567")
    return msgspec.structs.replace(record, environment=environment)


def order(board):
    return [
        (row.method, row.rank, row.rank_low, row.rank_high, row.score, row.among_best, row.p_adjusted)
        for row in board.rows
    ]


@pytest.fixture(scope="module")
def joined():
    return rank_against({"topics": campaign()}, campaign(methods=NEW), WORKLOADS)


def test_the_ranks_are_those_of_one_folder(joined):
    (board,) = joined.boards
    (whole,) = rank([*campaign(), *campaign(methods=NEW)], WORKLOADS)
    assert order(board) == order(whole)
    assert [row.method for row in board.rows] == ["lsgan", "own", "hinge", "nsgan", "wgan", "mmgan"]
    assert (board.digest, board.record_ids) == (whole.digest, whole.record_ids)


def test_every_row_says_where_it_comes_from(joined):
    (board,) = joined.boards
    found = {row.method: board.origins.rows[row.method_key] for row in board.rows}
    assert found == {**dict.fromkeys(METHODS, ("topics",)), "own": ("here",)}
    assert joined.apart == ()


def test_times_are_never_mixed(joined):
    """The records pretend to be of one machine, which would pair their times in one folder."""
    (whole,) = rank([*campaign(), *campaign(methods=NEW)], WORKLOADS)
    assert {row.method: row.cost_pairs for row in whole.rows}["own"] == 5
    (board,) = joined.boards
    rows = {row.method: row for row in board.rows}
    assert (rows["own"].relative_throughput, rows["own"].images_per_second, rows["own"].cost_pairs) == (None, None, 0)
    (alone,) = rank(campaign(), WORKLOADS)
    for row in alone.rows:
        assert rows[row.method].relative_throughput == row.relative_throughput
        assert rows[row.method].cost_pairs == row.cost_pairs == 5
        assert rows[row.method].images_per_second is None


def test_what_cannot_be_compared_stays_in_a_table_of_its_own():
    new = [*map(elsewhere, campaign(methods=NEW)), *campaign("ring8", methods=NEW)]
    joined = rank_against({"topics": [*campaign(), *campaign("ring8")]}, new, WORKLOADS)
    assert [(each.workload, each.comparable) for each in joined.checks] == [("digits", False), ("ring8", True)]
    (board,) = joined.boards
    assert [column.name for column in board.workloads] == ["ring8"]
    assert board.origins.checks == (
        "topics, ring8, 600 steps: the same kind of machine: the untrained generators agree to the last bit.",
    )
    (apart,) = joined.apart
    assert ([row.method for row in apart.rows], apart.workloads[0].name) == (["own"], "digits")


def test_a_trial_that_was_trained_again_is_read_by_the_check_alone():
    again = elsewhere(msgspec.structs.replace(campaign()[0], cost={}, attempt=1))
    joined = rank_against({"topics": campaign()}, [*map(elsewhere, campaign(methods=NEW)), again], WORKLOADS)
    (board,) = joined.boards
    (whole,) = rank([*campaign(), *map(elsewhere, campaign(methods=NEW))], WORKLOADS)
    assert (order(board), board.digest) == (order(whole), whole.digest)


def test_a_campaign_whose_machine_does_not_fit_is_not_in_the_table_of_one_that_does():
    other = list(map(elsewhere, campaign(methods={"wgan-gp": 5.0})))
    joined = rank_against({"topics": campaign(), "later": other}, campaign(methods=NEW), WORKLOADS)
    (board,) = joined.boards
    assert [(each.campaign, each.comparable) for each in joined.checks] == [("topics", True), ("later", False)]
    assert "wgan-gp" not in [row.method for row in board.rows]
    assert board.origins.campaigns == ("topics",)


def test_a_trial_of_two_campaigns_is_there_once_and_names_both():
    joined = rank_against(
        {"topics": campaign(), "small": campaign(methods={"nsgan": 60.0})}, campaign(methods=NEW), WORKLOADS
    )
    (board,) = joined.boards
    assert {row.method: board.origins.rows[row.method_key] for row in board.rows}["nsgan"] == ("topics", "small")
    assert len(board.record_ids) == 30


def lost(record):
    return msgspec.structs.replace(record, status="timeout", metrics={}, stability={}, cost={})


def test_a_published_trial_that_was_lost_is_what_was_trained_of_it():
    (one, *others), named = campaign(methods={"own": 22.0}), campaign()
    published = {"topics": [lost(one), *others, *named]}
    (before,) = rank_against(published, [], WORKLOADS).boards
    assert {row.method: (row.runs, row.lost) for row in before.rows}["own"] == (4, 1)
    (board,) = rank_against(published, [one], WORKLOADS).boards
    rows = {row.method: row for row in board.rows}
    assert (rows["own"].runs, rows["own"].lost, board.origins.rows[rows["own"].method_key]) == (
        5,
        0,
        ("topics", "here"),
    )
    assert order(board) == order(rank([one, *others, *named], WORKLOADS)[0])
    (again,) = rank_against(
        {"topics": [one, *others, *named]}, [lost(one), *campaign(methods={"b": 9.0})], WORKLOADS
    ).boards
    assert {row.method: (row.runs, row.lost) for row in again.rows}["own"] == (5, 0), "a published result stands"


@pytest.mark.parametrize("names", [("topics", "small"), ("small", "topics")])
def test_what_one_campaign_has_lost_another_has(names):
    (one, *others) = campaign()
    records = {"topics": [one, *others], "small": [lost(one)]}
    (board,) = rank_against({name: records[name] for name in names}, [], WORKLOADS).boards
    assert order(board) == order(rank(campaign(), WORKLOADS)[0])
    assert board.origins.campaigns == ("topics",)


def judged(records, weights, distance=20.0):
    """Records at whose images VGG16 has looked, with weights of these first digits."""

    def one(record):
        versions = {**record.environment.versions, "vgg16": weights}
        metrics = {**record.metrics, "vgg16_fd": distance, "vgg16_samples": 10_000.0}
        environment = msgspec.structs.replace(record.environment, versions=versions)
        return msgspec.structs.replace(record, metrics=metrics, environment=environment)

    return [one(record) for record in records]


def test_what_judges_saw_changes_no_rank_and_weights_are_never_mixed(joined):
    official, own = "397923af8e79", "a" * 12
    published = {"topics": judged(campaign(), official)}
    seen = rank_against(published, judged(campaign(methods=NEW), own, 10.0), WORKLOADS)
    assert [order(board) for board in seen.boards] == [order(board) for board in joined.boards]
    (board,) = seen.boards
    (column,) = [column for column in board.judged if column.metric == "vgg16_fd"]
    assert column.measure == "FD[vgg16, 10,000]"
    shown = {row.method: column.medians[row.method_key] for row in board.rows}
    assert shown == {**dict.fromkeys(METHODS, 20.0), "own": None}, "its weights are others"
