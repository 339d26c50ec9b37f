"""`compare`: kernel records and the timings of pytest-benchmark."""

import json
import re
import shutil
import xml.etree.ElementTree as ET

import msgspec
import pytest
from planted_kernels import MACHINE, noisy_kernels

from bench.store.kernels import KernelStore


def timings(path, seconds, brand="Test CPU"):
    machine = {"cpu": {"brand_raw": brand, "count": 2}, "python_version": "3.12.0"}
    rounds = [seconds * (1 + 0.001 * place) for place in range(20)]
    path.write_text(
        json.dumps({"machine_info": machine, "benchmarks": [{"fullname": "r1", "stats": {"data": rounds}}]})
    )
    return path


def test_kernel_timings(bench, base, tmp_path):
    old, slow, other = (
        timings(tmp_path / name, seconds, brand)
        for name, seconds, brand in (
            ("old.json", 1.0, "Test CPU"),
            ("slow.json", 1.2, "Test CPU"),
            ("other.json", 1.2, "Other CPU"),
        )
    )
    result = bench("compare", old, slow)
    assert result.exit_code == 1
    assert result.stdout.startswith("1 of 1 benchmark worse")
    assert bench("compare", old, old).exit_code == 0
    assert bench("compare", old, other).exit_code == 3
    assert bench("compare", tmp_path / "none.json", slow).exit_code == 3
    for mixed in ((old, base), (base, old)):
        result = bench("compare", *mixed)
        assert result.exit_code == 2
        assert "two of a kind" in result.stderr


@pytest.fixture
def timed(tmp_path):
    """Write kernel records into a results folder."""

    def make_folder(name, seed, **changes):
        for method in ("nsgan", "hinge"):
            KernelStore(tmp_path / name).append(noisy_kernels(method, seed, **changes))
        return tmp_path / name

    return make_folder


def test_folders_of_kernel_records_alone(bench, timed, tmp_path):
    old, new, slow = timed("old", 1), timed("new", 2), timed("slow", 2, slower={"d_step": 1.25})
    result = bench("compare", old, new)
    assert result.exit_code == 0
    assert result.stdout.startswith("0 of 8 benchmarks worse; ")
    assert f"BASE  {old}, 2 kernel records" in result.stdout
    result = bench("compare", old, slow)
    assert result.exit_code == 1
    assert result.stdout.startswith("1 of 8 benchmarks worse")  # nsgan is the reference, which is gated loosely
    assert bench("compare", old, slow, "--threshold", 30).exit_code == 0
    elsewhere = timed("elsewhere", 2, machine=msgspec.structs.replace(MACHINE, fingerprint="e" * 12))
    result = bench("compare", old, elsewhere)
    assert result.exit_code == 3
    assert "8 not comparable: measured on other machines: A CPU x2" in result.stdout
    result = bench("compare", tmp_path / "nowhere", new)
    assert result.exit_code == 3
    assert f"Keep a copy of {new} as the baseline" in result.stderr


def test_trials_and_kernel_records_of_one_folder_in_all_formats(bench, base, sets, timed):
    new = sets()
    assert bench("compare", timed("base", 1), new).stdout.startswith("0 of 3 cells worse")  # one side alone has some
    timed("new", 2, slower={"d_step": 1.25})
    table = bench("compare", base, new)
    assert table.exit_code == 1
    assert table.stdout.startswith("1 of 11 cells worse")
    assert re.search(r"worse +hinge d_step +batch 64, 32x32x3", table.stdout)
    rows = json.loads(bench("compare", base, new, "--format", "json").stdout)["rows"]
    assert sorted(row["name"] for row in rows if row["verdict"] == "worse") == ["hinge d_step"]
    root = ET.fromstring(bench("compare", base, new, "--format", "junit").stdout)
    assert root.find("testsuite[@name='timing']").get("failures") == "1"
    lines = [line for line in bench("compare", base, new, "--format", "md").stdout.splitlines() if line[:1] == "|"]
    assert len({line.count("|") for line in lines}) == 1


def test_a_folder_of_several_folders_has_the_kernel_records_of_all(bench, timed, tmp_path):
    timed("all/one", 1)
    assert ", 2 kernel records" in bench("compare", tmp_path / "all", timed("new", 2)).stdout


def test_a_results_folder_may_be_called_kernels(bench, base, timed, tmp_path):
    """As that of the published timings is, which lies beside those of trials."""
    shutil.copytree(base, tmp_path / "all" / "trials")
    (timed("all/kernels", 1) / "README.md").touch()
    result = bench("compare", base, tmp_path / "all")
    assert result.exit_code == 0
    assert ", 2 kernel records" in result.stdout
    assert result.stdout.startswith("0 of 3 cells worse")
    assert "make some with" in bench("report", "--results", tmp_path / "all").stderr
    assert "of kernel timings" not in bench("verify", tmp_path / "all").stdout


def test_kernel_records_that_were_copied_into_each_other_are_named(bench, timed):
    old, new = timed("old", 1), timed("new", 2)
    shutil.copytree(old / "kernels", new / "kernels" / "kernels")
    result = bench("compare", old, new)
    assert result.exit_code == 2
    assert f"{new / 'kernels' / 'kernels'} is not a kernel record" in result.stderr


@pytest.mark.parametrize("name", ["kernels", "records"])
def test_a_results_folder_may_be_called_what_is_in_it(bench, timed, sets, tmp_path, name):
    """As results/published/kernels is, with a README beside its kernel records."""
    (tmp_path / "both").mkdir()
    for place, made in ((name, timed("costs", 1)), ("trials", sets("trained"))):
        made.rename(tmp_path / "both" / place)
    (tmp_path / "both" / name / "README.md").write_text("What was asked.")
    result = bench("compare", tmp_path / "both", tmp_path / "both")
    assert result.exit_code == 0, result.stderr
    assert "30 records, digest" in result.stdout
    assert ", 2 kernel records" in result.stdout


def test_a_damaged_kernel_record_is_bad_input(bench, timed):
    old, new = timed("old", 1), timed("new", 2)
    next((new / "kernels").iterdir()).write_text("{}")
    result = bench("compare", old, new)
    assert result.exit_code == 2
    assert "have it measured again" in result.stderr
