"""The curves that are read from records, and the panels that are drawn from them."""

import xml.etree.ElementTree as ElementTree

import msgspec
import pytest

from bench.report.curves import MONITORS, Line, distance_lines, limits, median_line, monitor_lines
from bench.report.figures import Panel, draw


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
    return Panel(**{**values, **changes})


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


def test_the_median_stops_where_a_seed_does():
    lines = [Line(0, [(0, 1.0), (1, 2.0), (2, 3.0)]), Line(1, [(0, 3.0), (1, 4.0)])]
    assert median_line(lines) == [(0, 2.0), (1, 3.0)]
    assert median_line([]) == []


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


def test_a_panel_takes_its_colours_from_the_page():
    svg = draw(panel())
    for variable in ("--series", "--other", "--alarm", "--muted", "--rule"):
        assert f"var({variable}" in svg
    for placeholder in range(1, 6):
        assert f"#0{placeholder}0{placeholder}0{placeholder}" not in svg


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
