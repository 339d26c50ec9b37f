"""The probes' pictures: a line and a name for each method, names that do not overlap, nothing drawn beyond reason."""

import math
from itertools import pairwise

import matplotlib as mpl
import pytest

import losses
from bench.probes import figures
from bench.probes.dirac import SCHEDULES, consensus_optimization, follow
from bench.probes.gradients import Curve, Point


def test_every_curve_has_its_line_and_its_name():
    curves = [
        Curve(f"method {index}", "", [Point(k, (1 + index) * 0.9**k, 1, 1, 1) for k in (0, 1, 10, 20)])
        for index in range(10)
    ]
    curves.append(Curve("broken", "", [Point(k, math.nan, 1, 1, 1) for k in (0, 1, 10, 20)]))
    with mpl.rc_context(figures.SETTINGS):
        (axes,) = figures.draw_gradients(curves).axes
    assert [text.get_text() for text in axes.texts] == [f"method {index}" for index in range(10)]
    assert list(axes.lines[3].get_ydata()) == [4 * 0.9**k for k in (0, 1, 10, 20)]
    styles = {(line.get_color(), str(line.get_linestyle()), str(line._unscaled_dash_pattern)) for line in axes.lines}
    assert len(styles) == 10
    assert axes.get_xscale() == "symlog"
    assert axes.get_yscale() == "log"


def test_names_are_moved_apart_and_keep_their_order():
    heights = [0.5, 0.51, 0.9, 0.505, 0.1]
    places = figures.spread(heights, 0.05)
    by_height = [places[index] for index in sorted(range(5), key=heights.__getitem__)]
    assert all(upper - lower >= 0.05 - 1e-12 for lower, upper in pairwise(by_height))
    assert (places[2], places[4]) == (0.9, 0.1)
    assert sum(places[index] for index in (0, 1, 3)) == pytest.approx(0.5 + 0.51 + 0.505)


@pytest.mark.slow
def test_every_method_has_a_panel_and_every_schedule_a_line():
    schedules = (*SCHEDULES, consensus_optimization(1.0))
    trajectories = [
        follow(losses.get(method), schedule, steps=30, batch_size=2)
        for method in ("nsgan", "wgan-gp")
        for schedule in schedules
    ]
    with mpl.rc_context(figures.SETTINGS):
        left, right = figures.draw_dirac(trajectories).axes
    assert (left.get_title(), right.get_title()) == ("nsgan", "wgan-gp")
    assert [line.get_label() for line in left.lines[:4]] == [schedule.label for schedule in schedules]
    assert list(zip(*left.lines[0].get_data(), strict=True)) == trajectories[0].positions
    # Where a trajectory explodes, it is drawn until it is far out and no further.
    assert len(right.lines[0].get_xdata()) < 31
    assert right.get_xlim() == (-4, 4)
