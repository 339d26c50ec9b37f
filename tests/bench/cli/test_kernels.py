"""`kernels` on the command line: measure, resume, print, trace, and what bad input gets."""

import json
import re
import subprocess
import sys

import pytest
from planted_kernels import planted_kernels

from bench.store.kernels import KernelStore


@pytest.fixture
def small(monkeypatch):
    """Narrow networks and few blocks: the numbers mean nothing here."""
    from bench.costs import blocks, measure

    effort = blocks.Effort(block_seconds=0.0, seconds=0.0, least=1, most=1, staged_calls=1)
    monkeypatch.setattr("bench.cli.kernels._WIDTH", 4)
    monkeypatch.setitem(measure.measure.__kwdefaults__, "effort", effort)


@pytest.fixture
def recorded(tmp_path):
    store = KernelStore(tmp_path / "results")
    for record in (planted_kernels("nsgan"), planted_kernels("nsgan-r1", 1.5)):
        store.append(record)
    return tmp_path / "results"


@pytest.mark.slow
def test_measuring_prints_a_table_and_a_second_run_measures_nothing(bench, tmp_path, small):
    command = ("kernels", "nsgan", "r1", "--batch", "4", "--device", "cpu", "--results", tmp_path)
    first = bench(*command)
    assert first.exit_code == 0, first.stderr
    for words in ("batch 4, 32x32x3, width 4", "D step ms", "x nsgan", "penalty ms", "A B B A"):
        assert words in first.stdout
    assert "[2/2]" in first.stderr
    assert "2 measurements made, 0 recorded before" in first.stderr
    second = bench(*command)
    assert "0 measurements made, 2 recorded before" in second.stderr
    assert second.stdout == first.stdout
    other = bench("kernels", "nsgan", "--batch", "4", "--d-norm", "ln", "--device", "cpu", "--results", tmp_path)
    assert "[1/1] nsgan (batch 4, 32x32, ln, eager): D step" in other.stderr
    assert sorted(re.findall(r"batch 4, 32x32x3, width 4, (\w+)", other.stdout)) == ["ln", "none"]


@pytest.mark.slow
def test_what_cannot_be_measured_is_told_and_ends_with_1(bench, tmp_path, small):
    result = bench("kernels", "pacgan2", "nsgan", "--batch", "3", "--device", "cpu", "--results", tmp_path)
    assert result.exit_code == 1
    assert "joins 2 samples to one input" in result.stderr
    assert "1 measurement made, 0 recorded before, 1 impossible" in result.stderr
    assert "nsgan" in result.stdout


@pytest.mark.parametrize(
    ("style", "words"),
    [("table", "1.50 (1.50–1.50)"), ("md", "| nsgan-r1 |"), ("csv", "nsgan-r1,nsgan-r1,64"), ("json", '"label"')],
)
def test_the_table_is_printed_from_the_records(bench, recorded, style, words):
    result = bench("kernels", "--table", "--format", style, "--results", recorded)
    assert result.exit_code == 0
    assert words.replace('"label"', '"stages"') in result.stdout
    if style == "json":
        assert json.loads(result.stdout)["rows"]


def test_the_table_needs_no_torch(recorded):
    code = (
        "import sys\nfrom bench.cli.main import cli\n"
        f"cli.main(['kernels', '--table', '--results', {str(recorded)!r}], standalone_mode=False)\n"
        "print('torch' in sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "False"
    assert "nsgan-r1" in done.stdout


def test_a_trace_is_written_and_nothing_recorded(bench, tmp_path, small):
    path, results = tmp_path / "trace.json", tmp_path / "results"
    result = bench("kernels", "nsgan", "--batch", "4", "--device", "cpu", "--trace", path, "--results", results)
    assert result.exit_code == 0, result.stderr
    assert f"wrote {path} (batch 4, 32x32x3, width 4, none, fp32, eager)" in result.stderr
    assert any(event.get("name") == "D real and fake" for event in json.loads(path.read_text())["traceEvents"])
    assert not results.exists()


def test_nvtx_without_a_gpu_says_so_and_runs_all_the_same(bench, tmp_path, small):
    result = bench("kernels", "nsgan", "--batch", "4", "--device", "cpu", "--nvtx", "--results", tmp_path / "results")
    assert result.exit_code == 0, result.stderr
    assert "no CUDA device" in result.stderr
    assert "20 steps of nsgan" in result.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nsgna"], "did you mean"),
        (["nsgan", "--batch", "64,many"], "not a list of whole numbers such as 16,64,256"),
        (["nsgan", "--batch", "1"], "1 is less than 2"),
        (["nsgan", "--size", "48"], "48 is not one of 32, 64"),
        (["nsgan", "--device", "gpu"], "--device takes cpu"),
        (["nsgan", "--device", "cpu", "--mode", "captured"], "needs a CUDA device"),
        (["nsgan", "--device", "cpu", "--precision", "tf32"], "needs a CUDA device"),
        (["--trace", "t.json"], "name the methods to watch"),
        (["nsgan", "--table"], "leave methods out"),
        (["--table", "--trace", "t.json", "--nvtx"], "leave --trace and --nvtx out"),
        (["--table", "--batch", "64", "--d-norm", "none"], "leave --batch and --d-norm out"),
        (["--table", "--device", "cpu", "--mode", "eager"], "leave --device and --mode out"),
        (["nsgan", "--trace", "t.json", "--batch", "4,8"], "--trace watches one setting: give --batch one number"),
        (["nsgan", "--nvtx", "--size", "32,64"], "--nvtx watches one setting: give --size one number"),
        (["nsgan", "--trace", "t.json", "--mode", "compiled", "--json"], "leave --mode and --format out"),
        (["nsgan", "--nvtx", "-o", "t.md"], "--nvtx runs eager steps and makes no table: leave --output out"),
        (["--table", "--results", "nowhere"], "there are no kernel records in nowhere"),
        (["nsgan", "--device", "cpu", "--trace", "/dev/null/t.json"], "cannot write /dev/null/t.json"),
        (["pacgan2", "--device", "cpu", "--batch", "3", "--trace", "t.json"], "joins 2 samples"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(bench, arguments, words, small):
    result = bench("kernels", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
