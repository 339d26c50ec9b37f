"""What a user's file imports from beside it counts as a part of it; nothing else does."""

from pathlib import Path

import pytest

from bench.files.neighbors import content_with_neighbors, with_neighbors


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text("import os\n\ndef late():\n    from near_of_own import A\n")
    (tmp_path / "near_of_own.py").write_text("import pack_of_own.deep\n")
    (tmp_path / "pack_of_own" / "sub").mkdir(parents=True)
    for name in ("__init__.py", "deep.py", "sub/deeper.py"):
        (tmp_path / "pack_of_own" / name).write_text("X = 1\n")
    (tmp_path / "stranger.py").write_text("X = 1\n")
    return path


def names(path: Path) -> list[str]:
    return [each.relative_to(path.parent).as_posix() for each in with_neighbors(path)]


def test_imports_are_followed_and_a_package_counts_as_a_whole(own: Path) -> None:
    wanted = ["pack_of_own/__init__.py", "pack_of_own/deep.py", "pack_of_own/sub/deeper.py"]
    assert names(own) == ["own.py", "near_of_own.py", *wanted]


def test_the_content_of_a_lone_file_is_its_own(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text("import os, losses, bench\n")
    for name in ("losses", "bench"):  # as beside a checkout of this program
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / "os.py").write_text("a module of that name is another one\n")
    assert content_with_neighbors(path) == path.read_bytes()


@pytest.mark.parametrize("name", ["near_of_own.py", "pack_of_own/sub/deeper.py"])
def test_the_content_changes_with_each_neighbor_and_with_no_stranger(own: Path, name: str) -> None:
    before = content_with_neighbors(own)
    (own.parent / "stranger.py").write_text("X = 2\n")
    assert content_with_neighbors(own) == before
    (own.parent / name).write_text("Y = 1\n")
    assert content_with_neighbors(own) != before


def test_a_neighbor_that_is_no_python_counts_and_is_not_looked_into(own: Path) -> None:
    broken = own.parent / "near_of_own.py"
    broken.write_text("def (:\n")
    with pytest.raises(ValueError, match=r"near_of_own\.py is no Python: invalid syntax"):
        with_neighbors(own)
    before = content_with_neighbors(own)
    broken.write_text("def (((:\n")
    assert content_with_neighbors(own) != before


def test_in_a_package_relative_and_full_names_mean_its_modules(tmp_path: Path) -> None:
    package = tmp_path / "their_pack"
    package.mkdir()
    for name in ("__init__", "one", "two", "three", "four"):
        (package / f"{name}.py").write_text("")
    path = package / "own.py"
    path.write_text("from .one import a\nfrom . import two\nimport their_pack.three\n")
    assert sorted(names(path)) == ["one.py", "own.py", "three.py", "two.py"]


def test_a_package_without_init_counts_unless_another_module_has_the_name(tmp_path: Path) -> None:
    for folder in ("open_of_own", "numpy", "json"):
        (tmp_path / folder / "inner").mkdir(parents=True)
        (tmp_path / folder / "inner" / "tools.py").write_text("X = 1\n")
    path = tmp_path / "own.py"
    path.write_text("from open_of_own.inner.tools import X\nimport numpy, json\n")
    assert names(path) == ["own.py", "open_of_own/inner/tools.py"]
    before = content_with_neighbors(path)
    (tmp_path / "open_of_own" / "inner" / "tools.py").write_text("X = 2\n")
    assert content_with_neighbors(path) != before
