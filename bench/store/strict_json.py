"""JSON that says one thing: msgspec takes the last of two equal keys without a word, and a reader may see the first."""

import json
from typing import Final, TypeVar

import msgspec

Decoded = TypeVar("Decoded")


UNREADABLE: Final = (msgspec.DecodeError, RecursionError, UnicodeError)
"""What decoding bytes of anybody's making may raise: no JSON, JSON nested too deeply, or no text at all."""


class RepeatedKeyError(msgspec.DecodeError):
    """An object has a key twice, at whatever depth."""


def decode(content: bytes, kind: type[Decoded]) -> Decoded:
    """Decode JSON, and refuse a key that is given twice.

    Raises:
        msgspec.DecodeError: it is no JSON, not of this kind, or has a key twice; also RecursionError and UnicodeError,
            all of which are `UNREADABLE`.
    """
    decoded = msgspec.json.decode(content, type=kind)
    # What is encoded again to the same bytes has every key once: read as what it should be, or, where keys are in
    # another order or whole numbers have no point, as it is. To look at every key takes longer than all else.
    if content != msgspec.json.encode(decoded) and content != msgspec.json.encode(msgspec.json.decode(content)):
        json.loads(content, object_pairs_hook=_refuse_repetition)
    return decoded


def _refuse_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for key, value in pairs:
        if key in members:
            raise RepeatedKeyError(f"the key {key!r} is there twice")
        members[key] = value
    return members
