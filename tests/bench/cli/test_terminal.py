"""What reaches a terminal: nothing that steers it, and nothing that its encoding does not have."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_cases import sampled

from bench.cli.progress import renderer
from bench.cli.terminal import CleanStream, cleaned_streams, cleaning_console, console, printable
from bench.events import NotKept, TrialRetried

ESCAPE = "\x1b[2J\x1b]0;owned\x07"
TURNED = "\u202eevil\u2066"


def test_what_steers_is_taken_out_and_all_else_stays():
    assert printable(f"a{ESCAPE}b{TURNED}c\r\n\td\x9b31m") == "a[2J]0;ownedbevilc\n\td31m"
    plain = "naïve – µ ≤ 10 ×, ▁▂█ ✓ 中文 עברית \U0001f600\u200d"
    assert printable(plain) == plain
    assert printable("caf\udce9.png") == "caf\ufffd.png"


@given(st.text())
def test_every_text_comes_out_harmless_and_printable(text):
    found = printable(text)
    assert printable(found) == found
    assert not any((ord(each) < 32 and each not in "\n\t") or 0x7F <= ord(each) < 0xA0 for each in found)
    assert not any(each in found for each in "\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069")
    found.encode()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
@given(text=st.text())
@settings(deadline=None)
def test_every_text_can_be_printed_in_every_encoding(encoding, text):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    before = sys.stdout
    sys.stdout = stream
    try:
        with cleaned_streams():
            sys.stdout.write(f"– {text}")
            sys.stdout.writelines([text, "×"])
            console().print(text, markup=False)
    finally:
        sys.stdout = before
    stream.flush()
    assert stream.errors == "strict", "as it was before"
    printed = stream.buffer.getvalue().decode(encoding)
    assert not set(printed) & set("\x1b\x07\x9b\u202e")


def test_a_terminal_without_the_characters_gets_plain_ones_of_the_same_width():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="")
    before = sys.stdout
    sys.stdout = stream
    try:
        with cleaned_streams():
            sys.stdout.write("– 3 × 4 ▁▄█ 中")
    finally:
        sys.stdout = before
    stream.flush()
    assert stream.buffer.getvalue() == b"- 3 x 4 _-# ?"


def test_the_console_colors_and_still_cleans():
    stream = io.StringIO()
    to = cleaning_console(file=stream, force_terminal=True, color_system="standard", width=80)
    to.print(f"bad {ESCAPE}{TURNED} name", style="bold", markup=False)
    assert "\x1b[1m" in stream.getvalue(), "its own steering"
    assert "\x1b[2J" not in stream.getvalue()
    assert "\x1b]" not in stream.getvalue()
    assert "\u202e" not in stream.getvalue()


def test_there_is_no_way_round_the_stream():
    stream = CleanStream(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert not hasattr(stream, "buffer")
    assert stream.write("\x1b[1mab") == 6, "what was written is all of it"


@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_closed_stream_is_no_obstacle(closed):
    command = f"{sys.executable} -m bench list suites {closed}>&-"
    assert subprocess.run(["bash", "-c", command], capture_output=True, check=False).returncode == 0


def test_a_full_disk_behind_stdout_is_one_line_and_exit_code_1():
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m bench list suites > /dev/full"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "error: what is printed cannot be written: No space left on device\n"


def test_steering_in_names_reaches_no_terminal(bench, tmp_path):
    for arguments in (
        ("run", "--method", f"hinge{ESCAPE}"),
        ("run", "--suite", f"quick{TURNED}"),
        ("leaderboard", "--results", tmp_path / f"a{ESCAPE}{TURNED}b"),
        ("compare", f"x{ESCAPE}", f"y{TURNED}"),
        ("show", f"{ESCAPE}"),
        (f"{ESCAPE}{TURNED}",),
        ("run", "--workload", f"imagefolder:{tmp_path}/{ESCAPE}{TURNED}"),
        ("check", f"{tmp_path}/{ESCAPE}.py"),
    ):
        result = bench(*arguments)
        assert result.exit_code in (2, 3), arguments
        assert not set(result.stdout + result.stderr) & set("\x1b\x07\u202e\u2066"), arguments
        assert len(result.stderr.splitlines()) == 1, arguments


@pytest.mark.parametrize("kind", ["plain", "rich"])
def test_steering_in_events_reaches_no_terminal(kind, capsys):
    with cleaned_streams(), renderer(kind) as shown:
        shown.handle(TrialRetried(trial_id="0" * 16, attempt=1, reason=f"killed{ESCAPE}{TURNED}"))
        shown.handle(NotKept(trial_id="0" * 16, what="record", reason="full", place=f"/tmp/{ESCAPE}"))
    printed = capsys.readouterr().err
    assert "killed" in printed
    assert "it is kept in /tmp/" in printed
    assert not set(printed) & set("\x07\u202e\u2066")
    assert "\x1b[2J" not in printed


@pytest.mark.parametrize(
    "environment",
    sampled(
        [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "cp1252"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}], every=3
    ),
)
def test_no_encoding_ends_a_command_badly(environment, results):
    variables = {**os.environ, "PYTHONCOERCECLOCALE": "0", **environment}
    for arguments in (["leaderboard", "--results", str(results)], ["list"]):
        done = subprocess.run(
            [sys.executable, "-m", "bench", *arguments], env=variables, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert b"\xe2" not in done.stdout, "no UTF-8 for who does not read it"


def test_brackets_in_the_name_of_a_folder_are_no_markup(bench, photos, tmp_path):
    folder = photos.rename(tmp_path / "[red]")
    result = bench("status", "--workload", f"imagefolder:{folder}", "--method", "nsgan", "--results", tmp_path / "none")
    assert result.exit_code == 0, result.output
    assert "[red]?size=32" in "".join(result.stdout.partition(" method ")[2].split())
