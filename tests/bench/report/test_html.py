"""The page: whole, offline, escaped, and honest about what it shows."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from planted_campaigns import WORKLOADS, campaign
from planted_kernels import noisy_kernels

from bench.report import interactive, sections
from bench.report.cards import ATLAS, anchors, cards
from bench.report.grids import Gallery
from bench.report.html import board_sections, finding, render
from bench.report.page_table import scale
from bench.statistics.ranking import rank

VOID = {"meta", "link", "img", "br", "hr", "input"}
SVG_EMPTY = {"path", "use"}
HOSTILE = 'x"><script>alert(1)</script>&'


class Reader(HTMLParser):
    """Checks that tags nest, and gathers what the page loads and says."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.loads, self.anchors, self.words = [], [], [], [], []
        self.scripts = 0

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids += [values["id"]] if "id" in values else []
        self.loads += [values[name] for name in ("src", "srcset", "data", "poster") if values.get(name)]
        if tag == "link":
            self.loads.append(values["href"])
        if tag == "a":
            self.anchors.append(values["href"])
        self.scripts += tag == "script"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, text):
        self.words.append(text)


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def records(planted, record, workload):
    records = planted(3)
    records[-1] = record(workload, "mmgan", 2, distance=None, status="nonfinite")
    records += [record(workload, HOSTILE, seed, distance=300.0 + seed) for seed in range(3)]
    records.append(record(workload, "variant", 0, allow_invalid=True))
    # Everything in a record that is somebody's text.
    hostile = msgspec.structs.replace(
        records[0].environment, device_name=HOSTILE, platform=HOSTILE, versions={"torch": HOSTILE}, cpu=HOSTILE
    )
    records[0] = msgspec.structs.replace(records[0], environment=hostile, message=HOSTILE, commit=HOSTILE)
    return records


@pytest.fixture(scope="module")
def page(index, records, workload, tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifacts")
    for each in records[:2]:
        (folder / f"{each.trial_id}.png").write_bytes(b"picture " + each.trial_id.encode())
    return render(
        records,
        {"digits": workload},
        sample_file=lambda trial: folder / f"{trial}.png",
        command=f"python -m bench report --results {HOSTILE}",
    )


def test_the_page_is_well_formed(page):
    reader = read(page)
    assert page.startswith("<!DOCTYPE html>")
    assert len(reader.ids) == len(set(reader.ids))
    assert {anchor[1:] for anchor in reader.anchors if anchor.startswith("#")} <= set(reader.ids)


def test_the_page_loads_nothing_from_anywhere(page):
    reader = read(page)
    assert reader.loads
    assert all(load.startswith("data:") for load in reader.loads)
    assert page.count(interactive.library()) == 1
    own = page.replace(interactive.library(), "")
    assert not re.search(r"url\(\s*['\"]?(?!#)", own)
    assert "@import" not in own
    # An address is a link that a reader may follow to the atlas, and nothing else.
    assert not re.search(r"https?://", re.sub(rf'<a href="{re.escape(ATLAS)}/[a-z_-]+\.md">', "", own))
    assert "default-src 'none'" in own  # and the browser would not let the library load anything either


def test_every_method_is_there_and_a_hostile_name_is_only_text(page, planted_order):
    reader = read(page)
    words = " ".join(reader.words)
    for method in (*planted_order, HOSTILE, "variant"):
        assert method in words
    assert reader.scripts == 4
    assert "<script>alert" not in page
    data = page.partition('<script id="data" type="application/json">')[2].partition("</script>")[0]
    tables = json.loads(data)
    assert HOSTILE in {method["name"] for table in tables.values() for method in table["methods"]}


@pytest.mark.slow
def test_a_static_page_has_the_same_figures_and_no_library(index, records, workload, tmp_path, page):
    static = render(
        records, {"digits": workload}, sample_file=lambda trial: tmp_path / trial, command="c", scripted=False
    )
    assert read(static).scripts == 2  # the page's own, and the numbers of its figures
    assert len(static) < len(page) - 4_000_000
    assert static.count('class="wide"') == page.count('class="wide"') == 5  # no ranks of so few seeds


def test_every_seed_is_in_the_strip_with_its_status(page):
    assert page.count('<span class="cell ok" title="seed') == 4 * 3 - 1 + 3 + 1
    assert page.count('<span class="cell failed" title="seed') == 1
    assert page.count('<span class="cell missing" title="seed') == 2
    assert "seed 2: a number stopped being finite, trial" in page


def test_the_card_sets_the_average_and_the_quality_beside(index, record, toy, tmp_path):
    metrics = {"ema_distance": 50.0, "ema_modes": 8.0, "ema_kl_uniform": 0.0, "ema_high_quality": 0.4945}
    made = [record(toy, "nsgan", seed, protocol_version="1.1", metrics=metrics) for seed in range(2)]
    page = render(made, {"ring8": toy}, sample_file=lambda trial: tmp_path / trial, command="c", scripted=False)
    words = " ".join(" ".join(read(page).words).split())
    assert "score of the moving averages 0.500" in words
    assert "Score Verdict Distance EMA distance Quartiles Real data Untrained Modes Quality Failed" in words
    row = words.partition("Modes Quality Failed ring8")[2]
    assert row.split("0/2")[0].split() == [
        "0–1",
        "0.789",
        "–",
        "100",
        "50.0",
        "100",
        "to",
        "100",
        "2.00",
        "8,000",
        "8/8",
        "80",
        "%",
        "high",
        "quality",
    ]
    assert "EMA score" in words
    assert "protocol 1.1 · scoring 2" in words


def test_the_card_counts_runs_as_the_leaderboard_does_and_says_what_was_lost(index, record, toy, tmp_path):
    runs = [record(toy, "nsgan", 0), record(toy, "nsgan", 1), record(toy, "nsgan", 2, status="not_learned")]
    lost = [record(toy, "nsgan", seed, distance=None, status="timeout") for seed in (3, 4)]

    def row(records):
        page = render(records, {"ring8": toy}, sample_file=lambda trial: tmp_path / trial, command="c", scripted=False)
        words = " ".join(" ".join(read(page).words).split())
        assert "1/3 (" in words, "in the leaderboard"
        return words.partition("Modes Quality Failed ring8 ")[2].partition("high quality ")

    alone, with_lost = row(runs), row([*runs, *lost])
    assert alone[0] == with_lost[0], "seeds and quartiles are those of results"
    assert alone[2].startswith("1/3 ")
    assert not alone[2].startswith("1/3 , ")
    assert with_lost[2].startswith("1/3, 2 lost ")


def test_a_quantity_without_a_median_at_any_step_is_not_drawn(index, record, workload, tmp_path):
    signals = ([1.0, None, None], [None, 1.0, None], [None, None, 1.0])
    runs = [record(workload, "nsgan", seed) for seed in range(3)]
    for number, signal in enumerate(signals):
        training = {"step": [50.0, 100.0, 150.0], "generator_signal": signal, "discriminator_accuracy": [0.5, 0.6, 0.7]}
        history = msgspec.structs.replace(runs[number].history, training=training)
        runs[number] = msgspec.structs.replace(runs[number], history=history)
    page = render(runs, {"digits": workload}, sample_file=lambda trial: tmp_path / trial, command="c")
    page = page.replace(interactive.library(), "")
    assert "Gradient that reaches a generated image" not in page
    assert "How often the discriminator ranks a real image" in page


def test_the_sections_are_all_there(page):
    ids = read(page).ids
    for section in ("leaderboard", "runs", "curves", "samples", "methods", "environment"):
        assert section in ids
    assert "Test CPU x2" in page
    assert "Goodfellow 2014" in page  # nsgan is described by its entry in the catalogue
    assert "E |grad D|^2" in page  # "nsgan + r1(gamma=10)" by its parts


def test_the_sample_grids_are_embedded_and_the_first_seed_is_shown(page):
    reader = read(page)
    assert sum(load.startswith("data:image/png;base64,") for load in reader.loads) == 2
    before, _, after = page.partition("</main>")[0].partition('<section id="methods">')
    assert before.count("data:image/png;base64,") == 1
    assert after.count("data:image/png;base64,") == 1


def test_the_leaderboard_can_be_sorted_by_every_number(page):
    header = page[page.index('<table class="sortable">') : page.index("</thead>")]
    assert header.count("<button") == 16
    values = re.findall(r'<td class="number[^"]*" data-value="([^"]*)"', page)
    assert values
    for value in values:
        assert value == "" or float(value) is not None


@pytest.mark.slow
def test_equal_records_give_equal_bytes(index, record, workload, tmp_path):
    records = [record(workload, method, seed) for method in ("a", "b") for seed in range(2)]
    pages = [
        render(each, {"digits": workload}, sample_file=lambda trial: tmp_path / trial, command="c")
        for each in (records, records[::-1])
    ]
    assert pages[0] == pages[1]


def test_a_page_without_records_says_how_to_make_some(index, tmp_path):
    page = render([], {}, sample_file=lambda trial: tmp_path / trial, command="c")
    reader = read(page)
    assert {anchor[1:] for anchor in reader.anchors} <= set(reader.ids), "there is no leaderboard to skip to"
    assert "python -m bench run" in page


@pytest.mark.slow
def test_a_method_of_the_catalogue_is_described_by_its_entry(index, record, workload, tmp_path):
    made = record(workload, "bce_ns", 0, name="nsgan")
    page = render([made], {"digits": workload}, sample_file=lambda trial: tmp_path / trial, command="c")
    assert "The reference." in page
    assert "Goodfellow 2014" in page
    assert "Part source" not in page


def test_the_finding_says_no_more_than_the_table(planted, record, workload):
    def said(records):
        return finding(rank(records, {"digits": workload}, resamples=500)[0])

    assert "no other method may be the best" in said(planted(9))
    assert "provisional" in said(planted(9))
    assert "provisional" not in said(planted(10))
    assert "of a single seed: that allows no conclusion" in said(planted(1))
    assert "of 4 seeds: that allows no conclusion" in said(planted(4))
    assert "nothing to compare it with" in said(planted(2, methods=["only"]))
    close = [record(workload, "a", seed, distance=50.0 + seed) for seed in range(6)]
    close += [record(workload, "b", seed, distance=56.0 - seed) for seed in range(6)]
    assert "a has the highest score" in said(close)
    assert "b may be the best as well" in said(close)
    twins = [record(workload, name, seed, distance=50.0 + seed) for name in ("a", "b") for seed in range(6)]
    assert said(twins).startswith("Both methods have the same score, 0.6")
    behind = [record(workload, "c", seed, distance=5000.0) for seed in range(6)]
    assert said(twins + behind).startswith("a and b have the highest score, 0.606, and no other method may be the best")
    assert "a and b have the highest score, 0.612, of a single seed" in said(
        [each for each in twins + behind if not each.spec.seed]
    )
    failed = [record(workload, "a", 0, distance=None, status="nonfinite"), record(workload, "a", 1)]
    assert "1 of the 2 runs failed" in said(failed)
    assert "nothing is ranked" in said([record(workload, "a", 0, allow_invalid=True)])


def test_every_method_has_a_section_that_its_row_leads_to(page, records):
    anchored = anchors(records)
    assert len(set(anchored.values())) == len(anchored)
    ids = read(page).ids
    for anchor in anchored.values():
        assert ids.count(anchor) == 1
        assert f'<a href="#{anchor}">' in page
    section = page[page.index('id="method-wgan-gp"') :]
    section = section[: section.index("</article>")]
    assert "score 0." in section
    assert "rank" not in section.partition("<table>")[0]  # of three seeds there are scores alone


def test_the_scale_of_the_dots_ends_with_the_scores(record, workload):
    for distance, ends in ((1.0, ("0.95", "1.00")), (9000.0, ("0.00", "0.05")), (20.0, ("0.70", "0.75"))):
        (board,) = rank([record(workload, "nsgan", 0, distance=distance)], {"digits": workload}, resamples=50)
        found = scale(board)
        assert (found.low_text, found.high_text) == ends
        assert 0.0 <= float(found.place(board.rows[0].score)) <= 100.0


def test_a_caption_of_panels_says_what_is_in_each(record, workload, monkeypatch):
    monkeypatch.setattr(sections, "MOST_LINES", 2)

    def caption(**seeds):
        records = [record(workload, method, seed) for method, count in seeds.items() for seed in range(count)]
        boards = rank(records, {"digits": workload}, resamples=50)
        return board_sections(records, boards, {"digits": workload})[0].panel_caption()

    assert "a thin line one of its seeds, a cross" in caption(nsgan=2, lsgan=2)
    assert "in the figure above, with its band, a cross" in caption(nsgan=3, lsgan=3)
    assert "a thin line one of its seeds or, of more than 2 seeds, with its band, a cross" in caption(nsgan=3, lsgan=2)


def test_a_method_whose_first_seed_left_no_picture_shows_its_next(record, workload, monkeypatch, tmp_path):
    monkeypatch.setattr(sections, "QUANTITIES", ())
    monkeypatch.setattr(sections, "MONITORS", ())
    monkeypatch.setattr(sections, "element_of", lambda *_: "")
    records = [record(workload, method, seed) for method in ("nsgan", "lsgan") for seed in range(2)]
    for each in records[1:]:
        (tmp_path / each.trial_id).write_bytes(b"picture")
    text = render(
        records, {"digits": workload}, sample_file=lambda trial: tmp_path / trial, command="c", scripted=False
    )
    samples = text.partition('<section id="samples">')[2].partition('<section id="methods">')[0]
    assert sorted(re.findall(r"<span>seed (\d)", samples)) == ["0", "1"]
    assert "Of each the first seed that left a picture is shown, so nothing is picked" in samples


def test_what_the_filters_offer_is_what_was_run(page):
    form = page[page.index('<form class="filters"') : page.index("</form>")]
    assert 'name="search"' in form
    assert "hidden" in form.partition(">")[0]  # without scripts there is nothing to filter with
    assert 'name="workload"' not in form  # there is one


def test_a_page_has_room_for_so_many_grids(record, workload, tmp_path):
    records = [record(workload, method, seed) for method in ("a", "b") for seed in range(2)]
    for each in records:
        (tmp_path / each.trial_id).write_bytes(b"x" * 100)
    gallery = Gallery(records, lambda trial: tmp_path / trial, budget=350)
    kept = {grid.trial_id for grid in gallery.of(records)}
    # Both first seeds come before anybody's second.
    assert kept == {records[0].trial_id, records[2].trial_id, records[1].trial_id}
    assert "room for 3 grids; 1 more lies" in gallery.note
    assert Gallery(records, lambda trial: tmp_path / trial).note == ""


@pytest.mark.slow
def test_panels_are_left_out_where_they_are_too_many_and_the_page_says_so(
    index, planted, workload, tmp_path, monkeypatch
):
    def made():
        return render(planted(2), {"digits": workload}, sample_file=lambda t: tmp_path / t, command="c", scripted=False)

    assert made().count('class="panel"') == 4 * 4
    assert "panel per method:" not in made()
    monkeypatch.setattr("bench.report.html.MOST_PANELS", 4)
    assert made().count('class="panel"') == 4
    assert "the distance alone has a panel per method" in made()
    monkeypatch.setattr("bench.report.html.MOST_PANELS", 3)
    assert made().count('class="panel"') == 0
    assert made().count('class="wide"') == 1 + len(sections.QUANTITIES)


@pytest.fixture(scope="module")
def kernels():
    return [noisy_kernels("nsgan", 1), noisy_kernels(HOSTILE, 1, slower={"d_step": 1.5}), noisy_kernels("a $x_1$", 1)]


def costly(records, workload, kernels):
    return render(
        records, {"digits": workload}, sample_file=lambda trial: Path(trial), command="c", kernels=kernels,
        scripted=False,
    )  # fmt: skip


@pytest.mark.slow
def test_what_a_loss_costs_is_there_where_it_was_measured(index, records, workload, kernels):
    without, page = costly(records, workload, []), costly(records, workload, kernels)
    assert "What a loss costs" not in without
    found = read(page)
    assert "costs" in found.ids
    assert "#costs" in found.anchors
    assert page.count('class="wide"') == without.count('class="wide"') + 1
    assert "A CPU x2, 2 threads [ffffffffffff]: batch 64, 32x32x3, width 64, ln, fp32, eager" in found.words
    assert page == costly(records, workload, kernels[::-1])


@pytest.mark.slow
def test_names_in_costs_are_only_text(index, records, workload, kernels):
    page = costly(records, workload, kernels)
    assert "<script>alert" not in page
    section = read(page.partition('<section id="costs">')[2].partition("</section>")[0])
    for name in (HOSTILE, "a $x_1$"):
        assert sum(name in word for word in section.words) == 2  # in the figure and in the table


def test_costs_make_a_page_without_runs(kernels):
    page = costly([], None, kernels)
    assert "<h1>What losses cost</h1>" in page
    assert "costs" in read(page).ids


@pytest.mark.slow
def test_each_of_two_tables_of_one_setting_has_its_own_finding():
    """As those of `run --against`, where what fits no published table stands in one of its own."""
    joined, apart = campaign(methods={"nsgan": 60.0, "hinge": 30.0}), campaign("mnist", methods={"lsgan": 20.0})
    boards = [table for records in (joined, apart) for table in rank(records, WORKLOADS, resamples=50)]
    assert len({board.key for board in boards}) == 1
    page = render(
        [*joined, *apart], WORKLOADS, sample_file=lambda _: Path("none"), command="c", boards=boards, scripted=False
    )
    assert re.findall('<p class="finding">([^ ]+ [^ ]+) ', page) == ["hinge has", "lsgan scores"]


def test_costs_beside_a_reference_without_a_score_name_it():
    """nsgan lacks a seed that the others have: nothing is tested against it, and its times are still compared with."""
    records = [record for record in campaign() if (record.spec.method, record.spec.seed) != ("nsgan", 4)]
    boards = rank(records, WORKLOADS, resamples=50)
    made = cards(records, board_sections(records, boards, WORKLOADS), anchors(records))
    said = {card.name: " ".join(line for table in card.tables for line in table.description) for card in made}
    assert "1.00 times nsgan's images a second" in said["hinge"]
    assert "2,002 images a second" in said["nsgan"]
