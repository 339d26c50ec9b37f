import pytest

from bench.metrics.catalogue import CATALOGUE
from bench.report import formatting


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "–"), (1234.4, "1,234"), (100.0, "100"), (56.78, "56.8"), (8.9, "8.90"), (0.01234, "0.0123"), (0.0, "0")],
)
def test_distance(value, words):
    assert formatting.distance(value) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "–"), (4.6, "5 s"), (59.4, "59 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")]
)
def test_duration(seconds, words):
    assert formatting.duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.1234, "+0.123"), (-0.0006, "-0.001"), (-0.0004, "+0.000"), (-0.0, "+0.000"), (0.0, "+0.000")],
)
def test_signed(value, words):
    assert formatting.signed(value) == words
    assert formatting.signed(-0.04, 1) == "+0.0"


@pytest.mark.parametrize(("low", "high", "words"), [(1, 4, "1–4"), (2, 2, "2"), (None, None, "–")])
def test_ranks(low, high, words):
    assert formatting.ranks(low, high) == words


@pytest.mark.parametrize(("numbers", "words"), [((), "none"), ((0,), "0"), ((0, 1, 2), "0–2"), ((0, 2), "0, 2")])
def test_seeds(numbers, words):
    assert formatting.seeds(numbers) == words


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("precision", "recall"),
        ("precision_ceiling", "recall_ceiling"),
        ("ema_precision", "ema_recall"),
        ("density", "coverage"),
        ("density_ceiling", "coverage_ceiling"),
        ("ema_density", "ema_coverage"),
        ("modes", "unreadable"),
        ("modes_5", "unreadable"),
        ("ema_modes", "ema_unreadable"),
        ("recall", None),
        ("coverage", None),
        ("fd", None),
    ],
)
def test_what_says_nothing_alone_has_its_companion(name, beside):
    known = {*CATALOGUE, "ema_recall", "ema_coverage", "ema_unreadable"} - {"high_quality"}
    assert formatting.companion(name, known) == beside


def test_on_toys_modes_stand_beside_high_quality():
    for name in ("modes", "modes_20"):
        assert formatting.companion(name, {"high_quality"}) == "high_quality"


@pytest.mark.parametrize("name", ["precision", "density", "modes", "ema_precision", "density_ceiling"])
def test_what_lacks_its_companion_is_not_shown_as_if_it_said_something(name):
    with pytest.raises(LookupError, match=f"{name} says nothing without"):
        formatting.companion(name, {name, "fd"})


def test_every_metric_of_the_kind_says_so_itself():
    for first, others in (("precision", "recall"), ("density", "coverage")):
        assert f"says nothing without {others}" in CATALOGUE[first].summary
