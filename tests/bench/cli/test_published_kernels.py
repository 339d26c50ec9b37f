"""The published kernel timings verify, and what is off about such a folder is found."""

import json
import os
import shutil
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "results" / "published" / "kernels"

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="the published records are not part of this copy")


@pytest.fixture
def folder(tmp_path):
    copy = tmp_path / "kernels"
    shutil.copytree(FOLDER, copy)
    return copy


def record(folder):
    return sorted((folder / "kernels").iterdir())[0]


def test_what_is_published_verifies(bench):
    result = bench("verify", FOLDER)
    assert result.exit_code == 0, result.output
    assert f"fine ({len(list((FOLDER / 'kernels').iterdir()))} records)" in result.stdout


def test_what_a_revision_had_of_timings_is_not_known_and_not_called_fine(bench):
    result = bench("verify", FOLDER, "--since", "HEAD")
    assert result.exit_code == 2
    assert "holds kernel timings, which have no manifest" in result.stderr


def test_the_table_of_the_readme_has_a_line_for_each_record(bench):
    result = bench("kernels", "--table", "--format", "md", "--results", FOLDER)
    assert result.exit_code == 0, result.output
    rows = [line for line in result.stdout.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(list((FOLDER / "kernels").iterdir()))


def another_time(folder):
    found = json.loads(record(folder).read_bytes())
    timing = next(each for each in found["timings"] if each["path"] == "d_step")
    timing["blocks"] = [3 * seconds for seconds in timing["blocks"]]
    record(folder).write_text(json.dumps(found))


def another_batch(folder):
    found = json.loads(record(folder).read_bytes())
    found["setting"]["batch_size"] = 65
    record(folder).write_text(json.dumps(found))


def edited_table(folder):
    readme = folder / "README.md"
    readme.write_text(readme.read_text().replace("| nsgan |", "| nsgan | 1.0 |", 1))


def moved(path):
    path.rename(path.parents[2] / "elsewhere")
    return path


def link(path):
    moved(path).symlink_to(path.parents[2] / "elsewhere")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("tamper", "words"),
    [
        (another_time, "README.md: has tables that do not follow from the records"),
        (another_batch, "one of them was edited; restore it as it was recorded"),
        (edited_table, "README.md: has tables that do not follow from the records"),
        (lambda folder: record(folder).unlink(), "README.md: has tables that do not follow from the records"),
        (lambda folder: record(folder).write_text("{}"), ".json"),
        (lambda folder: (folder / "README.md").unlink(), "README.md: is missing"),
        (lambda folder: (folder / "trace.json").write_text("{}"), "trace.json: does not belong"),
        (lambda folder: (folder / "kernels" / "x.txt").write_text("x"), "kernels/x.txt"),
        (lambda folder: [path.unlink() for path in (folder / "kernels").iterdir()], "kernels: there are none"),
        (lambda folder: os.mkfifo(moved(record(folder))), ".json: cannot be read: it is a named pipe"),
        (lambda folder: moved(record(folder)).mkdir(), ".json: cannot be read: it is a folder"),
        (lambda folder: link(record(folder)), ".json: is a symbolic link"),
        (lambda folder: link(folder / "README.md"), "README.md: is a symbolic link"),
        (lambda folder: (folder / "README.md").write_bytes(b"\xff\xfe"), "README.md: is no text"),
    ],
)
def test_what_is_off_is_found(bench, folder, tamper, words):
    tamper(folder)
    result = bench("verify", folder)
    assert result.exit_code == 1
    assert words in result.stdout
