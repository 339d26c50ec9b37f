"""Start a Ray cluster of several nodes on this machine's loopback address, run a command in it, and end it.

    python examples/clusters/loopback.py --nodes 3 python -m bench run --executor ray

A cluster to try things on: the head has no CPU to train with, each node has one, and the command finds the cluster by
$RAY_ADDRESS. Nobody else can use it: it listens on 127.0.0.1 alone and asks for a token that only the command knows.
"""

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

STORE_BYTES = 100 * 2**20


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if not arguments.command:
        parser.error("there is no command to run")
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # the names of Ray's sockets must not be long
    (Path(folder) / "ray").mkdir()  # Ray writes the cluster's address there, and does not make the folder itself
    # Ray reads these when it is imported.
    os.environ.update(
        RAY_TMPDIR=folder,
        RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",  # everything listens on 127.0.0.1
        RAY_USAGE_STATS_ENABLED="0",
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN=secrets.token_hex(32),
        # The nodes find the program where this process finds it.
        PYTHONPATH=os.pathsep.join([str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]),
    )
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES, "temp_dir": folder}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(arguments.nodes):
            cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        print(f"a cluster of {arguments.nodes} nodes at {cluster.address}", file=sys.stderr)
        environment = {**os.environ, "RAY_ADDRESS": cluster.address}
        return run(arguments.command, environment)
    finally:
        cluster.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def run(command: list[str], environment: dict[str, str]) -> int:
    """Run a command to its own end, however this process is asked to end; return its exit code, as shells give it."""
    with subprocess.Popen(command, env=environment) as process:  # noqa: S603 - the user's own
        signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C reaches the command, too
        signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number))
        code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
