"""What a process that trains is given by the one that starts it: an environment, and the name of its device there."""

import os
import sys

import msgspec

from bench.common.threads import thread_variables
from bench.execution.device import VISIBLE_GPUS, visible_gpu
from bench.execution.interface import Place, Task
from bench.training.run_options import RunOptions


def child_environment(options: RunOptions, place: Place) -> dict[str, str]:
    """Return the parent's environment with the child's threads and place, and the very search path of the parent."""
    gpu = visible_gpu(options.device, os.environ)
    own = {**search_path(), **thread_variables(options.threads), **({} if gpu is None else {VISIBLE_GPUS: gpu})}
    return {**os.environ, **own, **place.environment}


def search_path() -> dict[str, str]:
    """Return the variables of a child that is to import what this process would import."""
    entries = os.pathsep.join(entry or os.getcwd() for entry in sys.path)  # noqa: PTH109 - a text is wanted
    return {"PYTHONPATH": entries, "PYTHONUNBUFFERED": "1"}


def on_its_one_device(task: Task) -> Task:
    """Return the task as the child is told of it, which sees one GPU and calls it `cuda`."""
    if task.options.device.partition(":")[0] != "cuda":
        return task
    return msgspec.structs.replace(task, options=msgspec.structs.replace(task.options, device="cuda"))
