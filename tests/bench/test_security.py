"""What docs/security.md promises, and no other test holds."""

import ast
import getpass
import pickle
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from synthetic import World, make, write
from whole_records import whole

from bench import campaign
from bench.cli.main import cli
from bench.config.workload import Workload
from bench.execution.inline import InlineExecutor
from bench.store.checkpoints import checkpoint_path
from bench.store.journal import Store
from bench.store.record import Environment, Record

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "bench").rglob("*.py"), *(ROOT / "losses").rglob("*.py")])
FAKE = "fake_training:train"


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="python -m bench")


class Hostile:
    """Unpickling it makes a file."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.place,)


def plant(folder: Path, canary: Path) -> None:
    """Put files that would do something, had anybody run or unpickled them, wherever one might."""
    code = f"import pathlib; pathlib.Path({str(canary)!r}).touch()\n"
    folder.mkdir(parents=True, exist_ok=True)
    for name in (
        "__init__.py",
        "conftest.py",
        "sitecustomize.py",
        "usercustomize.py",
        "losses.py",
        "numpy.py",
        "x.pth",
    ):
        (folder / name).write_text(code)
    for name in ("a.pkl", "a.pt", "a.npy", "a.npz", "a.bin", "a.joblib"):
        (folder / name).write_bytes(pickle.dumps(Hostile(canary)))
    script = folder / "run.sh"
    script.write_text(f"#!/bin/sh\ntouch {canary}\n")
    script.chmod(0o755)


@pytest.fixture
def recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workload: Workload, record: Callable[..., Record]
) -> Store:
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "execution"))
    monkeypatch.setenv("A_TOKEN_OF_MINE", "s3cr3t-0123456789")
    store = Store(tmp_path / "results")
    trials = [record(workload, method, 0).trial for method in ("plain", "print")]
    list(campaign.run(trials, InlineExecutor(), store, trainer=FAKE))
    return store


def test_hostile_files_in_every_folder_are_not_executed(
    recorded: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = tmp_path / "canary"
    pickle.loads(pickle.dumps(Hostile(canary)))
    assert canary.exists(), "it would be noticed"
    canary.unlink()
    trial_id = recorded.records()[0].trial_id
    folders = [recorded.root, tmp_path / "data", tmp_path / "suites", recorded.checkpoints]
    folders += [recorded.root / name for name in ("artifacts", "logs", "scratch", "claims")]
    for folder in folders:
        plant(folder, canary)
    poison = pickle.dumps(Hostile(canary))
    (recorded.artifacts_dir(trial_id) / "generator.safetensors").write_bytes(poison)
    checkpoint_path(recorded.checkpoints, trial_id).write_bytes(poison)
    suite = tmp_path / "suites" / "theirs.toml"
    suite.write_text('methods = ["nsgan"]\nworkloads = ["ring8"]\nseeds = 1\n')
    monkeypatch.setenv("GAN_LOSS_BENCH_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(recorded.root)
    here = ("--results", recorded.root)
    for arguments in (
        ("leaderboard", *here),
        ("report", *here),
        ("show", trial_id, *here),
        ("sample", trial_id, *here),
        ("status", "--suite", suite, *here),
        ("run", "--suite", suite, "--dry-run", *here),
        ("verify", recorded.root),
        ("merge", recorded.root, "--into", tmp_path / "united"),
        ("export", *here),
    ):
        bench(*arguments)
        assert not canary.exists(), arguments


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    folder = tmp_path / "suites"
    folder.mkdir()
    code = f"import pathlib; pathlib.Path({str(tmp_path / 'canary')!r}).touch()\n"
    (folder / "their_losses.py").write_text(code)
    return folder / "theirs.toml"


@pytest.mark.parametrize("is_named", [False, True])
def test_a_suites_losses_run_only_where_the_suite_names_them(
    theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_named: bool
) -> None:
    monkeypatch.setenv("GAN_LOSS_BENCH_LOSSES", "")
    theirs.write_text(
        'methods = ["nsgan"]\nworkloads = ["ring8"]\nseeds = 1\n' + 'losses = ["their_losses.py"]\n' * is_named
    )
    done = bench("run", "--suite", theirs, "--dry-run", "--results", tmp_path / "results")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "canary").exists() == is_named


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def keywords(call: ast.Call) -> dict[str | None, str]:
    return {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}


def test_nothing_is_unpickled_evaluated_or_passed_to_a_shell() -> None:
    unpickling, loads = [], 0
    for path in SOURCES:
        name = str(path.relative_to(ROOT))
        for function, call in calls(path):
            given = keywords(call)
            assert function not in ("eval", "exec", "os.system", "os.popen", "runpy.run_path"), name
            assert "shell" not in given, name
            if function == "torch.load":
                loads += 1
                assert given.get("weights_only") == "True", name
            if function in ("np.load", "numpy.load"):
                assert given.get("allow_pickle", "False") == "False", name
            if function.split(".")[0] in ("pickle", "cloudpickle", "joblib", "dill", "marshal", "shelve"):
                unpickling.append((name, function))
    assert loads >= 4
    assert unpickling == [("bench/data/cifar10.py", "pickle.loads")]


def test_downloads_come_through_one_module() -> None:
    opening = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        for function, _ in calls(path)
        if function.rpartition(".")[2] in ("urlopen", "urlretrieve") or function.startswith(("requests.", "httpx."))
    }
    assert opening == {"bench/data/download.py"}


def test_a_record_holds_of_its_machine_what_is_listed_and_no_more(recorded: Store) -> None:
    assert Environment.__struct_fields__ == (
        "fingerprint", "device", "device_name", "cpu", "threads", "platform", "versions",
    )  # fmt: skip
    allowed = {"python", "torch", "numpy", "scipy", "scikit-learn", "gan-loss-bench"}
    secrets = {"s3cr3t-0123456789", "A_TOKEN_OF_MINE", str(Path.home()), str(ROOT), str(recorded.root)}
    names = {name for name in (socket.gethostname(), getpass.getuser()) if len(name) > 4}  # shorter ones are anywhere
    records = recorded.records()
    assert len(records) == 2
    for each in records:
        assert each.environment is not None
        assert set(each.environment.versions) <= allowed
        text = msgspec.json.encode(each).decode()
        assert [word for word in secrets | names if word in text] == []


def test_who_is_asked_to_read_the_short_page_is_promised_what_the_long_one_says() -> None:
    short = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    (row,) = [line for line in short.splitlines() if "--inception-weights" in line]
    assert "--also-in" in row
    assert "`weights_only`" in row, "a file with another hash is read, too"


def test_a_published_folder_has_no_names_of_hosts(tmp_path: Path) -> None:
    world = World(methods=("nsgan", "hinge"), workloads=("ring8",))
    source = write([whole(record) for record in make(world, 3)], tmp_path / "source")
    for name in ("claims/0123456789ab.alive", "checkpoints/0123456789abcdef.checkpoint", "logs/0123456789abcdef.0.log"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text("my-host")
    there = tmp_path / "published"
    done = bench("publish", there, "--from", source)
    assert done.exit_code == 0, done.output
    assert [path for path in there.rglob("*") if path.is_file() and b"my-host" in path.read_bytes()] == []
    assert {path.name for path in there.iterdir() if path.is_dir()} <= {"records", "artifacts", "kernels"}
