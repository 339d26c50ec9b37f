"""Completion in a real bash: what a line becomes when the tab key is pressed."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.cli import completion

ROOT = Path(__file__).parents[3]
PATIENCE = 120.0
"""Seconds; a start of Python takes a fifth of one, where nothing else runs."""

pytestmark = [
    pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here"),
    pytest.mark.skipif(os.name != "posix", reason="a terminal of this kind is needed"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with the console command, folders of images, and a start-up file that turns completion on."""
    folder = tmp_path_factory.mktemp("home")
    command = folder / "bin" / "gan-loss-bench"
    command.parent.mkdir()
    command.write_text(f"#!/bin/sh\nexec {sys.executable} -P -c 'from bench.__main__ import main; main()' \"$@\"\n")
    command.chmod(0o755)
    for name in ("photos/cats", "photos/cars", "plain"):
        (folder / name).mkdir(parents=True)
    (folder / "rc").write_text(
        "PS1='READY> '\nbind 'set bell-style none'\nbind 'set enable-bracketed-paste off'\n"
        'eval "$(_GAN_LOSS_BENCH_COMPLETE=bash_source gan-loss-bench)"\n'
        "show() { printf '<%s>' \"$@\"; printf '\\n'; }\n"
    )
    return folder


@pytest.fixture(scope="module")
def shell(home):
    """Type a line, press tab, and return what the line has become: `show` prints the words that a command gets."""
    main, other = pty.openpty()
    environment = {
        **os.environ, "PATH": f"{home / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "TERM": "dumb",
        "COLUMNS": "200", "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    process = subprocess.Popen(
        ["bash", "--noprofile", "--rcfile", str(home / "rc"), "-i"],
        stdin=other, stdout=other, stderr=other, cwd=home, env=environment, start_new_session=True,
    )  # fmt: skip
    os.close(other)

    def read(until: str) -> str:
        text, end = "", time.monotonic() + PATIENCE
        while (found := re.search(until, text)) is None:
            ready, _, _ = select.select([main], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"bash did not answer: {text!r}"
            text += os.read(main, 65536).decode(errors="replace")
        return found[1]

    read("(READY> )")

    def complete(line: str) -> str:
        # What is typed behind the tab shows whether the word is closed; `show` is put before the completed line.
        os.write(main, f"{line}\tEND".encode())
        read("(END)")
        os.write(main, b"\x01show \r")
        return read(r"\n<gan-loss-bench>(<.*>)\r?\nREADY> ")

    yield complete
    process.kill()
    process.wait()
    os.close(main)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("leaderb", "<leaderboard><END>"),
        ("probe grad", "<probe><gradients><END>"),
        ("run --seed", "<run><--seeds><END>"),
        ("run --suite clas", "<run><--suite><classics><END>"),
        ("run --suite=clas", "<run><--suite=classics><END>"),
        ("export --format par", "<export><--format><parquet><END>"),
        ("run --method pacg", "<run><--method><pacgan2><END>"),
        ("run --method 'hinge + spectral_n", "<run><--method><hinge + spectral_norm><END>"),
        ("run --workload imagef", "<run><--workload><imagefolder:END>"),
        ("run --workload imagefolder:pl", "<run><--workload><imagefolder:plain/END>"),
        ("run --workload imagefolder:photos/cat", "<run><--workload><imagefolder:photos/cats/END>"),
        ("run --results pl", "<run><--results><plain/END>"),
    ],
)
def test_a_line_is_completed_in_bash(shell, line, words):
    assert shell(f"gan-loss-bench {line}") == words


def test_words_are_divided_as_bash_divides_them(monkeypatch):
    found = completion.Bash.__new__(completion.Bash)
    for line, word, expected in (
        ("gan-loss-bench run --workload imagefolder:ph", "ph", (["run", "--workload"], "imagefolder:ph")),
        ("gan-loss-bench run --workload imagefolder:", "", (["run", "--workload"], "imagefolder:")),
        ("gan-loss-bench run --method 'hinge + r", "hinge + r", (["run", "--method"], "hinge + r")),
        ("gan-loss-bench run --method ", "", (["run", "--method"], "")),
    ):
        monkeypatch.setenv("BENCH_LINE", line)
        monkeypatch.setenv("BENCH_WORD", word)
        assert found.get_completion_args() == expected
