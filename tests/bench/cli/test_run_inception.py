"""`run --inception`: what is measured, when it is refused, and what of it reaches records and tables."""

import shutil

import pytest
from judged_runs import assert_judged_alone, runner
from planted_records import make_workload, planted_record
from small_trials import train_alone

from bench import campaign
from bench.config.protocol import INCEPTION, INCEPTION_METRICS
from bench.config.trial import Trial
from bench.execution.local import LocalExecutor
from bench.extractors.inception_weights import InceptionPlan, cached_path, identify
from bench.metrics import inception, real_images
from bench.store.journal import Store
from bench.training.run_options import RunOptions

# Once asked for it is small until the file ends: so it is for every test here, in whatever order they run.
pytestmark = pytest.mark.usefixtures("small_inception")


@pytest.fixture
def run(bench, photos, tmp_path):
    return runner(bench, photos, tmp_path)


@pytest.fixture
def records(tmp_path):
    return lambda: Store(tmp_path / "results").records()


@pytest.fixture
def few_images(monkeypatch):
    """Real images are measured as if there were few of them, and on one thread, as tests run side by side."""
    whole = inception.embed

    def few(network, images, device, on_images=None):
        features, logits = whole(network, images[:30], device)
        if on_images is not None:
            on_images(len(images))
        return features, logits

    monkeypatch.setattr(inception, "embed", few)
    monkeypatch.setattr(real_images, "usable_cpus", lambda: 1)
    monkeypatch.setattr(campaign, "usable_cpus", lambda: 1)


@pytest.fixture
def at_home(monkeypatch, tmp_path):
    """An empty cache of torch.hub."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return cached_path()


@pytest.mark.slow
def test_a_record_carries_fid_and_nothing_else_changes(run, records, few_images, inception_file, tmp_path):
    result = run("--inception-weights", inception_file)
    assert result.exit_code == 0, result.output
    label = identify(inception_file).label
    (measured,) = records()
    assert set(measured.metrics) >= INCEPTION_METRICS
    assert measured.metrics["fid"] > 0
    assert measured.metrics["fid_samples"] == 12
    assert measured.environment.versions[INCEPTION] == measured.inception_weights == label
    assert measured.cost["inception_seconds"] > 0
    assert all(not INCEPTION_METRICS & set(each.metrics) for each in measured.history.evaluations)
    assert "measuring imagefolder-32 in Inception: 100 %" in result.stderr
    assert f"is not torch-fidelity's official file: what is measured with it is labeled {label}" in result.stderr
    words = " ".join(result.stdout.split())
    assert f"FID: median FID[inception-v3-compat:{label}, 12] of the last step; real test images" in words

    shutil.rmtree(tmp_path / "results")
    assert run("--inception", "off").exit_code == 0
    (plain,) = records()
    assert_judged_alone(measured, plain, INCEPTION_METRICS)
    assert Store(tmp_path / "results").append(measured) == "same", "they differ in nothing that both have"


@pytest.mark.slow
def test_require_runs_again_what_lacks_fid_and_nothing_else(run, records, pretend, inception_file):
    run("--inception", "off")
    required = ("--inception", "require", "--inception-weights", inception_file)
    assert "0 recorded, 1 to run" in run(*required, "--dry-run").stdout
    assert "1 recorded, 0 to run" in run("--inception-weights", inception_file, "--dry-run").stdout
    assert run("--inception-weights", inception_file).exit_code == 0
    assert [record.attempt for record in records()] == [0], "auto leaves records as they are"
    assert run(*required).exit_code == 0
    first, second = records()
    assert (first.attempt, second.attempt) == (0, 1)
    assert first.inception_weights is None
    assert second.metrics["fid"] == 30.0
    assert "0 of 1 trial to run" in run(*required).stderr
    assert len(records()) == 2


def test_without_weights_require_is_an_error_before_anything_is_trained(run, records, pretend, at_home):
    result = run("--inception", "require", workload="digits")
    assert result.exit_code == 2
    assert str(at_home.parent) in result.stderr
    assert "GAN_LOSS_BENCH_OFFLINE" in result.stderr
    assert "--inception-weights" in result.stderr
    assert records() == []


def test_without_weights_auto_says_why_there_is_no_fid(run, records, pretend, at_home):
    result = run()
    assert result.exit_code == 0, result.output
    assert "FID is left out, as on a CPU Inception takes" in result.stderr
    assert "--inception require" in result.stderr
    (record,) = records()
    assert not INCEPTION_METRICS & set(record.metrics)
    assert "no FID, as these runs were made without Inception" in " ".join(result.stdout.split())
    assert "FID is left out" not in run("--inception", "off").stderr


@pytest.mark.parametrize(
    ("home", "reason"),
    [("", "its weights are not in "), ("~/torch", "~/torch: no home folder is known, and $HOME is not set")],
)
@pytest.mark.usefixtures("homeless")
def test_without_a_home_auto_on_a_gpu_leaves_fid_out_where_it_would_be_measured(monkeypatch, capsys, home, reason):
    from bench.cli.inception import inception_plan

    def plan(workload):
        record = planted_record(make_workload(workload))
        trials = [Trial(spec=record.spec, components=record.components)]
        return inception_plan("auto", None, trials, device="cuda:0", report=lambda *_: None)

    monkeypatch.setenv("TORCH_HOME", home)
    assert plan("digits") is None
    assert capsys.readouterr().err == ""
    assert plan("cifar10") is None
    assert f"cifar10: FID is left out, as {reason}" in capsys.readouterr().err


@pytest.mark.slow
def test_on_a_gpu_auto_takes_what_is_in_the_cache(run, at_home, photos, inception_file, monkeypatch):
    from bench.cli.inception import inception_plan
    from bench.config.suite import load_suite
    from bench.plan import expand

    def plan(workload):
        trials = expand(load_suite("quick", {"methods": ["nsgan"], "seeds": 1, "workloads": [workload]}))
        return inception_plan("auto", None, trials, device="cuda:0", report=lambda *_: None)

    color = f"imagefolder:{photos}"
    assert plan(color) is None
    at_home.parent.mkdir(parents=True)
    at_home.write_bytes(b"cut short")
    assert plan(color) is None, "damaged, which nobody asked about"
    monkeypatch.setattr("bench.extractors.inception_weights.FILE", "weights.pth")
    shutil.copy(inception_file, at_home.parent / "weights.pth")
    assert plan(color) == InceptionPlan(weights=identify(at_home.parent / "weights.pth"))
    assert plan("digits") is None


def test_gray_images_have_fid_only_where_it_is_required(run, records, pretend, inception_file):
    assert run("--inception-weights", inception_file, workload="digits").exit_code == 2
    result = run("--inception", "require", "--inception-weights", inception_file, workload="digits")
    assert result.exit_code == 0, result.output
    assert records()[0].metrics["fid"] == 30.0
    assert "digits FID" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "workload", "words"),
    [
        (["--inception", "of"], "digits", "'of' is not one of"),
        (["--inception", "off", "--inception-weights", "weights.pth"], "digits", "leave one of them out"),
        (["--inception", "require", "--inception-weights", "nowhere.pth"], "digits", "nowhere.pth cannot be read"),
        (["--inception", "require"], "ring8", "ring8 has no training set of images"),
        (["--inception-weights", "nowhere.pth"], "digits", "no workload here has color images"),
    ],
)
def test_bad_input_gets_one_line(run, records, pretend, arguments, workload, words):
    result = run(*arguments, workload=workload)
    assert result.exit_code == 2
    assert words in result.stderr
    assert records() == []


def test_a_file_that_holds_no_weights_is_told_before_anything_is_trained(run, records, tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"<html>not found</html>")
    file = ("--inception-weights", tmp_path / "weights.pth")
    result = run("--inception", "require", *file, workload="digits")
    assert result.exit_code == 2
    assert "holds no weights of inception-v3-compat" in result.stderr
    assert records() == []


def test_a_child_process_is_told_of_the_weights(tmp_path, monkeypatch, inception_file, record, workload):
    (tmp_path / "told.py").write_text(
        "from bench.store.record import Outcome\n"
        "def train(trials, options, emit):\n"
        "    yield 0, Outcome(status='ok', message=options.inception.weights.path, started_at='', finished_at='')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    plan = InceptionPlan(weights=identify(inception_file), required=True)
    store = Store(tmp_path / "results")
    trial = record(workload, "nsgan", 0).trial
    list(campaign.run([trial], LocalExecutor(1), store, RunOptions(inception=plan), trainer="told:train"))
    (found,) = store.records()
    assert (found.status, found.message) == ("ok", str(inception_file))
    assert found.inception_weights == plan.weights.label


@pytest.mark.slow
def test_a_run_that_ceased_to_be_finite_has_no_fid(tmp_path, inception_file):
    import msgspec

    from bench.config.suite import load_suite
    from bench.config.trial import Optimizer
    from bench.plan import expand

    settings = {"methods": ["nsgan"], "seeds": 1, "steps": 60, "samples": 12, "batch_size": 4}
    (trial,) = expand(load_suite("quick", settings))
    explosive = Optimizer(name="sgd", lr_generator=1e30, lr_discriminator=1e30, betas=(0.0, 0.0))
    trial = msgspec.structs.replace(trial, spec=msgspec.structs.replace(trial.spec, optimizer=explosive))
    outcome = train_alone(trial, tmp_path, inception=InceptionPlan(weights=identify(inception_file), required=True))
    assert outcome.status == "nonfinite"
    assert {name: outcome.metrics[name] for name in ("fid", "inception_kid", "inception_score")} == dict.fromkeys(
        ("fid", "inception_kid", "inception_score")
    )
    assert "fid_samples" not in outcome.metrics
