"""JSON that has every key once: however it is written, and at whatever depth."""

import json

import msgspec
import pytest
from msgspec import Struct

from bench.store import strict_json


class Inner(Struct, forbid_unknown_fields=True):
    numbers: dict[str, float | None] = {}


class Outer(Struct, forbid_unknown_fields=True):
    text: str
    inner: Inner
    value: float = 0.0


GOOD = [
    b'{"text":"a","inner":{"numbers":{"x":1.5,"y":null}},"value":2.0}',
    b'{"value":2,"inner":{"numbers":{"y":null,"x":15e-1}},"text":"a"}',  # another order, other numbers
    b'{ "text": "\\u0061", "inner": {"numbers": {"x": 1.5, "y": null}},\n "value": 2.0}\n',
]
REPEATED = [
    (b'{"text":"a","inner":{"numbers":{}},"text":"a"}', "text"),
    (b'{"text":"b","text":"a","inner":{"numbers":{}},"value":2.0}', "text"),
    (b'{"text":"a","inner":{"numbers":{"x":1.5,"x":1.5}},"value":2.0}', "x"),
    (b'{"text":"a","inner":{"numbers":{"x":1,"y":null,"x":2}},"value":2}', "x"),
    (b'{"text":"a","inner":{},"inner":{"numbers":{}}}', "inner"),
    (b'{"text":"a","inner":{"numbers":{"x":1.5,"\\u0078":1.5}},"value":2.0}', "x"),
]


@pytest.mark.parametrize("content", GOOD)
def test_every_spelling_is_read(content):
    assert strict_json.decode(content, Outer) == Outer("a", Inner({"x": 1.5, "y": None}), 2.0)


@pytest.mark.parametrize(("content", "key"), REPEATED)
def test_a_repeated_key_is_named(content, key):
    with pytest.raises(strict_json.RepeatedKeyError, match=f"'{key}' is there twice"):
        strict_json.decode(content, Outer)


def test_what_is_written_compactly_is_not_read_a_third_time(monkeypatch):
    """By the slow reader of the standard library, which takes longer than all else together."""
    monkeypatch.setattr(json, "loads", lambda *_, **__: pytest.fail("it was"))
    for content in [GOOD[0], b'{"value":2,"inner":{"numbers":{"y":null,"x":1.5}},"text":"a"}']:
        strict_json.decode(content, Outer)
    with pytest.raises(pytest.fail.Exception):
        strict_json.decode(GOOD[2], Outer)


def test_what_is_no_such_struct_is_refused():
    with pytest.raises(msgspec.DecodeError):
        strict_json.decode(b'{"text":"a"}', Outer)
