"""The atlas on disk: that it is up to date, that its links lead somewhere, and what the generator leaves alone."""

import re
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from bench.atlas import files, pages, pictures
from bench.atlas.entries import library
from bench.atlas.families import FAMILIES, family_of, family_of_method
from bench.atlas.markdown import anchor, number, prose, table
from bench.cli.main import cli
from bench.config.commands import command
from losses import get, registry
from losses.catalogue import CATALOGUE

LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    """A copy of the atlas of this checkout."""
    folder = tmp_path_factory.mktemp("docs") / "atlas"
    shutil.copytree(files.directory(), folder)
    return folder


@pytest.fixture
def copy(atlas, tmp_path):
    return shutil.copytree(atlas, tmp_path / "atlas")


def test_the_atlas_says_what_the_library_does():
    assert files.stale(files.directory()) == [], f"fix it with: {command('atlas')}"


def test_every_link_leads_to_a_file_and_a_heading(atlas):
    headings = {
        path.name: {anchor(line.lstrip("# ")) for line in path.read_text().splitlines() if line.startswith("#")}
        for path in atlas.glob("*.md")
    }
    checked = 0
    for path in atlas.glob("*.md"):
        for target in LINK.findall(path.read_text()):
            if target.startswith("https://"):
                assert re.fullmatch(r"https://arxiv\.org/abs/\d{4}\.\d{4,5}", target), target
                continue
            name, _, fragment = target.partition("#")
            assert (atlas / name).is_file(), f"{path.name}: {target}"
            assert not fragment or fragment in headings[name], f"{path.name}: {target}"
            checked += 1
    assert checked > 500


def test_every_part_and_method_has_one_entry(atlas):
    text = "\n".join(path.read_text() for path in sorted(atlas.glob("*.md")))
    for part in library():
        assert text.count(f"\n## {part.name}\n") == 1, part.name
        assert (atlas / f"{family_of(part).page}.md").read_text().count(f"\n## {part.name}\n") == 1
    for name in CATALOGUE:
        assert text.count(f"\n## Method: {name}\n") == 1, name


def test_every_method_has_one_row_in_the_index(atlas):
    rows = [
        line
        for line in (atlas / "index.md").read_text().splitlines()
        if line.startswith("| [") and line.count("|") == 8
    ]
    assert len(rows) == len(CATALOGUE)
    by_name = {row.split("](")[0].removeprefix("| ["): row for row in rows}
    assert by_name["wgan-gp"] == (
        "| [wgan-gp](gradient-penalty.md#method-wgan-gp) | `wasserstein + gp1` | 0 | −1 | **3 / 1 / 1** | 1 / 0 / 1 "
        "| invalid |"
    )
    assert by_name["fgan-js"].startswith(
        "| [fgan-js](f-divergence.md#method-fgan-js) → nsgan | `fgan_js` | 0 | −0.953 |"
    )
    assert "| **−0.0474** |" in by_name["mmgan"]
    assert "| – |" in by_name["realness-gan"]


def test_a_method_lives_with_its_first_part_that_is_no_objective():
    assert family_of_method(get("wgan-gp")).page == "gradient-penalty"
    assert family_of_method(get("hinge")).page == "hinge"
    assert family_of_method(get("sngan")).page == "normalization"
    assert family_of_method(get("r3gan")).page == "zero-centered"


def test_every_module_of_the_library_has_a_family_with_members():
    assert {part.__module__ for part in library()} == set(FAMILIES)
    assert len({family.page for family in FAMILIES.values()}) == len(FAMILIES)


def test_a_module_without_a_family_is_named():
    class Stranger:
        pass

    with pytest.raises(ValueError, match="has no family: give it a title"):
        family_of(Stranger)


def test_every_scalar_objective_has_a_small_picture(atlas):
    names = {path.stem for path in (atlas / "pictures").glob("*.svg")}
    assert names == {each.name for each in pages.scalar_objectives()}
    for path in (atlas / "pictures").glob("*.svg"):
        drawn = path.read_text()
        assert len(drawn) <= 25_000, path.name
        assert "<text" in drawn
        assert "L_G by b" in drawn
        assert "font-family: sans-serif" in drawn


def luminance(color):
    channels = [int(color[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("page", ["#ffffff", "#0d1117"])
def test_every_colour_stands_out_on_white_and_on_dark(atlas, page):
    drawn = (atlas / "pictures" / "bce_ns.svg").read_text()
    colors = set(re.findall(r"#[0-9a-f]{6}\b", drawn))
    assert len(colors) == 4
    for color in colors:
        light, dark = sorted((luminance(color), luminance(page)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 2.9, color  # WCAG asks 3 of graphics


@pytest.mark.slow
def test_a_picture_is_the_same_bytes_in_another_process():
    program = (
        "import sys; from bench.atlas import pictures; from losses import registry; "
        "sys.stdout.buffer.write(pictures.draw(registry.part('fgan_kl')()).encode())"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert other.decode() == pictures.draw(registry.part("fgan_kl")())


def test_what_is_missing_outdated_or_orphaned_is_listed(copy):
    (copy / "hinge.md").unlink()
    page = copy / "logistic.md"
    page.write_text(page.read_text().replace("1.39", "1.38"))
    (copy / "gone.md").write_text(f"{pages.MARK}\n\n# A family that is no more\n")
    (copy / "pictures" / "lsgan.svg").unlink()
    picture = copy / "pictures" / "hinge.svg"
    picture.write_text(pictures._STAMP.sub("curves 0123456789abcdef, style 1", picture.read_text()))
    shutil.copy(copy / "pictures" / "bce_ns.svg", copy / "pictures" / "gone.svg")
    assert files.stale(copy) == [
        "gone.md", "hinge.md", "logistic.md", "pictures/gone.svg", "pictures/hinge.svg", "pictures/lsgan.svg",
    ]  # fmt: skip


@pytest.mark.slow
def test_generating_mends_it_and_leaves_what_people_wrote(copy):
    by_hand = (copy / pages.NOT_INCLUDED).read_text()
    (copy / "notes.md").write_text("# Mine\n")
    (copy / "pictures" / "mine.svg").write_text("<svg/>")
    (copy / "hinge.md").unlink()
    (copy / "gone.md").write_text(f"{pages.MARK}\n")
    files.generate(copy)
    assert files.stale(copy) == []
    assert not (copy / "gone.md").exists()
    assert (copy / "notes.md").read_text() == "# Mine\n"
    assert (copy / "pictures" / "mine.svg").exists()
    assert (copy / pages.NOT_INCLUDED).read_text() == by_hand


def test_the_check_names_the_stale_files_and_the_command_that_mends_them(copy):
    (copy / "index.md").write_text("old\n")
    result = CliRunner().invoke(cli, ["atlas", "--check", "--folder", str(copy)])
    assert result.exit_code == 1
    assert f"out of date: {copy / 'index.md'}\n" in result.stderr
    assert f"fix it with: python -m bench atlas --folder {copy}" in result.stderr


def test_the_check_passes_on_an_atlas_that_is_up_to_date():
    result = CliRunner().invoke(cli, ["atlas", "--check"])
    assert result.exit_code == 0
    assert result.stdout == f"up to date: {files.directory()}\n"


def test_outside_a_checkout_the_folder_has_to_be_named(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "directory", lambda: tmp_path / "docs" / "atlas")
    result = CliRunner().invoke(cli, ["atlas"])
    assert result.exit_code == 2
    assert "name a folder with --folder" in result.stderr
    assert not list(tmp_path.iterdir())


def test_prose_keeps_formulas_and_links_what_it_knows():
    assert prose("|x_r|^2 * [a < b] and `fm`", {"fm": "matching.md#fm"}) == (
        r"\|x_r\|^2 \* \[a &lt; b\] and [`fm`](matching.md#fm)"
    )
    assert prose("arXiv:1406.2661, 5") == "[arXiv:1406.2661](https://arxiv.org/abs/1406.2661), 5"
    assert prose("x_r, mean_{f} and `a|b`") == r"x_r, mean\_{f} and `a\|b`"


@pytest.mark.parametrize(
    ("value", "written"), [(1.38629, "1.39"), (-0.04743, "−0.0474"), (0.0, "0"), (-0.0, "0"), (-4.0, "−4"), (None, "–")]
)
def test_numbers_have_three_digits_and_a_true_minus(value, written):
    assert number(value) == written


def test_a_table_sets_numbers_to_the_right():
    assert table(["x", "y"], [["a", "1"]], numeric=[1]) == ["| x | y |", "| --- | --: |", "| a | 1 |", ""]
