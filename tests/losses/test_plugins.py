"""Losses from a file."""

import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import losses
from losses import plugins, registry

PART = """
from dataclasses import dataclass
import losses

@losses.register("{name}")
@dataclass(frozen=True)
class Own(losses.Objective):
    def discriminator(self, real_logits, fake_logits):
        return fake_logits.mean()

    def generator(self, fake_logits, real_logits=None):
        return -fake_logits.mean()
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write a file that registers a loss, below its own first lines; what importing it leaves is taken back."""
    monkeypatch.setattr(registry, "_parts", dict(registry.parts()))
    monkeypatch.setattr(plugins, "_neighbors", {})
    monkeypatch.setenv(plugins.FILES_VARIABLE, "")
    before = dict(sys.modules)

    def made(place: str, name: str = "", head: str = "") -> Path:
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(head + (PART.format(name=name) if name else ""))
        return path

    yield made
    for name in sys.modules.keys() - before.keys():
        del sys.modules[name]


def test_a_program_on_stdin_has_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python calls it `<stdin>`, which is the name of no file."""
    typed = types.ModuleType("typed")
    typed.__file__ = "<stdin>"
    monkeypatch.setitem(sys.modules, "typed", typed)
    assert plugins.file_of("typed") is None
    assert plugins.file_of("losses.plugins") == Path(plugins.__file__).resolve()


def test_a_file_is_imported_once_by_whatever_name_and_another_of_its_name_is_another(tmp_path: Path) -> None:
    told = tmp_path / "told"
    source = f"with open({str(told)!r}, 'a') as told:\n    told.write('.')\n"
    one, two = (tmp_path / folder / "own_loss_of_a_folder.py" for folder in ("one", "two"))
    for path in (one, two):
        path.parent.mkdir()
        path.write_text(source)
    link = tmp_path / "link.py"
    link.symlink_to(one)
    before = set(sys.modules)
    try:
        for path in (one, one, link, two, one, two):
            registry.import_file(path)
        assert told.read_text() == ".."
        assert {plugins.file_of(name) for name in set(sys.modules) - before} >= {one.resolve(), two.resolve()}
    finally:
        for name in set(sys.modules) - before:
            del sys.modules[name]


def test_files_of_two_folders_that_are_called_alike_keep_a_module_each(write: Write) -> None:
    one, two = write("one/mine.py", "of_one"), write("two/mine.py", "of_two")
    for path in (one, two, one, two):
        registry.import_file(path)
    found = [plugins.file_of(registry.part(name).__module__) for name in ("of_one", "of_two")]
    assert found == [one, two]


@pytest.mark.parametrize("order", [1, -1])
def test_a_file_that_imports_another_of_its_folder_finds_it_in_any_order(write: Write, order: int) -> None:
    files = [write("first.py", "in_first"), write("second.py", "in_second", "from first import Own as First\n")]
    for path in files[::order]:
        registry.import_file(path)
    assert {"in_first", "in_second"} < set(losses.names("objective"))
    for path in files:
        registry.import_file(path)


def test_files_that_import_each_other_are_imported_once(write: Write) -> None:
    path = write("this.py", "in_this", "import that\n")
    write("that.py", "in_that", "import this\n")
    registry.import_file(path)
    assert {"in_this", "in_that"} < set(losses.names("objective"))


def test_a_neighbor_is_that_of_the_files_own_folder_or_none(write: Write) -> None:
    for folder in ("one", "two"):
        write(f"{folder}/near.py", head=f"WHERE = {folder!r}\n")
        write(f"{folder}/near_too.py", head="")
    head = "from near import WHERE\nassert WHERE == {!r}\n"
    registry.import_file(write("one/own_one.py", "of_one", head.format("one") + "import near_too\n"))
    registry.import_file(write("two/alone.py", "alone", "import json\n"))
    with pytest.raises(
        ValueError, match=r"own_two\.py: ImportError: 'near' is also beside a file .*/one, .* rename one"
    ):
        registry.import_file(write("two/own_two.py", "of_two", head.format("two")))
    assert sys.modules["near"].WHERE == "one"
    registry.import_file(write("one/later.py", "later", head.format("one")))


BROKEN = "raise RuntimeError('not yet')\n"


def test_a_file_that_ends_in_an_error_leaves_nothing_and_can_be_mended(write: Write) -> None:
    """Its own part was registered before the error, and so were those of a neighbor and of a package beside it."""
    before, modules = registry.parts().keys(), set(sys.modules)
    write("near.py", "in_near")
    write("package/__init__.py", head="from package import inner\n")
    write("package/inner.py", "in_package")
    path = write("own.py", "own", "import near, package\n")
    whole = path.read_text()
    path.write_text(whole + BROKEN)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"own\.py, line \d+: RuntimeError: not yet"):
            registry.import_file(path)
        assert registry.parts().keys() == before
        assert not {name for name in set(sys.modules) - modules if name.partition(".")[0] in ("near", "package")}
    path.write_text(whole)
    registry.import_file(path)
    assert registry.parts().keys() == before | {"own", "in_near", "in_package"}


def test_a_broken_file_takes_back_no_part_of_another(write: Write) -> None:
    registry.import_file(write("first.py", "first"))
    with pytest.raises(ValueError, match="not yet"):
        registry.import_file(write("second.py", "second", "from first import Own as First\n" + BROKEN))
    assert "first" in registry.parts()
    assert "second" not in registry.parts()
    registry.import_file(write("third.py", "third", "from first import Own as First\n"))


def test_what_clashes_is_taken_back_and_the_other_folder_keeps_its_own(write: Write) -> None:
    write("one/near.py", "near_one")
    write("two/near.py", "near_two")
    registry.import_file(write("one/own.py", "of_one", "import near\n"))
    before, near = registry.parts().keys(), sys.modules["near"]
    with pytest.raises(ValueError, match="'near' is also beside a file of losses"):
        registry.import_file(write("two/own.py", "of_two", "import near\n"))
    assert (registry.parts().keys(), sys.modules["near"]) == (before, near)


@pytest.mark.parametrize("name", ["nsgan", "wgan"])
def test_a_name_of_the_catalogue_is_taken(write: Write, name: str) -> None:
    """An expression would mean the library's method: the part would be trained by nobody."""
    with pytest.raises(ValueError, match=rf"the name '{name}' is taken by the method of that name, '\w+"):
        registry.import_file(write("own.py", name))
    assert name not in registry.parts()


def test_what_a_file_prints_goes_to_stderr(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    registry.import_file(write("own.py", "own", "print('here I am')\n"))
    assert capsys.readouterr() == ("", "here I am\n")


def test_a_link_to_what_is_called_otherwise_is_refused(write: Write, tmp_path: Path) -> None:
    link = tmp_path / "own.py"
    link.symlink_to(write("blobs/0123", "own"))
    with pytest.raises(ValueError, match=r"blobs/0123 is no Python file: its name does not end in \.py"):
        registry.import_file(link)


def test_a_path_that_the_variable_cannot_hold_is_refused(write: Write) -> None:
    with pytest.raises(ValueError, match=r"a:b/own\.py has ':' in its path, which separates the files in \$GAN_LOSS"):
        plugins.name_file(write("a:b/own.py", "own"))
    assert plugins.named_files() == []
