"""The Dockerfile, as far as it can be checked without Docker: its sources, its commands, and what it is said to do."""

import json
import re
import shutil
import subprocess
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import click
import pytest
import yaml
from built_packages import ROOT, build, copy, tracked
from doc_pages import blocks

from bench.cli.main import cli

PAGE = ROOT / "docs" / "how-to" / "container.md"
SCRIPT = "gan-loss-bench"


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile and what follows each: comments left out, continued lines joined."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", lines)
    return [(word.upper(), rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


FILE = instructions((ROOT / "Dockerfile").read_text(encoding="utf-8"))
IGNORED = [
    line
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def given(instruction: str) -> list[str]:
    return [rest for word, rest in FILE if word == instruction]


def copied() -> list[str]:
    """Return what is copied from the checkout, and not from another stage."""
    return [source for rest in given("COPY") if not rest.startswith("--from") for source in rest.split()[:-1]]


def is_ignored(name: str) -> bool:
    parents = [name, *(parent.as_posix() for parent in Path(name).parents)]
    return any(
        fnmatch(each, line) or fnmatch(f"/{each}", line.replace("**", "*")) for each in parents for line in IGNORED
    )


def parse(words: list[str]) -> None:
    """Parse a command of this program; an unknown command, option or value raises."""
    context, command, rest = click.Context(cli), cli, [*words]
    while isinstance(command, click.Group):
        name = rest.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name}"
        command = found
    command.make_context(command.name, rest)


def docker_commands() -> list[list[str]]:
    found = [line.split(" ") for block in blocks(PAGE) for line in block.splitlines()]
    assert {words[0] for words in found} == {"docker"}
    return found


def test_every_instruction_is_known_and_the_first_stage_begins_the_file() -> None:
    known = {"ARG", "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "ENTRYPOINT", "CMD"}
    assert {word for word, _ in FILE} <= known
    assert next(word for word, _ in FILE if word != "ARG") == "FROM"
    names = [rest.partition(" AS ")[2] for rest in given("FROM")]
    stages = [rest.split()[0].removeprefix("--from=") for rest in given("COPY") if rest.startswith("--from")]
    assert stages
    assert set(stages) <= set(names)


def test_every_source_is_there_and_not_ignored() -> None:
    files = tracked()
    for source in copied():
        of_it = [name for name in files if name == source or name.startswith(f"{source}/")]
        assert of_it, f"COPY {source}: git has no such file"
        assert [name for name in of_it if is_ignored(name)] == []


def test_no_image_gets_what_git_ignores() -> None:
    ours = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    left_in = {line.strip("/") for line in ours if not is_ignored(f"{line.strip('/')}/x")}
    assert left_in == {"*.egg-info", ".coverage*"}, "these are small"


@pytest.mark.skipif(shutil.which("sh") is None, reason="there is no sh here")
@pytest.mark.parametrize("command", given("RUN"), ids=lambda text: text[:30])
def test_every_command_of_the_build_parses(command: str) -> None:
    subprocess.run(["sh", "-n", "-c", command], check=True)


def test_the_image_does_what_make_run_does_and_is_told_commands_of_ours() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (entry,), (default,) = map(given, ("ENTRYPOINT", "CMD"))
    assert json.loads(entry) == [SCRIPT]
    assert SCRIPT in project["scripts"]
    made = re.search(
        r"^run: .*\n\t\$\(BIN\)/python -m bench (.+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE
    )
    assert made is not None
    assert json.loads(default) == made[1].split()
    parse(json.loads(default))


def test_torch_is_the_one_without_cuda_unless_the_build_is_told_otherwise() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))
    default = dict(rest.split("=", 1) for rest in given("ARG"))
    assert default["TORCH_INDEX"] == workflow["env"]["PIP_EXTRA_INDEX_URL"]
    assert default["PYTHON"] in workflow["jobs"]["tested"]["strategy"]["matrix"]["python-version"]
    installs = [rest for rest in given("RUN") if "pip install" in rest]
    assert installs
    for rest in installs:
        assert '--extra-index-url "$TORCH_INDEX"' in rest
        assert "--constraint /opt/constraints.txt" in rest
    told = {word.partition("=")[0] for words in docker_commands() for word in words if word.startswith("TORCH_")}
    assert told == {"TORCH_INDEX"}


def test_every_command_of_the_page_is_one_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "my_losses.py").touch()
    monkeypatch.chdir(tmp_path)
    runs = [words for words in docker_commands() if words[1] == "run"]
    assert len(runs) > 4
    for words in runs:
        (image,) = [place for place, word in enumerate(words) if word in ("gan-loss-bench", "gan-loss-bench:cuda")]
        parse(words[image + 1 :] or ["run"])


def test_the_folder_that_is_mounted_is_where_the_image_works() -> None:
    assert given("WORKDIR")[-1] == "/work"
    assert all('"$PWD:/work"' in words for words in docker_commands() if words[1] == "run")
    home = dict(word.split("=", 1) for rest in given("ENV") for word in rest.split())["HOME"]
    assert f"`-v gan-loss-bench:{home}/.cache`" in PAGE.read_text(encoding="utf-8")


@pytest.mark.slow
def test_what_is_copied_makes_the_wheel_of_the_repository(tmp_path: Path) -> None:
    files = tracked()
    needed = [name for name in files if any(name == each or name.startswith(f"{each}/") for each in copied())]
    wheels = [
        build(copy(names, tmp_path / place), "--wheel")["whl"] for place, names in (("part", needed), ("all", files))
    ]
    part, whole = [{each.filename: each.CRC for each in zipfile.ZipFile(path).infolist()} for path in wheels]
    assert part == whole
