"""Which budget `run` and `status` take, what they say of it, and how long they say that it takes."""

import json
import re
import shlex
from pathlib import Path

import msgspec
import pytest

from bench import data, plan
from bench.config.suite import chosen_suite, load_suite
from bench.store.environment import environment
from bench.store.journal import Store

NETWORK = Path(__file__).parents[3] / "results" / "published" / "network"


def planned(bench, *arguments):
    return json.loads(bench("run", *arguments, "--dry-run", "--json").stdout)


def budget_of(trial):
    return tuple(trial[name] for name in ("steps", "evaluate_every", "batch_size"))


QUICK = (450, 150, 16)


@pytest.mark.parametrize("given", [[], ["--seeds", 3], ["--set", "precision=bf16"], ["--d-norm", "ln"]])
def test_without_methods_and_workloads_it_is_the_quick_suite(bench, tmp_path, given):
    found = planned(bench, *given, "--results", tmp_path)
    assert found["suite"] == "quick"
    assert {budget_of(trial) for trial in found["trials"]} == {QUICK}
    assert {trial["method"] for trial in found["trials"]} == {"nsgan", "wgan-gp", "wgan"}


@pytest.mark.parametrize("workload", ["digits", "ring8", "mnist"])
@pytest.mark.parametrize("how", [["--workload"], ["--method", "hinge", "--workload"]])
def test_a_workload_of_choice_trains_its_own_budget(bench, tmp_path, workload, how):
    found = planned(bench, *how, workload, "--results", tmp_path)
    own = data.workload(workload)
    assert found["suite"] is None
    assert {budget_of(trial) for trial in found["trials"]} == {(own.steps, own.evaluate_every, 64)}
    assert {trial["seed"] for trial in found["trials"]} == {0, 1}


@pytest.mark.parametrize("how", [["--method", "hinge"], ["--set", "methods=hinge"]])
def test_a_method_of_choice_is_trained_on_digits_for_their_own_budget(bench, tmp_path, how):
    found = planned(bench, *how, "--results", tmp_path)
    assert {(trial["workload"], *budget_of(trial)) for trial in found["trials"]} == {("digits", 3000, 500, 64)}


def test_what_is_said_overrides_the_own_budget(bench, tmp_path):
    found = planned(bench, "--workload", "digits", "--steps", 100, "--seeds", 1, "--results", tmp_path)
    assert {budget_of(trial) for trial in found["trials"]} == {(100, 100, 64)}
    assert len(found["trials"]) == 3
    quick = planned(bench, "--workload", "digits", "--set", "budget=quick", "--results", tmp_path)
    assert {trial["steps"] for trial in quick["trials"]} == {600}


def test_a_suite_that_is_named_stays_what_it_was(bench, tmp_path):
    found = planned(bench, "--suite", "quick", "--method", "hinge", "--workload", "ring8", "--results", tmp_path)
    before = plan.expand(load_suite("quick", {"methods": ["hinge"], "workloads": ["ring8"]}))
    assert [trial["trial"] for trial in found["trials"]] == [trial.id for trial in before]
    assert {budget_of(trial) for trial in found["trials"]} == {QUICK}


def test_own_trials_are_those_of_a_suite_file_with_nothing_in_it(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('methods = ["hinge"]\nworkloads = ["digits"]\nseeds = 2\n')
    chosen = chosen_suite({"methods": ["hinge"], "workloads": ["digits"]})
    assert [trial.id for trial in plan.expand(chosen)] == [trial.id for trial in plan.expand(load_suite(file))]


def test_status_means_the_same_trials(bench, tmp_path):
    given = ("--method", "hinge", "--workload", "ring8", "--results", tmp_path)
    status = json.loads(bench("status", *given, "--json").stdout)
    assert status["trials"] == planned(bench, *given)["trials"]
    assert "ring8: 20,000 steps, batch 64, evaluated every 2,500, seeds 0–1" in bench("status", *given).stdout


def test_the_plan_says_steps_batch_and_seeds_and_how_to_go_on(bench, tmp_path):
    found = bench("run", "--workload", "digits", "--dry-run", "--results", tmp_path)
    head = found.stdout.splitlines()[0]
    assert head == "plan: 6 trials, 0 recorded, 6 to run; digits: 3,000 steps, batch 64, evaluated every 500, seeds 0–1"
    assert "--seeds 10 makes a table to quote" in found.stderr
    assert "--suite quick with the same options trains 450 steps of 16" in found.stderr
    assert bench("run", "--dry-run", "--results", tmp_path).stderr == ""


def test_the_way_to_a_shorter_run_is_told_as_its_command_trains_it(bench, tmp_path):
    same = ("run", "--workload", "digits", "--set", "batch_size=32", "--dry-run", "--results", tmp_path)
    assert "--suite quick with the same options trains 450 steps of 32" in bench(*same).stderr
    assert "digits: 450 steps, batch 32" in bench(*same, "--suite", "quick").stdout


def test_the_table_says_steps_batch_and_seeds(bench, results):
    text = bench("leaderboard", "--results", results).stdout
    assert re.search(r"^digits: [\d,]+ steps, batch \d+, seeds 0–2$", text, re.MULTILINE)


def published_commands():
    (block,) = re.findall(r"```\n(.*?)```", (NETWORK / "README.md").read_text(), re.DOTALL)
    return [shlex.split(line)[3:] for line in block.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_published_commands_name_the_trials_that_they_made(bench, number):
    command = published_commands()[number]
    result = bench(*command, "--results", NETWORK, "--dry-run", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert {trial["state"] for trial in found["trials"]} == {"recorded"}
    assert {trial["workload"] for trial in found["trials"]} == {command[command.index("--workload") + 1]}


# --- how long -------------------------------------------------------------------------------------------------------


def speeds(results, trials, *, step, sample, rest, judging=None, **environment_changes):
    """Record trials that took so many seconds a step, a sample of an evaluation, in CLIP, and besides."""
    from planted_records import make_workload, planted_record

    for trial in trials:
        made = planted_record(make_workload("digits"), trial.spec.method, trial.spec.seed)
        evaluations = len(made.history.evaluations)
        train, evaluating = step * trial.spec.steps, sample * trial.spec.samples * evaluations
        end = round(train + evaluating + (judging or 0) + rest)
        place = msgspec.structs.replace(environment("cpu", 1), **environment_changes)
        record = msgspec.structs.replace(
            made, trial_id=trial.id, spec=trial.spec, components=trial.components,
            protocol_version=trial.spec.protocol_version, environment=place,
            stability={"completed_steps": float(trial.spec.steps)},
            cost={"train_seconds": train, "evaluation_seconds": evaluating, "clip_seconds": judging},
            started_at="2026-01-01T00:00:00+00:00",
            finished_at=f"2026-01-01T{end // 3600:02}:{end // 60 % 60:02}:{end % 60:02}+00:00",
        )  # fmt: skip
        Store(results).append(record)


@pytest.fixture
def two_cpus(monkeypatch):
    monkeypatch.setattr("bench.campaign.usable_cpus", lambda: 2)


def dry(bench, results, *given):
    return planned(bench, "--device", "cpu", *given, "--results", results)


def test_where_no_speed_is_recorded_the_plan_says_so(bench, tmp_path):
    found = dry(bench, tmp_path)
    assert found["seconds"] is None
    assert "not known before the first trial has run" in found["time"]
    assert "digits" in found["time"]


@pytest.mark.usefixtures("two_cpus")
def test_time_is_estimated_from_the_speeds_of_this_machine(bench, tmp_path):
    quick = plan.expand(load_suite("quick"))
    nsgan = [trial for trial in quick if trial.spec.method_name == "nsgan"]
    speeds(tmp_path, nsgan, step=0.5, sample=0.01, rest=7)
    # Of other seeds of nsgan and of wgan and wgan-gp: 450 steps, and evaluations at 0, 150, 300 and 450.
    each = 450 * 0.5 + 4 * 2000 * 0.01 + 7
    found = dry(bench, tmp_path, "--seeds", 4)
    assert found["to_run"] == 10
    assert found["seconds"] == pytest.approx(10 * each / 2, rel=0.01)
    assert "10 trials: 2 by the same method, 8 by other methods" in found["time"]
    assert ", 2 at a time" in found["time"]
    one = dry(bench, tmp_path, "--seeds", 3, "--set", "methods=nsgan", "--suite", "quick")
    assert one["seconds"] == pytest.approx(each, rel=0.01), "a single trial takes its own time, with whatever workers"


@pytest.mark.usefixtures("two_cpus")
@pytest.mark.parametrize("how", [["--executor", "inline"], ["--workers", "1"], ["--trials-per-process", "6"]])
def test_time_is_that_of_as_many_processes_as_the_run_would_have(bench, tmp_path, how):
    speeds(tmp_path, plan.expand(load_suite("quick"))[:1], step=0.1, sample=0.0, rest=0)
    found = dry(bench, tmp_path, *how)
    assert found["seconds"] == pytest.approx(5 * 45, rel=0.01)
    assert ", 1 at a time" in found["time"]


@pytest.mark.usefixtures("two_cpus")
def test_each_method_is_timed_by_itself_where_it_has_run(bench, tmp_path):
    quick = plan.expand(load_suite("quick"))
    for name, step in (("nsgan", 0.1), ("wgan-gp", 0.4), ("wgan", 0.1)):
        speeds(tmp_path, [each for each in quick if each.spec.method_name == name], step=step, sample=0.0, rest=0)
    assert dry(bench, tmp_path, "--seeds", 4)["seconds"] == pytest.approx(2 * (45 + 180 + 45) / 2, rel=0.02)
    three = dry(bench, tmp_path, "--seeds", 3)
    assert three["seconds"] == pytest.approx(180, rel=0.02), "no sooner than the longest trial"


@pytest.mark.usefixtures("two_cpus")
def test_what_judges_take_is_counted_where_they_look_and_only_there(bench, tmp_path):
    first, second, *_ = plan.expand(load_suite("quick"))
    speeds(tmp_path, [first], step=0.1, sample=0.0, rest=0)
    judged = ("--also-in", "clip-vit-b-32", "--workers", "1")
    unknown = dry(bench, tmp_path, *judged)
    assert unknown["seconds"] is None
    assert "not counted is what clip-vit-b-32 takes, which has not looked at such images here" in unknown["time"]
    speeds(tmp_path, [second], step=0.1, sample=0.0, rest=0, judging=900)
    assert dry(bench, tmp_path, "--workers", "1")["seconds"] == pytest.approx(4 * 45, rel=0.01)
    found = dry(bench, tmp_path, *judged)
    assert found["seconds"] == pytest.approx(found["to_run"] * (45 + 900), rel=0.01)


@pytest.mark.usefixtures("two_cpus")
@pytest.mark.parametrize(
    "other", [{"cpu": "Another x2", "device_name": "Another x2"}, {"device_name": "A GPU", "device": "cuda"}]
)
def test_speeds_of_another_machine_are_no_speeds_of_this_one(bench, tmp_path, other):
    speeds(tmp_path, plan.expand(load_suite("quick"))[:1], step=0.5, sample=0.0, rest=0, **other)
    assert dry(bench, tmp_path)["seconds"] is None


@pytest.mark.usefixtures("two_cpus")
def test_another_batch_workload_or_network_has_another_speed(bench, tmp_path):
    speeds(tmp_path, plan.expand(load_suite("quick"))[:1], step=0.5, sample=0.0, rest=0)
    for given in (["--set", "batch_size=32"], ["--workload", "ring8"], ["--d-norm", "ln"], ["--set", "precision=bf16"]):
        assert dry(bench, tmp_path, *given)["seconds"] is None
    some = dry(bench, tmp_path, "--suite", "quick", "--workload", "digits", "--workload", "ring8")
    assert "not counted is ring8, which has not run here" in some["time"]


@pytest.mark.usefixtures("two_cpus")
def test_as_many_threads_are_believed_first(bench, tmp_path):
    nsgan, _, _, again, *_ = plan.expand(load_suite("quick"))
    speeds(tmp_path, [nsgan], step=0.1, sample=0.0, rest=0)
    speeds(tmp_path, [again], step=0.9, sample=0.0, rest=0, threads=2)
    found = dry(bench, tmp_path)  # six trials: two at a time of one thread
    assert found["seconds"] == pytest.approx(4 * 45 / 2, rel=0.02)
    (tmp_path / "records" / f"{nsgan.id}.0.json").unlink()
    assert dry(bench, tmp_path)["seconds"] == pytest.approx(5 * 405 / 2, rel=0.02)


def test_a_plan_for_a_device_that_is_not_here_is_shown_all_the_same(bench, tmp_path):
    result = bench("run", "--dry-run", "--device", "cuda:99", "--results", tmp_path)
    assert result.exit_code == 0
    assert "time: not known here: there is no device 'cuda:99'" in result.stdout
