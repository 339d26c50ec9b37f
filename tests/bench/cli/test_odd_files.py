"""Whatever lies where a file is expected, every verb ends at once, in one line and with a promised exit code."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

NAME = f"{'a' * 16}.0.json"


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def dangling(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


def circle(path: Path) -> None:
    path.symlink_to(path.name)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def nested(path: Path) -> None:
    path.write_bytes(b"[" * 200_000)


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(100 * 2**20)


def no_text(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


ODD = (
    *(pipe, nested),
    *(pytest.param(each, marks=pytest.mark.slow) for each in (folder, dangling, circle, device, huge, no_text)),
)


def ends_well(result) -> None:
    assert result.exit_code in (0, 1, 2, 3), result.output
    assert "(unexpected; " not in result.stderr
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", [f"records/{NAME}", f"kernels/{NAME}", "artifacts/samples.png", "README.md"])
def test_odd_entries_of_a_results_folder(bench, results, tmp_path, odd, place):
    path = results / place
    if place.startswith("artifacts"):
        path = next((results / "artifacts").iterdir()) / "samples.png"
        path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    odd(path)
    for arguments in (
        ("status", "--suite", "smoke", "--results", results),
        ("leaderboard", "--results", results),
        ("report", "--static", "--results", results, "--output", tmp_path / "page.html"),
        ("verify", results),
        ("export", "--results", results, "--output", tmp_path / "table.csv"),
        ("kernels", "--table", "--results", results),
        ("compare", results, results),
        ("run", "--suite", "smoke", "--dry-run", "--results", results),
    ):
        found = bench(*arguments)
        ends_well(found)
        if place.startswith("records") and arguments[0] in ("status", "leaderboard", "report", "export", "compare"):
            assert found.exit_code == 2
            assert NAME in found.stderr, "what is odd is named"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("odd", ODD)
def test_odd_files_that_are_named_on_the_command_line(bench, results, tmp_path, odd):
    for ending, arguments in (
        (".toml", ("run", "--dry-run", "--suite")),
        (".py", ("check",)),
        (".py", ("run", "--dry-run", "--losses")),
        (".json", ("compare", results)),
        (".jsonl", ("compare", results)),
        (".json", ("compare", results, results, "--stage", "2", "--flagged")),
        (".safetensors", ("probe", "gradients", "nsgan", "--generator")),
        (".pth", ("run", "--suite", "smoke", "--method", "nsgan", "--inception", "require", "--results", tmp_path / "r",
                  "--workload", "digits", "--inception-weights")),
    ):  # fmt: skip
        path = tmp_path / f"odd{ending}"
        if path.is_symlink() or path.exists():
            path.unlink() if not path.is_dir() or path.is_symlink() else path.rmdir()
        odd(path)
        found = bench(*arguments, path)
        ends_well(found)
        assert found.exit_code in (2, 3), arguments


@pytest.mark.parametrize("verb", ["leaderboard", "report", "export", "status", "run", "verify"])
@pytest.mark.parametrize(
    "name",
    [
        *("n" * 300, "file/below"),
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("a/" * 3000, "~nosuchuser/x", "round/below")),
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("-x", " ", "a\nb")),
    ],
)
def test_odd_folders(bench, tmp_path, monkeypatch, verb, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "round").symlink_to("round")
    where = (name,) if verb == "verify" else ("--results", name)
    more = ("--suite", "smoke", "--method", "nsgan") if verb in ("run", "status") else ()
    if verb == "run" and name in ("~nosuchuser/x", "-x", " ", "a\nb"):
        more = (*more, "--dry-run")  # a folder of that name can be made
    ends_well(bench(verb, *where, *more))


def test_a_folder_that_cannot_be_written_to_is_told_before_anything_is_trained(bench, tmp_path, monkeypatch):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "records").touch()
    monkeypatch.setattr("bench.campaign.run", lambda *_, **__: pytest.fail("something was trained"))
    result = bench("run", "--suite", "smoke", "--method", "nsgan", "--results", tmp_path / "results")
    assert result.exit_code == 2
    assert f"nothing can be written into {tmp_path / 'results' / 'records'}: File exists" in result.stderr


def test_an_output_that_is_no_file_is_written_into_and_not_replaced(bench, results, tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    link = tmp_path / "full"
    link.symlink_to("/dev/full")
    for arguments in (
        ("leaderboard", "--format", "csv", "--results", results, "--output", link),
        ("export", "--results", results, "--output", link),
        ("report", "--static", "--results", results, "--output", link),
        ("baseline", "freeze", "x", "--results", results, "--replace", "--output", tmp_path / "b.jsonl"),
    ):
        result = bench(*arguments)
        if link in arguments:
            assert result.exit_code == 2
            assert "No space left on device" in result.stderr
    assert Path("/dev/full").is_char_device()
    assert link.is_symlink()


def test_a_report_goes_through_a_link_and_overwrites_nothing_planted(bench, results, tmp_path):
    (tmp_path / "precious").write_text("mine")
    (results / ".report.html.partial").symlink_to(tmp_path / "precious")
    (results / "report.html").symlink_to(tmp_path / "page.html")
    assert bench("report", "--static", "--results", results).exit_code == 0
    assert (tmp_path / "precious").read_text() == "mine"
    assert (results / "report.html").is_symlink()
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>") or (tmp_path / "page.html").stat().st_size


@pytest.mark.parametrize("name", ["my results", "it's", "a;b", "$HOME", "a&b"])
def test_printed_commands_can_be_pasted(bench, results, tmp_path, monkeypatch, name):
    import html
    import re
    import shlex

    monkeypatch.chdir(tmp_path)
    shutil.copytree(results, tmp_path / name)
    for style in ("md", "html"):
        first = bench("leaderboard", "--results", name, "--format", style)
        printed = re.search(r"python -m bench leaderboard[^`<]*", html.unescape(first.stdout))
        assert printed is not None
        words = shlex.split(printed[0])
        assert bench(*words[3:]).stdout == first.stdout
    hint = bench("leaderboard", "--results", f"no {name}")
    assert shlex.split(hint.stderr.partition("make some with: ")[2])[-1] == f"no {name}"


@pytest.fixture
def latin(results, tmp_path):
    """Results in a folder whose name is no UTF-8, as on an old disk."""
    folder = tmp_path / os.fsdecode(b"caf\xe9 it's")
    try:
        results.rename(folder)
    except OSError:
        pytest.skip("this file system has names in UTF-8 alone")
    return folder


@pytest.mark.parametrize("style", ["md", "csv", "json", "latex", "html"])
def test_a_folder_whose_name_is_no_text_is_named_by_its_bytes(bench, latin, tmp_path, style):
    result = bench("leaderboard", "--results", latin, "--format", style, "--output", tmp_path / "table")
    assert result.exit_code == 0
    assert "xe9 it" in (tmp_path / "table").read_text()


@pytest.mark.parametrize(
    "verb", [pytest.param("report", marks=pytest.mark.slow), "status", "compare", "merge", "verify"]
)
def test_a_folder_whose_name_is_no_text_is_read_by_every_verb(bench, latin, tmp_path, verb):
    arguments = {
        "report": ("--static", "--results", latin),
        "status": ("--suite", "smoke", "--json", "--results", latin),
        "compare": (latin, latin, "--json", "--output", tmp_path / "compared.md"),
        "merge": (latin, "--into", latin.with_name(f"{latin.name}2"), "--json"),
        "verify": (latin, "--json"),
    }[verb]
    ends_well(result := bench(verb, *arguments))
    assert result.exit_code == (1 if verb == "verify" else 0), result.stderr


def test_the_command_for_a_folder_whose_name_is_no_text_can_be_pasted(bench, latin):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    (latin / "empty").mkdir()
    hint = bench("leaderboard", "--results", latin / "empty").stderr.partition(" bench run --results ")[2]
    said = subprocess.run([bash, "-c", f"printf %s {hint}"], capture_output=True, check=True).stdout
    assert said == os.fsencode(latin / "empty")


def test_records_with_times_of_another_shape_have_a_page(bench, results, tmp_path):
    for number, path in enumerate(sorted((results / "records").iterdir())):
        text = path.read_text()
        for key in ("started_at", "finished_at"):
            before = text.partition(f'"{key}":"')[2].partition('"')[0]
            shape = ("2026-01-31 12:00:00Z", "20260131T130000+0100", "", "yesterday", "0001-01-01T00:00:00+05:00")
            text = text.replace(f'"{key}":"{before}"', f'"{key}":"{shape[number % len(shape)]}"')
        path.write_text(text)
    result = bench("report", "--static", "--results", results, "--output", tmp_path / "page.html")
    assert result.exit_code == 0
    assert "12:00 UTC" in (tmp_path / "page.html").read_text()
