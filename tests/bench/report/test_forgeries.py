"""Published records pass every check, and what somebody does to them to look better is found."""

import subprocess

import pytest
from classics_runs import CLASSICS, RUN, classics, found, into, replace, runs_of_classics, written
from published_folders import publish

import losses
from bench import data
from bench.config.trial import PART, declared_pace
from bench.config.workload import primary_of
from bench.report.folder_contents import read_contents
from bench.report.joint_checks import joint_contradictions
from bench.report.marks import marks
from bench.report.self_checks import self_contradictions
from bench.report.verification import verify
from bench.statistics.damage import file_of
from bench.store.record import Evaluation, History
from bench.training.trajectory import trajectory_metrics


@pytest.fixture
def runs():
    return runs_of_classics()


def test_every_published_record_passes():
    records = classics()
    assert len(records) == 200
    assert [
        what for record in records for what in self_contradictions(record, data.workload(record.spec.workload))
    ] == []
    assert list(joint_contradictions(records)) == []
    contents = read_contents(CLASSICS, data.workload)
    assert (contents.fine, len(contents.records)) == (True, 200)


def test_untouched_runs_pass(runs, tmp_path):
    assert len(runs) == 80
    assert found(runs.values(), tmp_path) == []


def metrics_edited(run, **changes):
    return replace(run, metrics={**run.metrics, **changes})


def evaluation_edited(run, index, **changes):
    evaluations = list(run.history.evaluations)
    at = evaluations[index]
    evaluations[index] = Evaluation(step=at.step, metrics={**at.metrics, **changes})
    return replace(run, history=History(evaluations=evaluations, training=run.history.training))


def better(run, distance):
    """An edit of every place where the last distance itself stands."""
    edited = metrics_edited(run, **dict.fromkeys(("distance", "fd", "distance_best", "fd_best"), distance))
    return evaluation_edited(edited, -1, fd=distance)


def cut(run):
    training = {name: values[:-4] for name, values in run.history.training.items()}
    return replace(run, history=History(evaluations=run.history.evaluations[:-1], training=training))


def cut_and_counted(run):
    return replace(cut(run), stability={**run.stability, "completed_steps": 400.0})


def spoiled(run, name, value):
    training = {**run.history.training, name: [value, *run.history.training[name][1:]]}
    return replace(run, history=History(evaluations=run.history.evaluations, training=training))


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (lambda run: metrics_edited(run, distance=100.0), "has distance 100, and the last evaluation has "),
        (lambda run: metrics_edited(run, fd=100.0), "has fd 100, and the last evaluation has "),
        (lambda run: metrics_edited(run, modes=9.0, coverage=0.9), "has coverage 0.9, and the last evaluation has "),
        (lambda run: metrics_edited(run, distance_init=9000.0), "has distance_init 9000, and the evaluation at step 0"),
        (lambda run: metrics_edited(run, distance_best=1.0), "has distance_best 1, and the best evaluation has "),
        (lambda run: metrics_edited(run, distance_floor=600.0), "has distance_floor 600, and fd_floor has "),
        (lambda run: better(run, 100.0), "has auc_log_distance "),
        (lambda run: evaluation_edited(run, 1, modes=11.0), "has modes 11 in the evaluation at step 200"),
        (lambda run: evaluation_edited(run, 1, unreadable=1.25), "has unreadable 1.25 in the evaluation at step 200"),
        (lambda run: spoiled(run, "discriminator_accuracy", 1.5), "has a discriminator_accuracy that is no share"),
        (lambda run: spoiled(run, "generator_loss", None), "has monitors that are not all finite"),
        (cut, "has 3 evaluations, and 4 at the planned steps"),
        (cut_and_counted, "ended after 400 steps of 600, and every number was finite"),
        (lambda run: replace(run, status="diverged"), "has status diverged, and its evaluations say ok"),
        (lambda run: replace(run, status="nonfinite"), "has status nonfinite, and its evaluations say ok"),
        (
            lambda run: replace(run, stability={**run.stability, "first_nonfinite_step": 70.0}, status="nonfinite"),
            "has monitors that are all finite, and says that step 70 was the first",
        ),
        (lambda run: replace(run, stability={**run.stability, "best_step": 200.0}), "has best_step 200, and "),
        (lambda run: replace(run, status="timeout", message="stopped after 1 minutes"), "ended in status timeout"),
        (lambda run: replace(run, history=History()), "is of a run that ended, and has no evaluations"),
        (lambda run: replace(run, finished_at="2026-11-24T00:00:00+00:00"), "ended at 2026-11-24T00:00:00"),
        (lambda run: replace(run, finished_at="yesterday"), "ended at 'yesterday', which is no date"),
        (lambda run: replace(run, finished_at=run.started_at), "says train_seconds "),
        (lambda run: replace(run, cost={**run.cost, "images_per_second": 9e4}), "has images_per_second 90000, and "),
        (lambda run: replace(run, cost={**run.cost, "discriminator_images": 1.0}), "showed the discriminator 1 images"),
        (lambda run: evaluation_edited(run, 0, kid=1.0), "has another evaluation at step 0 than most others"),
        (lambda run: metrics_edited(run, coverage_ceiling=0.7), "has coverage_ceiling 0.7, and the others"),
    ],
)  # fmt: skip
def test_an_edit_of_one_record_is_found(runs, tmp_path, forge, words):
    forged = forge(runs[RUN])
    assert forged != runs[RUN]
    lines = found({**runs, RUN: forged}.values(), tmp_path)
    assert any(line.startswith(f"{file_of(forged)}: {words}") for line in lines), lines


@pytest.mark.parametrize(
    ("added", "times", "fine"),
    [
        ("critic_steps(count=5)", 5, True),
        ("critic_steps(count=5)", 1, False),
        ("critic_steps(count=5)", 10, False),
        ("critic_steps(count=5) + critic_steps(count=2)", 10, True),
        ("r1(gamma=10, every=1)", 5, False),
        ("a_part_of_mine(weight=1)", 5, True),
        ("a_part_of_mine(weight=1)", 0.5, False),
        ("a_part_of_mine(weight=1)", 0, False),
    ],
)
def test_the_images_that_the_discriminator_saw_follow_from_the_pace_that_the_method_asks_for(runs, added, times, fine):
    run = runs[RUN]
    seen = times * run.cost["discriminator_images"]
    spec = replace(run.spec, method=f"bce_ns + {added}")
    components = {**run.components, f"{PART}a_part_of_mine": "0" * 16} if "mine" in added else run.components
    made = replace(run, spec=spec, components=components, cost={**run.cost, "discriminator_images": seen})
    said = [what for what in self_contradictions(made, data.workload("digits")) if what.startswith("showed")]
    assert bool(said) != fine, said


def test_only_critic_steps_asks_for_another_pace():
    """What is read off an expression, without its parts, holds for all that the library ships."""
    paced = [name for name, part in losses.registry.parts("constraint").items() if part().critic_steps != 1]
    assert paced == ["critic_steps"]
    method = losses.get("bce_ns + critic_steps(count=3)")
    assert declared_pace(str(method)) == method.critic_steps == 3
    assert {declared_pace(str(losses.get(name))) for name in losses.names("method")} == {1}


def test_a_diverged_run_relabeled_is_found(tmp_path):
    records = {record.trial_id: record for record in classics()}
    diverged = next(record for record in records.values() if record.status == "diverged")
    for status, message in (("timeout", "stopped after 240 minutes"), ("ok", ""), ("not_learned", "")):
        forged = replace(diverged, status=status, message=message)
        lines = found({**records, diverged.trial_id: forged}.values(), tmp_path)
        assert any(f"status {status}, and" in line and line.startswith(file_of(forged)) for line in lines)


def test_one_run_copied_to_ten_seeds_is_found(runs, tmp_path):
    best = runs["digits", "nsgan", 0]
    copied = {**runs, **{("digits", "nsgan", seed): into(runs["digits", "nsgan", seed], best) for seed in range(1, 10)}}
    lines = found(copied.values(), tmp_path)
    for seed in range(1, 10):
        file = file_of(copied["digits", "nsgan", seed])
        assert f"{file}: has another evaluation at step 0 than most others of seed {seed} on digits" in lines
        assert f"{file}: has the history of {file_of(best)}, which is of another seed or workload" in lines


def test_one_seed_copied_to_ten_for_every_method_is_found(runs, tmp_path):
    """Then all methods agree at every seed, and the seeds do too."""
    copied = {key: into(run, runs[key[0], key[1], 0]) for key, run in runs.items()}
    lines = found(copied.values(), tmp_path)
    assert sum("has the evaluation at step 0 of another seed on digits" in line for line in lines) == 40
    assert sum("has the history of" in line for line in lines) >= 72


def test_one_method_given_anothers_run_is_found(runs, tmp_path):
    stolen = {**runs, ("digits", "nsgan", 2): into(runs["digits", "nsgan", 2], runs["digits", "mmgan", 2])}
    lines = found(stolen.values(), tmp_path)
    assert any("and at other seeds the two methods differ" in line for line in lines)


@pytest.mark.parametrize("seeds", [(4,), range(10)])
@pytest.mark.parametrize("pair", [("nsgan", "wgan"), ("wgan", "hinge"), ("nsgan", "mmgan"), ("hinge", "mmgan")])
def test_two_methods_swapped_are_found(runs, tmp_path, pair, seeds):
    one, other = pair
    swapped = dict(runs)
    for seed in seeds:
        first, second = runs["digits", one, seed], runs["digits", other, seed]
        swapped["digits", one, seed], swapped["digits", other, seed] = into(first, second), into(second, first)
    files = {file_of(swapped["digits", method, seed]) for method in pair for seed in seeds}
    lines = found(swapped.values(), tmp_path)
    assert {line.split(":")[0] for line in lines} <= files
    assert lines


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_how_many_swaps_are_found():
    """Of all pairs of published methods, on both workloads, at one seed and at ten; docs/how-to has the numbers."""
    by = {(run.spec.workload, run.spec.method_name, run.spec.seed): run for run in classics()}
    names = sorted({name for _, name, _ in by})
    pairs = [(workload, a, b) for workload in ("digits", "ring8") for a in names for b in names if a < b]
    one_seed = whole = 0
    for workload, a, b in pairs:
        swaps = []
        for seed in range(10):
            one, other = by[workload, a, seed], by[workload, b, seed]
            swaps.append((into(one, other), into(other, one)))
        for seed, swap in enumerate(swaps):
            left = [run for (on, name, of), run in by.items() if on == workload and (name not in (a, b) or of != seed)]
            one_seed += bool(marks_of(swap)) or any(joint_contradictions([*left, *swap]))
        whole += any(marks_of(swap) for swap in swaps)
    assert (len(pairs), one_seed, whole) == (90, 859, 82)


def marks_of(records):
    return [what for record in records for what in marks(record)]


def test_a_second_attempt_after_a_result_is_found(runs, tmp_path):
    again = replace(
        into(runs[RUN], runs[RUN]),
        attempt=1,
        started_at="2026-11-26T00:00:00+00:00",
        finished_at="2026-11-26T00:10:00+00:00",
    )
    assert f"{file_of(again)}: is another attempt after a result (ok)" in found([*runs.values(), again], tmp_path)


@pytest.mark.parametrize("judge", ["inception-v3-compat", "vgg16"])
def test_a_second_attempt_after_a_timeout_or_for_a_judge_is_allowed(runs, tmp_path, judge):
    run = runs[RUN]
    before = {"started_at": "2026-11-01T00:00:00+00:00", "finished_at": "2026-11-01T04:00:00+00:00"}
    nothing = {"metrics": {}, "history": History(), "stability": {}, "cost": {}}
    lost = replace(run, status="timeout", message="stopped after 240 minutes", **nothing, **before)
    second = replace(run, attempt=1)
    others = [other for key, other in runs.items() if key != RUN]
    assert found([*others, lost, second], tmp_path / "lost") == []
    late = replace(lost, finished_at=run.finished_at)
    assert any("before attempt 0 had ended" in line for line in found([*others, late, second], tmp_path / "late"))
    versions = {**run.environment.versions, judge: "6726825d"}
    measured = replace(second, environment=replace(run.environment, versions=versions))
    first = replace(run, **before)
    assert found([*others, first, measured], tmp_path / "fid") == []
    worse = evaluation_edited(measured, 2, kid=1.0)
    lines = found([*others, first, worse], tmp_path / "other")
    assert any("is the same run again on the same kind of machine, and differs in history" in line for line in lines)
    again = replace(measured, attempt=2)
    lines = found([*others, first, measured, again], tmp_path / "again")
    assert f"{file_of(again)}: is another attempt after a result (ok)" in lines
    during = {"started_at": first.finished_at, "finished_at": run.started_at}
    killed = replace(lost, attempt=1, **during)
    assert found([*others, first, killed], tmp_path / "killed") == []
    assert found([*others, first, killed, replace(measured, attempt=2)], tmp_path / "at last") == []
    lines = found([*others, first, killed, replace(run, attempt=2)], tmp_path / "hidden")
    assert f"{file_of(again)}: is another attempt after a result (ok)" in lines
    lines = found([*others, first, killed, replace(worse, attempt=2)], tmp_path / "hidden for a judge")
    assert any("is the same run again on the same kind of machine, and differs in history" in line for line in lines)


@pytest.mark.parametrize("metric", ["fid_floor", "clip_fd_floor", "vgg16_recall_ceiling"])
def test_judges_with_other_weights_see_other_real_images(runs, tmp_path, metric):
    edited = [metrics_edited(run, **{metric: 0.1 + 0.001 * index}) for index, run in enumerate(runs.values())]
    assert found(edited, tmp_path / "judged") == []
    forged = [metrics_edited(run, fd_floor=0.1 + 0.001 * index) for index, run in enumerate(runs.values())]
    assert any("fd_floor" in line for line in found(forged, tmp_path / "forged"))


@pytest.mark.slow
def test_the_same_seeds_dropped_for_all_are_missed_by_the_history_of_the_repository(runs, tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    folder = tmp_path / "results" / "published" / "four"
    ring = {key: run for key, run in runs.items() if key[0] == "ring8"}
    written(ring.values(), folder)
    publish(folder)
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "publish")
    assert verify(folder, data.workload).fine
    for key, run in ring.items():
        if key[2] in (8, 9):
            (folder / file_of(run)).unlink()
    (folder / "manifest.json").unlink()
    publish(folder)
    gone = [each for each in verify(folder, data.workload).findings if each.wrong]
    assert len(gone) == 8
    assert {each.what for each in gone} == {"was published in revision HEAD and is gone"}
    git("commit", "-q", "-a", "-m", "drop two seeds")
    assert verify(folder, data.workload).fine, "nothing in the folder itself shows it"
    assert len([each for each in verify(folder, data.workload, "HEAD~1").findings if each.wrong]) == 8
    with pytest.raises(ValueError, match="git knows no revision 'nonsense'"):
        verify(folder, data.workload, "nonsense")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"status":', b'"status":"diverged","status":'),
        (b'"distance":', b'"distance":3.0,"distance":'),
        (b'"seed":', b'"\\u0073eed":7,"seed":'),
    ],
)
def test_a_key_that_is_there_twice_is_found(runs, tmp_path, old, new):
    written(runs.values(), tmp_path)
    path = tmp_path / file_of(runs[RUN])
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    (wrong,) = [each for each in read_contents(tmp_path, data.workload).findings if each.file == file_of(runs[RUN])]
    assert wrong.wrong
    assert "is there twice" in wrong.what


def test_a_run_that_was_made_up_whole_is_not_seen(runs, tmp_path):
    """What `verify` promises has an end, which that page names: this one is found by training it again."""
    run = runs[RUN]
    forged = better(run, 500.0)
    stability = {**run.stability, **trajectory_metrics(forged.history.evaluations, "fd", run.metrics["fd_floor"])}
    assert found({**runs, RUN: replace(forged, stability=stability)}.values(), tmp_path) == []


def test_the_distance_of_each_workload_is_known_without_torch():
    assert {name: primary_of(data.workload(name)) for name in ("digits", "ring8")} == {
        "digits": "fd",
        "ring8": "sliced_w2",
    }


def test_seconds_of_earlier_attempts_count_and_no_more_than_they_were(runs, tmp_path):
    """A run that went on from a checkpoint has the dates of its last attempt, and the seconds of all."""
    run = runs[RUN]
    spent = run.cost["train_seconds"]
    for earlier, complains in ((spent, False), (spent / 4, True)):
        cost = {**run.cost, "evaluation_seconds": 0.0, "earlier_seconds": earlier}
        resumed = replace(run, finished_at=run.started_at, cost=cost)
        lines = found({**runs, RUN: resumed}.values(), tmp_path)
        assert any("says train_seconds" in line for line in lines) == complains, lines
