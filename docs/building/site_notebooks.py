"""Notebooks: their cells run in order, without Jupyter; and their pages on the site, with the outputs that are stored.

`python docs/building/site_notebooks.py FILE ...` runs notebooks and stores their outputs.
"""

import ast
import base64
import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any, Final

from site_links import ROOT, for_site

Cell = dict[str, Any]
TUTORIALS: Final = ROOT / "docs" / "tutorials"


def read(path: Path) -> list[Cell]:
    """Return the cells of a notebook."""
    cells: list[Cell] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return cells


def run(path: Path) -> list[list[Cell]]:
    """Run the code of a notebook in its own folder, and return the outputs of every cell."""
    names: dict[str, Any] = {"__name__": "notebook"}
    cells = read(path)
    with contextlib.chdir(path.parent):
        return [_run("".join(cell["source"]), names) if cell["cell_type"] == "code" else [] for cell in cells]


def _run(source: str, names: dict[str, Any]) -> list[Cell]:
    """Run one cell: what it prints, then its last value, where the last line is an expression, as Jupyter does."""
    *before, last = ast.parse(source).body
    shown = isinstance(last, ast.Expr)
    body = ast.Module(before if shown else [*before, last], type_ignores=[])
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(body, "<cell>", "exec"), names)  # noqa: S102 - a notebook of this project
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)  # noqa: S307 - the same
    outputs: list[Cell] = []
    if printed.getvalue():
        outputs.append(
            {"output_type": "stream", "name": "stdout", "text": printed.getvalue().splitlines(keepends=True)}
        )
    if value is not None:
        outputs.append({"output_type": "execute_result", "execution_count": None, "metadata": {}, "data": _data(value)})
    return outputs


def _data(value: Any) -> Cell:  # noqa: ANN401 - the value of any expression
    if hasattr(value, "savefig"):
        stream = io.BytesIO()
        value.savefig(stream, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
        return {"image/png": base64.b64encode(stream.getvalue()).decode(), "text/plain": ["<Figure>"]}
    data: Cell = {"text/plain": repr(value).splitlines(keepends=True)}
    if hasattr(value, "to_html"):
        data["text/html"] = value.to_html(border=0).splitlines(keepends=True)
    return data


def texts(outputs: list[Cell]) -> list[str]:
    """Return what outputs say, without their pictures, which differ by the versions of fonts and libraries."""
    return ["".join(output.get("text") or output["data"]["text/plain"]) for output in outputs]


def store(path: Path) -> None:
    """Run a notebook, and write its outputs into it."""
    whole = json.loads(path.read_text(encoding="utf-8"))
    for cell, outputs in zip(whole["cells"], run(path), strict=True):
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = outputs, None
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def pages() -> dict[str, str | bytes]:
    """Return the page of every notebook, and its pictures."""
    made: dict[str, str | bytes] = {}
    for path in sorted(TUTORIALS.glob("*.ipynb")):
        parts: list[str] = []
        for cell in read(path):
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                parts.append(for_site(source, f"docs/tutorials/{path.name}", f"tutorials/{path.stem}.md"))
                continue
            parts.append(f"```python\n{source}\n```")
            for output in cell["outputs"]:
                data = output.get("data", {})
                if "image/png" in data:
                    picture = f"{path.stem}-{sum(name.endswith('.png') for name in made) + 1}.png"
                    made[f"tutorials/{picture}"] = base64.b64decode(data["image/png"])
                    parts.append(f"![The figure that this cell draws]({picture})")
                elif "text/html" in data:
                    parts.append("".join(data["text/html"]))
                else:
                    parts.append(f"```text\n{''.join(output.get('text') or data['text/plain']).rstrip()}\n```")
        parts.insert(1, f"This page is a notebook: [{path.name}]({path.name}).")
        made[f"tutorials/{path.stem}.md"] = "\n\n".join(parts) + "\n"
    return made


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        store(Path(argument))
