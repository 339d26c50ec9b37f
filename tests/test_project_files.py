"""The files around the code hold what they promise: versions agree, and every command in them exists."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import bench
from bench.cli.main import cli
from bench.common.version import UPGRADE

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, flags=re.MULTILINE))
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
SPEAKING_OF_MAKE = ["README.md", "CONTRIBUTING.md", "RELEASE.md", ".ci/run", ".github/workflows/tests.yml", *(
    str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))
)]  # fmt: skip


def requirements(*extras: str) -> list[Requirement]:
    listed = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    return [Requirement(line) for line in listed]


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def test_the_version_is_the_same_everywhere() -> None:
    source = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["version"]
    written = re.search(source["pattern"], (ROOT / source["path"]).read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert written is not None, "the package is built with the version that the code has"
    version = written["version"]
    assert bench.__version__ == version
    assert CliRunner().invoke(cli, ["--version"]).output.split()[-1] == version
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["license"]) == (version, PROJECT["license"])
    for workflow in ("docs/github-actions-elsewhere.yml", "docs/gitlab-ci.yml"):
        assert f"{PROJECT['name']}@v{version}" in (ROOT / workflow).read_text(encoding="utf-8"), workflow


@pytest.mark.parametrize("folder", ["bench", "losses", "docs", "examples"])
def test_nobody_is_told_to_get_the_package_from_an_index(folder: str) -> None:
    """It is on none. An extra of what is installed already is found without one."""
    texts = {
        path: path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".md"}
    }
    bare = rf"pip install (?:--?[\w-]+ )*['\"]?{PROJECT['name']}(?!\[)"
    assert {path: told for path, text in texts.items() if (told := re.findall(bare, text))} == {}
    assert f"git+{PROJECT['urls']['Documentation'].partition('/tree/')[0]} " in UPGRADE


def test_the_changelog_has_the_version_and_a_place_for_the_next() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(bench.__version__)} \(\d{{4}}-\d{{2}}-\d{{2}}\)", headings[1])


@pytest.mark.parametrize("requirement", requirements("dev", "browser", "docs"), ids=str)
def test_every_dependency_has_a_tested_version_within_its_range(requirement: Requirement) -> None:
    version = pinned()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version), f"constraints.txt has {requirement.name} {version}"


@pytest.mark.parametrize("name", SPEAKING_OF_MAKE)
def test_every_target_that_is_named_exists(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    lines = re.findall(r"^\s*(?:- run: )?make ([a-z ]+)", text, flags=re.MULTILINE) + re.findall(
        r"`make ([a-z ]+)`", text
    )
    named = {word for line in lines for word in line.split()}
    assert named <= TARGETS, f"{name} names {named - TARGETS}"


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(("free", "said"), [(3_800_000, "Only 3.8 GB of disk are free"), (10_000_001, "")])
def test_make_says_what_will_not_fit_before_pip_has_filled_the_disk(tmp_path: Path, free: int, said: str) -> None:
    df = tmp_path / "df"
    df.write_text(
        f"#!/bin/sh\necho Filesystem 1024-blocks Used Available Capacity Mounted\necho /dev/x 9 9 {free} 9% /\n"
    )
    df.chmod(0o755)
    python = tmp_path / "venv/bin/python"
    command = ["make", "--silent", f"VENV={tmp_path}/venv", "PYTHON=true", str(python)]
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    out = subprocess.run(command, cwd=ROOT, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=True)
    assert out.stdout.startswith(said)
    assert bool(out.stdout) == bool(said)


def test_every_extra_that_is_not_for_work_on_the_project_is_explained_on_a_page() -> None:
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))
    extras = PROJECT["optional-dependencies"].keys() - {"dev", "docs", "browser"}
    assert {
        name
        for name in extras
        if f"gan-loss-bench[{name}]" not in pages and f"extra `{name}`" not in pages.replace("extra\n", "extra ")
    } == set()


def test_the_workflow_tests_every_python_that_is_promised() -> None:
    classified = {line.rsplit(" ", 1)[1] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)}
    tested = set(WORKFLOW["jobs"]["tested"]["strategy"]["matrix"]["python-version"])
    assert classified <= tested
    assert f">={min(tested, key=lambda text: int(text.split('.')[1]))}" == PROJECT["requires-python"]


def test_the_workflow_of_the_project_leads_to_the_one_for_other_repositories() -> None:
    text = (ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8")
    named = re.findall(r"repository of your own, see (\S+\.yml)", text)
    pages = (ROOT / "docs/how-to/continuous-integration.md").read_text(encoding="utf-8")
    (row,) = [line for line in pages.splitlines() if "losses in your own repository, on GitHub |" in line]
    assert len(named) == 1
    assert f"({named[0].replace('docs/', '../')})" in row


def test_hooks_run_what_the_project_installs() -> None:
    tools = {"ruff", "codespell", "mypy", "lint-imports"}
    run = {hook["entry"].split()[0] for repository in HOOKS for hook in repository["hooks"]}
    assert run == {f".venv/bin/{tool}" for tool in tools}
    assert all(repository["repo"] == "local" for repository in HOOKS), "a hook from elsewhere needs a network"
    assert all(f"$(BIN)/{tool}" in MAKEFILE for tool in tools), "a hook and `make lint types imports` differ"


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda path: path.name)
def test_templates_are_valid(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)


def test_the_development_container_installs_by_make() -> None:
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    assert container["postCreateCommand"] == "make .venv/.installed-dev"
    assert "$(VENV)/.installed-dev:" in MAKEFILE


def test_the_package_ships_the_records_of_every_published_folder() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shipped = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    files = sorted((ROOT / "results" / "published").glob("*/records.parquet"))
    assert shipped == {
        path.relative_to(ROOT).as_posix(): f"bench/published/{path.parent.name}.parquet" for path in files
    }
    assert files
