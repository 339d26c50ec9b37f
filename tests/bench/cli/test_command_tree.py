"""Rules that every verb keeps, held by walking the whole tree of commands."""

import functools
import json
from importlib import import_module

import click
import pytest
from planted_kernels import noisy_kernels

from bench.cli import checks
from bench.cli.main import OVERVIEW, cli
from bench.store.journal import Store
from bench.store.kernels import KernelStore


def tree(command: click.Command = cli, words: tuple[str, ...] = ()) -> dict[tuple[str, ...], click.Command]:
    """Every command by its words, groups among them."""
    found = {words: command}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            found |= tree(inner, (*words, name))
    return found


COMMANDS = tree()
VERBS = {words: command for words, command in COMMANDS.items() if not isinstance(command, click.Group)}


def options(command: click.Command) -> dict[str, click.Parameter]:
    return {name: parameter for parameter in command.params for name in parameter.opts}


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_every_verb_is_asked_for_json_in_one_way(words):
    found = options(VERBS[words])
    choices = list(found["--format"].type.choices)
    assert (choices[0], choices[-1]) == ("table", "json")
    assert found["--json"].is_flag


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_can_be_made_quiet_and_loud(words):
    found = options(COMMANDS[words])
    assert found["-q"] is found["--quiet"]
    assert found["-v"] is found["--verbose"]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_output_is_a_file_everywhere_and_o_means_nothing_else(words):
    found = options(COMMANDS[words])
    assert found.get("-o") is found.get("--output")
    if "--output" in found:
        assert isinstance(found["--output"].type, click.Path)
        assert found["--output"].type.file_okay
        assert not found["--output"].type.dir_okay


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_fits_eighty_columns_and_every_option_says_what_it_does(bench, monkeypatch, words):
    monkeypatch.setenv("COLUMNS", "80")
    text = bench(*words, "--help").stdout
    assert max(map(len, text.splitlines())) <= 80
    for parameter in COMMANDS[words].params:
        assert isinstance(parameter, click.Argument) or parameter.help


def test_what_to_try_next_fits_eighty_columns():
    assert max(map(len, OVERVIEW.splitlines())) <= 80


@pytest.mark.parametrize("words", [words for words in VERBS if "--results" in options(VERBS[words])], ids=" ".join)
def test_the_results_folder_may_come_from_the_environment(words):
    assert options(VERBS[words])["--results"].envvar == "GAN_LOSS_BENCH_RESULTS"


JSON = {
    ("run",): ["--dry-run", "--results", "{results}"],
    ("list",): [],
    ("check",): ["{losses}"],
    ("probe", "gradients"): ["nsgan", "--updates", 2, "--width", 2, "--batch-size", 4],
    ("probe", "dirac"): ["nsgan", "--steps", 20],
    ("status",): ["--results", "{results}"],
    ("show",): ["{trial}", "--results", "{results}"],
    ("leaderboard",): ["--results", "{results}"],
    ("recommend",): ["--workload", "digits"],
    ("compare",): ["{results}", "{results}"],
    ("golden",): ["nsgan", "-o", "{folder}/golden.json"],
    ("baseline", "freeze"): ["main", "-o", "{folder}/main.jsonl", "--results", "{results}"],
    ("report",): ["--static", "--results", "{results}"],
    ("export",): ["--results", "{results}"],
    ("merge",): ["{results}", "--into", "{folder}/all"],
    ("kernels",): ["--table", "--results", "{results}"],
    ("publish",): ["{results}"],
    ("verify",): ["{results}"],
    ("atlas",): ["--check"],
    ("doctor",): ["--results", "{results}"],
}
ELSEWHERE = {("prepare",), ("sample",)}
"""What needs data or a generator is tested with its verb."""

LOSSES = """
from dataclasses import dataclass
from typing import final
import losses

@final
@losses.register("tree_hinge")
@dataclass(frozen=True)
class TreeHinge(losses.Objective):
    def discriminator(self, real_logits, fake_logits):
        return (1 - real_logits).relu().mean() + (1 + fake_logits).relu().mean()

    def generator(self, fake_logits, real_logits=None):
        return -fake_logits.mean()
"""


def test_json_is_tried_of_every_verb():
    assert JSON.keys() | ELSEWHERE == VERBS.keys()


@pytest.mark.parametrize(
    "words",
    [pytest.param(words, marks=pytest.mark.slow if words in (("doctor",), ("atlas",)) else ()) for words in JSON],
    ids=" ".join,
)
def test_stdout_is_json_and_nothing_else(bench, results, tmp_path, monkeypatch, words):
    from losses import registry

    registry.parts()
    monkeypatch.setattr(registry, "_parts", dict(registry._parts))
    monkeypatch.setattr(checks, "probe", functools.cache(checks.probe))  # doctor's processes, which import torch, once
    own = tmp_path / f"{'_'.join(words)}_losses.py"
    own.write_text(LOSSES)
    KernelStore(results).append(noisy_kernels("nsgan", 1))
    names = {
        "results": results, "folder": tmp_path, "losses": own, "trial": Store(results).records()[0].trial_id,
    }  # fmt: skip
    given = [str(each).format(**names) for each in JSON[words]]
    loud = bench(*words, *given, "--format", "json")
    assert loud.exit_code in (0, 1, 3), loud.output
    assert json.loads(loud.stdout) is not None
    if words == ("baseline", "freeze"):
        given += ["--replace"]
    quiet = bench(*words, *given, "--json", "-q")
    assert json.loads(quiet.stdout) is not None
    assert quiet.stderr == ""
    assert quiet.exit_code == loud.exit_code


@pytest.mark.parametrize("verb", ["leaderboard", "export", "kernels --table"])
@pytest.mark.parametrize("suffix", ["json", "csv"])
def test_the_name_of_a_file_says_how_it_is_written(bench, results, tmp_path, verb, suffix):
    KernelStore(results).append(noisy_kernels("nsgan", 1))
    output = tmp_path / f"x.{suffix}"
    result = bench(*verb.split(), "-o", output, "--results", results)
    assert result.exit_code == 0
    assert str(output) in result.stdout
    text = output.read_text()
    assert json.loads(text) if suffix == "json" else text.count(",") > 20


@pytest.mark.parametrize("verb", ["leaderboard", "export", "kernels --table"])
@pytest.mark.parametrize("suffix", ["txt", "TXT"])
def test_a_text_file_is_written_as_text(bench, results, tmp_path, verb, suffix):
    KernelStore(results).append(noisy_kernels("nsgan", 1))
    assert bench(*verb.split(), "-o", tmp_path / f"x.{suffix}", "--results", results).exit_code == 0
    assert bench(*verb.split(), "-o", tmp_path / "y", "--format", "table", "--results", results).exit_code == 0
    assert (tmp_path / f"x.{suffix}").read_bytes() == (tmp_path / "y").read_bytes()


@pytest.mark.parametrize(
    ("verb", "suffix", "endings"),
    [
        ("leaderboard", "parquet", ".md, .csv, .json, .tex, .html, .txt"),
        ("leaderboard", "xlsx", ".md, .csv, .json, .tex, .html, .txt"),
        ("export", "html", ".csv, .json, .parquet, .txt"),
        ("kernels --table", "tex", ".md, .csv, .json, .txt"),
    ],
)
def test_an_ending_of_no_format_of_the_verb_is_refused_and_nothing_is_written(
    bench, results, tmp_path, verb, suffix, endings
):
    KernelStore(results).append(noisy_kernels("nsgan", 1))
    output = tmp_path / f"x.{suffix}"
    result = bench(*verb.split(), "-o", output, "--results", results)
    assert result.exit_code == 2
    assert f"no format here ends in .{suffix}, but {endings} do; or choose one with --format" in result.stderr
    assert not output.exists()
    assert bench(*verb.split(), "-o", output, "--format", "csv", "--results", results).exit_code == 0
    assert output.read_text().count(",") > 20


def test_an_ending_is_refused_before_minutes_of_measuring(bench, results, tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("bench.cli.kernels"), "_measure", lambda *_: pytest.fail("it was measured"))
    result = bench("kernels", "nsgan", "-o", tmp_path / "x.png", "--results", results)
    assert result.exit_code == 2
    assert "no format here ends in .png" in result.stderr


def test_json_contradicts_another_format(bench, results):
    result = bench("leaderboard", "--json", "--format", "md", "--results", results)
    assert result.exit_code == 2
    assert "--format md contradicts" in result.stderr


def test_quiet_contradicts_verbose(bench):
    assert bench("list", "-q", "-v").exit_code == 2
    assert bench("-q", "list", "--verbose").exit_code == 2


def test_the_environment_names_the_results_folder(bench, results, monkeypatch, tmp_path):
    monkeypatch.setenv("GAN_LOSS_BENCH_RESULTS", str(results))
    there = bench("leaderboard", "--json")
    assert json.loads(there.stdout)["tables"]
    monkeypatch.setenv("GAN_LOSS_BENCH_RESULTS", str(tmp_path / "nothing"))
    assert str(tmp_path / "nothing") in bench("leaderboard").stderr
    assert bench("leaderboard", "--results", results, "--json").stdout == there.stdout


def test_verbose_shows_the_traceback_of_an_unexpected_error(bench, monkeypatch):
    def fail(*_):
        raise RuntimeError("boom")

    monkeypatch.setattr("bench.cli.reading.read_records", fail)
    assert isinstance(bench("leaderboard", "-v", "--results", "x").exception, RuntimeError)
    assert bench("leaderboard", "--results", "x").exit_code == 1
    assert isinstance(bench("-v", "leaderboard", "--results", "x").exception, RuntimeError)
