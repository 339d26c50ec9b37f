"""The notebooks run, and say what is stored in them."""

import json
import shutil
from pathlib import Path

import pytest
import site_notebooks
from site_notebooks import TUTORIALS, pages, read, run, texts

from losses import contract
from losses.registry import import_file, parts

pytestmark = pytest.mark.usefixtures("scratch_registry")


@pytest.fixture(autouse=True)
def without_a_gpu(monkeypatch):
    """The contract makes one more check where there is one, and the notebooks were stored without."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


def stored(path):
    return [texts(cell.get("outputs", [])) for cell in read(path)]


def test_the_notebook_on_three_losses_says_what_is_stored():
    path = TUTORIALS / "compare-three-losses.ipynb"
    assert [texts(outputs) for outputs in run(path)] == stored(path)


def test_the_notebook_on_three_losses_runs_on_a_folder_of_the_readers_own(tmp_path):
    """Such a folder has records alone: `publish` writes the tables."""
    path = TUTORIALS / "compare-three-losses.ipynb"
    whole = (TUTORIALS.parents[1] / "results" / "published" / "network" / "records").iterdir()
    (tmp_path / "results" / "local" / "records").mkdir(parents=True)
    for record in whole:
        shutil.copy(record, tmp_path / "results" / "local" / "records")
    text = path.read_text(encoding="utf-8")
    (tmp_path / path.name).write_text(text.replace("../../results/published/network", "results/local"), "utf-8")
    assert [texts(outputs) for outputs in run(tmp_path / path.name)] == stored(path)


def test_the_loss_of_the_other_notebook_is_one_class_in_a_file_as_its_last_cell_says(tmp_path):
    cells = ["".join(cell["source"]) for cell in read(TUTORIALS / "design-a-loss.ipynb")]
    draft = cells[1].partition("\nfindings = ")[0]
    mended = draft.replace("return fake", "return -fake").replace("smooth_hinge_draft", "smooth_hinge")
    (tmp_path / "my_losses.py").write_text(mended.replace('"smooth_hinge"', '"smooth_hinge_in_a_file"'), "utf-8")
    assert "the draft with its imports, with the generator's corrected sign" in " ".join(cells[-1].split())
    import_file(tmp_path / "my_losses.py")
    assert all(finding.state == "passed" for finding in contract.examine(parts()["smooth_hinge_in_a_file"]))


def test_the_contract_finds_the_mistake_of_the_draft_and_none_in_the_loss(tmp_path):
    cells = read(TUTORIALS / "design-a-loss.ipynb")
    before = next(number for number, cell in enumerate(cells) if "dirac" in "".join(cell["source"]))
    short = tmp_path / "short.ipynb"
    short.write_text(json.dumps({"cells": cells[:before]}), encoding="utf-8")
    assert [texts(outputs) for outputs in run(short)] == stored(short)
    assert "signs - dL_G/db has the wrong sign" in str(stored(short))


@pytest.mark.slow
def test_the_notebook_on_a_new_loss_says_what_is_stored():
    path = TUTORIALS / "design-a-loss.ipynb"
    assert [texts(outputs) for outputs in run(path)] == stored(path)


@pytest.mark.parametrize("path", sorted(TUTORIALS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_page_of_a_notebook_has_its_cells_and_outputs(path):
    page = pages()[f"tutorials/{path.stem}.md"]
    for cell in read(path):
        if cell["cell_type"] == "code":
            assert f"```python\n{''.join(cell['source'])}\n```" in page
            assert cell["outputs"], "stored without having been run"
    figures = [name for name in pages() if name.startswith(f"tutorials/{path.stem}-")]
    assert len(figures) == 1
    assert f"]({figures[0].removeprefix('tutorials/')})" in page
    assert pages()[figures[0]].startswith(b"\x89PNG")


def test_a_cell_that_fails_stops_the_run(tmp_path):
    path = tmp_path / "failing.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": ["1 / 0"]}]}), encoding="utf-8")
    with pytest.raises(ZeroDivisionError):
        run(path)


def test_what_a_cell_says_is_stored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inner").mkdir()
    path = Path("inner") / "short.ipynb"
    cell = {"cell_type": "code", "source": ["x = 2\n", "print('so')\n", "x + 1"]}
    path.write_text(json.dumps({"cells": [cell, {"cell_type": "markdown", "source": ["x"]}]}), encoding="utf-8")
    site_notebooks.store(path)
    assert stored(path) == [["so\n", "3"], []]
