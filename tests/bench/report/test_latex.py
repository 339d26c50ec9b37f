"""The LaTeX tables are escaped and balanced; and where there is a LaTeX, they compile and fit the page."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from planted_records import make_stacks, make_toy, make_workload, planted_record

from bench.report import formats
from bench.report.latex import escape
from bench.statistics.ranking import rank

HOSTILE = ("<script>alert(1)</script>", 'a & b_c % $ # {d} ~ ^ \\e | "f" [g]', "nsgan")

DOCUMENT = r"""
\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{array,booktabs,longtable}
\begin{document}
\input{tables.tex}
\end{document}
"""


def boards_of(names, places, seeds=6):
    rng = np.random.default_rng(0)
    records = [
        planted_record(place, name, seed, distance=float(np.exp(rng.normal(4.0, 0.5))), protocol_version="1.1")
        for place in places
        for name in names
        for seed in range(seeds)
    ]
    return rank(records, {place.name: place for place in places}, resamples=100)


def tables(text):
    """Return the alignment, and the rows, of every table."""
    found = []
    for kind in ("tabular", "longtable"):
        for alignment, body in re.findall(rf"\\begin{{{kind}}}{{([^\n]*)}}\n(.*?)\\end{{{kind}}}", text, re.S):
            rows = [line for line in body.splitlines() if line.endswith(r"\\") and "caption" not in line]
            found.append((re.sub(r">{.*?}p{.*?}", "l", alignment), rows))
    return found


def test_every_row_has_a_cell_for_every_column():
    for names in (HOSTILE, [f"m{n}" for n in range(60)]):
        found = tables(formats.to_latex(boards_of(names, [make_workload()]), "c"))
        assert len(found) >= 3
        for alignment, rows in found:
            assert set(alignment) <= {"l", "r"}
            assert alignment.count("l") == 1  # the method's name is in every piece
            assert len(rows) >= 1 + len(names)
            assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {len(alignment)}


def test_it_is_escaped_and_balanced():
    text = formats.to_latex(boards_of(HOSTILE, [make_workload()]), "c")
    assert r"b\_\allowbreak{}c" in text  # the name is long, and its line may end there
    text = text.replace(r"\allowbreak{}", "")
    assert r"a \& b\_c \% \$ \# \{d\} \textasciitilde{} \textasciicircum{} \textbackslash{}e \textbar{}" in text
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    bare = re.sub(r"\\.", "", body)
    assert bare.count("{") == bare.count("}")
    for rule in ("toprule", "midrule", "bottomrule"):
        assert rf"\{rule}" in text
    assert body.isascii()


def test_each_character_is_escaped_once():
    assert escape(r"\{") == r"\textbackslash{}\{"
    assert escape("two\n  lines") == "two lines"


def test_many_rows_go_on_over_pages():
    many, few = (
        formats.to_latex(boards_of([f"m{n}" for n in range(count)], [make_workload()]), "c") for count in (60, 3)
    )
    assert r"\begin{longtable}" in many
    assert r"\begin{table}" not in many
    assert r"\endhead" in many
    assert r"\begin{longtable}" not in few


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (HOSTILE, [make_workload()]),
        (["nsgan", "hinge + r1(gamma=1, every=16)", "wgan-gp"], [make_workload(), make_toy(), make_stacks()]),
        (["nsgan", *(f"a_rather_long_name(parameter={n}, another_parameter=0.5)" for n in range(60))], [make_toy()]),
    ],
)
def test_it_compiles_and_nothing_leaves_the_page(names, places, tmp_path):
    latex = shutil.which("pdflatex")
    if latex is None:
        pytest.skip("there is no pdflatex here: install texlive-latex-recommended")
    (tmp_path / "tables.tex").write_text(formats.to_latex(boards_of(names, places), "python -m bench leaderboard"))
    (tmp_path / "document.tex").write_text(DOCUMENT)
    command = [latex, "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "document.tex"]
    for _ in range(2):  # longtable learns its widths from the first run
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout[-2000:]
    log = (tmp_path / "document.log").read_text(errors="replace")
    too_wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide", log)]
    assert max(too_wide, default=0.0) <= 1.0
    assert "Overfull \\vbox" not in log
    assert "Float too large" not in log
