"""What is told apart on a page by its name: workloads, methods, tables and saved figures."""

import json
import re
from pathlib import Path

import msgspec
from planted_campaigns import WORKLOADS, campaign
from planted_records import make_workload

from bench.report import sections
from bench.report.cards import anchors, cards
from bench.report.html import board_sections, render
from bench.report.leaderboard import names
from bench.report.slugs import slug
from bench.statistics.ranking import rank


def test_the_filter_knows_a_workload_by_its_name_to_the_letter(record, monkeypatch):
    """Without a value an option has its words as one, with each blank once."""
    made = [
        make_workload(f"imagefolder:/photos/{name}?size=32", content_hash=name[0] * 64, modes=0)
        for name in ("cats  and  dogs", "birds")
    ]
    monkeypatch.setattr(sections, "element_of", lambda *_: "")
    monkeypatch.setattr(sections, "MONITORS", ())
    known = {each.name: each for each in made}
    text = render([record(each) for each in made], known, sample_file=Path, command="c", scripted=False)
    for each in made:
        assert text.count(f'<option value="{each.name}">') == 1


def test_names_that_look_alike_have_sections_of_their_own(record, workload):
    made = [record(workload, name, 0) for name in ("a + b", "a b", "A  B")]
    assert sorted(anchors(made).values()) == ["method-a-b", "method-a-b-2", "method-a-b-3"]
    assert slug("<>") == "unnamed"


def test_a_methods_section_is_called_as_its_row(index, record, workload):
    """A name can stand for another method by now, and a method may have been recorded before it had its name."""
    records = [record(workload, "bce_ns + r1(gamma=1)", seed, name="nsgan-r1") for seed in range(2)]
    records += [record(workload, "bce_ns + r1(gamma=5)", seed, name="nsgan-r1") for seed in range(2)]
    records += [record(workload, "bce_ns", 0, name="nsgan"), record(workload, "bce_ns", 1, name="bce_ns")]
    for each in (records, records[::-1]):
        boards = rank(each, {"digits": workload}, resamples=50)
        anchored = anchors(each)
        made = cards(each, board_sections(each, boards, {"digits": workload}), anchored)
        assert {card.expression: card.name for card in made} == {row.expression: row.method for row in boards[0].rows}
        assert len({card.name for card in made}) == 3
        assert anchored["bce_ns"] == "method-nsgan"


def test_figures_of_different_workloads_are_saved_as_different_files(record, monkeypatch):
    monkeypatch.setattr(sections, "element_of", lambda *_: "")
    monkeypatch.setattr(sections, "draw", lambda _: "")
    monkeypatch.setattr(sections.overview, "draw_curves", lambda *_: None)
    folder = "imagefolder:/photos/" + "a-long-way-down/" * 6
    made = [make_workload(f"{folder}{name}?size=32", content_hash=name * 64, modes=0) for name in "ab"]
    runs = [record(each, method, seed) for each in made for method in ("nsgan", "lsgan") for seed in range(2)]
    known = {each.name: each for each in made}
    text = render(runs, known, sample_file=Path, command="c", scripted=False)
    files = re.findall(r' data-name="([^"]+)"', text)
    assert len(files) == 1 + 2 * 4 + 2 * 2 * 4
    assert len(set(files)) == len(files)
    assert max(map(len, files)) < 250 - len(".svg")


def test_no_two_tables_of_a_page_have_one_name(record, workload, monkeypatch):
    monkeypatch.setattr(sections, "element_of", lambda *_: "")
    monkeypatch.setattr(sections, "draw", lambda _: "")
    monkeypatch.setattr(sections, "MONITORS", ())
    network = record(workload, "nsgan", 0).spec.network
    plain = {"network": msgspec.structs.replace(network, d_norm="none")}
    settings = ({}, plain, plain | {"precision": "bf16"}, {"batch_size": 16})
    runs = [record(workload, "nsgan", 0, **setting) for setting in settings]
    text = render(runs, {"digits": workload}, sample_file=Path, command="c", scripted=False)
    same = "digits: 600 steps, batch 64, seed 0"
    expected = {
        "digits: 600 steps, batch 16, seed 0",
        f"{same} · d_norm ln · fp32",
        f"{same} · d_norm none · fp32",
        f"{same} · d_norm none · bf16",
    }
    offered = text.partition('<select name="table">')[2].partition("</select>")[0]
    assert re.findall(r'value="table\d">([^<]+)<', offered) == re.findall(r"<h3>(digits: [^<]+)</h3>", text)[:4]
    assert set(re.findall(r'value="table\d">([^<]+)<', offered)) == expected
    data = json.loads(text.partition('<script id="data" type="application/json">')[2].partition("</script>")[0])
    assert {table["title"] for table in data.values()} == expected


def test_tables_of_one_setting_and_budget_are_told_apart_by_their_digests():
    boards = [rank(campaign(methods={name: 60.0}), WORKLOADS, resamples=50)[0] for name in ("nsgan", "lsgan")]
    words = "digits: 600 steps, batch 64, seeds 0–4"
    assert names(boards) == [f"{words} · digest {board.digest}" for board in boards]
    assert names(boards[:1]) == [words]
