"""Made-up input of every kind: one clear line and a promised exit code, never a traceback, nor a file elsewhere.

A hundred or so inputs in the fast tests, thousands in the slow one; both draw from the same strategies.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import losses
from bench.cli.main import VERBS, cli
from bench.config.suite import load_suite
from bench.files.regular import read_regular
from bench.store.journal import RecordError, Store

FEW, MANY = 25, 1000
CHECKS = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]

STEERING = "\x1b\x07\x08\r\u202e\u2066"
texts = st.text(st.characters(exclude_categories=()), max_size=30) | st.sampled_from(
    [
        "",
        " ",
        "-",
        "--",
        "~",
        "~nosuchuser",
        "\0",
        "\x1b[2J",
        "\u202eevil",
        "../..",
        "a" * 300,
        "a/" * 3000,
        "'",
        "$HOME",
        "?",
    ]
)
numbers = st.integers() | st.floats() | st.sampled_from([-1, 0, 1, 2**63, 10**400])
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
words = st.sampled_from(
    [
        *(
            "hinge",
            "nsgan",
            "bce_ns",
            "r1",
            "gp1",
            "diffaug",
            "ttur",
            "spectral_norm",
            "every",
            "gamma",
            "ratio",
            "label_smooth",
        ),
        *(
            "+",
            "(",
            ")",
            "=",
            ",",
            " + ",
            "1",
            "-1",
            "0",
            "1e999",
            "nan",
            "inf",
            "true",
            "none",
            "0x1",
            "1_0",
            "'",
            '"',
            "((",
            "))",
        ),
    ]
)
expressions = (
    texts | st.lists(words | texts, max_size=12).map("".join) | st.sampled_from(["(" * 5000, "hinge" + " + r1" * 500])
)


def ends_well(result: Result) -> None:
    """One line on stderr where it is bad input, a promised exit code, nothing that steers, no surprise."""
    assert result.exit_code in (0, 1, 2, 3), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    assert "(unexpected; " not in result.stderr, result.stderr
    assert "Traceback" not in result.output
    if result.exit_code == 2:
        assert result.stderr.startswith("error: "), result.stderr
        assert result.stderr.count("\n") == 1, result.stderr
    assert not set(result.output) & set(STEERING)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="python -m bench")


def files_below(folder: Path) -> set[str]:
    return {os.path.join(place, name) for place, _, names in os.walk(folder) for name in names}  # noqa: PTH118


@pytest.fixture
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with nothing in it, whose surroundings are watched."""
    monkeypatch.delenv("GAN_LOSS_BENCH_DEBUG", raising=False)
    monkeypatch.setenv("GAN_LOSS_BENCH_DATA", str(tmp_path / "data"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def repeated(check: Callable[..., None], strategy: st.SearchStrategy, count: int) -> Callable[..., None]:
    """Return a test that holds `check` to so many draws, beside the fixture `somewhere`."""
    return settings(max_examples=count, deadline=None, suppress_health_check=CHECKS, derandomize=count < MANY // 2)(
        given(drawn=strategy)(check)
    )


def refused(make: Callable[[], object], kind: type[Exception]) -> tuple[Any, str]:
    """Return what is made, or None and what is said instead of it."""
    try:
        return make(), ""
    except kind as error:
        said = str(error)
    assert said.strip()
    return None, said


def check_expression(drawn: str) -> None:
    method, said = refused(lambda: losses.get(drawn), ValueError)
    assert len(said) < 1000 + 2 * len(drawn)
    assert method is None or losses.get(str(method)) == method


suites = st.dictionaries(
    st.sampled_from(
        ["name", "methods", "workloads", "seeds", "steps", "budget", "samples", "precision", "timeout_minutes"]
    )
    | texts,
    values | st.lists(expressions, max_size=3) | st.sampled_from([["nsgan"], ["digits"], 1, "fp32"]),
    max_size=6,
)


broken_suites = st.binary(max_size=200) | st.just(b"a = " + b"[" * 50_000)


def toml(document: dict[str, object]) -> bytes:
    """Write a document as TOML, mostly; what TOML has no words for comes out as no TOML, which is a draw too."""
    lines = [f"{json.dumps(key)} = {json.dumps(value, allow_nan=True)}" for key, value in document.items()]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def check_suite(drawn: dict[str, object] | bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.toml"
        path.write_bytes(toml(drawn) if isinstance(drawn, dict) else drawn)
        suite, _ = refused(lambda: load_suite(path), ValueError)
        assert suite is None or (suite.methods and suite.seeds >= 1)


def damaged(record: bytes) -> st.SearchStrategy:
    """Draw what may become of a record: other values anywhere, bytes changed, cut off or added, or none of it left."""

    def replaced(draw: tuple[list[int], object]) -> bytes:
        places, value = draw
        changed = json.loads(record)
        node: object = changed
        for place in places:
            inner = sorted(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
            if not inner:
                break
            key = list(inner)[place % len(inner)]
            if place % 3 == 0 or not isinstance(node[key], dict | list):
                node[key] = value
                break
            node = node[key]
        return json.dumps(changed, allow_nan=True).encode("utf-8", "surrogatepass")

    cut = st.integers(0, len(record)).map(lambda end: record[:end])
    flipped = st.tuples(st.integers(0, len(record) - 1), st.integers(0, 255)).map(
        lambda draw: record[: draw[0]] + bytes([draw[1]]) + record[draw[0] + 1 :]
    )
    changed = st.tuples(st.lists(st.integers(0, 100), min_size=1, max_size=4), values).map(replaced)
    deep = st.sampled_from([b"[" * 200_000, b'{"schema_version":1,"a":' + b"[" * 200_000, b"\xff\xfe", b""])
    return changed | flipped | cut | deep | st.binary(max_size=60)


def few_records(record: bytes) -> st.SearchStrategy:
    return st.lists(damaged(record), min_size=1, max_size=2)


@pytest.fixture
def base(results: Path) -> Path:
    return results


@pytest.fixture
def one(base: Path) -> bytes:
    return read_regular(min((base / "records").iterdir()))


def check_records(base: Path, drawn: list[bytes], verbs: tuple[tuple[str, ...], ...]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "results"
        shutil.copytree(base, folder)
        for path, content in zip(sorted((folder / "records").iterdir()), drawn, strict=False):
            path.write_bytes(content)
        _, said = refused(lambda: Store(folder).records(), RecordError)
        assert not said or str(folder) in said
        before = files_below(Path(place))
        for verb in verbs:
            ends_well(run(*verb, *(["--results"] if verb[0] != "verify" else []), folder))
        assert files_below(Path(place)) - before <= {str(folder / "report.html"), str(folder / "records.csv")}


names = texts.filter(lambda name: "/" not in name and "\0" not in name and name not in ("", ".", "..")).map(
    lambda name: os.fsdecode(os.fsencode(name.encode("utf-8", "replace").decode())[:100])
)
entries = st.dictionaries(
    st.tuples(st.sampled_from(["", "records", "artifacts", "kernels", "logs"]), names | st.just(f"{'b' * 16}.0.json")),
    st.binary(max_size=20) | st.sampled_from(["pipe", "folder", "dangling", "circle"]),
    max_size=4,
)


def check_folder(base: Path, drawn: dict[tuple[str, str], bytes | str]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "results"
        shutil.copytree(base, folder)
        for (within, name), content in drawn.items():
            path = folder / within / name
            path.parent.mkdir(exist_ok=True)
            if os.path.lexists(path):
                continue
            if isinstance(content, bytes):
                path.write_bytes(content)
            elif content == "pipe":
                os.mkfifo(path)
            elif content == "folder":
                path.mkdir()
            else:
                path.symlink_to("/nowhere" if content == "dangling" else path.name)
        before = files_below(folder)
        for verb in (("leaderboard", "--results"), ("verify",), ("status", "--suite", "smoke", "--results")):
            ends_well(run(*verb, folder))
        assert files_below(folder) == before


READING = tuple(
    verb for verb in VERBS if verb not in ("run", "prepare", "golden", "kernels", "atlas", "probe", "check", "doctor")
)
options = st.sampled_from(
    [
        "--results",
        "--format",
        "--suite",
        "--method",
        "--seeds",
        "--steps",
        "--set",
        "--workload",
        "--output",
        "--dry-run",
        "-h",
    ]
)
command_lines = st.tuples(
    st.sampled_from([*READING, ("run", "--dry-run")]) | texts,
    st.lists(
        options | texts | expressions | st.sampled_from(["json", "csv", "md", "smoke", "git:HEAD", "x.csv"]), max_size=5
    ),
).map(lambda draw: [*([draw[0]] if isinstance(draw[0], str) else draw[0]), *draw[1]])


def check_command_line(somewhere: Path, drawn: list[str]) -> None:
    watched = somewhere.parent
    before = files_below(watched)
    if any("--output" in each for each in drawn):
        drawn = [each for each in drawn if "/" not in each]  # where the user says, a file is written
    ends_well(run(*drawn))
    made = files_below(watched) - before
    assert not made or "--output" in drawn or "--help" in drawn, made
    for path in made:
        Path(path).unlink()


READERS = (("leaderboard",), ("status", "--suite", "smoke"))
ALL_READERS = (*READERS, ("verify",), ("export",), ("report", "--static"))


def test_expressions() -> None:
    repeated(check_expression, expressions, 4 * FEW)()


def test_suites() -> None:
    repeated(check_suite, suites | broken_suites, 2 * FEW)()


def test_records(base: Path, one: bytes) -> None:
    repeated(lambda drawn: check_records(base, drawn, READERS), few_records(one), FEW // 3)()


def test_folders(base: Path) -> None:
    repeated(lambda drawn: check_folder(base, drawn), entries, FEW // 3)()


def test_command_lines(somewhere: Path) -> None:
    repeated(lambda drawn: check_command_line(somewhere, drawn), command_lines, 2 * FEW)()


@pytest.mark.slow
@pytest.mark.timeout(3600)
class TestThousands:
    def test_expressions(self) -> None:
        repeated(check_expression, expressions, 4 * MANY)()

    def test_suites(self) -> None:
        repeated(check_suite, suites | broken_suites, 2 * MANY)()

    def test_records(self, base: Path, one: bytes) -> None:
        repeated(lambda drawn: check_records(base, drawn, ALL_READERS), few_records(one), MANY // 2)()

    def test_folders(self, base: Path) -> None:
        repeated(lambda drawn: check_folder(base, drawn), entries, MANY // 2)()

    def test_command_lines(self, somewhere: Path) -> None:
        repeated(lambda drawn: check_command_line(somewhere, drawn), command_lines, 2 * MANY)()
