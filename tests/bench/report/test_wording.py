import pytest

from bench.report import wording


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "–"), (1234.4, "1,234"), (100.0, "100"), (56.78, "56.8"), (8.9, "8.90"), (0.01234, "0.0123"), (0.0, "0")],
)
def test_distance(value, words):
    assert wording.distance(value) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "–"), (4.6, "5 s"), (59.4, "59 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")]
)
def test_duration(seconds, words):
    assert wording.duration(seconds) == words


@pytest.mark.parametrize(("low", "high", "words"), [(1, 4, "1–4"), (2, 2, "2"), (None, None, "–")])
def test_ranks(low, high, words):
    assert wording.ranks(low, high) == words


@pytest.mark.parametrize(("numbers", "words"), [((), "none"), ((0,), "0"), ((0, 1, 2), "0–2"), ((0, 2), "0, 2")])
def test_seeds(numbers, words):
    assert wording.seeds(numbers) == words
