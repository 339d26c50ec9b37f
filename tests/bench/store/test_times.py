from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_records import make_workload, planted_record

from bench.store.times import age, moment


@pytest.mark.parametrize(
    "text",
    ["2026-01-31T12:00:00+00:00", "2026-01-31 12:00:00Z", "20260131T130000+0100", "2026-01-31T02:00:00.000-10:00"],
)
def test_one_moment_in_many_shapes(text):
    assert moment(text) == datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-01-31T12:00:00", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+05:00"]
)
def test_what_is_no_moment_is_none(text):
    assert moment(text) is None


@given(st.text())
def test_no_text_is_an_error(text):
    assert moment(text) is None or moment(text).tzinfo == UTC


def test_the_newest_is_the_newest_whatever_zone_it_is_written_in():
    first = planted_record(make_workload())
    ordered = [
        *("", "2026-01-30T23:00:00Z", "2026-01-31T14:00:00+03:00"),
        *("2026-01-31T12:00:00+00:00", "2026-01-31T11:30:00-02:00"),
    ]
    records = [msgspec.structs.replace(first, finished_at=time) for time in sorted(ordered)]
    assert [record.finished_at for record in sorted(records, key=age)] == ordered
