"""`show`: everything about one trial."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from bench.cli.options import format_option, print_json, results_option, usage_errors
from bench.cli.terminal import console
from bench.cli.voice import Verb

if TYPE_CHECKING:
    from bench.store.record import Record

_BARS: Final = "▁▂▃▄▅▆▇█"
_SPARK_WIDTH: Final = 40
_FEW: Final = 6
"""As many trials as a message names."""
_NAME_WIDTH: Final = 20
_FULL_HASH: Final = 64
_HASH_DIGITS: Final = 12
"""As many digits of a hash as tell data sets apart; the record has all of them."""


@click.command(cls=Verb, short_help="Show everything about one trial.")
@click.argument("trial")
@results_option
@format_option()
def show(trial: str, results: Path, style: str) -> None:
    """Show one trial: what was trained, its numbers, its curves, its files. TRIAL is an id or the beginning of one."""
    from bench.cli.reading import open_store, read_records
    from bench.store.journal import read_record

    store = open_store(results)
    found = find(trial, read_records(results))
    with usage_errors():
        record = read_record(store.record_path(found.trial_id, found.attempt))
    spec = record.spec
    files = {
        "record": store.record_path(record.trial_id, record.attempt),
        "samples": store.artifacts_dir(record.trial_id) / "samples.png",
        "generator": store.artifacts_dir(record.trial_id) / "generator.safetensors",
        "log": store.log_path(record.trial_id, record.attempt),
    }
    if style == "json":
        there = {name: path if path.exists() else None for name, path in files.items()}
        print_json({"record": record, "scores": scores(record), "files": there})
        return
    _heading(f"{spec.method_name} on {spec.workload}, seed {spec.seed}")
    _pairs({"trial": record.trial_id, "attempt": str(record.attempt), "status": _status(record)})
    _pairs({"expression": spec.method, "started": record.started_at, "finished": record.finished_at})
    _pairs(_spec_text(record))
    _heading("score")
    _pairs(_score_text(record))
    _heading("metrics")
    _pairs(metric_texts(record.metrics))
    _stability(record.stability)
    _heading("cost")
    _pairs({name: _number(value) for name, value in sorted(record.cost.items())})
    _heading("curves")
    for name, values in curves(record).items():
        click.echo(f"  {name:<30} {sparkline(values):<{_SPARK_WIDTH}}  {_number(values[0])} to {_number(values[-1])}")
    _heading("files")
    for name, path in files.items():
        click.echo(f"  {name:<14} {path}{'' if path.exists() else '  (not there)'}")


def find(prefix: str, records: "Sequence[Record]") -> "Record":
    """Return the last attempt of the one trial whose id begins with `prefix`.

    Raises:
        click.UsageError: no trial or several begin so.
    """
    from bench.common.names import did_you_mean
    from bench.store.journal import latest_attempts

    trials = {record.trial_id: record for record in latest_attempts(records)}
    matching = [trial_id for trial_id in trials if trial_id.startswith(prefix.lower())]
    if not matching:
        of_method = [record for record in trials.values() if record.spec.method_name == prefix]
        if of_method or len(trials) <= _FEW:
            named = [_named(record) for record in of_method or trials.values()]
            more = f" and {len(named) - _FEW} more" if len(named) > _FEW else ""
            listed = f"; there are {', '.join(named[:_FEW])}{more}" if named else "; there are none"
        else:
            listed = f"{did_you_mean(prefix, trials)}; `export` lists all of them"
        raise click.UsageError(f"no trial begins with {prefix!r}{listed}")
    if len(matching) > 1:
        raise click.UsageError(f"{len(matching)} trials begin with {prefix!r}: {', '.join(sorted(matching)[:5])}")
    return trials[matching[0]]


def _named(record: "Record") -> str:
    spec = record.spec
    return f"{record.trial_id} ({spec.method_name} on {spec.workload}, seed {spec.seed})"


def curves(record: "Record") -> dict[str, list[float | None]]:
    """Return what can be drawn: each metric over the evaluations, then each training monitor over its blocks."""
    evaluations = record.history.evaluations
    names = dict.fromkeys(name for evaluation in evaluations for name in evaluation.metrics)
    series = {name: [evaluation.metrics.get(name) for evaluation in evaluations] for name in names}
    series |= {name: list(values) for name, values in record.history.training.items() if name != "step"}
    return {name: values for name, values in series.items() if any(_finite(value) for value in values)}


def sparkline(values: Sequence[float | None]) -> str:
    """Draw values as a row of bars from their least to their greatest; what is not finite is drawn as `·`."""
    shown = list(values)
    if len(shown) > _SPARK_WIDTH:
        shown = [shown[round(i * (len(shown) - 1) / (_SPARK_WIDTH - 1))] for i in range(_SPARK_WIDTH)]
    heights = [value if value is not None and math.isfinite(value) else None for value in shown]
    low, high = _ends(heights)
    if low > 0 and high / low > 100:
        heights = [None if value is None else math.log(value) for value in heights]
        low, high = _ends(heights)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join("·" if value is None else _BARS[round((value - low) * scale)] for value in heights)


def _ends(heights: Sequence[float | None]) -> tuple[float, float]:
    known = [height for height in heights if height is not None]
    return min(known, default=0.0), max(known, default=0.0)


def scores(record: "Record") -> dict[str, float | str | None]:
    """Return the run's score and its moving average's, by which version; or why it has none."""
    from bench import data
    from bench.config.protocol import scoring_version
    from bench.statistics.scores import average_score, score

    scored: dict[str, float | str | None] = {"scoring": scoring_version(record.protocol_version)}
    try:
        workload = data.workload(record.spec.workload)
        return scored | {"score": score(record, workload), "average": average_score(record, workload)}
    except ValueError as error:
        return scored | {"score": None, "average": None, "reason": str(error)}


def _score_text(record: "Record") -> dict[str, str]:
    scored = scores(record)
    if "reason" in scored:
        return {"score": f"none: {scored['reason']}"}
    words = {"score": f"{scored['score']:.3f} (scoring {scored['scoring']})"}
    average = scored["average"]
    if average is not None:
        words["EMA score"] = f"{average:.3f} (of the moving average of the generator's weights; no rank rests on it)"
    return words


def metric_texts(metrics: Mapping[str, float | None]) -> dict[str, str]:
    """Write each metric, with that of the generator's moving average and with what it says nothing without."""
    from bench.config.protocol import AVERAGE

    averages = {f"{AVERAGE}{name}" for name in metrics}
    return {
        name: _metric(name, metrics) + (f"   EMA {_metric(average, metrics)}" if average in metrics else "")
        for name in sorted(metrics.keys() - averages)
        for average in (f"{AVERAGE}{name}",)
    }


def _metric(name: str, metrics: Mapping[str, float | None]) -> str:
    from bench.report.formatting import companion

    written = _number(metrics[name])
    try:
        beside = companion(name, metrics)
    except LookupError as error:
        return f"{written} ({error}, which this record lacks)"
    return written if beside is None else f"{written} ({beside} {_number(metrics[beside])})"


def _stability(measures: Mapping[str, float | None]) -> None:
    """Print the measures that the record has by groups; one that no group knows comes last."""
    from bench.report.formatting import STABILITY_WORDS

    known = {name for group in STABILITY_WORDS.values() for name in group}
    others = dict.fromkeys(sorted(measures.keys() - known), "")
    for title, group in {**STABILITY_WORDS, "others": others}.items():
        present = {name: words for name, words in group.items() if name in measures}
        if present:
            _heading(f"stability: {title}")
        for name, words in present.items():
            click.echo(f"  {name:<27} {_number(measures[name]):<12} {words}".rstrip())


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:,.4g}"


def _status(record: "Record") -> str:
    from bench.report.formatting import STATUS_WORDS

    words = record.status if record.status == "ok" else f"{record.status}: {STATUS_WORDS[record.status]}"
    return f"{words} ({record.message})" if record.message else words


def _spec_text(record: "Record") -> dict[str, str]:
    spec = record.spec
    optimizer = spec.optimizer
    words = {
        "track": f"{spec.track}, protocol {spec.protocol_version}, {spec.precision}",
        "network": f"{spec.network.name}, width {spec.network.width}, d_norm {spec.network.d_norm}",
        "optimizer": f"{optimizer.name}, {optimizer.lr_generator:g} (G) and {optimizer.lr_discriminator:g} (D), "
        f"betas {optimizer.betas}, {spec.critic_steps} D steps a G step",
        "budget": f"{spec.steps:,} steps of {spec.batch_size}, evaluated every {spec.evaluate_every:,} "
        f"on {spec.samples:,} samples",
        "components": ", ".join(
            f"{name} {version[:_HASH_DIGITS] if len(version) == _FULL_HASH else version}"
            for name, version in sorted(record.components.items())
        ),
    }
    if spec.allow_invalid:
        words["variant"] = "not well defined on this discriminator; never ranked"
    machine = record.environment
    if machine is not None:
        from bench.report.formatting import plural

        words["machine"] = (
            f"{machine.device}: {machine.device_name}, {plural(machine.threads, 'thread')} ({machine.fingerprint})"
        )
    return words


def _heading(words: str) -> None:
    console().print(words, style="bold", markup=False, soft_wrap=True)


def _pairs(pairs: Mapping[str, str]) -> None:
    width = max([_NAME_WIDTH, *map(len, pairs)])
    for name, words in pairs.items():
        click.echo(f"  {name:<{width}}  {words}")
