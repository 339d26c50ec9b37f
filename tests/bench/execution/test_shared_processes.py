"""Several attempts in one process: each has its own outcome, and what is lost is lost alone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from executed_tasks import run_groups

from bench.execution.inline import InlineExecutor
from bench.execution.interface import Executor, Finished, Message, Started, Task
from bench.execution.local import LocalExecutor
from bench.store.record import is_out_of_memory

MakeTask = Callable[..., Task]


@pytest.fixture(params=["local", "inline"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    made: Executor = LocalExecutor(1) if request.param == "local" else InlineExecutor()
    yield made
    made.close()


def ends(messages: list[Message]) -> dict[str, Finished]:
    return {each.task.trial.spec.method: each for each in messages if isinstance(each, Finished)}


def test_every_task_of_a_group_starts_and_has_its_outcome_as_it_ends(executor: Executor, make_task: MakeTask) -> None:
    group = tuple(make_task(seed=seed) for seed in range(3))
    messages = run_groups(executor, group, (make_task("nonfinite"),))
    assert [each.task for each in messages if isinstance(each, Started)][:3] == list(group)
    finished = [each for each in messages if isinstance(each, Finished)]
    assert [each.task.trial.spec.seed for each in finished] == [2, 1, 0, 0]
    assert [each.outcome.status for each in finished] == ["ok", "ok", "ok", "nonfinite"]
    for end in finished[:3]:
        assert (end.task.artifacts / "samples.png").read_bytes() == end.task.trial.id.encode()
        assert end.outcome.environment is not None
        assert not end.lost


def test_one_failure_is_an_outcome_with_its_log_and_the_others_go_on(executor: Executor, make_task: MakeTask) -> None:
    good, bad = make_task(), make_task("break")
    found = ends(run_groups(executor, (good, bad)))
    assert found["plain"].outcome.status == "ok"
    assert found["break"].outcome.message == "RuntimeError: the flux capacitor is empty"
    assert "fake_training.py" in Path(bad.log).read_text()


def test_a_failure_of_the_whole_is_every_open_tasks_outcome(executor: Executor, make_task: MakeTask) -> None:
    found = ends(run_groups(executor, (make_task("break-all"), make_task())))
    assert found["plain"].outcome.status == "ok", "it had ended before"
    assert found["break-all"].outcome.message == "RuntimeError: nothing goes any more"


def test_a_lost_process_loses_what_had_not_ended(make_task: MakeTask) -> None:
    with LocalExecutor(1) as executor:
        found = ends(run_groups(executor, (make_task("nap"), make_task("die"), make_task())))
    assert not found["plain"].lost
    assert found["plain"].outcome.status == "ok"
    for method in ("die", "nap"):
        assert found[method].lost
        assert "SIGKILL" in found[method].outcome.message


def test_a_process_may_take_the_time_of_all_its_tasks(make_task: MakeTask) -> None:
    group = (make_task("sleep", timeout_minutes=0.0125), make_task(timeout_minutes=0.0125))
    with LocalExecutor(1) as executor:
        found = ends(run_groups(executor, group))
    assert found["plain"].outcome.status == "ok"
    assert found["sleep"].outcome.status == "timeout"
    assert found["sleep"].outcome.message == "stopped after 0.025 minutes"


def test_the_logs_say_where_the_process_wrote(make_task: MakeTask) -> None:
    group = (make_task("print"), make_task())
    with LocalExecutor(1) as executor:
        run_groups(executor, group)
    assert "a library talks to stdout" in Path(group[0].log).read_text()
    assert Path(group[0].log).name in Path(group[1].log).read_text()


def test_a_trial_that_others_were_in_the_way_of_may_be_tried_again(executor: Executor, make_task: MakeTask) -> None:
    found = ends(run_groups(executor, (make_task("large"), make_task())))
    assert found["large"].lost
    assert found["large"].outcome.message == "NeedsOwnProcess: the GPU failed"
    assert (found["plain"].lost, found["plain"].outcome.status) == (False, "ok")
    alone = ends(run_groups(executor, (make_task("large", seed=1),)))
    assert (alone["large"].lost, alone["large"].outcome.status) == (False, "ok")


def test_out_of_memory_is_an_outcome_of_its_own(executor: Executor, make_task: MakeTask) -> None:
    """The process says whether others were there; only then is another attempt of use."""
    found = ends(run_groups(executor, (make_task("huge"), make_task(), make_task(seed=1))))["huge"]
    assert found.lost
    assert found.outcome.message == "out of memory beside 2 other trials of its process: no memory was left"
    alone = ends(run_groups(executor, (make_task("huge", seed=1),)))["huge"]
    assert not alone.lost
    assert (alone.outcome.status, alone.outcome.message) == ("error", "out of memory: no memory was left")
    assert is_out_of_memory(found.outcome)
    assert is_out_of_memory(alone.outcome)
