"""The group of verbs: what there is, how fast it starts, and what bad input gets."""

import os
import subprocess
import sys
from importlib.resources import files
from typing import get_args

import click
import pytest

from bench.cli.main import VERBS, cli
from bench.config.trial import DiscriminatorNorm, Precision
from bench.store.kernels import Mode

HEAVY = ("torch", "torchvision", "pandas", "scipy", "matplotlib", "sklearn", "jinja2", "rich")

OPTIONS = {
    "run": "suite method losses workload seeds steps d-norm allow-invalid set "
    "device executor workers address cpus gpus memory gpu-model capture trials-per-process shard against results "
    "data inception inception-weights also-in dry-run progress format json",
    "prepare": "workloads retrain device also-in data format json",
    "list": "kind format json",
    "check": "file format json",
    "probe": "",
    "status": "suite method losses workload seeds steps d-norm allow-invalid set results data format json",
    "show": "trial results format json",
    "sample": "trial count output seed results device format json",
    "leaderboard": "format json results output",
    "recommend": "workload images budget format json",
    "compare": "base new stage flagged threshold allow-improvement allow-missing losses format json output",
    "golden": "methods losses output format json",
    "baseline": "",
    "report": "results data output static png svg format json",
    "export": "format json results output",
    "merge": "folders into format json",
    "kernels": "methods losses device batch size d-norm precision mode results table format json output trace nvtx",
    "publish": "folder from suite describe-images format json",
    "verify": "folders since rerun up-to-first-evaluation reruns images losses data format json",
    "atlas": "check folder format json",
    "doctor": "results data format json",
}
"""The command line is an interface: scripts stand on it. A name that goes is a breaking change."""


def test_both_packages_say_that_they_are_typed():
    assert all((files(package) / "py.typed").is_file() for package in ("bench", "losses"))


def test_the_verbs_and_their_options_are_frozen():
    context = click.Context(cli)
    assert list(VERBS) == list(OPTIONS)
    for verb, expected in OPTIONS.items():
        command = cli.get_command(context, verb)
        found = [
            max(parameter.opts, key=len).removeprefix("--") for parameter in command.params if parameter.name != "help"
        ]
        assert found == [*expected.split(), "quiet", "verbose"], verb


@pytest.mark.parametrize(
    ("option", "words"),
    [("d_norm", DiscriminatorNorm), ("precision", Precision), ("modes", Mode)],
    ids=["d_norm", "precision", "mode"],
)
def test_a_choice_is_of_all_that_the_records_can_have(option, words):
    context = click.Context(cli)
    found = {
        verb: tuple(parameter.type.choices)
        for verb in VERBS
        for parameter in cli.get_command(context, verb).params
        if parameter.name == option and isinstance(parameter.type, click.Choice)
    }
    assert "kernels" in found
    assert found == dict.fromkeys(found, get_args(words))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("probe", "dirac", "--method", "nsgan"),
            "methods stand by themselves: python -m bench probe dirac [METHOD]...",
        ),
        (("kernels", "--method", "nsgan"), "methods stand by themselves: python -m bench kernels [METHOD]..."),
        (("prepare", "--workload", "digits"), "workloads stand by themselves: python -m bench prepare WORKLOAD..."),
        (("check", "--file", "a.py"), "files stand by themselves: python -m bench check FILE"),
        (("run", "my_losses.py"), "a method is named with --method, a file of your own losses with --losses"),
        (("run", "--sed", "3"), "No such option '--sed'. (Did you mean one of: '--seeds'"),
        (("doctor", "--method", "nsgan"), "No such option '--method'; see python -m bench doctor --help"),
        (("doctor", "nsgan"), "unexpected extra argument (nsgan)\n"),
        (("run", "--method", "hing", "--dry-run"), 'did you mean "hinge"?); `python -m bench list` lists all'),
    ],
)
def test_what_stands_in_the_wrong_place_is_told_where_it_belongs(bench, arguments, words):
    assert words in bench(*arguments).stderr


def test_no_verb_prints_what_to_try_next(bench):
    result = bench()
    assert result.exit_code == 0
    for command in ("python -m bench run", "--method", "python -m bench doctor"):
        assert command in result.stdout


def test_help_lists_every_verb_with_a_whole_sentence(bench):
    text = bench("--help").stdout
    for verb in VERBS:
        assert f"\n  {verb} " in text
    assert "..." not in text.partition("Commands:")[2]


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_has_help(bench, verb):
    result = bench(verb, "--help")
    assert result.exit_code == 0
    assert "Usage: python -m bench" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["leaderbord"], "did you mean 'leaderboard'?"),
        (["leaderboard", "--formt", "md"], "Did you mean '--format'?"),
        (["leaderboard", "--format", "xml"], "'xml' is not one of"),
        (["show"], "Missing argument 'TRIAL'"),
        (["list", "nonsense"], "'nonsense' is not one of"),
        (["run", "--seeds", "0"], "--seeds"),
        (["run", "--seeds", "many"], "'many' is not a valid integer"),
        (["run", "--d-norm", "batch"], "'batch' is not one of"),
        (["run", "--suite", "quik"], "did you mean 'quick'?"),
        (["run", "--set", "batch_size"], "KEY=VALUE"),
        (["run", "--set", "batchsize=2"], "did you mean 'batch_size'?"),
        (["run", "--set", "batch_size=two"], "batch_size='two'"),
        (["status", "--suite", "nothing.toml"], "nothing.toml"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(bench, arguments, words):
    result = bench(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (PermissionError(13, "Permission denied", "/a/b"), 2, "error: /a/b: Permission denied\n"),
        (OSError(36, "File name too long", "/a/b"), 2, "error: /a/b: File name too long\n"),
        (OSError(28, "No space left on device", "/a/b"), 1, "error: /a/b: No space left on device\n"),
        (OSError(5, "Input/output error"), 1, "error: what is printed cannot be written: Input/output error\n"),
    ],
)
def test_an_error_of_the_system_is_one_line_with_its_path(bench, monkeypatch, error, code, words):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("bench.config.suite.suite_names", fail)
    result = bench("list", "suites")
    assert (result.exit_code, result.stderr) == (code, words)


def test_an_unexpected_error_is_one_line_and_exit_code_1(bench, monkeypatch):
    def fail(*_):
        raise RuntimeError("boom")

    monkeypatch.setattr("bench.cli.reading.read_records", fail)
    result = bench("leaderboard")
    assert result.exit_code == 1
    assert result.stderr == ("error: RuntimeError: boom (unexpected; set GAN_LOSS_BENCH_DEBUG=1 for the traceback)\n")


def test_the_traceback_can_be_asked_for(bench, monkeypatch):
    def fail(*_):
        raise RuntimeError("boom")

    monkeypatch.setattr("bench.cli.reading.read_records", fail)
    runner = bench
    monkeypatch.setenv("GAN_LOSS_BENCH_DEBUG", "1")
    assert isinstance(runner("leaderboard").exception, SystemExit | RuntimeError)


@pytest.mark.parametrize("arguments", [["--help"], [], ["list", "workloads"], ["list", "suites"], ["run", "--help"]])
def test_help_and_list_import_nothing_heavy(arguments):
    code = (
        "import sys\n"
        "from bench.cli.main import cli\n"
        f"cli.main({arguments!r}, standalone_mode=False)\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["list", "workloads"]])
def test_help_and_list_start_at_once(arguments):
    spent = []
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, "-m", "bench", *arguments], capture_output=True, check=True)
        after = os.times()  # the child's CPU time, not the clock on the wall: a busy machine is no failure
        spent.append(sum(after[2:4]) - sum(before[2:4]))
    assert 0.0 < min(spent) < 1.0  # about 0.15 s; half a second on the wall is what is promised


@pytest.mark.slow
def test_a_reader_that_leaves_early_is_no_error(results):
    command = f"{sys.executable} -m bench leaderboard --format csv --results {results} | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("table,rank")
    assert done.stderr == ""
