"""The script for ten minutes of a GPU: what it found is kept whatever happens, and its checks can fail."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from tape import Tapes

sys.path.insert(0, str(Path(__file__).parents[1] / "performance"))
sys.path.insert(0, str(Path(__file__).parent))

import checks
import gpu_agreement
import gpu_company
import gpu_probes
import gpu_stages
from gpu_results import Found, Result, exit_code, parse, read, table
from gpu_setup import Setup

ROOT = Path(__file__).parents[2]
LINE = Result("card", "versions", "ok", "all of them").line()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Setup]:
    threads = torch.get_num_threads()
    yield Setup("cpu", tmp_path, small=True)
    torch.set_num_threads(threads)


def run_code(tmp_path: Path, code: str, limit: float = 60.0) -> list[Result]:
    kept: list[Result] = []
    code = f"import os, signal, sys, time\nline = {LINE!r}\n{code}"
    checks.run_stage("card", [sys.executable, "-c", code], limit, tmp_path / "card.log", kept.append)
    return kept


def test_what_a_stage_told_before_its_limit_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "GRACE_SECONDS", 0.1)
    code = "print(line, flush=True)\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(300)"
    first, last = run_code(tmp_path, code, limit=2.0)
    assert first == parse(LINE)
    assert (last.state, last.said) == ("cut", "stopped after 2 s")


@pytest.mark.parametrize("death", ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(3)"])
def test_what_a_stage_told_before_it_died_is_kept_with_its_last_words(tmp_path: Path, death: str) -> None:
    code = f"print(line, flush=True)\nprint('CUDA error: misaligned address', file=sys.stderr, flush=True)\n{death}"
    first, last = run_code(tmp_path, code)
    assert first == parse(LINE)
    assert last.state == "failed"
    assert last.said.endswith("CUDA error: misaligned address")


def test_what_is_no_result_goes_to_the_log(tmp_path: Path) -> None:
    (first, last) = run_code(tmp_path, "print('hello')\nprint('[1]')\nprint('{\"stage\": 1}')\nprint(line)")
    assert first == parse(LINE)
    assert last.state == "ok"
    assert (tmp_path / "card.log").read_text().splitlines() == ["hello", "[1]", '{"stage": 1}']


def test_what_a_stage_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    code = "child = os.fork()\nprint(line.replace('versions', str(child)), flush=True) if child else time.sleep(300)"
    first, last = run_code(tmp_path, code)
    assert last.state == "ok"
    for _ in range(200):
        try:
            state = (Path("/proc") / first.what / "stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":  # it is dead; its new parent has not looked yet
            return
        time.sleep(0.05)
    raise AssertionError(f"the child is in state {state}")


@pytest.mark.parametrize(
    ("names", "first", "expected"),
    [
        (None, None, [stage.name for stage in checks.STAGES]),
        (None, "kernels", ["kernels", "precisions", "trials"]),
        (None, "5", ["pace", "queues", "kernels", "precisions", "trials"]),
        ("trials,card", None, ["card", "trials"]),
        ("5", None, ["pace", "queues"]),
        ("card,kernels", "pace", ["kernels"]),
    ],
)
def test_stages_are_chosen_by_name_or_number(names: str | None, first: str | None, expected: list[str]) -> None:
    assert [stage.name for stage in checks.chosen(names, first)] == expected


def test_an_unknown_stage_is_named() -> None:
    with pytest.raises(ValueError, match="no stage 'speed'; there are card, probes"):
        checks.chosen(None, "speed")


def run_all(tmp_path: Path, codes: dict[str, str], minutes: float = 5.0) -> int:
    options = checks.parser().parse_args(["--output", str(tmp_path), "--minutes", str(minutes)])
    command_of: Callable[[checks.Stage, float], list[str]] = lambda stage, _: [sys.executable, "-c", codes[stage.name]]  # noqa: E731
    return checks.run([stage for stage in checks.STAGES if stage.name in codes], options, command_of)


def test_a_failure_costs_nothing_of_the_stages_after_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_all(tmp_path, {"card": "import os; os.abort()", "probes": f"print({LINE!r})"}) == 1
    printed = capsys.readouterr().out
    found = read(tmp_path / "results.jsonl")
    assert [(each.stage, each.what, each.state) for each in found] == [
        ("card", "the stage", "failed"),
        ("card", "versions", "ok"),
        ("probes", "the stage", "ok"),
    ]
    assert [parse(line) for line in printed.splitlines()[:3]] == found
    assert printed.endswith((tmp_path / "table.md").read_text())
    assert printed.splitlines()[-1].startswith("| probes | the stage | ok | ended |")


def test_a_stage_for_which_no_time_is_left_is_told_and_is_no_failure(tmp_path: Path) -> None:
    assert run_all(tmp_path, {"card": f"print({LINE!r})"}, minutes=0.01) == 0
    (left,) = read(tmp_path / "results.jsonl")
    assert (left.state, left.said) == ("left", "no time was left; go on with --from card")


def test_a_later_call_goes_on_in_the_same_table(tmp_path: Path) -> None:
    assert run_all(tmp_path, {"card": "raise SystemExit('no card')"}) == 1
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write('{"stage": "card", "wha')  # the machine went away
        file.write("\n")
    assert run_all(tmp_path, {"card": f"print({LINE!r})"}) == 0
    assert {each.what: each.state for each in read(tmp_path / "results.jsonl")} == {"the stage": "ok", "versions": "ok"}


@pytest.mark.parametrize(
    ("states", "code"),
    [(["ok", "note", "skipped", "left"], 0), (["ok", "failed"], 1), (["cut", "ok"], 1), ([], 0)],
)
def test_the_exit_status_says_whether_a_check_failed(states: list, code: int) -> None:
    assert exit_code([Result("card", "a", state, "") for state in states]) == code


def test_the_table_has_a_line_for_each_result() -> None:
    last = table([Result("card", "a", "ok", "x | y\nz", seconds=1.26)]).splitlines()[-1]
    assert last == "| card | a | ok | x / y z | 1.3 |"


def test_a_check_that_raises_has_failed_and_the_others_go_on(small: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    def probes(_: Setup) -> Iterator[tuple[str, Callable[[], Found]]]:
        yield "broken", lambda: 1 / 0
        yield "fine", lambda: Found("ok", "well")

    monkeypatch.setattr(gpu_probes, "probes", probes)
    told = [(each.what, each.state, each.said) for each in gpu_stages.results("probes", small)]
    assert told == [("broken", "failed", "ZeroDivisionError: division by zero"), ("fine", "ok", "well")]
    monkeypatch.setattr(Setup, "recovers", lambda _: False)
    told = [(each.what, each.state) for each in gpu_stages.results("probes", small)]
    assert told == [("broken", "failed"), ("what comes after broken", "failed")]


def states(stage: str, setup: Setup) -> dict[str, str]:
    return {each.what: each.state for each in gpu_stages.results(stage, setup)}


def test_probes_hold_on_tapes(small: Setup) -> None:
    found = states("probes", small)
    assert set(found.values()) == {"ok", "note"}
    assert len(found) == 7


class Forgetful(Tapes):
    """Replays nothing."""

    def record(self, *given: object) -> Callable[[], None]:
        super().record(*given)
        return lambda: None


class Careless(Tapes):
    """Records what waits for the device."""

    def record(self, call: Callable[[], None], _: object) -> Callable[[], None]:
        call()
        return call


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recorder", "failing"),
    [
        (Forgetful, {"seeded draws, normal", "seeded draws, uniform", "seeded draws, integers",
                     "two graphs of a stream, one dropped"}),
        (Careless, {"a recording that fails"}),
    ],
)  # fmt: skip
def test_probes_notice_recordings_that_are_wrong(
    small: Setup, monkeypatch: pytest.MonkeyPatch, recorder: type[Tapes], failing: set[str]
) -> None:
    monkeypatch.setattr(Setup, "recorder", lambda _: recorder())
    assert {what for what, state in states("probes", small).items() if state == "failed"} == failing


@pytest.mark.slow
@pytest.mark.parametrize(("recorder", "state"), [(Tapes, "ok"), (Forgetful, "failed")])
def test_captured_steps_are_held_to_plain_ones(
    small: Setup, monkeypatch: pytest.MonkeyPatch, recorder: type[Tapes], state: str
) -> None:
    monkeypatch.setattr(Setup, "recorder", lambda _: recorder())
    found = gpu_agreement.captured_is_plain(small, "wgan-gp", "fp32")
    assert found.state == state
    assert gpu_agreement.captured_is_plain(small, "topk-gan", "fp32").state == "note"


def test_a_method_that_is_not_captured_has_failed_unless_that_is_known(
    small: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_agreement, "EXPECTED_EAGER", ())
    found = gpu_agreement.captured_is_plain(small, "topk-gan", "fp32")
    assert found.state == "failed"
    assert "count of steps" in found.said


@pytest.mark.slow
def test_evaluations_beside_are_held_to_those_in_line(small: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the thread measures other weights than it was given."""
    assert gpu_agreement.beside_is_in_line(small, "fp32").state == "ok"
    submit = gpu_agreement.BackgroundRunner.submit

    def late(runner: object, call: Callable[..., object], *given: object) -> object:
        future = submit(runner, lambda *each: call(*(_moved(one) for one in each)), *given)
        runner.wait()
        return future

    monkeypatch.setattr(gpu_agreement.BackgroundRunner, "submit", late)
    found = gpu_agreement.beside_is_in_line(small, "fp32")
    assert found.state == "failed"
    assert "metrics" in found.said


def _moved(given: object) -> object:
    """Move the weights of a network a little."""
    if isinstance(given, torch.nn.Module):
        with torch.no_grad():
            for weight in given.parameters():
                weight.add_(0.01)
    return given


@pytest.mark.slow
def test_survivors_are_held_to_trials_alone(small: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpu_company.one_fails(small, capture=False).state == "ok"
    train = gpu_company.train

    def meddling(members: list, *given: object) -> Iterator[tuple[int, object]]:
        # In company the seed is another.
        moved = members if len(members) == 1 else [*members[:2], (small.trial("ring8", 3, steps=60, evaluate_every=60,
                                                                              samples=40), members[2][1])]  # fmt: skip
        return train(moved, *given)

    monkeypatch.setattr(gpu_company, "train", meddling)
    found = gpu_company.one_fails(small, capture=False)
    assert (found.state, found.said) == ("failed", "trial 2 has other metrics, history, stability than alone")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_whole_script_runs_on_the_cpu_and_its_records_can_be_published(tmp_path: Path) -> None:
    output = tmp_path / "checks"
    given = ["--device", "cpu", "--small", "--minutes", "25", "--output", str(output)]
    script = [sys.executable, str(ROOT / "tests/gpu/checks.py"), *given]
    done = subprocess.run(script, capture_output=True, text=True, check=False, cwd=ROOT)
    found = read(output / "results.jsonl")
    assert done.returncode == 0, [each for each in found if each.state in ("failed", "cut")]
    assert {each.stage for each in found if each.what == "the stage"} == {stage.name for stage in checks.STAGES}
    assert all(json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    folder = tmp_path / "published" / "gpu-checks"
    publish = [sys.executable, "-m", "bench", "publish", str(folder), "--from", str(output / "results")]
    done = subprocess.run(publish, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((folder / "records").iterdir())) == 5
