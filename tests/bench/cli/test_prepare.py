"""`prepare`, and `run` on a workload whose classifier is not there yet: small files in the real format."""

import json

import msgspec
import pytest
import torch
from idx_files import write_striped_files
from small_classifiers import FASHION, stripes

from bench.extractors import classifier_store, on_demand
from bench.extractors.training_configs import TRAINING_CONFIGS, TRAINING_VERSION
from bench.store.environment import usable_cpus
from bench.store.journal import Store

NAME = "fashion-cnn-v1"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LOSS_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(TRAINING_CONFIGS, "fashion-mnist", FASHION)
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path, cache):
    write_striped_files(tmp_path / "data" / "FashionMNIST" / "raw")
    return tmp_path / "data"


@pytest.fixture
def never(monkeypatch):
    """Call it, and training a classifier fails the test from then on."""

    def forbid():
        monkeypatch.setattr(on_demand, "train", lambda *_, **__: pytest.fail("a classifier was trained"))

    return forbid


def words(text):
    return " ".join(text.split())


@pytest.mark.slow
def test_everything_is_got_once(bench, folder, cache, never):
    first = bench("prepare", "fashion-mnist", "--data", folder, "--device", "cpu")
    assert first.exit_code == 0, first.output
    known = classifier_store.identity_of(NAME, stripes().content_hash)
    assert f"512 120 {known.component} {100 * known.accuracy:.1f} %" in words(first.stdout)
    assert stripes().content_hash[:12] in first.stdout
    assert f"training {NAME}" in first.stderr
    assert "100 %\nmeasuring the real images of fashion-mnist: 0 %" in first.stderr
    assert "fashion-mnist: prepared in" in first.stderr
    kept = {path: path.read_bytes() for path in cache.rglob("*.safetensors")}
    assert len(kept) == 2
    never()
    again = bench("prepare", "fashion-mnist", "--data", folder, "--device", "cpu")
    assert again.stderr == "fashion-mnist: ready\n"
    assert words(again.stdout).endswith("ready")
    assert words(again.stdout).split(" 512 ")[1].split()[:5] == words(first.stdout).split(" 512 ")[1].split()[:5]
    assert {path: path.read_bytes() for path in cache.rglob("*.safetensors")} == kept
    quiet = bench("prepare", "fashion-mnist", "--data", folder, "--device", "cpu", "--format", "json", "-q")
    assert quiet.stderr == ""
    (each,) = json.loads(quiet.stdout)["workloads"]
    assert (each["workload"], each["train"], each["extractor"]) == ("fashion-mnist", 512, known.component)
    assert each["was_ready"]


@pytest.mark.slow
def test_what_has_no_classifier_to_train_is_prepared_too(bench, cache, never, pretend, tmp_path):
    never()
    # As many trials as there are CPUs have one thread each, for which `prepare` measures.
    trials = ("--workload", "digits", "--method", "nsgan", "--seeds", usable_cpus(), "--device", "cpu")
    before = bench("run", *trials, "--results", tmp_path / "before")
    assert "digits: its 1,797 real images are measured first, once; the steps begin after that" in before.stderr
    result = bench("prepare", "ring8", "digits", "digits", "--device", "cpu")
    assert result.exit_code == 0, result.output
    rows = [words(line) for line in result.stdout.splitlines() if line.strip()]
    assert len(rows) == 4, "a title, a rule, and a workload that was named twice once"
    assert rows[2].startswith("ring8 ")
    assert rows[2].endswith("ready")
    assert "digits-cnn-v1:ab39f48ed4b5 99.7 % 4.97" in rows[3]
    after = bench("run", *trials, "--workload", "ring8", "--results", tmp_path / "after")
    assert "measured first" not in after.stderr


SMALL = ("--set", "samples=20", "--set", "batch_size=4", "--seeds", "1", "--steps", "1", "--method", "nsgan")


@pytest.mark.slow
def test_a_run_trains_first_what_it_needs(bench, folder, cache, tmp_path, never):
    options = ("run", "--workload", "fashion-mnist", *SMALL, "--data", folder, "--results", tmp_path / "results")
    result = bench(*options, "--executor", "inline", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert f"training {NAME}: 0 %" in result.stderr.replace(" (about 3 min)", "")
    (record,) = Store(tmp_path / "results").records()
    known = classifier_store.identity_of(NAME, stripes().content_hash)
    assert record.components["extractor"] == known.component
    assert record.metrics["extractor_accuracy"] == known.accuracy
    assert record.metrics["modes"] is not None
    assert f"FD[{NAME}, 20]" in words(result.stdout)
    never()
    planned = bench(*options, "--dry-run")
    assert f"recorded {record.trial_id}" in words(planned.stdout)


def test_a_plan_trains_nothing_and_says_what_would_be(bench, folder, cache, tmp_path, never):
    never()
    options = ("--workload", "fashion-mnist", *SMALL, "--data", folder, "--results", tmp_path / "results")
    planned = bench("run", *options, "--dry-run")
    assert planned.exit_code == 0, planned.output
    assert (
        f"fashion-mnist: its classifier {NAME} is not trained yet; `run` does that first (about 3 min)"
        in planned.stdout
    )
    assert "to run ? fashion-mnist seed 0" in words(planned.stdout)
    status = bench("status", *options)
    assert "0/1 done" in status.stdout
    assert f"its classifier {NAME} is not trained yet" in status.stdout
    assert not list(cache.rglob("*.safetensors"))


@pytest.mark.slow
def test_training_again_compares_the_weights_and_leaves_them(bench, folder, cache):
    options = ("prepare", "fashion-mnist", "--retrain", "--data", folder, "--device", "cpu")
    assert "there was no classifier to compare with; it is trained now" in bench(*options).stdout
    (path,) = (cache / "extractors").glob("*.safetensors")
    kept = classifier_store.find(NAME, stripes().content_hash)
    same = bench(*options)
    assert same.exit_code == 0
    assert f"trained again, the same weights ({kept.component})" in same.stdout
    weights = kept.weights | {"output.bias": kept.weights["output.bias"] + 1e-6 * torch.arange(10)}
    classifier_store.write(
        classifier_store.with_provenance(NAME, weights, 0.5, kept.provenance.data_hash, FASHION), path
    )
    other = classifier_store.find(NAME, stripes().content_hash)
    content = path.read_bytes()
    differing = bench(*options)
    assert differing.exit_code == 1
    assert f"trained again, other weights: {kept.component} by torch {torch.__version__}" in differing.stdout
    assert f"kept is {other.component} by torch {torch.__version__} (50.0 %)" in differing.stdout
    assert path.read_bytes() == content


def test_ctrl_c_leaves_nothing_half_done(bench, folder, cache, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(on_demand, "train", interrupted)
    result = bench("prepare", "fashion-mnist", "--data", folder)
    assert result.exit_code == 130
    assert "the same command goes on with the rest" in result.stderr
    assert not list(cache.rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'WORKLOAD...'"),
        (["digits", "fashion"], "unknown workload 'fashion' (did you mean 'fashion-mnist'?)"),
        (["digits", "--retrain"], "digits is measured by digits-cnn-v1, which is part of the package"),
        (["ring8", "--retrain"], "ring8 is measured by a known mixture"),
        (["fashion-mnist", "polygons", "--retrain"], "polygons is measured by random-conv-v1"),
        (["digits", "--device", "gpu"], "--device takes cpu, cuda"),
        (["cifar10"], "CIFAR-10 is not in"),
    ],
)
def test_bad_input_gets_one_line(bench, cache, tmp_path, arguments, message):
    result = bench("prepare", *arguments, "--data", tmp_path)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize("arguments", [["--device", "cuda:99"], ["--retrain"]])
def test_what_cannot_be_is_told_before_weights_are_fetched(bench, monkeypatch, arguments):
    def never(*_):
        raise AssertionError("a download of 354 MB")

    monkeypatch.setattr("bench.extractors.weight_files.fetch", never)
    assert bench("prepare", "digits", "--also-in", "clip-vit-b-32", *arguments).exit_code == 2


@pytest.mark.slow
def test_doctor_says_whether_a_classifier_is_there(bench, folder, cache):
    from bench.cli import checks

    def found():
        (check,) = [each for each in checks.weight_checks() if each.name == NAME]
        return check

    assert found().found == "not trained yet; `prepare fashion-mnist` does it (about 3 min), and so does `run`"
    on_demand.ensure(NAME, stripes())
    assert found().found.startswith(f"trained here, in {cache / 'extractors' / NAME}-")
    assert found().state == "ok"


def test_provenance_says_where_the_weights_come_from(cache):
    made = on_demand.ensure(NAME, stripes())
    assert msgspec.to_builtins(made.provenance) | {"seal": "", "sha256": ""} == {
        "sha256": "",
        "test_accuracy": made.provenance.test_accuracy,
        "data_hash": stripes().content_hash,
        "recipe_version": TRAINING_VERSION,
        "threads": 1,
        "torch": str(torch.__version__),
        "seal": "",
    }
