"""Kernel tables: the same numbers in every format, one table a machine and setting."""

import csv
import io
import json

import msgspec
from planted_kernels import MACHINE, SETTING, planted_kernels
from terminal_text import terminal_text

from bench.report.costs import cost_sections
from bench.report.kernels import cells, notes, title, titles, to_csv, to_json, to_markdown, to_table
from bench.store.kernels import groups

RECORDS = [
    planted_kernels("nsgan-r1", 1.5, notes=["terms cannot be captured: no"]),
    planted_kernels("nsgan"),
    planted_kernels("slow-critic", 1.2, critic_steps=5),
]


def test_rows_are_ordered_by_what_a_discriminator_step_costs():
    names, lines = cells(RECORDS)
    assert [line[0] for line in lines] == ["nsgan", "slow-critic (D step x 5)", "nsgan-r1"]
    row = dict(zip(names, lines[2], strict=True))
    assert row["D step ms"] == "150"
    assert row["x nsgan"] == "1.50 (1.50–1.50)"
    assert row["penalty ms"] == "50.0"
    assert row["L_D µs"] == "20.0"
    assert row["fw/bw/dbl"] == "10.0/–/–"
    assert (row["kernels"], row["launch"], row["MB"], row["x floor"]) == ("12", "25 %", "5.00", "15.0")
    assert dict(zip(names, lines[0], strict=True))["penalty ms"] == "–"


def test_a_column_that_nobody_fills_is_left_out():
    assert "terms ms" not in cells(RECORDS)[0]
    assert "penalty ms" not in cells([planted_kernels("nsgan")])[0]


def test_the_title_and_the_notes_say_what_was_measured_where():
    assert title(RECORDS) == f"A CPU x2, 2 threads [{'f' * 12}]: batch 64, 32x32x3, width 64, ln, fp32, eager"
    said = " ".join(notes(RECORDS))
    for words in ("A B B A", "operators called", "100 GFLOP/s, 10.0 GB/s", "nsgan-r1: terms cannot be captured: no."):
        assert words in said


def test_tables_of_two_versions_of_the_engine_have_two_titles():
    newer = {"engine": "2", "losses": "1"}
    both = [planted_kernels("nsgan"), planted_kernels("nsgan", components=newer)]
    tables = groups([*both, planted_kernels("nsgan", setting=msgspec.structs.replace(SETTING, batch_size=16))])
    one, two, other = titles(tables)
    assert (one, two) == (f"{title(both)}, engine 1", f"{title(both)}, engine 2")
    assert other == title(tables[2])
    assert titles([RECORDS]) == [title(RECORDS)]
    text = to_markdown(both, "c")
    assert [f"### {one}" in text, f"### {two}" in text] == [True, True]
    assert [each.title for each in cost_sections(both)] == [one, two]


def test_csv_has_a_row_for_each_path_and_every_number():
    rows = list(csv.DictReader(io.StringIO(to_csv(RECORDS))))
    assert len(rows) == sum(len(record.timings) for record in RECORDS)
    (row,) = [each for each in rows if (each["method"], each["path"]) == ("nsgan-r1", "penalty")]
    assert row["reference_path"] == "d_step"
    assert float(row["ratio"]) == 0.5
    assert float(row["seconds_low"]) <= float(row["seconds"]) <= float(row["seconds_high"])
    assert float(row["distance_to_floor"]) == 5.0
    assert (row["batch_size"], row["mode"], row["fingerprint"]) == ("64", "eager", "f" * 12)


def test_json_has_stages_and_kernels_too():
    document = json.loads(to_json(RECORDS, "the command"))
    assert document["command"] == "the command"
    (row,) = [each for each in document["rows"] if (each["method"], each["path"]) == ("nsgan", "d_step")]
    assert row["stages"] == {"rest": 0.1}
    assert row["top_kernels"] == [{"name": "aten::mm", "calls": 3, "seconds": 0.05}]


def test_markdown_has_a_table_for_each_setting():
    other = planted_kernels("nsgan", setting=msgspec.structs.replace(SETTING, batch_size=16))
    text = to_markdown([*RECORDS, other], "the command")
    assert text.count("### A CPU x2") == 2
    assert "| nsgan-r1 |" in text
    assert text.endswith("Regenerate with `the command`.\n")
    assert {line.count("|") for line in text.splitlines() if line.startswith("| nsgan-r1")} == {
        len(cells(RECORDS)[0]) + 1
    }


def test_the_terminal_table_fits_a_page():
    lines = terminal_text(to_table(RECORDS)).splitlines()
    assert max(map(len, lines)) <= 140
    assert sum("1.50 (1.50–1.50)" in line for line in lines) == 1


def test_on_cuda_threads_of_the_cpu_are_left_out():
    environment = msgspec.structs.replace(MACHINE.environment, device="cuda", device_name="A GPU")
    machine = msgspec.structs.replace(MACHINE, environment=environment)
    group = [planted_kernels("nsgan", machine=machine)]
    assert title(group).startswith(f"A GPU [{'f' * 12}]")
    assert "kernels launched" in " ".join(notes(group))
