"""The guide to clusters and its examples: files that parse, commands that exist, a walk-through run word for word."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bench import campaign
from bench.cli.main import cli
from bench.config.suite import load_suite
from bench.execution.local import LocalExecutor
from bench.plan import expand
from bench.store.journal import Store, differing_fields

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "clusters.md"
FOLDER = ROOT / "examples" / "clusters"
FILES = sorted(FOLDER.iterdir())
COMMAND = re.compile(r"(?:python -m bench|gan-loss-bench) (?!\W)[^`\n]*")


def text_of(path: Path) -> str:
    """Return a file's text with lines that go on joined, and with values for what a shell would replace."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ").replace("$SLURM_ARRAY_TASK_ID", "3")
    text = text.replace('"$HOME"/gan-losses/part*', f"{FOLDER} {FOLDER}")
    if path.suffix == ".yaml":
        text = re.sub(r"\n +(--results)", r" \1", text)
    return text


def commands() -> list[tuple[str, str]]:
    return [(path.name, found.strip()) for path in (GUIDE, *FILES) for found in COMMAND.findall(text_of(path))]


@pytest.mark.parametrize(("file", "command"), commands())
def test_every_command_is_one_that_the_program_takes(file: str, command: str) -> None:
    words = shlex.split(command)
    name, *arguments = words[3:] if words[0] == "python" else words[1:]
    with cli.make_context("bench", [name]) as context:
        verb = cli.get_command(context, name)
        assert verb is not None, f"{file}: there is no command {name}"
        verb.make_context(name, arguments, parent=context)  # an unknown option or value raises


def test_the_commands_of_every_way_are_found() -> None:
    found = commands()
    assert {"clusters.md", "loopback.py", "slurm_array.sh", "slurm_merge.sh", "kuberay.yaml"} == {
        file for file, _ in found
    }
    assert any("--executor ray" in command for file, command in found if file == "kuberay.yaml")
    assert any("--results /results" in command for file, command in found if file == "kuberay.yaml")


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".sh"], ids=lambda path: path.name)
def test_shell_scripts_parse(path: Path) -> None:
    subprocess.run(["bash", "-n", path], check=True)
    assert "set -euo pipefail" in path.read_text(encoding="utf-8")


def test_the_job_for_kubernetes_asks_for_a_token_and_keeps_its_records() -> None:
    claim, job = yaml.safe_load_all((FOLDER / "kuberay.yaml").read_text(encoding="utf-8"))
    assert (claim["kind"], job["kind"]) == ("PersistentVolumeClaim", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    head = cluster["headGroupSpec"]["template"]["spec"]
    (volume,) = head["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    (container,) = head["containers"]
    (mount,) = container["volumeMounts"]
    assert mount["name"] == volume["name"]
    assert f"--results {mount['mountPath']}/" in job["spec"]["entrypoint"]
    images = {container["image"]} | {
        each["image"] for group in cluster["workerGroupSpecs"] for each in group["template"]["spec"]["containers"]
    }
    assert len(images) == 1, "one image keeps all versions equal"


def test_every_file_is_named_in_the_guide() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    assert [path.name for path in FILES if path.name not in guide] == []


def walk_through() -> list[str]:
    (block,) = re.findall(
        r"<!-- walk-through: loopback -->\n```\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    return block.splitlines()


NO_CLUSTER = """
class Cluster:
    address = "127.0.0.1:1"
    def __init__(self, **_): pass
    def add_node(self, **_): pass
    def shutdown(self): print("the cluster is ended", flush=True)
"""

COMMAND_THAT_KEEPS_ITS_STATE = """
import signal, sys, time
def stop(number, _):
    time.sleep(0.5)
    print("state is kept", flush=True)
    sys.exit(128 + number)
signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_on_the_cluster_of_this_machine_ends_in_its_own_time(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "__init__.py").touch()
    (tmp_path / "ray" / "cluster_utils.py").write_text(NO_CLUSTER)
    (tmp_path / "command.py").write_text(COMMAND_THAT_KEEPS_ITS_STATE)
    command = [FOLDER / "loopback.py", "--nodes", "1", sys.executable, tmp_path / "command.py"]
    with subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTIBLE, *map(str, command)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if number == signal.SIGINT:  # as a terminal does
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        assert process.stdout.read() == "state is kept\nthe cluster is ended\n"
        assert process.wait(30) == 128 + number


# Whoever starts the tests in the background may ignore it.
_INTERRUPTIBLE = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_walk_through_of_three_nodes_gives_the_records_of_one_machine(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'gan-loss-bench[ray]'")
    for name in ("bench", "losses", "examples", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).symlink_to(ROOT / name)
    install, *run = walk_through()
    assert install == 'pip install -c constraints.txt ".[ray]"', "what is installed here"
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for line in run:
        done = subprocess.run(["bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    trials = expand(load_suite("smoke"))
    assert "Everything is recorded." in done.stdout
    store = Store(tmp_path / "local")
    list(campaign.run(trials, LocalExecutor(2), store))
    found, expected = Store(tmp_path / "results" / "cluster").latest(), store.latest()
    assert found.keys() == expected.keys() == {trial.id for trial in trials}
    for trial_id, record in expected.items():
        assert differing_fields(found[trial_id], record) == []
