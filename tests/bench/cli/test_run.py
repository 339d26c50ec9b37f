"""`run` and `status`: the whole flow through the real plan, store and campaign, with a trainer that only pretends."""

import json

import msgspec
import numpy as np
import pytest

from bench.cli import voice
from bench.data import celeba
from bench.data.cache import decoded, kept_sets
from bench.data.family import Arrays
from bench.store.journal import Store

SMALL = ("--method", "nsgan", "--method", "hinge", "--workload", "digits", "--seeds", "2", "--executor", "inline")


def test_run_trains_ranks_and_reports(bench, pretend, drawn, tmp_path):
    result = bench("run", *SMALL, "--results", tmp_path)
    assert result.exit_code == 0, result.output
    assert pretend.trained == ["nsgan", "hinge", "nsgan", "hinge"]
    assert "4 of 4 trials to run, 1 at a time" in result.stderr
    head = "started: plan, 4 trials; digits: 3,000 steps, batch 64, evaluated every 500, seeds 0–1"
    assert result.stdout.splitlines()[0] == head
    assert "[4/4] hinge on digits, seed 1: distance 90.0" in result.stderr
    assert result.stdout.index("Ranking") < result.stdout.index("Score: mean over digits seeds 0–1")
    assert f"report:  {tmp_path / 'report.html'}" in result.stdout
    assert f"samples: {tmp_path / 'artifacts'}/*/samples.png" in result.stdout
    assert "picture" not in result.stdout
    page = (tmp_path / "report.html").read_text()
    # Four grids and the real images; the script of the figures has one of its own.
    assert page.count('loading="lazy" src="data:image/png;base64,') == 5
    assert len(Store(tmp_path).records()) == 4


def test_the_page_shows_the_real_images_that_were_trained_on(bench, pretend, tmp_path, monkeypatch):
    monkeypatch.setattr(celeba, "_TRAIN_FACES", 4)
    monkeypatch.setattr(celeba, "_TEST_FACES", 4)
    images, labels = np.full((4, 3, 64, 64), 100, dtype=np.uint8), np.zeros(4, dtype=np.int64)
    faces = Arrays(train=images, train_labels=labels, test=images, test_labels=labels)
    decoded(kept_sets(tmp_path / "data"), "celeba64-v1", lambda: faces)
    arguments = ("--method", "nsgan", "--workload", "celeba64", "--seeds", "1", "--executor", "inline")
    result = bench("run", *arguments, "--results", tmp_path, "--data", tmp_path / "data")
    assert result.exit_code == 0, result.output
    assert 'alt="Real images of celeba64"' in (tmp_path / "report.html").read_text()


def test_the_same_command_again_trains_nothing(bench, pretend, tmp_path):
    bench("run", *SMALL, "--results", tmp_path)
    page = (tmp_path / "report.html").read_bytes()
    pretend.trained.clear()
    again = bench("run", *SMALL, "--results", tmp_path)
    assert again.exit_code == 0
    assert pretend.trained == []
    assert "0 of 4 trials to run" in again.stderr
    assert (tmp_path / "report.html").read_bytes() == page


def test_a_dry_run_trains_and_writes_nothing(bench, pretend, tmp_path):
    result = bench("run", *SMALL, "--results", tmp_path / "new", "--dry-run")
    assert result.exit_code == 0
    assert "plan: 4 trials, 0 recorded, 4 to run" in result.stdout
    assert result.stdout.count("to run  ") == 4
    assert pretend.trained == []
    assert not (tmp_path / "new").exists()


def test_options_replace_the_suites_settings(bench, tmp_path):
    arguments = ("--method", "hinge + r1(gamma=1, every=16)", "--seeds", 1, "--steps", 123, "--set", "batch_size=32")
    result = bench("run", *arguments, "--results", tmp_path, "--dry-run")
    assert "1 trial," in result.stdout
    assert "123 steps  hinge + r1(gamma=1, every=16)" in result.stdout


def test_an_ill_defined_method_can_be_allowed_as_a_variant(bench, tmp_path):
    arguments = ("run", "--method", "nsgan-r1", "--d-norm", "bn", "--dry-run", "--results", tmp_path)
    assert bench(*arguments).exit_code == 2
    assert bench(*arguments, "--allow-invalid").exit_code == 0


def test_an_error_is_exit_code_1_and_names_the_logs(bench, pretend, tmp_path):
    def fail():
        raise RuntimeError("out of luck")

    pretend.behave["hinge"] = fail
    result = bench("run", *SMALL, "--results", tmp_path)
    assert result.exit_code == 1
    assert "2 trials ended in an error or a timeout" in result.stderr
    assert str(tmp_path / "logs") in result.stderr
    assert "out of luck" in result.stderr
    assert "Traceback" not in result.output
    assert any("out of luck" in path.read_text() for path in (tmp_path / "logs").iterdir())


def test_a_loss_that_fails_is_a_result_and_no_error(bench, pretend, tmp_path):
    pretend.status = "not_learned"
    result = bench("run", *SMALL, "--results", tmp_path)
    assert result.exit_code == 0
    assert "2/2" in result.stdout
    assert "never learned" in result.stderr


def test_ctrl_c_stops_and_says_that_the_work_goes_on(bench, pretend, tmp_path):
    def interrupt():
        if len(pretend.trained) == 2:
            raise KeyboardInterrupt

    pretend.behave["hinge"] = interrupt
    stopped = bench("run", *SMALL, "--results", tmp_path)
    assert stopped.exit_code == 130
    stopping, ended = stopped.stderr.splitlines()[-2:]
    assert stopping == "stopping: trials in progress go on from their last checkpoints the next time"
    assert "the same command goes on where this one stopped" in ended
    assert len(Store(tmp_path).records()) == 1
    pretend.behave.clear()
    pretend.trained.clear()
    assert bench("run", *SMALL, "--results", tmp_path).exit_code == 0
    assert len(pretend.trained) == 3


def test_json_progress_has_stderr_to_itself(bench, pretend, tmp_path):
    result = bench("run", *SMALL, "--results", tmp_path, "--progress", "json")
    types_seen = [json.loads(line)["type"] for line in result.stderr.splitlines()]
    assert types_seen[0] == "campaign-started"
    assert types_seen[-1] == "campaign-finished"
    assert "report:" in result.stdout


def test_lines_of_json_have_no_words_between_them_but_those_of_a_stop(bench, pretend, tmp_path, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.cli.run.measure_real_images", lambda *_: voice.say("other weights"))
    found = bench("run", *SMALL, "--results", tmp_path / "a", "--progress", "json", "-v")
    assert [json.loads(line)["type"] for line in found.stderr.splitlines()][-1] == "campaign-finished"
    pretend.behave["hinge"] = interrupt
    stopped = bench("run", *SMALL, "--results", tmp_path / "b", "--progress", "json")
    assert stopped.exit_code == 130
    lines = stopped.stderr.splitlines()
    assert [line[:8] for line in lines if not line.startswith("{")] == ["stopping", "stopped;"]
    assert [json.loads(line)["type"] for line in lines if line.startswith("{")][-1] == "campaign-stopping"


def test_stdout_has_the_results_and_no_progress(bench, pretend, tmp_path):
    loud = bench("run", *SMALL, "--results", tmp_path)
    for word in ("seed 0: started", "to run", "[1/4]", "first look"):
        assert word not in loud.stdout
        assert word in loud.stderr
    quiet = bench("run", *SMALL, "--results", tmp_path, "-q")
    assert quiet.stderr == ""
    assert quiet.stdout == loud.stdout
    for options in (("-q", "--progress", "json"), ("--progress", "auto", "-q")):
        both = bench("run", *SMALL, "--results", tmp_path, *options)
        assert both.exit_code == 2
        assert "--quiet shows no progress: leave it or --progress out" in both.stderr
    verbose = bench("run", *SMALL, "--results", tmp_path, "-v")
    assert "1 at a time on cpu, each with" in verbose.stderr


def test_what_came_of_a_run_as_json(bench, pretend, tmp_path):
    result = bench("run", *SMALL, "--results", tmp_path, "--format", "json")
    found = json.loads(result.stdout)
    assert "started: plan, 4 trials; digits: 3,000 steps" in result.stderr
    assert [each["status"] for each in found["trials"]] == ["ok"] * 4
    assert {row["method"] for table in found["tables"] for row in table["rows"]} == {"nsgan", "hinge"}
    assert found["report"] == str(tmp_path / "report.html")


def test_the_json_tells_of_the_attempt_that_the_tables_count(bench, pretend, tmp_path):
    bench("run", *SMALL, "--results", tmp_path)
    store = Store(tmp_path)
    store.append(msgspec.structs.replace(store.records()[0], attempt=1, status="timeout", message="stopped"))
    result = bench("run", *SMALL, "--results", tmp_path, "--json")
    assert [each["status"] for each in json.loads(result.stdout)["trials"]] == ["ok"] * 4
    assert json.loads(bench("status", *SMALL[:-2], "--results", tmp_path, "--json").stdout)["to_run"] == 0


def test_the_table_compares_with_what_is_recorded_already(bench, pretend, tmp_path):
    bench("run", *SMALL, "--results", tmp_path)
    result = bench("run", "--method", "lsgan", *SMALL[4:], "--results", tmp_path)
    table = result.stdout[result.stdout.index("rank") :]
    assert all(method in table for method in ("nsgan", "hinge", "lsgan"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--method", "nsgun"], "nsgan"),
        (["--method", "hinge + r1(gama=1)"], "gamma"),
        (["--workload", "digit"], "did you mean 'digits'?"),
        (["--method", "nsgan-r1", "--d-norm", "bn"], "not well defined"),
        (["--seeds", "1", "--set", "seeds=7"], "--seeds and --set seeds=7 both set seeds: leave one of them out"),
        (["--method", "nsgan", "--set", "methods=hinge"], "--method and --set methods=hinge both set methods"),
        (["--set", "steps=5", "--set", "steps = 7"], "--set steps=5 and --set steps= 7: leave one of them out"),
        (["--allow-invalid", "--set", "allow_invalid=false"], "--allow-invalid and --set allow_invalid=false"),
        (["--method", "nsgan", "--device", "gpu"], "--device takes cpu, cuda, cuda:N or auto"),
        (["--method", "nsgan", "--device", "cuda:99"], "there is no device 'cuda:99'"),
        (["--method", "nsgan", "--executor", "inline", "--workers", "3"], "one trial at a time"),
    ],
)
def test_bad_plans_get_one_line(bench, pretend, tmp_path, arguments, words):
    result = bench("run", "--workload", "digits", *arguments, "--results", tmp_path / "new")
    assert result.exit_code == 2
    assert words in result.stderr
    assert pretend.trained == []
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--workload", "ring8", "--d-norm", "sn"], ["d_norm=sn changes nothing on ring8: networks for points have"]),
        (["--workload", "digits", "--d-norm", "sn"], []),
        (["--workload", "digits", "--set", "track=paper"], []),
        (
            ["--workload", "digits", "--set", "track=paper", "--d-norm", "sn", "--set", "batch_size=32"],
            ["d_norm=sn changes nothing where a method's own recipe", "batch_size=32 changes nothing where a method's"],
        ),
    ],
)
def test_what_changes_no_trial_is_told(bench, tmp_path, arguments, said):
    plan = ("run", "--method", "nsgan", "--seeds", "1", "--dry-run", "--json", "--results", tmp_path)
    notes = json.loads(bench(*plan, *arguments).stdout)["notes"]
    assert len(notes) == len(said)
    assert all(note.startswith(words) for note, words in zip(notes, said, strict=True))


def test_a_device_that_is_not_here_is_told_before_anything_is_fetched(bench, tmp_path, monkeypatch):
    def never(*_, **__):
        raise AssertionError("a download, and the training of a classifier")

    monkeypatch.setattr("bench.plan.expand", never)
    result = bench("run", "--workload", "fashion-mnist", "--device", "cuda:99", "--results", tmp_path / "new")
    assert result.exit_code == 2
    assert "there is no device 'cuda:99'" in result.stderr


def test_data_that_cannot_be_had_is_told_before_anything_is_trained(bench, pretend, tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LOSS_BENCH_OFFLINE", "1")
    result = bench("run", "--workload", "mnist", "--data", tmp_path / "data", "--results", tmp_path / "new")
    assert result.exit_code == 2
    assert str(tmp_path / "data") in result.stderr
    assert pretend.trained == []


def test_status_tells_of_recorded_trials_that_it_was_not_asked_for(bench, pretend, tmp_path):
    bench("run", *SMALL, "--results", tmp_path)
    asked = bench("status", *SMALL[:-2], "--results", tmp_path)
    assert "of other options" not in asked.stdout
    unasked = bench("status", "--results", tmp_path)
    assert "4 recorded trials of other options: `leaderboard` shows what they gave" in unasked.stdout
    assert "6 trials to run" in unasked.stdout


def test_status_counts_what_is_there(bench, pretend, tmp_path):
    def fail():
        raise RuntimeError("out of luck")

    before = bench("status", *SMALL[:-2], "--results", tmp_path)
    assert before.exit_code == 0
    assert before.stdout.count("0/2 done") == 2
    assert "4 trials to run" in before.stdout
    pretend.behave["hinge"] = fail
    bench("run", *SMALL, "--results", tmp_path)
    after = bench("status", *SMALL[:-2], "--results", tmp_path)
    assert "2/2 done" in after.stdout
    assert "0/2 done, 2 to retry" in after.stdout
    assert "2 trials to run" in after.stdout
    done = bench("status", "--method", "nsgan", *SMALL[4:-2], "--results", tmp_path)
    assert "Everything is recorded." in done.stdout


@pytest.mark.slow  # test_run_inception.py trains on the same folder at every change
def test_a_folder_of_images_from_the_command_to_the_report(bench, photos, tmp_path):
    (photos / "broken.png").write_bytes(b"")
    workload = f"imagefolder:{photos}"
    options = ("--method", "nsgan", "--workload", workload, "--seeds", "1", "--steps", "1", "--data", tmp_path / "data")
    small = ("--set", "samples=10", "--set", "batch_size=2", "--results", tmp_path / "results")
    planned = bench("status", *options, *small)
    assert planned.exit_code == 0, planned.output
    assert "0/1 done" in planned.stdout
    result = bench("run", *options, *small, "--executor", "inline")
    assert result.exit_code == 0, result.output
    assert "median FD[random-conv-v1, 10]" in result.stdout.replace("\n", " ").replace("  ", " ")
    (record,) = Store(tmp_path / "results").records()
    assert record.spec.workload == f"{workload}?size=32"
    assert record.components["data"] == record.spec.data_hash
    assert "modes" not in record.metrics
    assert "1/1 done" in bench("status", *options, *small).stdout
    assert bench("leaderboard", "--results", tmp_path / "results").exit_code == 0


def test_data_that_is_not_there_is_not_fetched_for_a_plan(bench, tmp_path, monkeypatch):
    monkeypatch.delenv("GAN_LOSS_BENCH_OFFLINE")
    for verb in (("run", "--dry-run"), ("status",)):
        result = bench(*verb, "--workload", "cifar10", "--data", tmp_path, "--results", tmp_path / "results")
        assert result.exit_code == 2
        assert "`prepare cifar10` downloads it (170 MB)" in result.stderr
    assert not (tmp_path / "cifar-10-python.tar.gz").exists()


@pytest.mark.parametrize(("device", "there", "expected"), [("auto", "cuda", "cuda"), ("cuda:99", None, "cuda:99")])
def test_a_plan_has_the_judges_of_the_device_that_auto_means(bench, tmp_path, monkeypatch, device, there, expected):
    from bench.execution import device as devices

    asked = []
    monkeypatch.setattr("bench.cli.run.inception_plan", lambda *_, device, **__: asked.append(device))
    monkeypatch.setattr("bench.cli.planning.estimated", lambda *_: (_ for _ in ()).throw(ValueError("no GPU")))
    if there:
        monkeypatch.setattr(devices, "resolve", lambda _: there)
    assert bench("run", *SMALL, "--device", device, "--dry-run", "--results", tmp_path).exit_code == 0
    assert asked == [expected]


def test_steps_are_not_captured_without_cuda(bench, tmp_path):
    result = bench("run", *SMALL, "--capture", "--device", "cpu", "--results", tmp_path / "r")
    assert result.exit_code == 2
    assert "CUDA graphs, and this runs on the CPU: leave it out" in result.stderr
    assert not (tmp_path / "r").exists()


def test_a_capture_is_asked_of_the_trainer(bench, tmp_path, pretend, monkeypatch):
    from bench.execution import device

    monkeypatch.setattr(device, "resolve", lambda chosen: "cuda")
    monkeypatch.setattr(device, "accelerator_name", lambda chosen: "a GPU")
    monkeypatch.setattr("bench.metrics.prepare.is_measured", lambda *_: True)  # asks the device what it is
    result = bench("run", *SMALL, "--capture", "--inception", "off", "--results", tmp_path / "r")
    assert [options.capture for options in pretend.options] == [True] * 4, result.output


@pytest.mark.parametrize("name", ["--trials-per-process", "--pack"])
def test_trials_that_share_a_process_share_the_workers(bench, tmp_path, monkeypatch, name):
    from bench import campaign

    asked = []

    def run(trials, executor, store, options):
        asked.append((options.trials_per_process, executor.workers, options.threads))
        return iter(())

    monkeypatch.setattr(campaign, "run", run)
    monkeypatch.setattr("bench.campaign.usable_cpus", lambda: 8)
    monkeypatch.setattr("bench.campaign.cpu_limit", lambda: None)
    bench("run", *SMALL[:-2], name, "2", "--device", "cpu", "--results", tmp_path / "r")
    assert asked == [(2, 2, 4)], "four trials are two processes"


@pytest.mark.parametrize(
    ("trials_per_process", "expected"),
    [("1", (3, 3)), ("2", (2, 5))],
)
def test_all_parts_of_a_plan_have_the_same_threads(bench, tmp_path, monkeypatch, trials_per_process, expected):
    """Ten trials in four parts are 3, 3, 2 and 2."""
    from bench import campaign
    from bench.cli import planning

    asked, told = [], []

    def run(trials, executor, store, options):
        asked.append((executor.workers, options.threads))
        return iter(())

    def estimated(todo, processes, *_):
        told.append(processes)
        raise ValueError("no device")

    monkeypatch.setattr(campaign, "run", run)
    monkeypatch.setattr(planning, "estimated", estimated)
    monkeypatch.setattr("bench.campaign.usable_cpus", lambda: 10)
    monkeypatch.setattr("bench.campaign.cpu_limit", lambda: None)
    plan = (*SMALL[:-3], "5", "--device", "cpu", "--results", tmp_path, "--trials-per-process", trials_per_process)
    for part in range(1, 5):
        bench("run", *plan, "--shard", f"{part}/4")
        bench("run", *plan, "--shard", f"{part}/4", "--dry-run")
    assert asked == [expected] * 4
    assert told == [expected[0]] * 4, "a plan tells the time of the processes that its run has"


def test_what_was_chosen_is_built_once_and_reaches_the_trainer_whole(bench, tmp_path, pretend):
    from bench.training.run_options import RunOptions

    chosen = ("--device", "cpu", "--set", "timeout_minutes=7", "--data", tmp_path / "d", "--trials-per-process", "2")
    result = bench("run", *SMALL, *chosen, "--results", tmp_path / "r")
    assert result.exit_code == 0, result.output
    threads = pretend.options[0].threads
    expected = RunOptions(
        device="cpu",
        threads=threads,
        data_dir=str(tmp_path / "d"),
        timeout_minutes=7.0,
        trials_per_process=2,
        checkpoint_dir=str(tmp_path / "r" / "checkpoints"),
    )
    assert pretend.options == [expected] * 2


def test_the_old_name_of_an_option_is_not_in_the_help(bench):
    text = bench("run", "--help").stdout
    assert "--trials-per-process" in text
    assert "--pack" not in text


@pytest.mark.parametrize("number", ["0", "17"])
def test_a_process_has_one_trial_to_sixteen_which_the_plan_says_too(bench, tmp_path, number):
    result = bench("run", *SMALL, "--trials-per-process", number, "--results", tmp_path / "r", "--dry-run")
    assert result.exit_code == 2
    assert "--trials-per-process" in result.stderr


def test_the_parts_of_a_plan_make_the_whole(bench, tmp_path):
    def planned(*more):
        document = json.loads(bench("run", *SMALL, *more, "--dry-run", "--json", "--results", tmp_path).stdout)
        return [trial["trial"] for trial in document["trials"]]

    whole = planned()
    parts = [planned("--shard", f"{part}/2") for part in (1, 2)]
    assert sorted(parts[0] + parts[1]) == sorted(whole)
    assert all(parts)


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "1/", "a/b", "-1/2", "1/0"])
def test_a_part_that_there_is_not_is_bad_input(bench, tmp_path, shard):
    result = bench("run", *SMALL, "--dry-run", "--results", tmp_path, "--shard", shard)
    assert result.exit_code == 2
    assert "--shard takes I/N" in result.stderr


def test_an_empty_part_is_bad_input(bench, tmp_path):
    result = bench("run", *SMALL, "--dry-run", "--results", tmp_path, "--shard", "99/99")
    assert result.exit_code == 2
    assert "part 99 of 99 is empty" in result.stderr
