"""List, and what completion of a command line takes from it."""

import json
import re

import pytest
from click.shell_completion import ShellComplete

from bench.cli.main import cli
from losses import registry
from losses.revisions import revision_of


def test_list_names_everything(bench, index):
    text = bench("list").stdout
    for words in ("methods", "nsgan-r1", "digits", "quick", "bce_ns", "precision"):
        assert words in text


def test_list_tells_the_revision_of_a_part_to_programs_alone(bench):
    rows = json.loads(bench("list", "parts", "--json").stdout)
    assert {row["name"]: row["revision"] for row in rows} == {
        name: str(revision_of(part)) for name, part in registry.parts().items()
    }
    assert "revision" not in json.loads(bench("list", "methods", "--json").stdout)[0]
    first = bench("list", "parts").stdout.splitlines()[0]
    assert first.split()[1] in ("objective", "regularizer", "transform", "constraint")
    assert not re.search(r"\b1\b", first.split("  ")[1])


@pytest.mark.parametrize("kind", ["methods", "workloads", "suites", "parts", "metrics"])
def test_list_as_json(bench, index, kind):
    rows = json.loads(bench("list", kind, "--json").stdout)
    assert rows
    assert all(row["name"] for row in rows)
    assert set(json.loads(bench("list", "--json").stdout)) == {"methods", "workloads", "suites", "parts", "metrics"}


def test_the_steps_of_a_workload_are_a_number_for_programs(bench):
    steps = {row["name"]: row["steps"] for row in json.loads(bench("list", "workloads", "--json").stdout)}
    assert steps["digits"] == 3000
    assert re.search(r"^digits +3,000 ", bench("list", "workloads").stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "incomplete", "expected"),
    [
        (["run", "--method"], "ns", ["nsgan", "nsgan-r1"]),
        (["run", "--workload"], "dig", ["digits"]),
        (["run", "--workload"], "im", ["imagefolder:"]),
        (["status", "--suite"], "qu", ["quick"]),
    ],
)
def test_shell_completion(index, arguments, incomplete, expected):
    completion = ShellComplete(cli, {}, "bench", "_BENCH_COMPLETE")
    assert [item.value for item in completion.get_completions(arguments, incomplete)] == expected


def test_shell_completion_offers_the_folders_of_images(tmp_path, monkeypatch):
    for name in ("cats/kittens", "cars", ".hidden"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "cat.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    completion = ShellComplete(cli, {}, "bench", "_BENCH_COMPLETE")

    def offered(incomplete):
        return [item.value for item in completion.get_completions(["run", "--workload"], f"imagefolder:{incomplete}")]

    assert offered("") == ["imagefolder:cars/", "imagefolder:cats/"]
    assert offered("cat") == ["imagefolder:cats/"]
    assert offered(f"{tmp_path}/cats/") == [f"imagefolder:{tmp_path}/cats/kittens/"]
    assert offered("nowhere/") == []


def test_the_list_says_how_a_folder_of_images_is_named(bench, index):
    text = bench("list", "workloads").stdout
    assert "imagefolder:PATH[?size=64]" in text
    assert "cifar10" in text
