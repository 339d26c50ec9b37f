"""`sample`: a picture from a stored generator, and one line where there is none."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from bench.config.trial import Trial
from bench.networks import build_generator
from bench.store.journal import Store
from bench.training.artifacts import save_generator
from bench.training.seeding import Stream


@pytest.fixture
def trial_id(results: Path) -> str:
    """A trial of the results folder that has a generator of width 8."""
    store = Store(results)
    record = store.records()[0]
    network = msgspec.structs.replace(record.spec.network, width=8)
    trial = Trial(spec=msgspec.structs.replace(record.spec, network=network), components=record.components)
    store.append(msgspec.structs.replace(record, spec=trial.spec, trial_id=trial.id))
    folder = store.artifacts_dir(trial.id)
    folder.mkdir(parents=True)
    save_generator(build_generator(network, lambda name, shape: Stream(0, name).normal(0, shape)[0]), trial, folder)
    return trial.id


def test_a_grid_of_as_many_images_as_asked_for(bench, results, trial_id, tmp_path):
    output = tmp_path / "pictures" / "grid.png"
    arguments = ["sample", trial_id[:8], "--results", results, "--device", "cpu", "--output", output]
    result = bench(*arguments, "--count", 10)
    assert result.exit_code == 0
    assert str(output) in result.stdout
    with Image.open(output) as picture:
        assert picture.size == (2 * (2 + 4 * 34), 2 * (2 + 3 * 34))
    first = output.read_bytes()
    assert bench(*arguments, "--count", 10, "--seed", 1).exit_code == 0
    assert output.read_bytes() != first
    assert [path.name for path in output.parent.iterdir()] == ["grid.png"]


def test_the_picture_lies_here_by_default(bench, results, trial_id, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert bench("sample", trial_id, "--count", 1, "--results", results, "--device", "cpu").exit_code == 0
    assert (tmp_path / f"{trial_id}.png").is_file()


def test_what_is_wrong_is_one_line(bench, results, trial_id, tmp_path):
    without = next(each.trial_id for each in Store(results).records() if each.trial_id != trial_id)
    (tmp_path / "file").write_text("")
    for arguments, words in (
        ([without], f"no generator is stored for trial {without}"),
        (["zzzz"], "no trial begins with 'zzzz'"),
        ([trial_id, "--count", "0"], "0 is not in the range"),
        ([trial_id, "--count", "100000"], "give a seed"),
        ([trial_id, "--device", "gpu"], "--device takes cpu"),
        ([trial_id, "--output", tmp_path / "file" / "grid.png"], "cannot write"),
    ):
        result = bench("sample", *arguments, "--results", results)
        assert result.exit_code == 2
        assert words in result.stderr


def test_a_damaged_generator_is_named(bench, results, trial_id):
    path = results / "artifacts" / trial_id / "generator.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    result = bench("sample", trial_id, "--results", results, "--device", "cpu")
    assert result.exit_code == 2
    assert "generator.safetensors" in result.stderr


def test_the_generator_of_another_trial_is_refused(bench, results, trial_id, tmp_path, monkeypatch):
    """Both networks are alike, so that nothing but the header tells one from the other."""
    monkeypatch.chdir(tmp_path)  # where the picture of the right one goes
    store = Store(results)
    record = next(each for each in store.records() if each.trial_id == trial_id)
    other = Trial(spec=msgspec.structs.replace(record.spec, seed=99), components=record.components)
    store.append(msgspec.structs.replace(record, spec=other.spec, trial_id=other.id))
    store.artifacts_dir(other.id).mkdir(parents=True)
    shutil.copy(store.artifacts_dir(trial_id) / "generator.safetensors", store.artifacts_dir(other.id))
    assert bench("sample", trial_id, "--results", results, "--device", "cpu").exit_code == 0
    result = bench("sample", other.id, "--results", results, "--device", "cpu")
    assert result.exit_code == 2
    assert f"is the generator of trial {trial_id}, and lies in the folder of trial {other.id}" in result.stderr


def test_what_was_written_as_json(bench, results, trial_id, tmp_path):
    output = tmp_path / "grid.png"
    given = ("--count", 1, "--results", results, "--device", "cpu", "-o", output)
    found = json.loads(bench("sample", trial_id, *given, "--json").stdout)
    assert found == {"trial": trial_id, "count": 1, "seed": None, "output": str(output)}
