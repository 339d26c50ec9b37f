"""Reading what pytest --benchmark-json writes."""

import json

import pytest

from bench.store.timings import read_timings

MACHINE = {
    "node": "runner-1",
    "processor": "x86_64",
    "machine": "x86_64",
    "python_compiler": "GCC 13",
    "python_implementation": "CPython",
    "python_version": "3.12.4",
    "python_build": ["main", "today"],
    "release": "6.8",
    "system": "Linux",
    "cpu": {"brand_raw": "Test CPU", "arch": "X86_64", "count": 4, "hz_actual": [3000000000, 0], "flags": ["avx2"]},
}


def write(path, machine=MACHINE, data=(0.5, 0.25), name="tests/test_kernels.py::test_r1"):
    stats = {"min": min(data, default=0), "rounds": len(data), "data": list(data)}
    benchmark = {"group": None, "name": "test_r1", "fullname": name, "params": None, "stats": stats}
    document = {"machine_info": machine, "commit_info": {}, "benchmarks": [benchmark], "version": "5.1.0"}
    path.write_text(json.dumps(document))
    return path


def test_every_round_is_read(tmp_path):
    found = read_timings(write(tmp_path / "new.json"))
    assert [(each.name, each.seconds) for each in found.benchmarks] == [("tests/test_kernels.py::test_r1", (0.5, 0.25))]
    assert found.machine == "Test CPU x4, Python 3.12.4"


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"node": "runner-2", "release": "6.9"}, True),
        ({"cpu": {**MACHINE["cpu"], "hz_actual": [2000000000, 0]}}, True),
        ({"cpu": {**MACHINE["cpu"], "brand_raw": "Other CPU"}}, False),
        ({"python_version": "3.13.0"}, False),
    ],
)
def test_the_fingerprint_is_what_times_depend_on(tmp_path, change, same):
    one = read_timings(write(tmp_path / "a.json"))
    other = read_timings(write(tmp_path / "b.json", MACHINE | change))
    assert (one.fingerprint == other.fingerprint) is same


@pytest.mark.parametrize("content", ["{", '{"benchmarks": []}', "[]"])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="holds no timings"):
        read_timings(path)


def test_a_file_without_rounds_says_how_to_get_them(tmp_path):
    with pytest.raises(ValueError, match=r"lacks the rounds of tests/test_kernels\.py::test_r1"):
        read_timings(write(tmp_path / "x.json", data=()))
