"""The file of golden traces: what it is known by, and what damaged ones say."""

import pytest

from bench.store.golden import is_golden, read_golden, rounded
from bench.store.journal import RecordError


@pytest.mark.parametrize("content", ["", "[]", "{", '{"kind": "timings"}', '{"kind": 3}', '{"benchmarks": []}'])
def test_another_file_is_not_taken_for_one(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    assert not is_golden(path)


def test_a_damaged_or_newer_file_says_what_to_do(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"kind": "golden-traces", "schema_version": 1}')
    assert is_golden(path)
    with pytest.raises(RecordError, match="python -m bench golden"):
        read_golden(path)
    path.write_text('{"kind": "golden-traces", "schema_version": 99}')
    with pytest.raises(RecordError, match="written by a newer program"):
        read_golden(path)


def test_nine_digits_tell_neighboring_float32_apart():
    one, next_to_it = 1.0, 1.0 + 2**-23
    assert rounded(one) != rounded(next_to_it)
    assert rounded(1.23456789012e-7) == 1.23456789e-7
