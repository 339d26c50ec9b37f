"""What is shown while a campaign runs."""

import io
import json

import msgspec
import pytest
from made_clock import MadeClock
from terminal_text import terminal_text

from bench.cli import progress, tally
from bench.cli.tally import Running, Tally
from bench.events import (
    CampaignFinished,
    CampaignStarted,
    Progress,
    RecordDisagrees,
    TrialFinished,
    TrialRetried,
    TrialStarted,
)


@pytest.fixture
def events(record, workload):
    trial = record(workload, "nsgan", 0).trial
    other = record(workload, "hinge", 1).trial
    return [
        CampaignStarted(planned=4, recorded=1, workers=2, results="results/local"),
        TrialStarted(trial=trial, attempt=0),
        TrialStarted(trial=other, attempt=0),
        Progress(trial_id=trial.id, step=300, steps=600, images_per_second=1234.5),
        Progress(trial_id=trial.id, step=450, steps=600, images_per_second=1234.5, distance=88.8),
        TrialRetried(trial_id=other.id, attempt=1, reason="killed by signal 9"),
        RecordDisagrees(trial_id=trial.id, fields=("metrics.fd", "history")),
        TrialFinished(trial=trial, attempt=0, status="ok", message="", distance=75.1, seconds=21.0),
        TrialFinished(trial=other, attempt=1, status="error", message="it broke", distance=None, seconds=3.0),
        CampaignFinished(finished=2, failed=1, seconds=30.0),
    ]


def test_the_tally_follows_the_events(events):
    standing = Tally()
    for event in events[:5]:
        standing.take(event)
    assert (standing.done, standing.finished, len(standing.running)) == (1, 0, 2)
    assert standing.share == pytest.approx(0.75 / 3)
    for event in events[5:]:
        standing.take(event)
    assert (standing.done, standing.finished, standing.problems, standing.running) == (3, 2, 1, {})


def test_time_left_is_extrapolated_from_the_share_done(events):
    clock = MadeClock()
    standing = Tally(clock=clock)
    for event in events[:5]:
        standing.take(event)
    assert standing.seconds_left() is None
    clock.sleep(10.0)
    assert standing.seconds_left() == pytest.approx(10.0 * 0.75 / 0.25)


def going_on(trial_id, step):
    note = f"goes on at step {step:,}"
    return Progress(trial_id=trial_id, step=step, steps=600, images_per_second=0.0, note=note)


def test_time_left_leaves_out_what_earlier_runs_have_done(events):
    clock = MadeClock()
    standing = Tally(clock=clock)
    started, first, other, *_ = events
    trial_id = first.trial.id
    for event in (started, first, going_on(trial_id, 540), other, going_on(other.trial.id, 540)):
        standing.take(event)
    clock.sleep(10.0)
    assert standing.share == pytest.approx(1.8 / 3), "the bar shows all that is done"
    assert standing.seconds_left() is None, "this run has done nothing yet"
    standing.take(Progress(trial_id=trial_id, step=570, steps=600, images_per_second=1.0))
    assert standing.seconds_left() == pytest.approx(10.0 * (3 - 1.85) / 0.05)
    standing.take(TrialFinished(trial=first.trial, attempt=0, status="ok", message="", distance=1.0, seconds=12.0))
    assert standing.seconds_left() == pytest.approx(10.0 * (3 - 1.9) / 0.1)


@pytest.mark.parametrize(
    ("before", "again", "made"),
    [
        pytest.param(0, 300, 330, id="its own checkpoint"),
        pytest.param(240, 300, 90, id="a checkpoint of an earlier run and its own"),
        pytest.param(240, 0, 330, id="from the beginning"),
    ],
)
def test_time_left_counts_what_this_run_has_done_before_a_trial_was_lost(events, before, again, made):
    clock = MadeClock()
    standing = Tally(clock=clock)
    trial = events[1].trial
    standing.take(CampaignStarted(planned=1, recorded=0, workers=1, results="results/local"))
    for event in (
        *([going_on(trial.id, before)] if before else []),
        Progress(trial_id=trial.id, step=310, steps=600, images_per_second=1.0),
        TrialRetried(trial_id=trial.id, attempt=1, reason="killed by signal 9"),
        *(
            [going_on(trial.id, again)]
            if again
            else [Progress(trial_id=trial.id, step=0, steps=600, images_per_second=1.0)]
        ),
        Progress(trial_id=trial.id, step=330, steps=600, images_per_second=1.0),
    ):
        standing.take(event)
    clock.sleep(10.0)
    assert standing.seconds_left() == pytest.approx(10.0 * (600 - 330) / made)


def test_plain_lines_say_starts_and_ends_and_little_between(events):
    lines = []
    renderer = progress.PlainRenderer(lines.append)
    for event in events:
        renderer.handle(event)
    assert lines == [
        "3 of 4 trials to run, 2 at a time; records in results/local",
        "[1/4] nsgan on digits, seed 0: started",
        "[1/4] hinge on digits, seed 1: started",
        "hinge on digits, seed 1: its process was lost (killed by signal 9); trying once more",
        "nsgan on digits, seed 0: differs from its first record in metrics.fd, history although the machine is the "
        "same; the first record stays",
        "[2/4] nsgan on digits, seed 0: distance 75.1, after 21 s",
        "[3/4] hinge on digits, seed 1: stopped by an error, it broke, after 3 s",
    ]


@pytest.mark.parametrize(("most", "company"), [(1, "alone"), (4, "with at most 4 trials in its process")])
def test_a_retry_for_lack_of_memory_says_with_how_many(events, most, company):
    lines = []
    renderer = progress.PlainRenderer(lines.append)
    for event in events[:3]:
        renderer.handle(event)
    trial_id = events[1].trial.id
    reason = "out of memory beside 7 other trials of its process: CUDA out of memory"
    renderer.handle(TrialRetried(trial_id=trial_id, attempt=1, reason=reason, trials_per_process=most))
    assert lines[-1] == f"nsgan on digits, seed 0: {reason}; trying again {company}"


def test_plain_progress_comes_at_most_once_an_interval(events):
    lines = []
    renderer = progress.PlainRenderer(lines.append, interval=0.0)
    for event in events[:5]:
        renderer.handle(event)
    assert lines[-1] == "[1/4] nsgan on digits, seed 0: step 450 of 600, 1,234 images/s, distance 88.8"


def test_json_lines_name_the_trial(events):
    stream = io.StringIO()
    renderer = progress.JsonRenderer(stream)
    for event in events:
        renderer.handle(event)
    documents = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [document["type"] for document in documents] == [
        "campaign-started", "trial-started", "trial-started", "progress", "progress", "trial-retried",
        "record-disagrees", "trial-finished", "trial-finished", "campaign-finished",
    ]  # fmt: skip
    assert documents[1]["trial_id"] == events[1].trial.id == documents[3]["trial_id"]


def test_the_live_display_shows_every_running_trial(events):
    renderer = progress.RichRenderer()
    for event in events[:5]:
        renderer.tally.take(event)
    text = terminal_text(renderer._display(), width=120)
    for words in (
        "1/4 trials",
        "nsgan on digits, seed 0",
        "step 450/600",
        "1,234 images/s",
        "distance 88.8",
        "starting",
    ):
        assert words in text


def test_the_live_display_survives_a_whole_campaign(events, capsys):
    with progress.RichRenderer() as renderer:
        for event in events:
            renderer.handle(event)
    captured = capsys.readouterr()
    assert captured.out == ""
    text = " ".join(captured.err.split())
    assert "✓ nsgan on digits, seed 0: distance 75.1, after 21 s" in text
    assert "✗ hinge on digits, seed 1" in text


@pytest.mark.parametrize(
    ("kind", "expected"), [("auto", "Plain"), ("json", "Json"), ("rich", "Rich"), ("plain", "Plain")]
)
def test_auto_is_plain_where_there_is_no_terminal(kind, expected, capsys):
    assert type(progress.renderer(kind)).__name__ == f"{expected}Renderer"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"TERM": "xterm"}, "Rich"),
        ({"TERM": "dumb"}, "Plain"),
        ({"TERM": "unknown"}, "Plain"),
        ({"TERM": "xterm", "TTY_COMPATIBLE": "0"}, "Plain"),
        ({"TERM": "xterm", "FORCE_COLOR": ""}, "Plain"),
    ],
)
def test_a_terminal_on_which_a_live_display_shows_nothing_gets_lines(monkeypatch, variables, expected):
    for name in ("TERM", "TTY_COMPATIBLE", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stderr", shown := Terminal())
    assert type(progress.renderer("auto")).__name__ == f"{expected}Renderer"
    monkeypatch.setattr(progress, "PLAIN_INTERVAL", 0.0)
    with progress.counted(2) as (_, on_progress):
        on_progress("nsgan", 5, 10)
    assert ("25%: nsgan, 5 of 10" in shown.getvalue()) == (expected == "Plain")


def test_a_pipe_is_no_terminal_where_colors_are_forced(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert type(progress.renderer("auto")).__name__ == "PlainRenderer"


def test_what_goes_on_beside_the_steps_is_told(events):
    measuring = Progress(trial_id="x", step=600, steps=600, images_per_second=1234.5, doing="FID 6,400/50,000")
    lines = []
    plain = progress.PlainRenderer(lines.append, interval=0.0)
    for event in [*events[:2], measuring]:
        plain.handle(event)
    assert lines[-1].startswith("[1/4] x: step 600 of 600, 1,234 images/s, FID 6,400/50,000")
    cells = progress.running_cells(Running("x", measuring))
    assert "FID 6,400/50,000" in cells


def test_a_note_is_told_at_once_whatever_was_told_just_before(events, capsys, monkeypatch):
    noted = Progress(
        trial_id=events[1].trial.id, step=300, steps=600, images_per_second=0.0, note="goes on at step 300"
    )
    lines = []
    plain = progress.PlainRenderer(lines.append, interval=1000.0)
    for event in [*events[:2], noted]:
        plain.handle(event)
    assert lines[-1].endswith("seed 0: goes on at step 300")
    assert lines[-1].startswith("[1/4] ")
    progress.RichRenderer().handle(noted)
    assert "goes on at step 300" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("folder", "shown"),
    [
        ("{here}/my photos", "hinge on imagefolder:my photos?size=32, seed 1"),
        ("/elsewhere/photos", "hinge on imagefolder:/elsewhere/photos?size=32, seed 1"),
    ],
)
def test_a_folder_below_the_current_one_is_named_from_here(record, workload, tmp_path, monkeypatch, folder, shown):
    monkeypatch.chdir(tmp_path)
    trial = record(workload, "hinge", 1).trial
    name = f"imagefolder:{folder.format(here=tmp_path)}?size=32"
    trial = msgspec.structs.replace(trial, spec=msgspec.structs.replace(trial.spec, workload=name))
    assert tally.label(trial) == shown
