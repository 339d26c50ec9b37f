"""A local name says what it holds: none is `each` or `alike`, and `found` is what was looked up and may be missing."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]

SAYS_NOTHING: Final = ("each", "alike")
SUSPECTED: Final = re.compile(r"\b(each|alike|found)\b")
LOOKUP: Final = re.compile(r"get|next|match|search|fullmatch|find(_\w+)?")
"""What a call is named whose result is no more than that something was there."""


def is_lookup(value: ast.expr | None) -> bool:
    if not isinstance(value, ast.Call):
        return False
    called = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
    return LOOKUP.fullmatch(called) is not None


def lookups(tree: ast.AST) -> set[int]:
    """Return the names, by identity, that are assigned the result of a lookup."""
    known = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and is_lookup(node.value):
            known |= {id(target) for target in (node.targets if isinstance(node, ast.Assign) else [node.target])}
    return known


def local_names(node: ast.AST) -> Iterator[tuple[str, int, ast.AST]]:
    """Yield each name that a tree binds, but for fields of classes."""
    if isinstance(node, ast.ClassDef):
        fields = [statement for statement in node.body if isinstance(statement, ast.Assign | ast.AnnAssign)]
        yield from (name for field in fields if field.value for name in local_names(field.value))
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id, child.lineno, child
        elif isinstance(child, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and child.name:
            yield child.name, child.lineno, child
        elif isinstance(child, ast.arguments):
            parameters = [*child.posonlyargs, *child.args, *child.kwonlyargs, child.vararg, child.kwarg]
            yield from ((one.arg, one.lineno, one) for one in parameters if one is not None)
        if not (isinstance(node, ast.ClassDef) and isinstance(child, ast.Assign | ast.AnnAssign)):
            yield from local_names(child)


def poor_names(source: str) -> list[tuple[int, str]]:
    """Return the line and the name of all that says nothing of what it holds."""
    tree = ast.parse(source)
    looked_up = lookups(tree)
    return sorted(
        (line, name)
        for name, line, node in local_names(tree)
        if name in SAYS_NOTHING or (name == "found" and id(node) not in looked_up)
    )


def poor_names_of(folder: str) -> list[str]:
    texts = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / folder).rglob("*.py"))}
    assert texts, folder
    return [
        f"{path.relative_to(ROOT).as_posix()}:{line}: {name}"
        for path, text in texts.items()
        if SUSPECTED.search(text)
        for line, name in poor_names(text)
    ]


@pytest.mark.parametrize("folder", ["bench", "losses"])
def test_local_names_say_what_they_hold(folder: str) -> None:
    assert list(poor_names_of(folder)) == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("rows = [each.name for each in rows]", ["each"]),
        ("for each, found in pairs: pass", ["each", "found"]),
        ("alike = first == second", ["alike"]),
        ("found = []", ["found"]),
        ("found: dict[str, int] = {}", ["found"]),
        ("if (found := damage(record)): pass", ["found"]),
        ("found = records.get(name).cost", ["found"]),
        ("found, number = next(pairs)", ["found"]),
        ("with open(path) as found: pass", ["found"]),
        ("try: pass\nexcept OSError as found: pass", ["found"]),
        ("match value:\n    case [*found]: pass", ["found"]),
        ("key = lambda each: each.step", ["each"]),
        ("def _close(found, *, each=None): pass", ["each", "found"]),
        ("def public(found, *each): pass", ["each", "found"]),
        ("def public():\n    def nested(each): pass", ["each"]),
        ("class Visitor:\n    def __call__(self, each): pass", ["each"]),
        ("class Room:\n    def _private(self, found): pass", ["found"]),
        ("class Room:\n    names = tuple(each.name for each in rows)", ["each"]),
    ],
)
def test_what_a_name_must_not_be(source: str, names: list[str]) -> None:
    assert sorted(name for _, name in poor_names(source)) == names


@pytest.mark.parametrize(
    "source",
    [
        "found = re.fullmatch(pattern, text)",
        "found = pattern.match(text)",
        "found = next((row for row in rows if row.name == name), None)",
        "found: str | None = names.get(key)",
        "if (found := find_spec(name)) is None: pass",
        "class Check:\n    found: str\n    each = 1",
        "print(check.found, each)",
    ],
)
def test_what_a_name_may_be(source: str) -> None:
    assert poor_names(source) == []
