import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bench
from bench.store import environment as module
from bench.store.environment import (
    commit,
    cpu_limit,
    environment,
    installed_version,
    program,
    revision_of,
    usable_cpus,
)


def test_environment_of_the_cpu() -> None:
    here = environment("cpu", 2)
    assert here.device == "cpu"
    assert here.device_name == here.cpu
    assert here.threads == 2
    assert {"python", "torch", "numpy"} <= set(here.versions)
    assert here == environment("cpu", 2)
    assert usable_cpus() >= 1


@pytest.mark.parametrize(
    ("own", "files", "limit"),
    [
        pytest.param("0::/\n", {"cpu.max": "200000 100000"}, 2, id="whole CPUs"),
        pytest.param("0::/\n", {"cpu.max": "210000 100000"}, 3, id="a part of one more"),
        pytest.param("0::/\n", {"cpu.max": "5000 100000"}, 1, id="less than one"),
        pytest.param("0::/\n", {"cpu.max": "max 100000"}, None, id="none"),
        pytest.param("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "400000 100000"}, 4, id="around it"),
        pytest.param("0::/a/b\n", {"a/b/cpu.max": "300000 100000", "a/cpu.max": "800000 100000"}, 3, id="both"),
        pytest.param("0::/../host\n", {"cpu.max": "200000 100000"}, 2, id="outside of what is seen"),
        pytest.param(
            "3:memory:/m\n2:cpu,cpuacct:/docker/1\n0::/\n",
            {"cpu/cpu.cfs_quota_us": "150000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2, id="version 1",
        ),
        pytest.param(
            "1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None, id="none, version 1"
        ),
        pytest.param("1:cpuset:/\n", {"cpu.max": "200000 100000"}, None, id="of another kind"),
        pytest.param("junk\n", {"cpu.max": "200000 100000"}, None, id="junk"),
        pytest.param("0::/\n", {"cpu.max": "many\n"}, None, id="a limit that is none"),
        pytest.param(None, {}, None, id="another system"),
    ],
)  # fmt: skip
def test_a_container_has_so_many_cpus_as_its_time_is_enough_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str | None, files: dict[str, str], limit: int | None
) -> None:
    monkeypatch.setattr(module, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(module, "_GROUPS", tmp_path / "groups")
    if own is not None:
        (tmp_path / "own").write_text(own)
    for name, text in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert cpu_limit() == limit


def test_fingerprint_tells_what_changes_bits_or_times() -> None:
    prints = [
        environment("cpu", 1).fingerprint,
        environment("cpu", 2).fingerprint,
        environment("cuda:0", 1, "GPU A").fingerprint,
        environment("cuda:0", 1, "GPU B").fingerprint,
    ]
    assert len(set(prints)) == len(prints)
    assert environment("cuda:1", 1, "GPU A").fingerprint == prints[2]


def test_own_version_is_recorded_and_no_part_of_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_versions", lambda: {"torch": "9", "gan-loss-bench": "1"})
    first = environment("cpu", 1)
    monkeypatch.setattr(module, "_versions", lambda: {"torch": "9", "gan-loss-bench": "2"})
    second = environment("cpu", 1)
    monkeypatch.setattr(module, "_versions", lambda: {"torch": "10", "gan-loss-bench": "2"})
    assert first.fingerprint == second.fingerprint != environment("cpu", 1).fingerprint
    assert first.versions != second.versions


@pytest.mark.parametrize(
    ("name", "value", "changes"),
    [
        ("_cpu_model", "another", True),
        ("usable_cpus", 99, True),
        ("platform.system", "another", True),
        ("platform.machine", "another", True),
        *((package, "0.0", True) for package in ("python", "torch", "numpy", "scipy", "scikit-learn")),
        ("platform.platform", "Linux-9-with-another-libc", False),
        ("gan-loss-bench", "0.0", False),
    ],
)
def test_a_fingerprint_depends_on_what_the_pages_say(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str | int, changes: bool
) -> None:
    before = environment("cpu", 1)
    if name in before.versions:
        monkeypatch.setattr(module, "_versions", lambda: {**before.versions, name: str(value)})
    else:
        monkeypatch.setattr(f"{module.__name__}.{name}", lambda: value)
    after = environment("cpu", 1)
    assert after != before
    assert (after.fingerprint != before.fingerprint) is changes


def test_a_record_names_the_version_of_the_code_that_ran() -> None:
    # Not the one that is installed: `pip install --editable` names for ever the version of the day it was called.
    assert environment("cpu", 1).versions["gan-loss-bench"] == bench.__version__


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that this program seems to run from. What was found of the real one is forgotten, and this after it."""
    root = tmp_path / "checkout"
    for name in ("bench/store/environment.py", "losses/hinge.py"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text("one")
    monkeypatch.setattr(module, "__file__", str(root / "bench" / "store" / "environment.py"))
    forget()
    yield root
    forget()


def forget() -> None:
    """As in a process that was started now."""
    commit.cache_clear()
    program.cache_clear()


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", *identity, "-C", str(root), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def committed(root: Path) -> str:
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--allow-empty", "-m", "more")
    return git(root, "rev-parse", "HEAD")


def test_commit_is_of_the_packages_own_checkout_and_marks_changes(checkout: Path) -> None:
    assert revision_of(checkout) is None, "no checkout"
    git(checkout, "init", "--quiet")
    assert revision_of(checkout) is None, "no commit yet"
    revision = committed(checkout)
    assert revision_of(checkout) == revision
    (checkout / "notes.txt").write_text("results and notes beside the code do not count")
    assert revision_of(checkout) == revision
    (checkout / "losses" / "hinge.py").write_text("two")
    assert revision_of(checkout) == f"{revision}-dirty"


def test_a_process_has_the_commit_of_the_code_that_it_has_imported(checkout: Path) -> None:
    """Training takes hours, and a record is made at its end: somebody commits meanwhile."""
    git(checkout, "init", "--quiet")
    revision = committed(checkout)
    assert commit() == program() == revision
    (checkout / "losses" / "hinge.py").write_text("two")
    assert commit() == program() == revision
    later = committed(checkout)
    assert commit() == program() == revision
    forget()
    assert commit() == program() == later != revision


def test_a_process_has_the_packages_that_it_has_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """With another release of torch the fingerprint is another, too, and its trials would be of another machine."""
    before = environment("cpu", 1)
    monkeypatch.setattr(module, "version", lambda _: "99.0")
    assert environment("cpu", 1) == before
    installed_version.cache_clear()
    try:
        assert environment("cpu", 1).versions["torch"] == "99.0"
    finally:
        installed_version.cache_clear()


@pytest.mark.parametrize("is_checkout", [False, True])
def test_a_program_that_was_edited_is_told_from_what_it_was(checkout: Path, is_checkout: bool) -> None:
    begins = "no commit, source "
    if is_checkout:
        git(checkout, "init", "--quiet")
        begins = f"{committed(checkout)}-dirty, source "
    told = []
    for content in ("two", "three", "two"):
        (checkout / "losses" / "hinge.py").write_text(content)
        forget()
        told.append(program())
    assert told[0] == told[2] != told[1]
    assert all(words.startswith(begins) for words in told)
    (checkout / "losses" / ".#hinge.py").symlink_to("somebody@somewhere.1234")  # as Emacs marks what is being edited
    forget()
    assert program() == told[0]


def test_a_repository_around_an_installed_package_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "site-packages").mkdir()
    assert revision_of(tmp_path / "site-packages") is None


@pytest.mark.parametrize(
    "name",
    [
        "bench.config.suite",
        "bench.store.journal",
        "bench.store.environment",
        "bench.execution.local",
        "bench.execution.worker",
    ],
)
def test_no_torch_at_import(name: str) -> None:
    code = f"import sys, {name}; assert sys.modules.keys().isdisjoint(('torch', 'numpy', 'pandas'))"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
