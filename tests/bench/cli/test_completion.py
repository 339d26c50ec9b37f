"""Completion in real shells: what a line becomes when the tab key is pressed."""

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
from slow_cases import mostly_slow

from bench.cli import completion

ROOT = Path(__file__).parents[3]
PATIENCE = 60.0
"""Seconds; a start of Python takes a fifth of one, where nothing else runs."""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a terminal of this kind is needed")

BASH = """\
PS1='READY> '
bind 'set bell-style none'
bind 'set enable-bracketed-paste off'
show() { printf '<%s>' "$@"; printf '\\n'; }
"""
ZSH = """\
PS1='READY> '
unsetopt BEEP PROMPT_SP
bindkey -e
show() { printf '<%s>' "$@"; printf '\\n'; }
"""
SHELLS = {
    "bash": (BASH, ".bashrc", ["--noprofile", "--rcfile", ".bashrc", "-i"]),
    "zsh": (ZSH, ".zshrc", ["-d", "-i"]),
}
"""What makes a shell easy to read, the file that it reads when it starts, and how it is started."""


def lines_of_the_page(shell: str) -> str:
    """Return what docs/reference/output.md tells the users of a shell to write into their start-up file."""
    page = (ROOT / "docs" / "reference" / "output.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"<!-- completion: {shell} -->\n```\n(.*?)```", page, flags=re.DOTALL)
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with the console command, folders of images, and the start-up files of all shells."""
    folder = tmp_path_factory.mktemp("home")
    command = folder / "bin" / "gan-loss-bench"
    command.parent.mkdir()
    command.write_text(f"#!/bin/sh\nexec {sys.executable} -P -c 'from bench.__main__ import main; main()' \"$@\"\n")
    command.chmod(0o755)
    for name in ("photos/cats", "photos/cars", "plain"):
        (folder / name).mkdir(parents=True)
    for shell, (easy_to_read, file, _arguments) in SHELLS.items():
        (folder / file).write_text(f"{easy_to_read}{lines_of_the_page(shell)}")
    completions = folder / ".config" / "fish" / "completions"
    completions.mkdir(parents=True)
    (completions / "gan-loss-bench.fish").write_text(lines_of_the_page("fish"))
    return folder


def surroundings(home: Path) -> dict[str, str]:
    return {
        **os.environ, "PATH": f"{home / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "TERM": "dumb",
        "COLUMNS": "200", "LC_ALL": "C.UTF-8", "HOME": str(home), "ZDOTDIR": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"), "XDG_DATA_HOME": str(home / ".local"),
    }  # fmt: skip


@pytest.fixture(scope="module", params=mostly_slow(SHELLS, fast=["bash"]))
def shell(request, home):
    """Type a line, press tab, and return what the line has become: `show` prints the words that a command gets."""
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"there is no {request.param} here")
    main, other = pty.openpty()
    process = subprocess.Popen(
        [program, *SHELLS[request.param][2]],
        stdin=other, stdout=other, stderr=other, cwd=home, env=surroundings(home), start_new_session=True,
    )  # fmt: skip
    os.close(other)

    def read(until: str) -> str:
        text, end = "", time.monotonic() + PATIENCE
        while (found := re.search(until, text)) is None:
            ready, _, _ = select.select([main], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{request.param} did not answer: {text!r}"
            text += os.read(main, 65536).decode(errors="replace")
        return found[1]

    read("(READY> )")

    def complete(line: str) -> str:
        # What is typed behind the tab shows whether the word is closed; `show` is put before the completed line.
        os.write(main, f"{line}\tEND".encode())
        read("(END)")
        os.write(main, b"\x01show \r")
        return read(r"\n<gan-loss-bench>(<.*>)\r?\n")

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
        ("run --method=pacg", "<run><--method=pacgan2><END>"),
        ("run --method 'hinge + spectral_n", "<run><--method><hinge + spectral_norm><END>"),
        ("run --workload imagef", "<run><--workload><imagefolder:END>"),
        ("run --workload imagefolder:pl", "<run><--workload><imagefolder:plain/END>"),
        ("run --workload=imagefolder:photos/cat", "<run><--workload=imagefolder:photos/cats/END>"),
        ("run --results pl", "<run><--results><plain/END>"),
        ("run --results=pl", "<run><--results=plain/END>"),
    ],
)
def test_a_line_is_completed(shell, line, words):
    assert shell(f"gan-loss-bench {line}") == words


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish here")
@pytest.mark.parametrize(
    ("line", "offered"),
    mostly_slow(
        [
            ("leaderb", ["leaderboard"]),
            ("run --suite clas", ["classics"]),
            ("run --suite=clas", ["--suite=classics"]),
            ("run --method pacg", ["pacgan2"]),
            ("run --method 'hinge + spectral_n", ["hinge + spectral_norm"]),
            ("run --workload imagefolder:pl", ["imagefolder:plain/"]),
            ("run --workload=imagefolder:photos/ca", ["--workload=imagefolder:photos/cars/",
                                                      "--workload=imagefolder:photos/cats/"]),
            ("run --results pl", ["plain/"]),
            ("run --results=pl", ["--results=plain/"]),
        ],
        fast=["run --suite=clas", "run --results=pl"],
    ),
)  # fmt: skip
def test_fish_offers(home, line, offered):
    # `complete` prints what the tab key would offer; fish drives no terminal that does not answer it.
    done = subprocess.run(
        ["fish", "-c", 'complete -C "$argv[1]"', f"gan-loss-bench {line}"],
        cwd=home, env=surroundings(home), capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert [each.partition("\t")[0] for each in done.stdout.splitlines()] == offered, done.stderr


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish here")
@pytest.mark.slow
def test_a_description_with_a_comma_is_whole_in_fish(home):
    done = subprocess.run(
        ["fish", "-c", 'complete -C "$argv[1]"', "gan-loss-bench run --method 'hinge + spectral_n"],
        cwd=home, env=surroundings(home), capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    summary = done.stdout.rstrip("\n").partition("\t")[2]
    assert "," in summary
    assert summary.endswith(".")


@pytest.mark.slow
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


def test_a_folder_of_a_user_that_there_is_not_offers_nothing():
    assert completion.complete_workloads(None, None, "imagefolder:~nobody-of-that-name/ph") == []
