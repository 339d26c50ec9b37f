"""Where an attempt runs: what decides whether two attempts may be compared bit by bit and second by second."""

import contextlib
import functools
import hashlib
import math
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from bench.common.version import VERSION
from bench.config.trial import canonical_json
from bench.store.record import Environment

_PACKAGES: Final = ("torch", "numpy", "scipy", "scikit-learn")

_GIT_SECONDS: Final = 10.0

_DIRTY: Final = "-dirty"

_OWN_GROUPS: Final = Path("/proc/self/cgroup")
_GROUPS: Final = Path("/sys/fs/cgroup")


def environment(device: str, threads: int, device_name: str | None = None) -> Environment:
    """Describe this machine as the place of an attempt.

    Args:
        device: "cpu", "cuda" or "cuda:N"; the index is no part of the fingerprint.
        threads: intra-op threads of the attempt. Reductions are split among them, so they are part of the fingerprint.
        device_name: the model of the accelerator; `None` for the CPU, which is looked up here.

    The fingerprint leaves out the operating system's release, the host's name and the version of this package: none of
    them changes the arithmetic by itself, and what does in this package has versions of its own in the trial.
    """
    kind = device.partition(":")[0]
    cpu = f"{_cpu_model()} x{usable_cpus()}"
    name = device_name or (cpu if kind == "cpu" else device)
    versions = _versions()
    arithmetic = {package: release for package, release in versions.items() if package != "gan-loss-bench"}
    system = f"{platform.system()} {platform.machine()}"
    identity = [kind, name, cpu, threads, system, arithmetic]
    return Environment(
        fingerprint=hashlib.sha256(canonical_json(identity)).hexdigest()[:12],
        device=device,
        device_name=name,
        cpu=cpu,
        threads=threads,
        platform=platform.platform(),
        versions=versions,
    )


def usable_cpus() -> int:
    """Return how many logical CPUs this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_limit() -> int | None:
    """Return how many CPUs this process may keep busy at most, as a container is limited; `None` for no limit.

    Such a limit is one of time. It takes no CPU away, so that neither the system's own count nor the affinity tells.
    """
    limits: list[float] = []
    with contextlib.suppress(OSError, ValueError):  # another system, or not what it is known to write
        for line in _OWN_GROUPS.read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            limits += _limits(controllers, path)
    return max(1, math.ceil(min(limits))) if limits else None


@functools.cache
def commit() -> str | None:
    """Return the revision of the code that this process runs, as `revision_of` says it.

    It is read once: what somebody commits or edits meanwhile is not what was imported.
    """
    return revision_of(code_root())


@functools.cache
def program() -> str:
    """Say which code this process runs: its commit, and a digest of its source where the commit does not say it all."""
    revision = commit()
    if revision is not None and not revision.endswith(_DIRTY):
        return revision
    return f"{revision or 'no commit'}, source {source_digest(code_root())}"


def revision_of(root: Path) -> str | None:
    """Return the git revision of the checkout in a folder, marked `-dirty` if the code differs from it.

    `None` where the folder is no checkout of its own or git cannot say.
    """
    # An installed package may lie inside somebody else's repository (.venv/lib/...): only a checkout's own root counts.
    if not (root / ".git").exists():
        return None
    revision = _git(root, "rev-parse", "HEAD")
    if not revision:
        return None
    changed = _git(root, "status", "--porcelain", "--", "bench", "losses")
    return revision if changed == "" else f"{revision}{_DIRTY}"


@functools.cache
def installed_version(package: str) -> str | None:
    """Return the release of a package; None where it is not installed, as some where only records are read.

    It is read once, as the commit is: who upgrades a package meanwhile does not change what was imported.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def source_digest(root: Path) -> str:
    """Return 12 hexadecimal digits that change with every byte of the program's source in a folder."""
    digest = hashlib.sha256()
    for package in ("bench", "losses"):
        for path in sorted((root / package).rglob("*.py")):
            with contextlib.suppress(OSError):  # what an editor leaves beside a file may be a link to nowhere
                content = path.read_bytes()
                digest.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode())
                digest.update(content)
    return digest.hexdigest()[:12]


def code_root() -> Path:
    """Return the folder that this program's packages lie in."""
    return Path(__file__).resolve().parents[2]


def _limits(controllers: str, path: str) -> Iterator[float]:
    """Yield the limits of a group of processes (cgroup, version 2 or 1) and of those around it, in CPUs."""
    if controllers == "":
        top, names = _GROUPS, ["cpu.max"]
    elif "cpu" in controllers.split(","):
        top, names = _GROUPS / "cpu", ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
    else:
        return
    inner = Path() if ".." in path else Path(path.lstrip("/"))
    for group in (inner, *inner.parents):  # in a container the path may be the host's, and only the last one is there
        with contextlib.suppress(OSError, ValueError):  # it is not there, or says "max"
            words = " ".join((top / group / name).read_text(encoding="ascii") for name in names).split()
            quota, period = map(int, words)
            if quota > 0 and period > 0:
                yield quota / period


def _git(root: Path, *arguments: str) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - the program is git, and no argument comes from outside
            [git, "-C", str(root), *arguments], capture_output=True, text=True, timeout=_GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _versions() -> dict[str, str]:
    # This package says its own: what is installed may be another, where a checkout was updated or is run beside it.
    versions = {"python": platform.python_version(), "gan-loss-bench": VERSION}
    installed = {package: installed_version(package) for package in _PACKAGES}
    return versions | {package: release for package, release in installed.items() if release is not None}


def _cpu_model() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
