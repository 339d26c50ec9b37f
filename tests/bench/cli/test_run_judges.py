"""`run --also-in`: what is measured, when it is refused, and what of it reaches records and tables."""

import shutil

import judge_files
import msgspec
import pytest
from judged_runs import assert_judged_alone, runner
from small_trials import train_alone

from bench import campaign
from bench.config.judges import BESIDE_INCEPTION, CLIP, JUDGES, VGG16
from bench.config.protocol import INCEPTION
from bench.extractors.judge_weights import SOURCES
from bench.extractors.weight_files import cached_path, identify
from bench.metrics import judges, real_images
from bench.store.journal import Store


@pytest.fixture
def run(bench, photos, tmp_path):
    return runner(bench, photos, tmp_path, "--inception", "off")


@pytest.fixture
def records(tmp_path):
    return lambda: Store(tmp_path / "results").records()


@pytest.fixture
def at_home(monkeypatch, tmp_path):
    """An empty cache of torch.hub."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return lambda name: cached_path(SOURCES[name])


@pytest.fixture
def vgg16_file(judge_file, tmp_path):
    """The weights under a name of the user's."""
    return shutil.copy(judge_file(VGG16), tmp_path / "vgg.pth")


def few_images(monkeypatch):
    """Real images are measured as if there were few of them, and on one thread, as tests run side by side."""
    whole = judges.embed
    monkeypatch.setattr(judges, "embed", lambda network, name, images, *rest: whole(network, name, images[:30], *rest))
    for module in (real_images, campaign):
        monkeypatch.setattr(module, "usable_cpus", lambda: 1)


@pytest.mark.slow
def test_a_record_carries_the_numbers_and_nothing_else_changes(run, records, judge_file, monkeypatch, tmp_path):
    few_images(monkeypatch)
    files = {name: judge_file(name) for name in BESIDE_INCEPTION}
    own = judge_files.write_vgg16(tmp_path / "own.pth", seed=3)
    result = run("--also-in", f"{CLIP}={files[CLIP]}", "--also-in", f"{VGG16}={own}")
    assert result.exit_code == 0, result.output
    (measured,) = records()
    label = identify(own, SOURCES[VGG16]).label
    assert measured.judges == {CLIP: identify(files[CLIP], SOURCES[CLIP]).label, VGG16: label}
    names = JUDGES[CLIP].metrics | JUDGES[VGG16].metrics
    assert names <= set(measured.metrics)
    assert measured.metrics["clip_fd"] > 0.0
    assert measured.metrics["vgg16_samples"] == 12.0
    assert min(measured.cost["clip_seconds"], measured.cost["vgg16_seconds"]) > 0.0
    assert all(not names & set(each.metrics) for each in measured.history.evaluations)
    assert "measuring imagefolder-32 in VGG16" in result.stderr
    assert f"is not torch-fidelity's official file: what is measured with it is labeled {label}" in result.stderr
    words = " ".join(result.stdout.split())
    assert "FD[clip-vit-b-32]: median FD[clip-vit-b-32, 12] of the last step; real test images" in words
    assert f"recall[vgg16]: median recall[vgg16:{label}, 12] of the last step; training images against each" in words

    shutil.rmtree(tmp_path / "results")
    assert run().exit_code == 0
    (plain,) = records()
    assert_judged_alone(measured, plain, names)
    assert Store(tmp_path / "results").append(measured) == "same", "they differ in nothing that both have"


@pytest.mark.slow
def test_a_run_that_ceased_to_be_finite_has_no_numbers(tmp_path, judge_file):
    from bench.config.suite import load_suite
    from bench.config.trial import Optimizer
    from bench.plan import expand

    settings = {"methods": ["nsgan"], "seeds": 1, "steps": 60, "samples": 12, "batch_size": 4}
    (trial,) = expand(load_suite("quick", settings))
    explosive = Optimizer(name="sgd", lr_generator=1e30, lr_discriminator=1e30, betas=(0.0, 0.0))
    trial = msgspec.structs.replace(trial, spec=msgspec.structs.replace(trial.spec, optimizer=explosive))
    outcome = train_alone(trial, tmp_path, also_in=(identify(judge_file(CLIP), SOURCES[CLIP]),))
    assert outcome.status == "nonfinite"
    measured = {name: value for name, value in outcome.metrics.items() if name in JUDGES[CLIP].metrics}
    assert measured == dict.fromkeys(("clip_fd", "clip_kd", "clip_precision", "clip_recall"))


@pytest.mark.slow
def test_what_lacks_the_numbers_runs_again_and_nothing_else(run, records, pretend, vgg16_file):
    run()
    asked = ("--also-in", f"vgg16={vgg16_file}")
    assert "0 recorded, 1 to run" in run(*asked, "--dry-run").stdout
    assert run(*asked).exit_code == 0
    first, second = records()
    assert (first.attempt, second.attempt) == (0, 1)
    assert (first.judges, list(second.judges)) == ({}, [VGG16])
    assert second.metrics["vgg16_fd"] == 40.0
    assert "0 of 1 trial to run" in run(*asked).stderr
    assert "0 of 1 trial to run" in run().stderr, "who asks for none leaves records as they are"
    assert len(records()) == 2


@pytest.mark.slow
def test_other_weights_are_another_question(run, records, pretend, vgg16_file, tmp_path):
    assert run("--also-in", f"vgg16={vgg16_file}").exit_code == 0
    other = judge_files.write_vgg16(tmp_path / "other.pth", seed=4)
    assert run("--also-in", f"vgg16={other}").exit_code == 0
    assert len({record.judges[VGG16] for record in records()}) == 2


def test_it_goes_beside_fid_and_on_gray_images(run, records, pretend, vgg16_file, inception_file):
    fid = ("--inception", "require", "--inception-weights", inception_file)
    result = run(*fid, "--also-in", f"vgg16={vgg16_file}", workload="digits")
    assert result.exit_code == 0, result.output
    (record,) = records()
    assert set(record.judges) == {INCEPTION, VGG16}
    assert (record.metrics["fid"], record.metrics["vgg16_recall"]) == (30.0, 0.25)
    assert "digits FD[vgg16]" in result.stdout


@pytest.mark.slow
def test_numbers_that_a_new_attempt_would_lack_are_told_of(run, records, pretend, vgg16_file, inception_file):
    fid = ("--inception", "require", "--inception-weights", inception_file)
    asked = ("--also-in", f"vgg16={vgg16_file}")
    assert run(*fid, workload="digits").exit_code == 0
    words = "1 trial with numbers in inception-v3-compat will run again without them, and the last attempt counts; add"
    told = run(*asked, "--dry-run", workload="digits")
    assert f"{words} --inception require to keep both" in told.stdout
    assert words not in run(*asked, *fid, "--dry-run", workload="digits").stdout
    assert words not in run("--dry-run", workload="digits").stdout, "nothing runs again"
    assert words in run(*asked, workload="digits").stderr
    told = run(*fid, "--dry-run", workload="digits")
    assert "1 trial with numbers in vgg16 will run again" in told.stdout
    assert "add --also-in vgg16 to keep both" in told.stdout


@pytest.mark.slow
def test_without_a_file_the_download_of_torch_hub_is_taken(run, records, pretend, judge_file, at_home, monkeypatch):
    source = judge_file(VGG16)
    refused = run("--also-in", "vgg16", workload="digits")
    assert refused.exit_code == 2
    for words in (str(at_home(VGG16).parent), "GAN_LOSS_BENCH_OFFLINE", SOURCES[VGG16].url, "--also-in vgg16=FILE"):
        assert words in refused.stderr
    assert records() == []
    planned = run("--also-in", "vgg16", "--dry-run")
    assert (planned.exit_code, "0 recorded, 1 to run" in planned.stdout) == (0, True), "a plan downloads nothing"
    monkeypatch.setitem(SOURCES, VGG16, msgspec.structs.replace(SOURCES[VGG16], file="vgg.pth"))
    at_home(VGG16).parent.mkdir(parents=True)
    shutil.copy(source, at_home(VGG16))
    assert run("--also-in", "vgg16").exit_code == 0
    assert list(records()[0].judges) == [VGG16]
    assert "1 recorded, 0 to run" in run("--also-in", "vgg16", "--dry-run").stdout


@pytest.mark.parametrize(
    ("arguments", "workload", "words"),
    [
        (["--also-in", "vgg61"], "digits", "unknown network 'vgg61' (did you mean 'vgg16'?)"),
        (["--also-in", "inception-v3-compat"], "digits", "--inception require measures FID"),
        (["--also-in", "vgg16="], "digits", "the name of the file is missing"),
        (["--also-in", "vgg16", "--also-in", "vgg16=a.pth"], "digits", "is given twice"),
        (["--also-in", "vgg16=nowhere.pth"], "digits", "nowhere.pth cannot be read"),
        (["--also-in", "vgg16"], "ring8", "ring8 has no training set of images"),
    ],
)
def test_bad_input_gets_one_line(run, records, pretend, arguments, workload, words):
    result = run(*arguments, workload=workload)
    assert result.exit_code == 2
    assert words in result.stderr
    assert records() == []


def test_a_file_that_is_no_weights_is_told_before_anything_is_trained(run, records, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"<html>not found</html>")
    vgg = run("--also-in", f"vgg16={path}", workload="digits")
    assert (vgg.exit_code, "holds no weights of vgg16" in vgg.stderr) == (2, True)
    clip = run("--also-in", f"{CLIP}={path}", workload="digits")
    assert (clip.exit_code, "is not the official file of clip-vit-b-32" in clip.stderr) == (2, True)
    assert records() == []


def test_prepare_measures_the_real_images_in_advance(bench, judge_file, monkeypatch, tmp_path):
    few_images(monkeypatch)
    monkeypatch.setenv("GAN_LOSS_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    asked = ("prepare", "digits", "--device", "cpu", "--data", tmp_path / "data")
    named = ("--also-in", f"vgg16={judge_file(VGG16)}")
    first = bench(*asked, *named)
    assert first.exit_code == 0, first.output
    assert "measuring digits in VGG16" in first.stderr
    assert len(list((tmp_path / "cache").glob("vgg16-digits-*.safetensors"))) == 1
    assert "measuring" not in bench(*asked, *named).stderr
    missing = bench(*asked, "--also-in", "vgg16")
    assert (missing.exit_code, "GAN_LOSS_BENCH_OFFLINE" in missing.stderr) == (2, True)


def test_the_shell_completes_the_names(bench):
    from click.shell_completion import ShellComplete

    from bench.cli.main import cli

    offered = ShellComplete(cli, {}, "bench", "_COMPLETE").get_completions(["run", "--also-in"], "cl")
    assert [item.value for item in offered] == [CLIP]
