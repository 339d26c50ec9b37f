"""A Ray cluster of several nodes on the loopback address, for tests: started and ended by them.

Ray is imported only here, after the variables that keep it on 127.0.0.1 and quiet.
"""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

QUIET = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # everything listens on 127.0.0.1
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "5",  # the head's loss is noticed so soon, and not after a minute
}
STORE_BYTES = 100 * 2**20


class Nodes:
    """A head without CPUs, so that nothing is trained there, and nodes that come and go."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self._folder = folder
        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "include_dashboard": False,
                "object_store_memory": STORE_BYTES,
                "temp_dir": str(folder),
            },
        )
        self._nodes: list[object] = []

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add(self, cpus: int = 1, environment: dict[str, str] | None = None, **resources: object) -> object:
        """Add a node; `environment` is what its processes have over this process's."""
        node = self._cluster.add_node(
            num_cpus=cpus,
            object_store_memory=STORE_BYTES,
            **({"env_vars": environment} if environment else {}),
            **resources,
        )
        self._nodes.append(node)
        return node

    def kill(self, node: object, *, ask: bool = False) -> None:
        """Take a node away: at once, as a loss of power does, or by SIGTERM, as whoever wants a spot machine back."""
        self._nodes.remove(node)
        self._cluster.remove_node(node, allow_graceful=ask)

    def kill_head(self, *, ask: bool = False) -> None:
        self._cluster.remove_node(self._cluster.head_node, allow_graceful=ask)

    def end(self) -> None:
        self._cluster.shutdown()


@contextmanager
def cluster(**variables: str) -> Iterator[Nodes]:
    """Start a cluster with a head alone; its nodes see this process's search path and variables."""
    before, on_termination = dict(os.environ), signal.getsignal(signal.SIGTERM)
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    (folder / "ray").mkdir()  # Ray writes the cluster's address there, and does not make the folder itself
    os.environ.update(
        QUIET,
        PYTHONPATH=os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path),
        RAY_TMPDIR=str(folder),
        **variables,
    )
    try:
        nodes = Nodes(folder)
        try:
            yield nodes
        finally:
            nodes.end()
    finally:
        signal.signal(signal.SIGTERM, on_termination)  # Ray leaves one of its own, which ends this process
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder, ignore_errors=True)
