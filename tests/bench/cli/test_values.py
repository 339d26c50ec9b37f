"""What no value of an option may be, whichever command it belongs to."""

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
