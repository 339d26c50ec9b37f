"""Records and folders that no campaign leaves behind: none hangs `verify` or crashes it, and each is named."""

import os
import random

import msgspec
import pytest
from classics_runs import RUN, found, replace, runs_of_classics, written
from published_folders import publish
from slow_cases import mostly_slow

from bench import data
from bench.config.trial import trial_id
from bench.report.folder_contents import read_contents
from bench.report.verification import verify
from bench.statistics.damage import file_of


@pytest.fixture
def runs():
    return runs_of_classics()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("change", ["seed", "attempt", "steps", "samples"])
def test_a_number_without_end_is_answered(runs, tmp_path, change):
    run = runs[RUN]
    if change == "attempt":
        endless = replace(run, attempt=2**62)
    else:
        spec = replace(run.spec, **{change: 2**62})
        endless = replace(run, spec=spec, trial_id=trial_id(spec, run.components))
    assert found([*(other for key, other in runs.items() if key != RUN), endless], tmp_path)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "where",
    mostly_slow(
        ["records/{}", "manifest.json", "README.md", "leaderboard.md", "artifacts/{}/samples.png"],
        fast=["records/{}", "README.md"],
    ),
)
@pytest.mark.parametrize("kind", ["pipe", "folder", "huge", "link", "endless", "dangling"])
def test_what_is_no_file_is_named(runs, tmp_path, where, kind):
    folder = tmp_path / "results" / "published" / "few"
    few = [run for (workload, _, seed), run in runs.items() if workload == "ring8" and seed < 2]
    written(few, folder)
    publish(folder)
    run = few[0]
    path = folder / where.format(file_of(run).partition("/")[2] if "records" in where else run.trial_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = path.read_bytes() if path.exists() else b"x"
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "huge":
        with path.open("wb") as file:
            file.truncate(2**31)
    elif kind == "link":
        (tmp_path / "elsewhere").write_bytes(content)
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.symlink_to("/dev/zero" if kind == "endless" else "nowhere")
    wrong = [each for each in verify(folder, data.workload).findings if each.wrong]
    name = path.relative_to(folder).as_posix()
    words = {"pipe": "a named pipe", "folder": "a folder", "huge": " MiB", "link": "a symbolic link"}
    assert any(each.file == name and words.get(kind, "a symbolic link") in each.what for each in wrong), wrong


def mutated(value, chance):
    """A JSON value with something in it exchanged for what nobody expects there."""
    strange = [None, True, -1, 0, 2**62, -(2**63), 1e308, -1e-308, "", "x" * 300, "\x00", "/etc/passwd", [], {}, [[]]]
    if chance.random() < 0.03:
        return chance.choice(strange)
    if isinstance(value, dict):
        kept = {key: mutated(each, chance) for key, each in value.items() if chance.random() > 0.01}
        return {**kept, "extra": 1} if chance.random() < 0.002 else kept
    if isinstance(value, list):
        return [mutated(each, chance) if len(value) < 8 else each for each in value if chance.random() > 0.005]
    return value


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_strange_records_are_named_and_crash_nothing(runs, tmp_path):
    chance, read = random.Random(17), 0
    few = [run for (workload, _, seed), run in runs.items() if seed < 2 and workload == "ring8"]
    for attempt in range(400):
        folder = tmp_path / str(attempt)
        written(few, folder)
        run = chance.choice(few)
        record = msgspec.json.decode(msgspec.json.encode(run))
        # Most places are left alone, so that some records are read and reach every check.
        for _ in range(chance.randrange(1, 3)):
            key = chance.choice(sorted(record))
            record[key] = mutated(record[key], chance)
        if isinstance(record.get("spec"), dict) and chance.random() < 0.7:
            try:
                spec = msgspec.convert(record["spec"], type(run.spec))
                record["trial_id"] = trial_id(spec, record["components"])
                record["protocol_version"] = spec.protocol_version
            except (msgspec.ValidationError, TypeError, OverflowError):
                pass
        name = f"{record['trial_id']}.{record['attempt']}.json"
        (folder / file_of(run)).unlink()
        if "/" in name or "\x00" in name or len(name) > 200:
            name = file_of(run).partition("/")[2]
        (folder / "records" / name).write_text(msgspec.json.encode(record).decode())
        contents = read_contents(folder, data.workload)
        read += len(contents.records) == len(few)
    assert read > 80, "most would not reach the checks"


@pytest.mark.parametrize(
    "content",
    [b"[" * 10**6, b'{"schema_version":1,"spec":' + b"[" * 10**6, b'{"a":' * 10**5, b"\xff\xfe", b'"\\ud800"', b""],
)  # fmt: skip
def test_bytes_that_are_no_record_are_named(runs, tmp_path, content):
    written([runs[RUN]], tmp_path)
    (tmp_path / file_of(runs[RUN])).write_bytes(content)
    assert "is damaged or edited" in "".join(
        each.what for each in read_contents(tmp_path, data.workload).findings if each.file == file_of(runs[RUN])
    )
