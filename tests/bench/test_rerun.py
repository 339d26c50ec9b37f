"""Trials that are trained again: an honest record comes out to the last bit, and whatever was made up does not."""

import msgspec
import pytest
from planted_records import make_workload, planted_record
from scipy.stats import hypergeom
from small_trials import brief_trial, leave_out_timing

import losses
from bench import campaign, data, rerun
from bench.config.trial import Optimizer
from bench.execution.inline import InlineExecutor
from bench.methods import part_components
from bench.report.joint_checks import joint_contradictions
from bench.report.self_checks import self_contradictions
from bench.store.journal import Store
from bench.store.record import Evaluation, History
from bench.training.trajectory import trajectory_metrics

pytestmark = pytest.mark.usefixtures("untimed")

METHODS = ("nsgan", "wgan")


def replace(record, **changes):
    return msgspec.structs.replace(record, **changes)


def trial_of(method, seed):
    expression = str(losses.get(method))
    trial = brief_trial(seed=seed, method=expression, method_name=method)
    shared = {name: version for name, version in trial.components.items() if not name.startswith("loss:")}
    return replace(trial, components=shared | part_components(losses.get(expression)))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Fresh records of two methods and two seeds, by both."""
    store = Store(tmp_path_factory.mktemp("results"))
    trials = {(method, seed): trial_of(method, seed) for method in METHODS for seed in range(2)}
    with pytest.MonkeyPatch.context() as patch:
        leave_out_timing(patch)
        for _ in campaign.run([*trials.values()], InlineExecutor(), store):
            pass
    latest = store.latest()
    return {key: latest[trial.id] for key, trial in trials.items()}


def again(record, **options):
    (found,) = rerun.rerun([record], executor=InlineExecutor, **options)
    return found


@pytest.mark.slow
def test_fresh_records_contradict_neither_themselves_nor_each_other(runs):
    for record in runs.values():
        assert record.protocol_version == "1.1"
        assert "ema_distance" in record.metrics
        assert list(self_contradictions(record, data.workload(record.spec.workload))) == []
    assert list(joint_contradictions(runs.values())) == []


@pytest.mark.slow
@pytest.mark.parametrize("rate", [1e3, 1e30])
def test_a_run_that_ended_early_contradicts_itself_no_more(tmp_path, rate):
    """With such a rate weights overflow after some steps, or at the first."""
    trial = trial_of("wgan", 0)
    optimizer = Optimizer(name="sgd", lr_generator=rate, lr_discriminator=rate, betas=(0.5, 0.999))
    method = "wasserstein"
    spec = replace(trial.spec, optimizer=optimizer, steps=400, evaluate_every=60, method=method, method_name=method)
    trial = replace(trial, spec=spec, components={**trial.components, **part_components(losses.get(method))})
    store = Store(tmp_path)
    for _ in campaign.run([trial], InlineExecutor(), store):
        pass
    (record,) = store.records()
    assert record.status == "nonfinite"
    assert record.stability["completed_steps"] < 400
    assert list(self_contradictions(record, data.workload("ring8"))) == []
    assert again(record).verdict == again(record, first_evaluation=True).verdict == "same"
    said = replace(record, stability={**record.stability, "first_nonfinite_step": None})
    assert any("and every number was finite" in what for what in self_contradictions(said, data.workload("ring8")))


@pytest.mark.parametrize("first_evaluation", [False, True])
def test_an_honest_record_comes_out_to_the_last_bit(runs, first_evaluation):
    record = runs["nsgan", 1]
    found = again(record, first_evaluation=first_evaluation)
    until = " up to step 6" if first_evaluation else ""
    assert (found.verdict, found.words) == ("same", f"has every number to the last bit{until}")


def with_distance(record, index, distance):
    """A record in which a distance was changed wherever it stands, and everything that follows from it."""
    evaluations = list(record.history.evaluations)
    metrics = {**evaluations[index].metrics, "sliced_w2": distance}
    evaluations[index] = Evaluation(step=evaluations[index].step, metrics=metrics)
    distances = [evaluation.metrics["sliced_w2"] for evaluation in evaluations]
    summary = {"": distances[-1], "_best": min(distances[1:])}
    named = {f"{name}{suffix}": value for name in ("distance", "sliced_w2") for suffix, value in summary.items()}
    floor = record.metrics["sliced_w2_floor"]
    return replace(
        record,
        metrics={**record.metrics, **named},
        history=History(evaluations=evaluations, training=record.history.training),
        stability={**record.stability, **trajectory_metrics(evaluations, "sliced_w2", floor)},
    )


@pytest.mark.slow
def test_a_distance_that_was_made_up_with_all_that_follows_is_found(runs):
    record = runs["nsgan", 1]
    late = with_distance(record, -1, record.metrics["distance"] * (1 - 1e-12))
    assert late.metrics["distance"] != record.metrics["distance"]
    assert list(self_contradictions(late, data.workload(record.spec.workload))) == []
    found = again(late)
    assert found.verdict == "differs"
    assert "history, metrics.distance, " in found.words
    assert again(late, first_evaluation=True).verdict == "same", "it comes after that"
    early = with_distance(record, 1, record.history.evaluations[1].metrics["sliced_w2"] * (1 + 1e-12))
    assert list(self_contradictions(early, data.workload(record.spec.workload))) == []
    assert again(early, first_evaluation=True).verdict == "differs"


def test_another_method_and_another_seed_are_found_by_the_first_evaluation(runs):
    left = ("status", "message", "metrics", "history", "stability", "cost")
    for source in (("wgan", 1), ("nsgan", 0)):
        forged = replace(runs["nsgan", 1], **{name: getattr(runs[source], name) for name in left})
        assert again(forged, first_evaluation=True).verdict == "differs"


def test_on_another_machine_the_beginning_is_held_to(runs):
    record = runs["nsgan", 0]
    elsewhere = replace(record, environment=replace(record.environment, fingerprint="0" * 12))
    found = again(elsewhere, first_evaluation=True)
    assert found.verdict == "elsewhere"
    assert f"{record.history.evaluations[1].metrics['sliced_w2']} is found up to step 6" in found.words
    assert again(with_distance(elsewhere, 0, 99.0), first_evaluation=True).verdict == "differs"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"protocol_version": "1.0"}, "follows protocol 1.0, and this program trains 1.1"),
        ({"environment": None}, "does not say where it ran"),
        ({"components": {"engine": "2"}}, "is of engine 2, and this program trains "),
        ({"components": {"loss:bce_ns": "0"}}, "is of loss:bce_ns 0, and this program trains 1"),
    ],
)
def test_other_versions_are_not_compared(runs, change, words):
    record = runs["nsgan", 0]
    if "components" in change:
        change = {"components": {**record.components, **change["components"]}}
    found = again(replace(record, **change))
    assert found.verdict == "not compared"
    assert words in found.words


def test_how_other_versions_are_trained_is_said(runs, tmp_path):
    one, other = (replace(runs["nsgan", seed], commit=commit) for seed, commit in ((0, "a" * 40), (1, "b" * 40)))
    nameless = replace(runs["wgan", 0], commit=None)
    lines = rerun.recipe([one, other, nameless], tmp_path / "x", 3)
    assert f"git worktree add ../rerun-{'a' * 12} {'a' * 40}" in lines
    assert f"python -m bench verify {tmp_path}/x --rerun 3 --reruns ../rerun-{'b' * 12}/reruns" in lines
    assert lines[0] == "# 1 of them do not name the commit that made them"
    assert sum(f"{tmp_path}/x/records/{one.trial_id}.0.json" in line for line in lines) == 1


@pytest.mark.parametrize("commit", ["abc; touch x", "$(touch x)", "a" * 40 + "\ntouch x", "-dirty", "HEAD"])
def test_what_is_no_commit_is_no_part_of_a_command(runs, tmp_path, commit):
    """Whoever publishes a record writes what it says, and whoever verifies pastes the lines into a shell."""
    lines = rerun.recipe([replace(runs["nsgan", 0], commit=commit)], tmp_path, 1)
    assert lines == ["# 1 of them do not name the commit that made them"]


def test_what_was_trained_elsewhere_is_taken(runs):
    record = runs["nsgan", 0]
    old = replace(record, protocol_version="1.0")
    assert again(old, made={old.trial_id: old}).verdict == "same"
    assert again(with_distance(old, 1, 1.0), made={old.trial_id: old}).verdict == "differs"


def broken(trials, options, emit):
    raise ValueError(f"nothing to train in {trials}")


def test_what_cannot_be_trained_is_not_compared(runs):
    found = again(runs["nsgan", 0], trainer=f"{__name__}:broken")
    assert found.verdict == "not compared"
    assert "ended in status error when it was trained again" in found.words


def test_the_draw_is_of_the_records_alone():
    records = [planted_record(make_workload(), seed=seed) for seed in range(50)]
    lost = [planted_record(make_workload(), seed=seed, status="timeout") for seed in range(50, 60)]
    chosen = rerun.drawn([*records, *lost], 14)
    assert chosen == rerun.drawn([*lost, *records[::-1]], 14)
    assert chosen[:5] == rerun.drawn([*records, *lost], 5)
    assert len({record.trial_id for record in chosen}) == 14
    assert not any(record.status == "timeout" for record in chosen)
    edited = [replace(records[0], message="x"), *records[1:]]
    assert [each.trial_id for each in rerun.drawn([*edited, *lost], 14)] != [each.trial_id for each in chosen]
    assert len(rerun.drawn(records, 1000)) == 50


@pytest.mark.slow
def test_fourteen_of_two_hundred_find_a_fifth():
    promised = 1 - hypergeom.pmf(0, 200, 40, 14)
    assert promised == pytest.approx(0.9606, abs=0.0005)
    records = [planted_record(make_workload(), seed=seed) for seed in range(200)]
    forged = {record.trial_id for record in records[:40]}
    draws = 1000
    found = 0
    for draw in range(draws):
        drawn = rerun.drawn([replace(records[0], message=str(draw)), *records[1:]], 14)
        found += any(record.trial_id in forged for record in drawn)
    # Four standard errors of so many draws.
    assert found / draws == pytest.approx(promised, abs=4 * (promised * (1 - promised) / draws) ** 0.5)
