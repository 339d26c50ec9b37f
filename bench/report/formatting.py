"""How numbers and statuses are written, the same in the terminal, in Markdown and on the page."""

import re
from collections.abc import Collection
from typing import Final

from bench.config.protocol import AVERAGE

MISSING: Final = "–"

STATUS_WORDS: Final = {
    "ok": "ok",
    "nonfinite": "a number stopped being finite",
    "diverged": "learned, then lost it",
    "not_learned": "never learned",
    "timeout": "ran out of time",
    "error": "stopped by an error",
}

STABILITY_WORDS: Final = {
    "the run": {
        "completed_steps": "steps trained",
        "first_nonfinite_step": "first step with a loss or gradient norm that was not finite",
    },
    "distance to the data": {
        "best_step": "evaluation with the smallest distance",
        "late_regression": "log(last / best): 0 where the last is the best",
        "late_regression_onset": "step from which it stayed above 1.5 times the best",
        "time_to_target": "first evaluation halfway, in logs, from untrained to real data",
        "auc_log_distance": "area under the log distance, divided by the steps",
        "oscillation": "median change of the log distance, second half",
    },
    "signal to the generator": {
        "signal_first": "median over the first 100 steps",
        "signal_last": "median over the last 100 steps",
        "signal_vanishing_share": "share of steps below 1e-4 of the first",
        "signal_vanished": "1 where that is 1 % of the steps or more",
        "signal_exploding_share": "share of steps above 1e4 times the first",
        "signal_exploded": "1 where that is 1 % of the steps or more",
        "generator_dead_fraction": "share of samples that receive next to nothing",
    },
    "diversity": {
        "collapse_onset": "evaluation from which more than a tenth of the modes was lost",
        "diversity_collapse_share": "share of batches with less than a tenth of the real variance",
    },
    "balance of the players": {
        "discriminator_saturation": "share of logits at which its loss is flat",
        "discriminator_spike_rate": "share of steps with a gradient 10 times the usual",
        "generator_spike_rate": "the same for the generator",
        "discriminator_update_ratio": "mean |change| / |weights| of one update",
        "generator_update_ratio": "the same for the generator",
        "update_ratio_quotient": "generator's over discriminator's",
        "logit_gap_autocorrelation": "from one step to the next, second half",
        "logit_gap_deviation": "standard deviation, second half",
    },
}
"""The stability measures in groups, and what each says; their definitions are in docs/protocol.md."""

COMPANIONS: Final = {
    "precision": ("recall",),
    "density": ("coverage",),
    "modes": ("high_quality", "unreadable"),
}
"""What says nothing by itself, and what is to be shown beside it (the first that there is). Samples that are all alike
have a precision of 1 and a density far above it; a mode is found by whatever the classifier takes for it."""


def companion(name: str, known: Collection[str]) -> str | None:
    """Return the known metric that must be shown beside this one; None where it can stand alone.

    Floors, ceilings and averages go by the metric that they belong to: `ema_precision` stands beside `ema_recall`.

    Raises:
        LookupError: there is none of those that it needs.
    """
    for first, others in COMPANIONS.items():
        found = re.fullmatch(rf"({AVERAGE})?{first}(_ceiling|_floor|_5|_20)?", name)
        if found is None:
            continue
        # A count of at least five samples a mode has the share of the plain count.
        ending = "" if found[2] in (None, "_5", "_20") else found[2]
        beside = [
            candidate for candidate in (f"{found[1] or ''}{other}{ending}" for other in others) if candidate in known
        ]
        if not beside:
            raise LookupError(f"{name} says nothing without {' or '.join(others)}")
        return beside[0]
    return None


def distance(value: float | None) -> str:
    """Write a distance with about three significant digits: 1,234 · 56.7 · 8.90 · 0.0123."""
    if value is None:
        return MISSING
    for limit, digits in ((100.0, 0), (10.0, 1), (1.0, 2)):
        if abs(value) >= limit:
            return f"{value:,.{digits}f}"
    return f"{value:.3g}"


def score(value: float | None) -> str:
    return MISSING if value is None else f"{value:.3f}"


def interval(low: float | None, high: float | None) -> str:
    return MISSING if low is None or high is None else f"{low:.2f} to {high:.2f}"


def two_decimals(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}"


def p_value(value: float | None) -> str:
    """Write a p-value with three decimals; below that, "< 0.001"."""
    if value is None:
        return MISSING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def signed(value: float, decimals: int = 3) -> str:
    """Write a change with its sign; what rounds to zero is +0.000, from whichever side."""
    return f"{round(value, decimals) + 0.0:+.{decimals}f}"


def difference(value: float) -> str:
    """Write a difference of scores with two decimals, and a smaller one with its first digit."""
    return f"{value:.2f}" if value >= 0.01 else f"{value:.1g}"


def verdict(against_reference: str | None, detectable: float | None, *, possible: bool) -> str:
    """Write a verdict against the reference; "not shown" with the difference that could have been shown.

    Args:
        against_reference: "better", "worse", "mixed" or "not shown"; none where nothing was tested.
        detectable: the difference that would have been shown with 80 %.
        possible: whether so many seeds and methods could show anything.
    """
    if against_reference is None:
        return MISSING
    if against_reference != "not shown":
        return against_reference
    if not possible:
        return "not shown, too few seeds"
    return against_reference if detectable is None else f"not shown, could have seen {difference(detectable)}"


def ratio(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}x"


def percent(value: float | None) -> str:
    return MISSING if value is None else f"{100 * value:.0f} %"


def percents(low: float | None, high: float | None) -> str:
    """Write the interval of a share: "0–25 %"."""
    return MISSING if low is None or high is None else f"{100 * low:.0f}–{100 * high:.0f} %"


def ranks(low: int | None, high: int | None) -> str:
    """Write the interval of a rank: "1–4", or "2" where it is one rank."""
    if low is None or high is None:
        return MISSING
    return str(low) if low == high else f"{low}–{high}"


def count(value: float | None) -> str:
    return MISSING if value is None else f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """Write a duration in the two units that matter: 42 s · 3 min 05 s · 2 h 10 min."""
    if seconds is None:
        return MISSING
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def plural(number: int, singular: str, plural_form: str = "") -> str:
    """Write a number of things: "1 trial", "2 trials", "3 losses" (whose plural is given)."""
    return f"{number:,} {singular if number == 1 else plural_form or singular + 's'}"


def seeds(numbers: tuple[int, ...]) -> str:
    """Write seeds as the range they are, or as a list where they have gaps."""
    if not numbers:
        return "none"
    if len(numbers) > 1 and numbers == tuple(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]}–{numbers[-1]}"
    return ", ".join(map(str, numbers))


def seed_text(numbers: tuple[int, ...]) -> str:
    """Write "seed 3" or "seeds 0–4"."""
    return f"{'seed' if len(numbers) == 1 else 'seeds'} {seeds(numbers)}"


def budget(workload: str, steps: int, batch: str, numbers: tuple[int, ...], evaluate_every: int | None = None) -> str:
    """Write what a workload trains: "digits: 3,000 steps, batch 64, evaluated every 500, seeds 0–1"."""
    evaluated = [] if evaluate_every is None else [f"evaluated every {evaluate_every:,}"]
    counted = seed_text(numbers) if numbers else "no seed that most methods have"
    return f"{workload}: {', '.join([f'{steps:,} steps', f'batch {batch}', *evaluated, counted])}"
