import subprocess
import sys
from pathlib import Path

import pytest

import bench
from bench.store import environment as module
from bench.store.environment import commit, cpu_limit, environment, program, usable_cpus


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


def test_a_record_names_the_version_of_the_code_that_ran() -> None:
    # Not the one that is installed: `pip install --editable` names for ever the version of the day it was called.
    assert environment("cpu", 1).versions["gan-loss-bench"] == bench.__version__


def test_commit_is_of_the_packages_own_checkout_and_marks_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "bench" / "store").mkdir(parents=True)
    source = checkout / "bench" / "store" / "environment.py"
    source.write_text("one")
    monkeypatch.setattr(module, "__file__", str(source))
    assert commit() is None, "no checkout"

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        done = subprocess.run(
            ["git", *identity, "-C", str(checkout), *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "--quiet")
    assert commit() is None, "no commit yet"
    git("add", ".")
    git("commit", "--quiet", "-m", "one")
    revision = git("rev-parse", "HEAD")
    assert commit() == revision
    (checkout / "notes.txt").write_text("results and notes beside the code do not count")
    assert commit() == revision
    source.write_text("two")
    assert commit() == f"{revision}-dirty"


def test_a_program_that_was_edited_is_told_from_what_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "bench" / "store" / "environment.py"
    source.parent.mkdir(parents=True)
    monkeypatch.setattr(module, "__file__", str(source))
    loss = tmp_path / "losses" / "hinge.py"
    loss.parent.mkdir()
    for revision in (None, "c0ffee-dirty"):
        monkeypatch.setattr(module, "commit", lambda named=revision: named)
        told = []
        for content in ("one", "two", "one"):
            loss.write_text(content)
            told.append(program())
        assert told[0] == told[2] != told[1]
        assert all(words.startswith(revision or "no commit") for words in told)
    (loss.parent / ".#hinge.py").symlink_to("somebody@somewhere.1234")  # as Emacs marks what is being edited
    assert program() == told[0]
    monkeypatch.setattr(module, "commit", lambda: "c0ffee")
    assert program() == "c0ffee"


def test_a_repository_around_an_installed_package_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    source = tmp_path / "site-packages" / "bench" / "store" / "environment.py"
    source.parent.mkdir(parents=True)
    monkeypatch.setattr(module, "__file__", str(source))
    assert commit() is None


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
