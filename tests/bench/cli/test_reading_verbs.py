"""The verbs that read records: leaderboard, export, report, show, list."""

import csv
import io
import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import msgspec
import pandas as pd
import pytest
from idx_files import write_tiny_files
from PIL import Image
from planted_kernels import noisy_kernels
from planted_records import make_workload, planted_record
from synthetic import World, make, write

from bench import data
from bench.store.journal import Store
from bench.store.kernels import KernelStore

READERS = ["leaderboard", "report", "export"]


@pytest.mark.parametrize("verb", [*READERS, "show"])
def test_an_empty_folder_says_how_to_fill_it(bench, tmp_path, verb):
    result = bench(verb, *(["abc"] if verb == "show" else []), "--results", tmp_path)
    assert result.exit_code == 2
    assert "python -m bench run" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", READERS)
def test_a_damaged_record_is_named(bench, results, verb):
    damaged = results / "records" / f"{'a' * 16}.0.json"
    damaged.write_text("{")
    result = bench(verb, "--results", results)
    assert result.exit_code == 2
    assert damaged.name in result.stderr


@pytest.mark.parametrize("verb", [*READERS, "show"])
@pytest.mark.parametrize("distance", [-5.0, 0.0, -1e308])
def test_a_record_that_no_run_leaves_behind_is_named(bench, results, verb, distance):
    sound = next(record for record in Store(results).records() if record.status == "ok")
    edited = msgspec.structs.replace(sound, metrics={**sound.metrics, "distance": distance})
    path = results / "records" / f"{sound.trial_id}.0.json"
    path.write_bytes(msgspec.json.encode(edited))
    result = bench(verb, *([sound.trial_id] if verb == "show" else []), "--results", results)
    assert result.exit_code == 2
    assert f"records/{path.name}: distance is {distance:g} and must be above 0" in result.stderr
    assert "restore it, or delete it to have its trial run again" in result.stderr


@pytest.mark.parametrize("floor", [0.0, None, 8000.0])
def test_a_workload_without_a_scale_costs_its_own_score_alone(bench, tmp_path, floor):
    made = make(World(methods=("nsgan", "hinge"), workloads=("digits", "mnist")), 3)
    digits = write([each for each in made if each.spec.workload == "digits"], tmp_path / "digits")
    results = write(made, tmp_path / "both")
    for record in Store(results).records():
        if record.spec.workload == "mnist":
            edited = msgspec.structs.replace(record, metrics={**record.metrics, "distance_floor": floor})
            write([edited], results)
    before = json.loads(bench("leaderboard", "--format", "json", "--results", digits).stdout)["tables"][0]["rows"]
    result = bench("leaderboard", "--format", "json", "--results", results)
    assert result.exit_code == 0
    (table,) = json.loads(result.stdout)["tables"]
    assert set(table["measures"]) == {"digits", "mnist"}
    assert [(row["method"], row["score"]) for row in table["rows"]] == [(row["method"], row["score"]) for row in before]
    assert any(note.startswith("mnist is in no score, of any method: ") for note in table["notes"])
    shown = bench("leaderboard", "--results", results)
    assert shown.exit_code == 0
    assert "mnist is in no score" in shown.stdout
    page = results / "report.html"
    assert bench("report", "--static", "--results", results).exit_code == 0
    assert "mnist is in no score" in page.read_text()


def test_with_no_workload_left_the_leaderboard_says_so_and_is_no_error(bench, tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    for method in ("nsgan", "hinge"):
        made = planted_record(make_workload(), method, metrics={"distance_floor": 0.0})
        (folder / f"{made.trial_id}.0.json").write_bytes(msgspec.json.encode(made))
    result = bench("leaderboard", "--results", tmp_path)
    assert result.exit_code == 0
    assert "No workload is left to score on: nothing is ranked." in " ".join(result.stdout.split())
    shown = bench("show", made.trial_id, "--results", tmp_path)
    assert shown.exit_code == 0
    assert "score                 none: " in shown.stdout
    assert "hold out images that are no copies" in shown.stdout
    assert bench("report", "--static", "--results", tmp_path).exit_code == 0
    words = "not ranked, as no workload has a scale to score on"
    assert words in (tmp_path / "report.html").read_text()


def test_leaderboard_prints_a_table_with_its_notes(bench, results, planted_order):
    result = bench("leaderboard", "--results", results)
    assert result.exit_code == 0
    places = [result.stdout.index(method) for method in ("wgan-gp", "mmgan")]
    assert places == sorted(places)
    assert "Below 5 seeds nothing is ranked" in result.stdout
    assert "1/3" in result.stdout


def test_leaderboard_formats_agree(bench, results, planted_order):
    table = json.loads(bench("leaderboard", "--format", "json", "--results", results).stdout)["tables"][0]
    rows = list(csv.DictReader(io.StringIO(bench("leaderboard", "--format", "csv", "--results", results).stdout)))
    markdown = bench("leaderboard", "--format", "md", "--results", results).stdout
    methods = [row["method"] for row in table["rows"]]
    assert methods == [row["method"] for row in rows] == list(planted_order)
    assert all(f"| {method} |" in markdown for method in methods)


def test_export_writes_one_row_a_trial(bench, results, tmp_path):
    for style in ("csv", "parquet"):
        output = tmp_path / "out" / f"table.{style}"
        result = bench("export", "--format", style, "--output", output, "--results", results)
        assert result.exit_code == 0
        assert f"12 trials: {output}" in result.stdout
    from_csv, from_parquet = pd.read_csv(tmp_path / "out/table.csv"), pd.read_parquet(tmp_path / "out/table.parquet")
    assert len(from_csv) == len(from_parquet) == 12
    assert list(from_csv.columns) == list(from_parquet.columns)
    assert sorted(from_csv["status"].unique()) == ["nonfinite", "ok"]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
def test_the_name_of_the_file_says_how_it_is_exported(bench, results, tmp_path, suffix):
    output = tmp_path / f"table.{suffix}"
    assert bench("export", "-o", output, "--results", results).exit_code == 0
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "json": pd.read_json}[suffix]
    assert len(read(output)) == 12


@pytest.mark.parametrize(("verb", "rows"), [("leaderboard", 4), ("export", 12)])
def test_the_name_of_a_file_says_it_in_capitals_too(bench, results, tmp_path, verb, rows):
    for name, read in (("TABLE.CSV", pd.read_csv), ("Table.Json", lambda path: json.loads(path.read_text()))):
        assert bench(verb, "-o", tmp_path / name, "--results", results).exit_code == 0
        table = read(tmp_path / name)
        assert len(table["tables"][0]["rows"] if isinstance(table, dict) else table) == rows


def test_every_format_of_export_has_all_digits(bench, tmp_path):
    small = {"cost.tiny": 3.2e-11, "cost.third": 1 / 3, "cost.large": 123456789.12345678}
    lacking = planted_record(make_workload(), "hinge")
    record = planted_record(make_workload())
    cost = record.cost | {name.removeprefix("cost."): value for name, value in small.items()}
    record = msgspec.structs.replace(record, cost=cost, environment=None)
    results = write([record, lacking], tmp_path / "results")
    without, row = json.loads(bench("export", "--format", "json", "--results", results).stdout)
    assert {name: row[name] for name in small} == small
    assert [without[name] for name in small] == [None, None, None]
    assert (row["seed"], row["allow_invalid"], row["threads"]) == (0, False, None)
    bench("export", "--format", "parquet", "--output", tmp_path / "table.parquet", "--results", results)
    whole = pd.read_parquet(tmp_path / "table.parquet")
    assert list(row) == list(whole.columns)
    assert {name: whole[name][1] for name in small} == small


def test_export_into_a_place_that_cannot_be_written(bench, results, tmp_path):
    (tmp_path / "file").write_text("")
    result = bench("export", "--output", tmp_path / "file" / "x.csv", "--results", results)
    assert result.exit_code == 2
    assert "cannot write" in result.stderr


def test_report_lies_beside_the_records_or_where_it_is_asked_for(bench, index, results, tmp_path, planted_order):
    assert bench("report", "--results", results).stdout == f"report: {results / 'report.html'}\n"
    elsewhere = tmp_path / "pages" / "page.html"
    assert bench("report", "--results", results, "--output", elsewhere).exit_code == 0
    assert elsewhere.read_bytes() == (results / "report.html").read_bytes()
    page = elsewhere.read_text()
    assert all(method in page for method in planted_order)
    assert page.partition("</main>")[0].count("data:image/png;base64,") == 8 + 1  # and the real images
    assert not list(elsewhere.parent.glob(".*"))


def test_report_shows_the_real_images_of_the_folder_that_is_named(bench, index, tmp_path):
    write_tiny_files(tmp_path / "data" / "FashionMNIST" / "raw")
    content = data.load("fashion-mnist", tmp_path / "data").content_hash
    records = [planted_record(make_workload("fashion-mnist", content_hash=content), seed=seed) for seed in (0, 1)]
    results = write(records, tmp_path / "results")
    for record in records:
        samples = results / "artifacts" / record.trial_id / "samples.png"
        samples.parent.mkdir(parents=True)
        samples.write_bytes(b"picture")

    def page(*options):
        assert bench("report", "--results", results, "--static", *options).exit_code == 0
        return (results / "report.html").read_text()

    named = page("--data", tmp_path / "data")
    assert 'alt="Real images of fashion-mnist"' in named
    assert f"--data {tmp_path / 'data'}" in named, "the command at the foot writes the same page"
    assert "Real images of" not in page("--data", tmp_path)


def test_report_shows_what_losses_cost_with_and_without_runs(bench, index, results, tmp_path):
    page = tmp_path / "page.html"
    arguments = ["--static", "--output", page]
    assert bench("report", "--results", results, *arguments).exit_code == 0
    assert 'id="costs"' not in page.read_text()
    for folder, runs in ((results, True), (tmp_path / "costs", False)):
        record = noisy_kernels("nsgan", 1)
        KernelStore(folder).append(record)
        assert bench("report", "--results", folder, *arguments).exit_code == 0
        assert 'id="costs"' in page.read_text()
        assert ('id="runs"' in page.read_text()) is runs
        KernelStore(folder).path(record.id).write_text("{}")
        result = bench("report", "--results", folder, *arguments)
        assert result.exit_code == 2
        assert "have it measured again" in result.stderr


@pytest.mark.slow
def test_report_writes_the_figures_for_a_paper(bench, drawn, index, results, planted, tmp_path):
    write([each for each in planted(6) if each.spec.seed > 2], results)  # of three seeds there are no ranks to draw
    arguments = ["report", "--results", results, "--static", "--output", tmp_path / "page.html"]
    for run in ("first", "second"):
        assert bench(*arguments, "--svg", tmp_path / run, "--png", tmp_path / run / "png").exit_code == 0
    written = {path.name: path.read_bytes() for path in (tmp_path / "first").glob("*.*")}
    names = [
        "cost",
        "discriminator-accuracy-digits",
        "distance-digits",
        "generator-signal-digits",
        "ranks",
        "score-digits",
    ]
    assert sorted(written) == sorted([*(f"{name}.svg" for name in names), "figures.md"])
    assert written == {path.name: path.read_bytes() for path in (tmp_path / "second").glob("*.*")}
    captions = written["figures.md"].decode()
    assert all(f"![{name}]({name}.svg)" in captions for name in names)
    for name in names:
        svg = written[f"{name}.svg"].decode()
        ElementTree.fromstring(svg)
        assert "wgan-gp" in svg  # words stay words
        assert "var(" not in svg
        png = [tmp_path / run / "png" / f"{name}.png" for run in ("first", "second")]
        assert png[0].read_bytes() == png[1].read_bytes()
        with Image.open(png[0]) as picture:
            assert picture.width == pytest.approx(7.2 * 300, abs=2)
    assert (tmp_path / "page.html").stat().st_size < 1_000_000


def test_every_figure_has_a_file_of_its_own_and_its_caption(bench, index, tmp_path):
    """The folders' names have no letter that a file's name keeps; and both kinds of files go into one folder."""
    made = [make_workload(f"imagefolder:/photos/{name}?size=32", content_hash=name * 64, modes=0) for name in "猫狗"]
    results = write([planted_record(each, "bce_ns", name="nsgan") for each in made], tmp_path / "results")
    folder = tmp_path / "figures"
    result = bench("report", "--results", results, "--static", "--svg", folder, "--png", results / ".." / "figures")
    captions = (folder / "figures.md").read_text()
    files = [heading.split(", ") for heading in re.findall("## (.*)", captions)]
    assert result.stdout.count(f"{len(files)} figures and figures.md: ") == 2
    assert {Path(name).suffix for names in files for name in names} == {".png", ".svg"}
    assert sorted(name for names in files for name in names) == sorted(
        path.name for path in folder.iterdir() if path.name != "figures.md"
    )
    for name in "猫狗":
        assert len(re.findall(f"Distance to the data: imagefolder:/photos/{name}", captions)) == 1


def test_figures_into_a_place_that_cannot_be_written(bench, index, results, tmp_path):
    (tmp_path / "file").write_text("")
    result = bench("report", "--results", results, "--static", "--png", tmp_path / "file" / "figures")
    assert result.exit_code == 2
    assert "cannot write" in result.stderr


# --- a fresh clone ---------------------------------------------------------------------------------------------------


@pytest.fixture
def clone(tmp_path, monkeypatch, results):
    """A checkout with two published folders and no records of its own; we stand in it."""
    import bench as package

    monkeypatch.delenv("GAN_LOSS_BENCH_RESULTS", raising=False)
    root = tmp_path / "clone"
    for name in ("first", "second"):
        folder = root / "results" / "published" / name
        folder.mkdir(parents=True)
        shutil.copytree(results / "records", folder / "records")
    (root / "results" / "published" / "kernels").mkdir()
    monkeypatch.setattr(package, "__file__", str(root / "bench" / "__init__.py"))
    monkeypatch.chdir(root)
    return root


def test_a_fresh_clone_shows_the_published_tables_and_says_so(bench, clone):
    result = bench("leaderboard")
    assert result.exit_code == 0
    assert result.stdout.startswith("There are no records in results/local yet. These are the published tables")
    assert [line for line in result.stdout.splitlines() if line.startswith("results/published/")] == [
        "results/published/first", "results/published/second",
    ]  # fmt: skip
    assert result.stdout.count("Score: mean over digits") == 2


def test_published_tables_in_other_formats_name_the_command_that_writes_them_again(bench, clone):
    result = bench("leaderboard", "--format", "json")
    assert "These are the published tables" in result.stderr
    found = json.loads(result.stdout)
    assert len(found["tables"]) == 2
    assert found["command"] == "python -m bench leaderboard --format json --results results/published"
    assert bench(*found["command"].split()[3:]).stdout == result.stdout


def test_tables_of_several_folders_say_which_each_is_of(bench, clone):
    """Both have the same methods and settings, and so the same title."""
    found = json.loads(bench("leaderboard", "--format", "json").stdout)["tables"]
    assert [table["folder"] for table in found] == ["first", "second"]
    lines = list(csv.DictReader(bench("leaderboard", "--format", "csv").stdout.splitlines()))
    assert [line["folder"] for line in lines] == ["first"] * (len(lines) // 2) + ["second"] * (len(lines) // 2)
    one = bench("leaderboard", "--format", "json", "--results", "results/published/first").stdout
    assert "folder" not in json.loads(one)["tables"][0]


@pytest.mark.parametrize(("style", "heading"), [("md", "### {} · "), ("html", "<h2>{} · "), ("latex", "% {} · ")])
def test_each_table_of_several_folders_is_headed_by_its_own(bench, clone, style, heading):
    written = bench("leaderboard", "--format", style).stdout
    assert all(written.count(heading.format(name)) == 1 for name in ("first", "second"))


def test_own_records_and_a_folder_of_choice_come_before_what_is_published(bench, clone, results):
    assert bench("leaderboard", "--results", "results/local").exit_code == 2
    (clone / "results" / "local").mkdir()
    shutil.copytree(results / "records", clone / "results" / "local" / "records")
    own = bench("leaderboard")
    assert own.exit_code == 0
    assert "published" not in own.stdout


def test_a_package_without_its_repository_says_how_to_make_records(bench, clone):
    shutil.rmtree(clone / "results")
    result = bench("leaderboard")
    assert result.exit_code == 2
    assert "there are no records in results/local; make some with: python -m bench run" in result.stderr
