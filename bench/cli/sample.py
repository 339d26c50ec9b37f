"""`sample`: draw from the stored generator of a trial."""

from pathlib import Path

import click

from bench.cli.options import format_option, output_option, print_json, results_option, usage_errors
from bench.cli.voice import Verb


@click.command(cls=Verb, short_help="Draw samples from a trial's stored generator.")
@click.argument("trial")
@click.option("--count", type=click.IntRange(min=1), default=64, show_default=True, help="How many samples.")
@output_option("The PNG file.  [default: TRIAL.png]")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="The seed of other latents.  [default: those that the workload is evaluated on]",
)
@results_option
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:N or auto.")
@format_option(description="The format of the message about what was written.")
def sample(
    trial: str, count: int, output: Path | None, seed: int | None, results: Path, device: str, style: str
) -> None:
    """Draw a grid of images, or a picture of points. TRIAL is an id or the beginning of one.

    Without --seed the latents are those of every other trial of the workload, so that grids compare image by image.
    """
    from bench.cli.reading import open_store, read_records, write_whole
    from bench.cli.show import find

    record = find(trial, read_records(results))
    weights = open_store(results).artifacts_dir(record.trial_id) / "generator.safetensors"
    if not weights.is_file():
        raise click.UsageError(
            f"no generator is stored for trial {record.trial_id} ({record.status}): there is no {weights}; "
            "artifacts are not part of a record, and stay where the trial ran"
        )
    from bench.execution.device import resolve
    from bench.training.artifacts import save_picture
    from bench.training.sampling import sample as draw

    with usage_errors():
        samples, workload = draw(weights, count=count, seed=seed, device=resolve(device))
    path = output or Path(f"{record.trial_id}.png")
    write_whole(path, lambda partial: save_picture(samples, workload, partial))
    if style == "json":
        print_json({"trial": record.trial_id, "count": count, "seed": seed, "output": path})
        return
    click.echo(f"{count:,} samples of {record.spec.method_name} on {record.spec.workload}: {path}")
