"""The probes on the command line: tables, JSON, files, and what bad input gets."""

import json
import xml.etree.ElementTree as ElementTree

import click
import pytest
from PIL import Image

from bench.cli.main import cli
from bench.cli.probe import probe

OPTIONS = {
    "dirac": "methods losses output folder format json steps step-size consensus",
    "gradients": "methods losses output folder format json workload generator updates width batch-size seed data",
}


def test_the_probes_and_their_options_are_frozen():
    assert cli.get_command(click.Context(cli), "probe") is probe
    assert sorted(probe.commands) == sorted(OPTIONS)
    for name, expected in OPTIONS.items():
        found = [max(each.opts, key=len).removeprefix("--") for each in probe.commands[name].params]
        assert found == [*expected.split(), "quiet", "verbose"], name


def test_without_a_probe_the_help_says_which_there_are(bench):
    result = bench("probe")
    assert result.exit_code == 0
    assert "gradients" in result.stdout
    assert "dirac" in result.stdout


def test_gradients_print_a_table_and_write_files(bench, tmp_path):
    result = bench(
        "probe", "gradients", "mmgan", "hinge + r1(gamma=1)", "--updates", 12, "--width", 4, "--batch-size", 8,
        "--folder", tmp_path / "out",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    for word in ("mmgan", "hinge + r1(gamma=1", "k = 0", "k = 10", "k = 12", "last/early", "below 0.1 is vanishing"):
        assert word in result.stdout
    assert "k = 100" not in result.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "gradients.csv", "gradients.png", "gradients.svg",
    ]  # fmt: skip
    assert "mmgan" in "".join(ElementTree.parse(tmp_path / "out" / "gradients.svg").getroot().itertext())
    Image.open(tmp_path / "out" / "gradients.png").verify()


def test_gradients_as_json(bench):
    result = bench("probe", "gradients", "nsgan", "--updates", 3, "--width", 4, "--batch-size", 8, "--json")
    (method,) = json.loads(result.stdout)["methods"]
    assert method["method"] == "nsgan"
    assert [point["updates"] for point in method["points"]] == [0, 1, 2, 3]


@pytest.mark.slow
def test_dirac_prints_a_table_and_writes_files(bench, tmp_path):
    result = bench("probe", "dirac", "nsgan-r1", "wgan-gp", "--steps", 80, "--consensus", 2, "--folder", tmp_path)
    assert result.exit_code == 0, result.stderr
    for word in ("nsgan-r1", "alternating, 5 D steps", "consensus, gamma 2", "overflow", "--step-size"):
        assert word in result.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dirac.csv", "dirac.png", "dirac.svg"]


@pytest.mark.slow
def test_dirac_as_json_is_json_where_numbers_overflow(bench):
    result = bench("probe", "dirac", "wgan-gp", "--steps", 400, "--consensus", 2, "--json")
    found = json.loads(result.stdout)
    assert (found["steps"], found["step_size"], found["consensus"]) == (400, 0.2, 2.0)
    schedules = ["simultaneous", "alternating", "alternating-5", "consensus"]
    assert [each["schedule"] for each in found["trajectories"]] == schedules
    assert {each["verdict"] for each in found["trajectories"]} == {"overflow"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dirac", "nsgna"], "nsgan"),
        (["dirac", "bce_ns + diffaug"], "diffaug works on images"),
        (["dirac", "nsgan", "--step-size", 0], "--step-size"),
        (["dirac", "nsgan", "--consensus", 0], "--consensus"),
        (["gradients", "nsgan", "--workload", "digit"], "did you mean 'digits'"),
        (["gradients", "nsgan", "--generator", "nothing"], "nothing cannot be read: No such file"),
        (["gradients", "nsgan", "--losses", "nothing.py"], "nothing.py"),
        (["gradient"], "gradient"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(bench, arguments, words):
    result = bench("probe", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_files_that_cannot_be_written_get_one_line(bench, tmp_path):
    (tmp_path / "taken").write_text("a file")
    for where in (("--folder", tmp_path / "taken" / "below"), ("-o", tmp_path / "taken" / "x.svg")):
        result = bench("probe", "dirac", "mmgan", "--steps", 10, *where)
        assert result.exit_code == 2
        assert "cannot write" in result.stderr


def test_a_file_is_what_its_name_says(bench, tmp_path):
    files = [tmp_path / f"dirac.{suffix}" for suffix in ("csv", "json", "svg", "png")]
    outputs = [word for file in files for word in ("-o", file)]
    result = bench("probe", "dirac", "mmgan", "--steps", 10, "--format", "csv", *outputs)
    assert result.exit_code == 0
    assert result.stdout == files[0].read_text()
    assert json.loads(files[1].read_text())["steps"] == 10
    ElementTree.parse(files[2])
    Image.open(files[3]).verify()


def test_a_folder_is_not_taken_for_a_file(bench, tmp_path):
    result = bench("probe", "dirac", "mmgan", "--output", tmp_path / "probes")
    assert result.exit_code == 2
    assert f"--folder {tmp_path / 'probes'}" in result.stderr
