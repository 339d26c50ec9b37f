"""The curves that are read from records, and the panels that are drawn from them."""

import re
import xml.etree.ElementTree as ElementTree

import msgspec
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from bench.report import overview
from bench.report.curves import MONITORS, MOST_BLOCKS, Line, band, distance_lines, limits, monitor_lines
from bench.report.figures import MOST_LINES, Panel, draw
from bench.report.paper import figures
from bench.report.style import PAGE, PAPER
from bench.statistics.ranking import rank


def panel(**changes):
    values = {
        "name": "p1",
        "lines": [Line(0, [(0, 8000.0), (200, 130.0), (400, 70.0)]), Line(1, [(0, 8000.0), (200, 300.0)], ended=True)],
        "others": [[(0, 8000.0), (400, 40.0)]],
        "limits": (2.0, 8000.0),
        "steps": 400,
        "logarithmic": True,
        "levels": [(2.0, "real data"), (None, "unknown")],
        "description": 'a "hostile" <name> & more',
    }
    values |= changes
    return Panel(band=band(values["lines"], missing_is_worst=True), **values)


def test_distance_lines_follow_the_workloads_primary_metric(record, workload, toy):
    for each in (workload, toy):
        (line,) = distance_lines([record(each, "nsgan", 0, distance=80.0)], each)
        assert [x for x, _ in line.points] == [0, 200, 400, 600]
        assert (line.points[0][1], line.points[-1][1]) == pytest.approx((8000.0, 80.0))


def test_a_failed_run_ends_where_its_numbers_end(record, workload):
    failed = record(workload, "wgan", 1, distance=None, status="nonfinite")
    (line,) = distance_lines([failed], workload)
    assert line.ended
    assert [x for x, _ in line.points] == [0, 200, 400]


def test_lines_come_in_the_order_of_seeds_and_only_where_there_is_something(record, workload):
    records = [record(workload, "nsgan", seed) for seed in (2, 0)]
    empty = msgspec.structs.replace(records[0], history=msgspec.structs.replace(records[0].history, evaluations=[]))
    assert [line.seed for line in distance_lines([*records, empty], workload)] == [0, 2]


def test_monitor_lines_drop_what_a_logarithm_cannot_show(record, workload):
    made = record(workload, "nsgan", 0)
    training = {
        "step": [50.0, 100.0, 150.0],
        "generator_signal": [1.0, 0.0, None],
        "discriminator_accuracy": [0.0, 1.0, 1.0],
    }
    made = msgspec.structs.replace(made, history=msgspec.structs.replace(made.history, training=training))
    signal, accuracy = (monitor_lines([made], monitor)[0].points for monitor in MONITORS)
    assert signal == [(50.0, 1.0)]
    assert accuracy == [(50.0, 0.0), (100.0, 1.0), (150.0, 1.0)]


def test_long_training_is_drawn_by_every_kth_block(record, workload):
    made = record(workload, "nsgan", 0)
    blocks = 2 * MOST_BLOCKS + 1
    training = {"step": [50.0 * (i + 1) for i in range(blocks)], "generator_signal": [1.0 + i for i in range(blocks)]}
    made = msgspec.structs.replace(made, history=msgspec.structs.replace(made.history, training=training))
    (line,) = monitor_lines([made], MONITORS[0])
    assert line.points == [(50.0 * (i + 1), 1.0 + i) for i in range(0, blocks, 3)]


def test_a_band_is_the_median_and_the_quartiles():
    rng = np.random.default_rng(0)
    values = rng.lognormal(size=(7, 4))
    lines = [Line(seed, list(enumerate(own.tolist()))) for seed, own in enumerate(values)]
    for missing_is_worst in (True, False):
        found = band(lines, missing_is_worst=missing_is_worst)
        expected = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
        assert np.allclose([found.low, found.middle, found.high], expected, rtol=1e-12)
        assert found.steps == [0, 1, 2, 3]


def test_a_run_that_failed_counts_as_worst_or_leaves_the_rest():
    lines = [Line(seed, [(0, 1.0 + seed), (1, 2.0 + seed)]) for seed in range(3)] + [Line(3, [(0, 4.0)], ended=True)]
    worst, rest = (band(lines, missing_is_worst=each) for each in (True, False))
    assert worst.middle == [2.5, 3.5]
    assert worst.high == [3.25, None]  # between the last seed still there and the one that failed
    assert rest.middle == [2.5, 3.0]
    assert rest.high == [3.25, 3.5]
    mostly = [lines[0], *(Line(seed, [(0, 1.0)], ended=True) for seed in (1, 2))]
    for each in (True, False):
        assert band(mostly, missing_is_worst=each).points == [(0, 1.0)]
    assert band([], missing_is_worst=True).points == []


def test_limits_span_lines_and_levels():
    assert limits([[Line(0, [(0, 5.0), (1, 9.0)])], []], (2.0, None)) == (2.0, 9.0)
    assert limits([[]]) is None


def test_a_panel_is_deterministic_well_formed_and_self_contained():
    svg = draw(panel())
    assert svg == draw(panel())
    root = ElementTree.fromstring(svg)
    assert root.attrib["aria-label"] == 'a "hostile" <name> & more'
    assert "width" not in root.attrib
    assert "http" not in svg
    assert "<style" not in svg


def test_a_panel_takes_its_colors_from_the_page():
    svg = draw(panel())
    for variable in ("--c1", "--other", "--alarm", "--muted", "--rule"):
        assert f"var({variable}" in svg
    for placeholder in (PAGE.ink, PAGE.faint, PAGE.other, PAGE.alarm, PAGE.paper, *PAGE.colors):
        assert placeholder not in svg


def test_many_seeds_are_drawn_as_a_band():
    lines = [Line(seed, [(0, 8000.0), (400, 70.0 + seed)]) for seed in range(MOST_LINES + 1)]
    few, many = draw(panel(lines=lines[:-1])), draw(panel(lines=lines))
    assert "fill-opacity: 0.18" in many
    assert "fill-opacity: 0.18" not in few
    assert len(many) < len(few)


def test_ids_are_the_panels_own_and_every_reference_resolves():
    first, second = draw(panel(name="p1")), draw(panel(name="p2"))
    ids = [
        {each.attrib["id"] for each in ElementTree.fromstring(svg).iter() if "id" in each.attrib}
        for svg in (first, second)
    ]
    assert ids[0]
    assert not ids[0] & ids[1]
    used = {each.attrib["href"][1:] for each in ElementTree.fromstring(first).iter() if "href" in each.attrib}
    assert used <= ids[0]


@pytest.mark.parametrize("logarithmic", [True, False])
@pytest.mark.parametrize("spread", [(1e-9, 1e-3), (0.4, 0.9), (1.0, 1e6)])
def test_panels_of_any_scale_have_readable_ticks(logarithmic, spread):
    svg = draw(
        panel(lines=[Line(0, [(0, spread[0]), (400, spread[1])])], limits=spread, logarithmic=logarithmic, levels=())
    )
    words = [each.text for each in ElementTree.fromstring(svg).iter("text") if each.text]
    assert len(words) >= 5
    assert all("\\" not in word and "$" not in word for word in words)


def test_tick_labels_keep_their_digits():
    svg = draw(panel(lines=[Line(0, [(0, 1e-3), (400, 10.0)])], limits=(1e-3, 10.0), levels=()))
    words = [each.text for each in ElementTree.fromstring(svg).iter("text")]
    assert {"0.001", "0.01", "0.1", "1", "10"} <= set(words)


def test_a_name_with_dollar_signs_is_no_formula(record, workload, tmp_path):
    name = "$x^$ or $5$"
    records = [record(workload, method, seed, distance=50.0 + seed) for method in ("nsgan", name) for seed in range(5)]
    workloads = {"digits": workload}
    named = []
    for figure in figures(records, rank(records, workloads, resamples=50), workloads):
        if figure.name in ("ranks", "cost", "distance-digits"):
            figure.save(tmp_path / "figure.svg", "svg")
            named.append(name in (tmp_path / "figure.svg").read_text())
    assert named == [True, True, True]


@pytest.mark.parametrize("seeds", [3, 5])
def test_a_caption_says_of_scores_that_they_are_means_and_of_all_else_that_it_is_medians(planted, workload, seeds):
    records, workloads = planted(seeds), {"digits": workload}
    captions = {each.name: each.caption for each in figures(records, rank(records, workloads, resamples=50), workloads)}
    medians = "Lines: medians over seeds; bands: their quartiles"
    assert medians in captions["distance-digits"]
    assert medians in captions["generator-signal-digits"]
    assert medians not in captions["score-digits"]
    assert "Lines: means over seeds" in captions["score-digits"]
    assert ("bands: their 95 % intervals" in captions["score-digits"]) == (seeds == 5)


LONG = "rp_bce + r1(weight=0.05) + r2(weight=0.05) + lecam + diffaug"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("bce_ns + r1(gamma=10)", marks=pytest.mark.slow),
        pytest.param(LONG, marks=pytest.mark.slow),
        f"{LONG}(policy=color-translation-cutout)",
    ],
)
def test_no_name_of_a_figure_sticks_out_of_it(record, workload, name):
    """Also where the method with the long name is the fastest, whose dot is at the right."""
    records = []
    for method, speed in (("nsgan", 1000.0), (name, 3000.0), ("lsgan", 500.0)):
        for seed in range(5):
            made = record(workload, method, seed, distance=20.0 + len(method) + seed)
            records.append(msgspec.structs.replace(made, cost=made.cost | {"images_per_second": speed}))
    workloads = {"digits": workload}
    for drawn in figures(records, rank(records, workloads, resamples=50), workloads):
        if drawn.name not in ("ranks", "cost", "distance-digits"):
            continue
        with overview.drawing(PAPER, drawn.size) as (figure, axes):
            drawn.draw(figure, axes)
            canvas = FigureCanvasAgg(figure)
            canvas.draw()
            words = [
                each for each in [*axes.texts, *axes.get_yticklabels()] if re.search(r"[a-z]_|gan", each.get_text())
            ]
            boxes = {each.get_text(): each.get_window_extent(canvas.get_renderer()) for each in words}
        assert any(text.startswith(name[:20]) and text.endswith(name[-20:]) for text in boxes)
        assert len(boxes) == 3
        for text, box in boxes.items():
            assert box.x0 >= 0, text
            assert box.x1 <= figure.bbox.width, text
