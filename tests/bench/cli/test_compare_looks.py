"""`compare` passes only what it has looked at: every way in which NEW may lack what BASE has, and the words for it."""

import json
import math
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from planted_kernels import noisy_kernels
from synthetic import World, make, write

from bench.store.golden import encode_golden, read_golden
from bench.store.kernels import KernelStore
from bench.store.record import Record

WORLD = World(methods=("nsgan", "hinge", "nsgan-r1"), workloads=("digits",), scatter=0.1)


@pytest.fixture(autouse=True)
def _outside_of_actions(monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def altered(record: Record, *, components=None, **changes) -> Record:
    """Return a record that fits itself with other components, spec or outcome."""
    spec_changes = {name: changes.pop(name) for name in list(changes) if name in record.spec.__struct_fields__}
    if components is not None:
        kept = record.components | components
        changes["components"] = {name: version for name, version in kept.items() if version is not None}
    record = msgspec.structs.replace(record, spec=msgspec.structs.replace(record.spec, **spec_changes), **changes)
    return msgspec.structs.replace(record, trial_id=record.trial.id)


def lost(record: Record, status: str) -> Record:
    return altered(record, status=status, metrics={}, cost={})


@pytest.fixture
def judge(bench, tmp_path):
    """Compare two lists of records and return exit code, outcome, summary with verdict, and the rows by name."""

    def judge_sets(base, new, *arguments):
        paths = [write(records, tmp_path / name) for name, records in (("base", base), ("new", new))]
        table = bench("compare", *paths, *arguments)
        document = json.loads(bench("compare", *paths, *arguments, "--format", "json").stdout)
        said = " ".join(table.stdout.splitlines()[:2])
        return table.exit_code, document["outcome"], said, {row["name"]: row for row in document["rows"]}

    return judge_sets


BASE = make(WORLD, 10, 0)
AGAIN = make(WORLD, 10, 1)


def of(method, records):
    return [record for record in records if record.spec.method_name == method]


def without(method, records):
    return [record for record in records if record.spec.method_name != method]


def test_it_passes_where_all_was_looked_at(judge):
    code, outcome, said, _ = judge(BASE, AGAIN)
    assert (code, outcome) == (0, "passed")
    assert "unseen" not in said


@pytest.mark.parametrize(
    ("components", "words"),
    [
        ({"metrics": "999"}, "metrics 1 against 999"),
        ({"extractor": "another:0123"}, "against another:0123"),
        ({"extractor": None}, "against none"),
    ],
)
def test_distances_of_another_measure_are_not_passed_by_their_times(judge, components, words):
    ruined = make(replace(WORLD, effects={"hinge": math.log(50)}), 10, 1)
    base = [altered(record, components={"metrics": "1"}) for record in BASE]
    new = [altered(record, components={"metrics": "1"} | components) for record in ruined]
    assert judge(base, new, "--allow-missing")[:2] == (1, "incomplete")  # it is not missing, it is another one
    code, outcome, said, rows = judge(base, new)
    assert (code, outcome) == (1, "incomplete")
    assert words in said
    assert "freeze a new baseline" in said
    assert {row["verdict"] for row in rows.values()} == {"not comparable"}
    assert all(gate["verdict"] != "not comparable" for row in rows.values() for gate in row["gates"][2:])  # the time


def test_what_rests_on_time_alone_says_so(bench, tmp_path):
    slow = make(replace(WORLD, speeds={"hinge": 0.7}), 10, 1)
    new = [altered(record, components={"metrics": "999"}) for record in slow]
    result = bench("compare", write(BASE, tmp_path / "base"), write(new, tmp_path / "new"), "--format", "md")
    assert result.exit_code == 1
    assert "| worse | hinge |" in result.stdout
    assert "throughput alone worse" in result.stdout
    assert "throughput alone equivalent" in result.stdout


@pytest.mark.parametrize("status", ["error", "timeout"])
@pytest.mark.parametrize("kept", [0, 1, 5, 9])
def test_runs_that_were_lost_were_not_looked_at(judge, status, kept):
    new = without("hinge", AGAIN)
    new += [record if place < kept else lost(record, status) for place, record in enumerate(of("hinge", AGAIN))]
    code, outcome, said, rows = judge(BASE, new)
    assert (code, outcome) == (1, "incomplete")
    assert ("NEW has no result" if kept == 0 else f"{10 - kept} of NEW's runs lost") in said
    assert [name for name, row in rows.items() if row["unseen"]] == ["hinge"]
    assert judge(BASE, new, "--allow-missing")[:2] == (0, "passed")


def test_a_single_result_that_repeats_base_is_not_enough(judge):
    new = [*without("hinge", BASE), of("hinge", BASE)[0]]
    code, outcome, said, rows = judge(BASE, new)
    assert (code, outcome) == (1, "incomplete")
    assert "repeats BASE at 1 of its 10 seeds, where 5 are enough" in said
    assert rows["hinge"]["verdict"] == "inconclusive"


def test_five_results_that_repeat_base_are_enough(judge):
    code, outcome, _, rows = judge(BASE, [*without("hinge", BASE), *of("hinge", BASE)[:5]])
    assert (code, outcome) == (0, "passed")
    assert rows["hinge"]["gates"][0]["note"] == "repeats BASE at 5 of its 10 seeds"


def test_a_method_that_is_gone(judge):
    code, outcome, said, _ = judge(BASE, without("hinge", AGAIN))
    assert (code, outcome) == (1, "incomplete")
    assert "Unseen: NEW has no result (1)" in said
    assert "--allow-missing" in said
    assert judge(BASE, without("hinge", AGAIN), "--allow-missing")[0] == 0


def test_where_all_is_gone_no_leave_makes_it_a_pass(judge):
    elsewhere = make(replace(WORLD, workloads=("mnist",)), 10, 1)
    for leave in ((), ("--allow-missing",)):
        assert judge(BASE, elsewhere, *leave)[:2] == (3, "nothing")


def test_one_measure_among_several_that_changed(judge):
    new = [altered(each, components={"metrics": "999"}) if each.spec.method_name == "hinge" else each for each in AGAIN]
    assert judge(BASE, new)[:2] == (1, "incomplete")


@pytest.mark.parametrize(
    "changes",
    [{"data_hash": "1" * 64}, {"critic_steps": 5}, {"protocol_version": "1.9"}, {"samples": 777}],
    ids=lambda changes: next(iter(changes)),
)
def test_whatever_makes_a_cell_incomparable_is_not_passed_over(judge, changes):
    def of_another_kind(record):
        again = altered(record, **changes)
        return msgspec.structs.replace(again, protocol_version=again.spec.protocol_version)

    new = [*without("hinge", AGAIN), *map(of_another_kind, of("hinge", AGAIN))]
    assert judge(BASE, new)[:2] == (1, "incomplete")


def test_a_workload_that_is_gone(judge):
    wider = make(replace(WORLD, workloads=("digits", "mnist")), 10, 0)
    assert judge(wider, AGAIN)[:2] == (1, "incomplete")


def test_what_is_new_needs_no_leave(judge):
    assert judge(without("hinge", BASE), AGAIN)[:2] == (0, "passed")


def test_a_default_that_changed_is_a_finding_of_its_own(judge):
    new = without("nsgan-r1", AGAIN)
    new += [altered(record, method="bce_ns + r1(gamma=1000)") for record in of("nsgan-r1", AGAIN)]
    for leave in ((), ("--allow-missing",)):
        code, outcome, said, rows = judge(BASE, new, *leave)
        assert (code, outcome) == (1, "redefined")
        assert len(rows) == 3  # one line for the name, not two
        assert "another expression by the same name: " in rows["nsgan-r1"]["redefined"]
        assert rows["nsgan-r1"]["redefined"].endswith("→ bce_ns + r1(gamma=1000)")
        assert "freeze a new baseline" in said


def test_a_name_that_was_given_away_is_found_beside_what_kept_its_expression(judge):
    kept = [altered(record, method_name=record.spec.method) for record in of("nsgan-r1", AGAIN)]
    moved = [altered(record, method="bce_ns + r1(gamma=1000)") for record in of("nsgan-r1", AGAIN)]
    code, outcome, said, rows = judge(BASE, [*without("nsgan-r1", AGAIN), *kept, *moved])
    assert (code, outcome) == (1, "redefined")
    assert "of 4 cells" in said
    assert any(row["redefined"].endswith("→ bce_ns + r1(gamma=1000)") for row in rows.values())


def test_fresh_seeds_beside_repeated_ones_are_tested(judge):
    five = [record for record in BASE if record.spec.seed < 5]
    ruined = [
        altered(record, status="nonfinite", metrics=record.metrics | {"distance": None})
        for record in make(replace(WORLD, methods=("hinge",)), range(10, 30), 1)
    ]
    code, outcome, said, rows = judge(five, [*five, *ruined])
    assert (code, outcome) == (1, "regression")
    assert said.startswith("1 of 3 cells worse")
    assert [gate["verdict"] for gate in rows["hinge"]["gates"][:2]] == ["worse", "worse"]
    assert rows["hinge"]["gates"][0]["new_count"] == 20
    assert "repeats BASE at 5 seeds" in rows["hinge"]["gates"][0]["note"]
    healthy = make(replace(WORLD, methods=("hinge",)), range(10, 30), 1)
    assert judge(five, [*five, *healthy])[0] == 0


def test_equal_seeds_with_equal_results_are_identical(judge):
    code, outcome, _, rows = judge(BASE, BASE)
    assert (code, outcome) == (0, "passed")
    assert all(row["gates"][0]["note"].startswith("identical") for row in rows.values())


def test_too_few_seeds_for_so_many_cells(judge):
    world = World(methods=("nsgan", "hinge", "lsgan", "wgan"), workloads=("digits", "mnist", "polygons"), scatter=0.1)
    code, outcome, said, rows = judge(make(world, 5, 0), make(world, 5, 1))
    assert (code, outcome) == (1, "incomplete")
    assert "too few seeds to tell (12)" in said
    assert all(row["gates"][0]["detectable"] is None for row in rows.values())


@pytest.fixture
def golden(tmp_path):
    def written(name, keep):
        shipped = read_golden(Path(__file__).parents[2] / "golden" / "traces.json")
        traces = [trace for trace in shipped.traces if keep is None or trace.method in keep]
        path = tmp_path / name
        path.write_bytes(encode_golden(msgspec.structs.replace(shipped, traces=traces)))
        return path

    return written


def test_a_golden_file_of_two_methods_is_a_part(bench, golden):
    whole, part = golden("whole.json", None), golden("part.json", {"nsgan", "hinge"})
    result = bench("compare", whole, part)
    assert result.exit_code == 1
    assert f"NEW has no such trace ({len(read_golden(whole).traces) - 2})" in result.stdout
    assert bench("compare", whole, part, "--allow-missing").exit_code == 0
    assert bench("compare", part, whole).exit_code == 0  # what is new has nothing to be held against
    assert bench("compare", whole, whole).exit_code == 0


def timings(path, *names):
    rounds = [1.0 * (1 + 0.001 * place) for place in range(20)]
    benchmarks = [{"fullname": name, "stats": {"data": rounds}} for name in names]
    path.write_text(json.dumps({"machine_info": {"cpu": {"brand_raw": "A CPU"}}, "benchmarks": benchmarks}))
    return path


def test_a_benchmark_that_is_gone(bench, tmp_path):
    old, new = timings(tmp_path / "old.json", "r1", "gp"), timings(tmp_path / "new.json", "r1")
    assert bench("compare", old, new).exit_code == 1
    assert bench("compare", old, new, "--allow-missing").exit_code == 0
    assert bench("compare", new, old).exit_code == 0


def test_kernel_records_that_are_gone(bench, tmp_path):
    base, new = write(BASE, tmp_path / "base"), write(AGAIN, tmp_path / "new")
    for method in ("nsgan", "hinge"):
        KernelStore(base).append(noisy_kernels(method, 1))
    result = bench("compare", base, new)
    assert result.exit_code == 1
    assert "NEW has no kernel record, and BASE has some" in result.stdout
    assert bench("compare", base, new, "--allow-missing").exit_code == 0
    assert bench("compare", new, base).exit_code == 0
    KernelStore(new).append(noisy_kernels("nsgan", 2))
    assert bench("compare", base, new).exit_code == 1
    KernelStore(new).append(noisy_kernels("hinge", 2))
    assert bench("compare", base, new).exit_code == 0


def test_every_format_fails_with_what_was_not_looked_at(bench, tmp_path):
    sides = write(BASE, tmp_path / "base"), write(without("hinge", AGAIN), tmp_path / "new")
    junit = bench("compare", *sides, "--format", "junit")
    assert junit.exit_code == 1
    assert 'message="unseen: NEW has no result" type="unseen"' in junit.stdout
    assert "Not passed" in bench("compare", *sides, "--format", "md").stdout
    document = json.loads(bench("compare", *sides, "--format", "json").stdout)
    assert document["unseen"] == {"NEW has no result": 1}
    allowed = bench("compare", *sides, "--format", "junit", "--allow-missing").stdout
    assert 'failures="0"' in allowed
