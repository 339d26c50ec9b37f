"""A published folder that is whole, and ways to change a record of it."""

import msgspec
from click.testing import CliRunner
from synthetic import World, write
from synthetic import make as planted
from whole_records import whole

from bench.cli.main import cli
from bench.config.trial import trial_id
from bench.store.journal import read_record

WORLD = World(methods=("nsgan", "hinge", "mmgan"), workloads=("digits", "ring8"), failure_rates={"mmgan": 0.4})


def make(world, seeds):
    return [whole(record) for record in planted(world, seeds)]


def publish(folder, *arguments):
    """Publish a folder of records, and return what the command said."""
    result = CliRunner().invoke(cli, ["publish", str(folder), *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def make_published(root):
    """Publish three seeds of `WORLD` under a folder that stands for a repository, and return the published folder."""
    source = write(make(WORLD, 3), root / "source")
    folder = root / "results" / "published" / "three"
    assert publish(folder, "--from", source) == f"18 records, 6 files of tables: {folder}\n"
    return folder


def records(folder):
    return sorted((folder / "records").iterdir())


def failed(folder):
    return next(path for path in records(folder) if read_record(path).status != "ok")


def change(path, **changes):
    record = msgspec.structs.replace(read_record(path), **changes)
    path.write_bytes(msgspec.json.encode(record))
    return record


def replace_record(path, **changes):
    """Put a record of another identity in the place of one, under its right name."""
    record = read_record(path)
    changed = msgspec.structs.replace(record, **changes)
    changed = msgspec.structs.replace(changed, trial_id=trial_id(changed.spec, changed.components))
    path.unlink()
    path.with_name(f"{changed.trial_id}.{changed.attempt}.json").write_bytes(msgspec.json.encode(changed))
