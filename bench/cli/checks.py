"""What `doctor` looks at. Each check says what it found, how bad that is, and how to fix it."""

import hashlib
import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

from bench.common.endings import how_it_ended
from bench.common.gpus import has_precision, is_built_for
from bench.files.places import default_cache_dir

State = Literal["ok", "note", "broken"]

MIN_PYTHON: Final = (3, 11)
_PROBE_SECONDS: Final = 120.0
_FREE_BYTES: Final = 1_000_000_000

TORCH_PROBE: Final = """
import json, torch
found = {"version": torch.__version__, "cuda": torch.version.cuda, "threads": torch.get_num_threads(), "devices": [],
         "rocm": torch.version.hip, "others": []}
if torch.cuda.is_available():
    found["built"] = torch.cuda.get_arch_list()
    found["capabilities"] = []
    for index in range(torch.cuda.device_count()):
        memory = torch.cuda.get_device_properties(index).total_memory
        found["devices"].append(f"{torch.cuda.get_device_name(index)}, {memory / 2**30:.0f} GiB")
        found["capabilities"].append(torch.cuda.get_device_capability(index))
    try:
        torch.ones(8, device="cuda").sum().item()
    except RuntimeError as error:
        found["refused"] = next(iter(str(error).splitlines()), type(error).__name__)
for name in ("mps", "xpu"):
    module = getattr(torch, name, None) if name == "xpu" else torch.backends.mps
    if module is not None and module.is_available():
        found["others"].append(name)
print(json.dumps(found))
"""
TORCHVISION_PROBE: Final = "import json, torchvision; print(json.dumps({'version': torchvision.__version__}))"

_REINSTALL_PAIR: Final = "pip install --upgrade --force-reinstall torch torchvision"


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report; `fix` says what to do and is empty where nothing is to be done."""

    name: str
    state: State
    found: str
    fix: str = ""


@dataclass(frozen=True)
class Probe:
    """What a child process printed, or what went wrong in it: its last line, after the signal if there was one."""

    values: dict[str, object]
    error: str = ""
    trace: str = ""


def probe(code: str) -> Probe:
    """Run a piece of Python in a process of its own, so that a crash in it is a finding and not our end."""
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, with code of this file
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return Probe({}, error=f"no answer within {_PROBE_SECONDS:.0f} s")
    if done.returncode == 0:
        return Probe(json.loads(done.stdout.strip().splitlines()[-1]))
    lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
    error = lines[-1].strip() if lines else ""
    if done.returncode < 0 or not error:  # a crash leaves no line of its own: what is there is about something else
        error = how_it_ended(done.returncode) + (f"; it said last: {error}" if error else "")
    return Probe({}, error=error, trace=done.stderr)


def python_check() -> Check:
    interpreter = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info < MIN_PYTHON:
        return Check("python", "broken", interpreter, f"install Python {MIN_PYTHON[0]}.{MIN_PYTHON[1]} or newer")
    return Check("python", "ok", interpreter)


def torch_checks(torch: Probe, torchvision: Probe) -> list[Check]:
    """Judge what the two probes found: versions, whether they are a matched pair, and the devices."""
    if torch.error:
        return [Check("torch", "broken", torch.error, "pip install torch torchvision")]
    checks = [Check("torch", "ok", f"{torch.values['version']}, {torch.values['threads']} threads")]
    checks.append(torchvision_check(torchvision))
    checks += device_checks(torch.values)
    return checks


def device_checks(probed: dict[str, Any]) -> list[Check]:
    """Judge what torch computes on: the GPUs, whether this build runs on them, and in which precisions."""
    devices: list[str] = probed["devices"]
    others: list[str] = probed.get("others", [])
    if devices:
        checks = [Check("device", "ok", "; ".join(f"cuda:{i} {name}" for i, name in enumerate(devices)))]
        checks += [finding for i, name in enumerate(devices) if (finding := _card_check(f"cuda:{i}", name, i, probed))]
        if probed.get("refused") and not any(check.state == "broken" for check in checks):
            checks.append(Check("cuda", "broken", probed["refused"], "see what nvidia-smi says; restart the driver"))
        if probed.get("rocm"):
            checks.append(Check("cuda", "note", f"ROCm {probed['rocm']}: nothing here has been tried on it"))
        return checks
    if others:
        known = {"mps": "Apple's GPU (mps)", "xpu": "Intel's GPU (xpu)"}
        said = " and ".join(known[other] for other in others)
        return [Check("device", "note", f"cpu; {said} is there and is not used: trials run on cpu or cuda alone")]
    if shutil.which("nvidia-smi") and probed["cuda"] is None:
        fix = "this torch is a CPU build; install one with CUDA from https://pytorch.org/get-started"
        return [Check("device", "note", "cpu, although an NVIDIA driver is installed", fix)]
    return [Check("device", "ok", "cpu")]


def _card_check(device: str, name: str, index: int, probed: dict[str, Any]) -> Check | None:
    """Say whether this build of torch runs on a GPU, and what that cannot do; None where there is nothing to say."""
    if probed.get("rocm") or "capabilities" not in probed:
        return None
    major, minor = probed["capabilities"][index]
    if not is_built_for((major, minor), probed["built"]):
        said = f"{name} has compute capability {major}.{minor}, for which torch {probed['version']} has no code"
        fix = "install an earlier torch that lists the card, or use --device cpu: https://pytorch.org/get-started"
        return Check(device, "broken", f"{said} (it has {', '.join(probed['built'])})", fix)
    if not has_precision((major, minor), "bf16"):
        return Check(device, "note", f"{name} has compute capability {major}.{minor}: fp32 alone, no bf16 and no tf32")
    return None


def system_checks() -> list[Check]:
    """Say where the operating system is one that trials cannot be run on."""
    if platform.system() != "Windows":
        return []
    limits = "Windows: tables and losses work; trials do not run, since their processes need signals and pipes of POSIX"
    return [Check("system", "broken", limits, "use it in WSL 2: https://learn.microsoft.com/windows/wsl/install")]


def torchvision_check(torchvision: Probe) -> Check:
    """Recognize a torchvision that was built for another torch, the commonest broken installation."""
    if not torchvision.error:
        return Check("torchvision", "ok", f"{torchvision.values['version']}, matches torch")
    if "operator torchvision::" in torchvision.error or "undefined symbol" in torchvision.error:
        mismatch = f"does not match the installed torch ({torchvision.error})"
        fix = f"install the two as a pair, from one index: {_REINSTALL_PAIR}"
        return Check("torchvision", "broken", mismatch, fix)
    return Check("torchvision", "broken", torchvision.error, "pip install torchvision, in the same command as torch")


def library_checks() -> list[Check]:
    """Say which of the other dependencies are missing, without importing them."""
    needed = (
        "numpy",
        "pandas",
        "pyarrow",
        "scipy",
        "scikit-learn",
        "matplotlib",
        "jinja2",
        "safetensors",
        "rich",
        "msgspec",
        "pillow",
        "filelock",
    )
    missing = []
    versions = []
    for name in needed:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return [Check("libraries", "broken", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")]
    return [Check("libraries", "ok", ", ".join(versions))]


def threads_check() -> Check:
    from bench.store.environment import cpu_limit, usable_cpus

    limits = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in os.environ}
    words = "".join(f", {name}={value}" for name, value in limits.items())
    if (limit := cpu_limit()) is not None and limit < usable_cpus():
        words = f", and time for {limit} of them at once{words}"
    return Check("cpus", "ok", f"{usable_cpus()} usable{words}")


def weight_checks() -> list[Check]:
    """Compare the shipped classifiers with the hashes that are pinned for them; a random network has no file."""
    specs = importlib.import_module("bench.extractors.specs")
    checks = []
    for name, spec in specs.EXTRACTORS.items():
        if spec.source == "imagenet":
            checks.append(_imagenet_check(name, spec.sha256))
            continue
        if spec.source == "drawn":
            checks.append(Check(name, "ok", f"weights {spec.sha256[:12]} are drawn and checked whenever they are used"))
            continue
        if spec.trained_here:
            checks.append(_trained_check(name))
            continue
        path = files("bench.extractors").joinpath("weights", f"{name}.safetensors")
        fix = "reinstall the package: its distances cannot be measured without these weights"
        if not path.is_file():
            checks.append(Check(name, "broken", f"weights are missing from {path}", fix))
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != spec.sha256:
            checks.append(Check(name, "broken", f"weights are {digest[:12]}, pinned is {spec.sha256[:12]}", fix))
        else:
            checks.append(Check(name, "ok", f"weights {digest[:12]}, as pinned"))
    return checks


def _imagenet_check(name: str, expected: str) -> Check:
    """Say whether photographs are measured in a network that has seen photographs; that they are not is no defect."""
    weights = importlib.import_module("bench.extractors.imagenet_weights")
    path = weights.weights_path()
    if path is None:
        absence = "not installed; photographs are measured in the workload's own extractor"
        return Check(name, "note", absence, weights.HOW_TO_GET)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != expected:
        return Check(name, "broken", f"weights are {digest[:12]}, pinned is {expected[:12]}", weights.HOW_TO_GET)
    return Check(name, "ok", f"weights {digest[:12]}, as pinned; photographs are measured in its features")


def _trained_check(name: str) -> Check:
    """Say whether a classifier that is not shipped is in the cache; that it is not is no defect."""
    config = importlib.import_module("bench.extractors.training_configs").training_config(name)
    try:
        kept = list((default_cache_dir() / "extractors").glob(f"{name}-*.safetensors"))
    except ValueError as error:
        return Check(name, "broken", str(error), "set $GAN_LOSS_BENCH_CACHE to a folder, or leave it out")
    if kept:
        return Check(name, "ok", f"trained here, in {', '.join(map(str, kept))}")
    words = f"not trained yet; `prepare {config.workload}` does it (about {config.minutes:g} min), and so does `run`"
    return Check(name, "ok", words)


def data_checks(data_dir: Path | None) -> list[Check]:
    """Say which workloads can be run now; data that has to be fetched first is no defect."""
    from bench import data

    try:
        folder = data_dir or data.default_data_dir()
    except ValueError as error:
        return [Check("data", "broken", str(error), "set $GAN_LOSS_BENCH_DATA to a folder, or leave it out")]
    checks = []
    ready = []
    for family in data.families():
        if family.missing is None:
            ready += [workload.name for workload in family.workloads]
            continue
        first = family.workloads[0]
        fix = family.missing(first, folder)
        names = ", ".join(workload.name for workload in family.workloads)
        whereabouts = f"{names}: {'not there yet' if fix else f'in {folder}'}"
        checks.append(Check(first.name, "note" if fix else "ok", whereabouts, fix))
    return [Check("data", "ok", f"{', '.join(ready)} need no download; others in {folder}"), *checks]


def results_check(results: Path) -> Check:
    """See whether records can be written and read."""
    from bench.store.journal import Store

    store = Store(results)
    try:
        existing = _nearest(store.root)
        nearest = [_nearest(folder) for folder in store.written_folders]
    except OSError as error:
        return Check("results", "broken", f"{results}: {error.strerror}", "choose another folder with --results DIR")
    for path in nearest:
        why = "is no folder" if not path.is_dir() else "" if os.access(path, os.W_OK) else "is not writable"
        if why:
            return Check("results", "broken", f"{path} {why}", "choose another folder with --results DIR")
    try:
        records = len(store.records(histories=False))
    except ValueError as error:
        return Check("results", "broken", str(error), "repair or move the file that is named")
    free = shutil.disk_usage(existing).free
    contents = f"{records:,} records in {results}, {free / 1e9:,.0f} GB free"
    if free < _FREE_BYTES:
        return Check("results", "note", contents, "make room, or choose another folder with --results DIR")
    return Check("results", "ok", contents)


def _nearest(path: Path) -> Path:
    """Return what is there of a path: itself, or the folder that it would be made in, or the file in the way."""
    return next(place for place in (path, *path.parents) if place.exists())
