"""Tasks through an executor: what it tells of them."""

from bench.execution.interface import Executor, Finished, Message, Task


def run(executor: Executor, *tasks: Task) -> list[Message]:
    """Return all messages of tasks that have a process each."""
    return run_groups(executor, *((task,) for task in tasks))


def run_groups(executor: Executor, *groups: tuple[Task, ...]) -> list[Message]:
    """Return all messages of groups of tasks that share a process."""
    for group in groups:
        executor.submit(*group)
    return list(executor.messages())


def finished(messages: list[Message]) -> list[Finished]:
    return [message for message in messages if isinstance(message, Finished)]
