"""A Ray cluster as a campaign finds it: reached or started, what it has room for, and whether its versions fit.

Where no address is given, a cluster of this machine alone is started: on the loopback address, without a dashboard,
and with a token that only this run knows, so that nobody else on the machine can use it. Other clusters have the
settings of whoever started them; one that asks for no token is said to be open.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from bench.common.errors import first_line
from bench.execution import ray_versions
from bench.execution.interface import Resources
from bench.execution.ray_messages import Settings
from bench.store.environment import usable_cpus

MODEL: Final = "accelerator_type:"
"""What Ray puts before the model of a card to make a resource of it."""

OBJECT_STORE_BYTES: Final = 2**29
"""Shared memory of a cluster of this machine alone, where Ray would take a third of all."""

_ANSWER_SECONDS: Final = 120.0

_OPEN: Final = (
    "this cluster asks for no token: whoever reaches its ports can run programs on it; docs/clusters.md says how to "
    "close it"
)


class DeclinedError(Exception):
    """The cluster cannot be used; the message is one line."""


def connect(settings: Settings) -> list[str]:
    """Connect to the cluster, or start one; return what the user should know of it.

    Raises:
        DeclinedError: there is no such cluster, or it runs another Ray or Python.
    """
    own = not settings.address
    quiet = {"log_to_driver": False, "configure_logging": False}
    try:
        if own:
            ray.init(
                address="local",
                num_cpus=usable_cpus(),
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                _temp_dir=settings.folder,
                **quiet,
            )
        else:
            ray.init(address=settings.address, **quiet)
    except Exception as error:
        # Ray has many kinds of error for this, among them those of its transport.
        where = settings.address or "a cluster of this machine"
        raise DeclinedError(f"{where} cannot be used: {' '.join(str(error).split())[:300]}") from error
    return [] if own or os.environ.get("RAY_AUTH_MODE", "").lower() == "token" else [_OPEN]


def usable(settings: Settings) -> tuple[str, Resources, list[str]]:
    """Return the device, what each process takes, and a warning where no node has room for one now.

    Raises:
        DeclinedError: the settings contradict each other.
    """
    gpus = sum(node.get("GPU", 0.0) for node in _nodes().values())
    device = settings.device
    if device == "auto":
        device = "cuda" if gpus else "cpu"
    resources = settings.resources
    if device == "cuda" and not resources.gpus:
        resources = msgspec.structs.replace(resources, gpus=1.0)
    if device == "cpu" and (resources.gpus or resources.gpu_model):
        raise DeclinedError("a share or a model of a GPU is asked for, and trials run on the CPU: use --device cuda")
    return device, resources, [] if room(resources) else [_no_room(resources)]


def _no_room(resources: Resources) -> str:
    nodes = _nodes()
    models = sorted({name.removeprefix(MODEL) for node in nodes.values() for name in node if name.startswith(MODEL)})
    has = "; ".join(
        f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs, {node.get('memory', 0) / 2**30:.1f} GiB"
        for node in nodes.values()
    )
    wanted = f"{resources.cpus} CPUs, {resources.gpus:g} GPUs, {resources.memory / 2**30:g} GiB"
    model = f" of model {resources.gpu_model} (there are: {', '.join(models) or 'none'})" if resources.gpu_model else ""
    return f"no node has room for a process now ({wanted}{model}; nodes have {has}): waiting for one that joins"


def room(resources: Resources) -> int:
    """Return for how many processes the nodes have room now, if nothing else runs there."""
    return sum(fitting(node, resources) for node in _nodes().values())


def at_most(free: int, workers: int | None) -> int:
    """Return how many processes there can be, given what there is room for and what the user allows."""
    return free if workers is None else min(free, workers)


def ray_options(resources: Resources) -> dict[str, Any]:
    """Return what Ray is told of each process. What is lost is flown again from here, with its checkpoint."""
    options: dict[str, Any] = {
        "num_cpus": resources.cpus,
        "num_gpus": resources.gpus,
        "max_retries": 0,
        "num_returns": "streaming",
        "scheduling_strategy": "SPREAD",
    }
    if resources.memory:
        options["memory"] = resources.memory
    if resources.gpu_model:
        options["accelerator_type"] = resources.gpu_model
    return options


def fitting(node: Mapping[str, float], resources: Resources) -> int:
    """Return how many processes fit on a node, given all that it has, in Ray's names."""
    if resources.gpu_model and not node.get(f"{MODEL}{resources.gpu_model}"):
        return 0
    taken = {"CPU": resources.cpus, "GPU": resources.gpus, "memory": resources.memory}
    return min(_times(amount, node.get(name, 0.0)) for name, amount in taken.items() if amount)


def _times(amount: float, there: float) -> int:
    """Return how often an amount is there; a share of a card is of one card, and not of what two have left."""
    if amount >= 1:
        return int(there / amount + 1e-9)
    cards, part = divmod(there, 1.0)
    return int(cards) * int(1 / amount + 1e-9) + int(part / amount + 1e-9)


def _nodes() -> dict[str, dict[str, float]]:
    """Return what each living node has, by its id."""
    return {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}


def check_versions(resources: Resources) -> None:
    """Compare the versions of every node that can take a process with this machine's.

    Raises:
        DeclinedError: they differ.
    """
    probe = ray.remote(_make_probe())
    asked = {
        node_id: probe.options(
            num_cpus=0, max_retries=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False)
        ).remote()
        for node_id, node in _nodes().items()
        if fitting(node, resources)
    }
    here = ray_versions.program()
    addresses = {
        node["NodeID"]: f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})" for node in ray.nodes()
    }
    for node_id, answer in asked.items():
        try:
            there, problem = ray.get(answer, timeout=_ANSWER_SECONDS)
        except Exception as error:
            if node_id not in _nodes():  # it was lost meanwhile, and nothing will be given to it
                continue
            raise DeclinedError(f"the node {addresses[node_id]} does not answer: {first_line(error)}") from error
        differs = problem or ray_versions.difference(here, there)
        if differs:
            raise DeclinedError(
                f"the node {addresses[node_id]} has {differs}: install the same packages and the same checkout on all"
            )


def _make_probe() -> Callable[[], Any]:
    # A function within a function travels as code: the node may lack the module that this one is in.
    def probe() -> tuple[dict[str, str], str]:
        try:
            from bench.execution.ray_versions import program
        except ImportError as error:
            return {}, f"no usable gan-loss-bench ({error})"
        return program(), ""

    return probe
