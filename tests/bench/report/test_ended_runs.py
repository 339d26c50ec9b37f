"""What the page says of the end of training where most runs of a method have failed before it."""

import msgspec
import pytest

from bench.report import sections
from bench.report.cards import anchors, cards
from bench.report.html import board_sections
from bench.statistics.ranking import rank


@pytest.fixture
def first_to_fail(planted, record, workload, monkeypatch):
    """Return the sections and the methods of a page on which wgan is far ahead, until so many of its runs fail."""
    monkeypatch.setattr(sections, "element_of", lambda _figure, _name, description, _classes: description)
    monkeypatch.setattr(sections, "draw", lambda panel: panel.description)
    monkeypatch.setattr(sections, "MONITORS", ())
    monkeypatch.setattr(sections.overview, "draw_curves", lambda *_: None)

    def ended(seed):
        run = record(workload, "wgan", seed, distance=3.0, status="nonfinite")
        history = msgspec.structs.replace(run.history, evaluations=run.history.evaluations[:-1])
        return msgspec.structs.replace(run, history=history, metrics=run.metrics | {"distance": None})

    def page(failing):
        runs = [*planted(3, ["nsgan", "mmgan"]), *(record(workload, "wgan", seed, distance=3.0) for seed in range(3))]
        runs = [ended(run.spec.seed) if run.spec.method == "wgan" and run.spec.seed < failing else run for run in runs]
        (section,) = board_sections(runs, rank(runs, {"digits": workload}, resamples=50), {"digits": workload})
        return section, {card.name: card for card in cards(runs, [section], anchors(runs))}

    return page


@pytest.mark.parametrize(("failing", "leads"), [(0, True), (1, True), (2, False), (3, False)])
def test_a_figure_tells_no_end_of_a_method_whose_runs_ended_before(first_to_fail, failing, leads):
    section, _ = first_to_fail(failing)
    figure = section.quantities[0]
    assert figure.name == "distance"
    assert ("from 3.00 (wgan)" in figure.title) == leads
    assert "(mmgan)" in figure.title
    assert ("(nsgan)" in figure.title) != leads
    spoken = section.curve_charts()[0].chart.svg
    assert ("wgan 3;" in spoken or spoken.endswith("wgan 3")) == leads
    assert ("wgan none" in spoken) != leads


def test_what_is_said_of_a_panel_is_its_line_and_not_its_first_seed(first_to_fail):
    section, _ = first_to_fail(1)
    told = {row.method: description for row, description in section.curve_charts()[0].panels}
    assert told["wgan"].endswith("wgan: the median from 8e+03, at the end 3"), "its first seed never got there"
    section, _ = first_to_fail(2)
    told = {row.method: description for row, description in section.curve_charts()[0].panels}
    assert told["wgan"].endswith("wgan: the median from 8e+03, at the end none")


@pytest.mark.parametrize(("failing", "quartiles"), [(0, "3.00 to 3.00"), (1, "3.00 to failed"), (3, "–")])
def test_quartiles_in_a_methods_section_are_those_of_the_last_step(first_to_fail, failing, quartiles):
    (result,) = first_to_fail(failing)[1]["wgan"].tables[0].results
    assert result.distance == ("3.00" if failing < 2 else "–")
    assert result.quartiles == quartiles
