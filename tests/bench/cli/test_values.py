"""What no value of an option may be, whichever command it belongs to."""

import json

import click
import pytest

from bench.cli.main import cli
from bench.cli.values import FiniteRange, GivenPath


def options(command, place=()):
    """Yield every option and argument of the whole command line, with the words that lead to it."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from options(command.get_command(context, name), (*place, name))
    else:
        yield from ((" ".join(place), param) for param in command.params)


def test_no_option_takes_a_number_that_is_not_finite_or_an_empty_path():
    lenient = [
        (place, param.name)
        for place, param in options(cli)
        if (isinstance(param.type, click.types.FloatParamType) and not isinstance(param.type, FiniteRange))
        or (isinstance(param.type, click.Path) and not isinstance(param.type, GivenPath))
    ]
    assert lenient == []


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "NaN", "1e999"])
def test_a_number_is_finite(bench, text):
    result = bench("probe", "dirac", "nsgan", "--step-size", text)
    assert result.exit_code == 2
    assert "--step-size" in result.stderr


def test_a_number_and_a_path_are_taken_as_they_are(tmp_path):
    assert FiniteRange(min=0, min_open=True)("0.25") == 0.25
    assert GivenPath(path_type=type(tmp_path))(str(tmp_path)) == tmp_path
    assert GivenPath(path_type=type(tmp_path))(".") == type(tmp_path)()


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_tilde_is_the_home_where_no_shell_has_seen_to_it(bench, tmp_path, monkeypatch, how):
    """A folder that is called ~ is made soon, and removed with much else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    if how == "variable":
        monkeypatch.setenv("GAN_LOSS_BENCH_RESULTS", "~/runs")
    plan = bench("run", "--dry-run", "--json", *(["--results=~/runs"] if how == "option" else []))
    assert json.loads(plan.stdout)["results"] == str(tmp_path / "home" / "runs")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (
            "--results",
            "~nobody-of-that-name/x: there is no user of that name; write the path of the folder in full, or ./~",
        ),
        ("--inception-weights", "or ./~nobody-of-that-name/x"),
        ("--suite", "there is no user of that name"),
    ],
)
def test_the_home_of_nobody_is_no_path(bench, tmp_path, monkeypatch, option, said):
    monkeypatch.chdir(tmp_path)
    result = bench("run", "--dry-run", f"{option}=~nobody-of-that-name/x")
    assert result.exit_code == 2
    assert said in result.stderr


def test_other_paths_know_the_home_too(bench, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    weights = bench("run", "--dry-run", "--also-in=vgg16=~/weights.pth")
    assert f"{tmp_path / 'weights.pth'}" in weights.stderr
    assert f"the suite file {tmp_path / 'mine.toml'}" in bench("status", "--suite=~/mine.toml").stderr
    assert str(tmp_path / "made") in bench("run", "--method", "nsgan", "--against=~/made").stderr


@pytest.mark.parametrize(
    "words",
    [
        ("leaderboard", "--results", ""),
        ("merge", "", "--into", "all"),
        ("verify", ""),
        ("run", "--method", "nsgan", "--against", ""),
    ],
)
def test_an_empty_path_is_not_the_current_folder(bench, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    result = bench(*words)
    assert result.exit_code == 2
    assert "it is empty, as an unset variable is; write . for the current folder" in result.stderr
