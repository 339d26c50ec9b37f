"""What the page of the four topics says of single runs, which no mean and no median shows."""

import pytest
from doc_pages import DOCS
from site_answers import records_of

from bench.probes.campaign_claims import score_of

PAGES = {
    "en": DOCS / "explanation" / "four-topics.md",
    "zh": DOCS / "zh" / "explanation" / "four-topics.md",
}
PROSE = {language: " ".join(page.read_text(encoding="utf-8").split()) for language, page in PAGES.items()}
FLAT = 0.7
"""A discriminator whose loss is flat at a larger share of its logits is said to have won."""
GONE = 1e-4
"""A signal is gone below this share of the first, as the protocol says."""


def runs_of(campaign):
    """The records by method and seed."""
    found = {}
    for record in records_of(campaign):
        found.setdefault(record.spec.method_name, {})[record.spec.seed] = record
    return found


@pytest.fixture(scope="module")
def gradients():
    return runs_of("topic-gradients")


def scores(own):
    return {seed: score_of(record) for seed, record in own.items()}


def seeds_where(own, measure, holds):
    return {seed for seed, record in own.items() if holds(record.stability[measure])}


def ends_without_signal(own):
    return {
        seed
        for seed, record in own.items()
        if record.stability["signal_last"] < GONE * record.stability["signal_first"]
    }


def failed(own):
    return {seed for seed, record in own.items() if record.status == "not_learned"}


def test_whose_signal_vanished_and_whose_came_back(gradients):
    vanished = {name: seeds_where(own, "signal_vanished", bool) for name, own in gradients.items()}
    assert {name: len(seeds) for name, seeds in vanished.items() if seeds} == {"fgan-tv": 7, "hinge_mm": 10}
    assert ends_without_signal(gradients["fgan-tv"]) == vanished["fgan-tv"]
    assert ends_without_signal(gradients["hinge_mm"]) == failed(gradients["hinge_mm"]) == {9}
    assert failed(gradients["fgan-tv"]) < vanished["fgan-tv"]
    assert len(failed(gradients["fgan-tv"])) == 1
    last = gradients["hinge_mm"][9]
    told = (round(last.metrics["distance"]), round(last.metrics["distance_init"]))
    assert told == (2211, 2440)
    assert round(last.stability["generator_dead_fraction"], 2) == 0.94
    assert "94 % of the samples got none, and the FD at the end is 2,211, where an untrained" in PROSE["en"]


def test_total_variation_has_two_kinds_of_runs(gradients):
    own = scores(gradients["fgan-tv"])
    lost = ends_without_signal(gradients["fgan-tv"])
    rpgan = scores(gradients["rpgan"]).values()
    assert max(own[seed] for seed in lost) < min(scores(gradients["wgan-gp"]).values())
    assert min(own[seed] for seed in own.keys() - lost) > sum(rpgan) / len(rpgan)


def test_whose_discriminator_had_won(gradients):
    won = {name: len(seeds_where(own, "discriminator_saturation", FLAT.__lt__)) for name, own in gradients.items()}
    assert {name: count for name, count in won.items() if count} == {"fgan-tv": 7, "hinge_mm": 1}
    assert "those of seven runs of `fgan-tv` and one of `hinge_mm` had won" in PROSE["en"]


def test_the_modes_of_single_runs():
    found = {name: own.values() for name, own in runs_of("topic-diversity").items()}
    many = sorted(run.metrics["modes"] for name in ("dsgan", "msgan", "pacgan2") for run in found[name])
    assert many[:2] == [766, 936]
    assert min(run.metrics["modes"] for run in found["pacgan2"]) == 766
    by_features = [
        run for name in ("gdpp-gan", "pulling-away", "bce_ns + feature_variance(weight=1, every=1)")
        for run in found[name]
    ]  # fmt: skip
    assert sorted(run.metrics["modes"] for run in by_features if run.status == "ok") == [478, 626]
    assert len(by_features) == 15
    assert "One of them has 766 modes, of `pacgan2`, and the others have 936 or more." in PROSE["en"]
    assert "The other two have 478 and 626." in PROSE["en"]


def test_how_many_runs_of_the_balance_have_not_learned():
    found = {name: failed(own) for name, own in runs_of("topic-balance").items()}
    lecam = next(name for name in found if "lecam" in name)
    assert {name: len(seeds) for name, seeds in found.items() if seeds} == {lecam: 2, "bce_ns + ttur(ratio=0.25)": 10}
    assert "two of ten runs have not learned, and all ten were worse than `nsgan`" in PROSE["en"]


def test_the_naive_term_is_worse_at_nine_seeds_and_not_shown_to_be():
    runs = runs_of("topic-correlation")
    naive, plain = scores(runs["bce_ns + corr_naive(weight=1, every=1)"]), scores(runs["nsgan"])
    assert sum(naive[seed] < plain[seed] for seed in plain) == 9
    assert "It was worse at nine seeds of ten, by too little to show a difference." in PROSE["en"]
    assert "the negative control is not shown to hurt" in PROSE["en"]


@pytest.mark.parametrize(("language", "words"), [("en", "learned nothing"), ("zh", "什么也没学到")])
def test_a_run_that_failed_is_not_said_to_have_learned_nothing(language, words):
    """Each of them has come nearer to the data or farther; what it has not done is to halve the distance."""
    assert words not in PROSE[language]
    assert PROSE[language].count("(numbers.md)" if language == "en" else "(../../explanation/numbers.md)") == 2
