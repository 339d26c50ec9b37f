"""Whether numbers of two machines may share a table: the decision at each of its edges, and what it says."""

import math

import msgspec
import pytest
from planted_campaigns import WORKLOADS, campaign

from bench.statistics.machines import TRAINED_TOLERANCE, UNTRAINED_TOLERANCE, check_machine, differences, setting_of
from bench.statistics.scores import score
from bench.store.record import Environment

DIGITS = WORKLOADS["digits"]
PUBLISHED = campaign(seeds=3)
NEW = {"own": 40.0}


def elsewhere(record, fingerprint="beef01234567"):
    environment = msgspec.structs.replace(record.environment, fingerprint=fingerprint)
    return msgspec.structs.replace(record, environment=environment)


def untrained(record, distance):
    first, *later = record.history.evaluations
    changed = msgspec.structs.replace(first, metrics={**first.metrics, "fd": distance})
    return msgspec.structs.replace(
        record, history=msgspec.structs.replace(record.history, evaluations=[changed, *later])
    )


def reference(move=0.0, *, up=True, **changes):
    """Return the reference trained again elsewhere, whose score lies `move` beyond the published ones."""
    published = [record for record in PUBLISHED if record.spec.method == "nsgan"]
    scores = [score(record, DIGITS) for record in published]
    wanted = max(scores) + move if up else min(scores) - move
    metrics = published[0].metrics
    span = math.log(metrics["distance_init"] / metrics["distance_floor"])
    distance = metrics["distance_init"] * math.exp(-wanted * span)
    changed = msgspec.structs.replace(published[0], metrics={**metrics, "distance": distance}, **changes)
    return elsewhere(changed)


def check(*own):
    return check_machine("topics", PUBLISHED, own, DIGITS)


def test_the_same_kind_of_machine_needs_equal_untrained_generators_and_no_more():
    found = check(*campaign(seeds=3, methods=NEW))
    assert found.comparable
    assert found.words == "the same kind of machine: the untrained generators agree to the last bit"
    assert (found.campaign, found.workload, found.steps) == ("topics", "digits", 600)


def test_one_bit_on_the_same_kind_of_machine_keeps_the_tables_apart():
    new = campaign(seeds=3, methods=NEW)
    found = check(*new[:2], untrained(new[2], math.nextafter(8000.0, 9000.0)))
    assert not found.comparable
    assert "the untrained generators differ: seed 2 has 8000.0 there and 8000.000000000001 here" in found.words


def test_what_rounding_may_do_is_little():
    """The tests below ask at the edges; this says where they are."""
    assert (UNTRAINED_TOLERANCE, TRAINED_TOLERANCE) == (1e-4, 0.03)


@pytest.mark.parametrize(("share", "comparable"), [(0.99, True), (1.01, False)])
def test_another_kind_of_machine_may_round_an_untrained_generator_otherwise(share, comparable):
    new = [
        untrained(elsewhere(each), 8000.0 * (1 + share * UNTRAINED_TOLERANCE))
        for each in campaign(seeds=3, methods=NEW)
    ]
    assert check(*new, reference()).comparable is comparable


def test_another_kind_of_machine_needs_a_published_trial_that_was_trained_again():
    found = check(*map(elsewhere, campaign(seeds=3, methods=NEW)))
    assert not found.comparable
    assert "no published trial was trained here again" in found.words


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize(("share", "comparable"), [(0.0, True), (0.99, True), (1.01, False)])
def test_the_trial_that_was_trained_again_must_end_where_its_methods_seeds_do(up, share, comparable):
    new = list(map(elsewhere, campaign(seeds=3, methods=NEW)))
    found = check(*new, reference(share * TRAINED_TOLERANCE, up=up))
    assert found.comparable is comparable
    assert ("within" if comparable else "outside of") in found.words
    assert "nsgan, seed 0, trained here again scores" in found.words


def test_a_reference_that_fails_here_alone_keeps_the_tables_apart():
    new = list(map(elsewhere, campaign(seeds=3, methods=NEW)))
    found = check(*new, reference(status="diverged"))
    assert not found.comparable
    assert "ends as diverged, and was recorded as ok" in found.words


def test_records_of_two_machines_are_held_to_the_bits_of_their_own():
    published = [
        *PUBLISHED,
        *(untrained(elsewhere(each), 8000.01) for each in campaign(seeds=3, methods={"extra": 5.0})),
    ]
    new = [untrained(elsewhere(each), 8000.01) for each in campaign(seeds=3, methods=NEW)]
    assert check_machine("topics", published, new, DIGITS).comparable
    new[0] = untrained(new[0], 8000.0)
    assert not check_machine("topics", published, new, DIGITS).comparable


def test_without_any_result_nothing_is_said_of_the_machine():
    lost = [msgspec.structs.replace(each, status="error") for each in campaign(seeds=3, methods=NEW)]
    assert not check(*lost).comparable
    assert check().comparable, "what has nothing new in it is the published table itself"


def test_a_record_without_its_machine_is_another_machines():
    new = [msgspec.structs.replace(each, environment=None) for each in campaign(seeds=3, methods=NEW)]
    assert not check(*new).comparable
    assert isinstance(PUBLISHED[0].environment, Environment)


def test_a_setting_is_all_but_method_and_seed():
    one, other, *_ = (record.trial for record in campaign(seeds=2, methods={"nsgan": 60.0, "hinge": 30.0}))
    assert setting_of(one) == setting_of(other)
    changed = msgspec.structs.replace(one, components={**one.components, "loss:own": "0123456789abcdef"})
    assert setting_of(changed) == setting_of(one)
    longer = msgspec.structs.replace(one, spec=msgspec.structs.replace(one.spec, steps=601))
    newer = msgspec.structs.replace(one, components={"losses": "2"})
    assert len({setting_of(one), setting_of(longer), setting_of(newer)}) == 3
    assert differences(longer, one) == ["steps 601 here, 600 there"]
    assert differences(newer, one) == ["losses 2 here, 1 there"]
    assert differences(other, one) == []
