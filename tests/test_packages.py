"""The packages that a release uploads: they hold what they should, and anybody can build the same bytes again."""

import fnmatch
import os
import tarfile
import time
import tomllib
import zipfile
from pathlib import Path

import pytest
from built_packages import ROOT, build, copy, tracked

import bench

TARGETS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]


def within(name: str, included: list[str]) -> bool:
    return any(f"/{name}" == place or f"/{name}".startswith(f"{place}/") for place in included)


def test_the_source_package_includes_all_that_git_has() -> None:
    included = TARGETS["sdist"]["include"]
    assert [name for name in tracked() if not within(name, included)] == []
    assert [place for place in included if not (ROOT / place.removeprefix("/")).exists()] == []


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build(copy(tracked(), tmp_path_factory.mktemp("one") / "source"))


@pytest.mark.slow
def test_the_source_package_has_the_files_of_git_and_no_others(built: dict[str, Path]) -> None:
    with tarfile.open(built["gz"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names == {*tracked(), "PKG-INFO"}


@pytest.mark.slow
def test_the_wheel_has_the_two_packages_and_the_published_records(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(built["whl"]) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        (metadata,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        lines = archive.read(metadata).decode().splitlines()
    code = [name for name in tracked() if name.startswith(("bench/", "losses/"))]
    records = list(TARGETS["wheel"]["force-include"].values())
    assert sorted(names) == sorted([*code, *records])
    assert {"Name: gan-loss-bench", f"Version: {bench.__version__}"} <= set(lines)
    assert built["whl"].name == f"gan_loss_bench-{bench.__version__}-py3-none-any.whl"
    assert not [name for name in names if fnmatch.fnmatch(name, "*.pyc")]


@pytest.mark.slow
def test_two_builds_of_the_same_files_give_the_same_bytes(built: dict[str, Path], tmp_path: Path) -> None:
    # In another folder, with files of another day that their group may write.
    again = copy(tracked(), tmp_path / "elsewhere" / "copy")
    for path in [each for each in again.rglob("*") if each.is_file()]:
        path.chmod(0o664)
        os.utime(path, (time.time() - 1e8,) * 2)
    found = build(again)
    assert found.keys() == built.keys() == {"gz", "whl"}
    for kind, path in found.items():
        assert path.name == built[kind].name
        assert path.read_bytes() == built[kind].read_bytes(), f"{path.name} differs"
