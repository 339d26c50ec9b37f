"""`recommend` as a user meets it: published records that rank, records that do not, and bad input."""

import itertools
import json
import shlex

import pytest
from planted_campaigns import campaign

from bench.store import published


@pytest.fixture
def publish(monkeypatch, tmp_path):
    """Put campaigns into the place of the published ones."""

    def put(**campaigns):
        for name, records in campaigns.items():
            (tmp_path / "published").mkdir(exist_ok=True)
            (tmp_path / "published" / f"{name}.parquet").write_bytes(published.to_parquet(records))
        files = sorted((tmp_path / "published").glob("*.parquet"))
        monkeypatch.setattr(published, "published_files", lambda: files)

    return put


def test_three_methods_are_named_with_score_failures_cost_and_campaign(bench, publish):
    publish(topics=campaign(), small=campaign(seeds=1))
    result = bench("recommend", "--workload", "digits")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "5 methods on digits, 600 steps of 64, 5 seeds each (small, topics):" in " ".join(lines)
    table = [line for line in lines if line[:2] in ("1 ", "2 ", "3 ")]
    assert [line.split()[1] for line in table] == ["lsgan", "hinge", "nsgan"]
    assert all("0 of 5" in line for line in table)
    assert any(
        "--method lsgan --method hinge --method nsgan --steps 600" in line for line in " ".join(lines).split(". ")
    )


def test_the_command_to_try_has_the_reference_once_whoever_is_named(bench, publish):
    publish(topics=campaign(methods={"lsgan": 10.0, "hinge": 20.0, "wgan": 30.0, "nsgan": 90.0, "wgan-gp": 99.0}))
    said = " ".join(bench("recommend", "--workload", "digits").stdout.split())
    assert "--method lsgan --method hinge --method wgan --method nsgan --steps 600" in said
    publish(topics=campaign(seeds=2))
    said = " ".join(bench("recommend", "--workload", "digits").stdout.split())
    assert said.count("--method nsgan-r1 --method nsgan --steps") == 1


@pytest.mark.parametrize("known", [True, False])
def test_the_command_to_try_is_one_line_that_a_shell_takes(bench, publish, known):
    long = "bce_ns + corr_channel(weight=1, every=1)"
    publish(topics=campaign(methods={long: 10.0, "hinge": 20.0, "wgan": 30.0, "nsgan": 90.0, "wgan-gp": 99.0}))
    lines = bench("recommend", "--workload", "digits" if known else "ring8").stdout.splitlines()
    (command,) = [shlex.split(line) for line in lines if "python -m bench" in line]
    assert command[:4] == ["python", "-m", "bench", "run"]
    assert command[-2:] == ["--seeds", "5"]
    assert ("--method", long) in itertools.pairwise(command) or not known


def test_a_program_gets_numbers_and_whether_there_is_an_answer(bench, publish):
    publish(topics=campaign())
    (found,) = json.loads(bench("recommend", "--workload", "digits", "--json").stdout)
    assert found["known"] is True
    assert [each["method"] for each in found["first"]] == ["lsgan", "hinge", "nsgan"]
    assert found["first"][0]["score_low"] <= found["first"][0]["score"] <= found["first"][0]["score_high"]
    assert found["campaigns"] == ["topics"]
    (none,) = json.loads(bench("recommend", "--workload", "ring8", "--json").stdout)
    assert (none["known"], none["first"]) == (False, [])
    assert none["unknown"] == "no published record of the core track of protocol 1.1 is on points in the plane"


def test_without_a_workload_every_published_ranking_answers(bench, publish):
    publish(topics=[*campaign(), *campaign("ring8"), *campaign("mnist", seeds=2)])
    found = json.loads(bench("recommend", "--json").stdout)
    assert [each["asked"] for each in found] == ["digits", "ring8"]


def test_where_nothing_ranks_nobody_is_named_and_it_is_said_why(bench, publish):
    publish(topics=campaign(seeds=2))
    result = bench("recommend", "--workload", "digits")
    assert result.exit_code == 0
    said = " ".join(result.stdout.split())
    assert "the published records do not say" in said
    assert "2 seeds a method, and fewer than 5 rank nothing" in said
    assert "python -m bench run --workload digits" in said
    assert "lsgan" not in said


def test_where_nothing_is_published_it_is_said(bench, monkeypatch):
    monkeypatch.setattr(published, "published_files", list)
    result = bench("recommend")
    assert result.exit_code == 2
    assert "no published records" in result.stderr


def test_a_folder_of_photographs_is_a_workload(bench, publish, tmp_path):
    publish(topics=campaign())
    (found,) = json.loads(bench("recommend", "--images", tmp_path, "--budget", "250", "--json").stdout)
    assert found["asked"] == f"imagefolder:{tmp_path}?size=32"
    assert (found["workload"], found["steps"]) == ("digits", 300)
    assert found["differences"] == ["gray", "other data"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--workload", "digit"), "did you mean 'digits'"),
        (("--workload", "digits", "--images", "."), "give one of the two"),
        (("--images", "/no/such/folder"), "does not exist"),
        (("--budget", "0"), "0 is not in the range"),
    ],
)
def test_bad_input_is_one_line(bench, publish, arguments, said):
    publish(topics=campaign())
    result = bench("recommend", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_damaged_file_is_named(bench, monkeypatch, tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr(published, "published_files", lambda: [tmp_path / "bad.parquet"])
    result = bench("recommend")
    assert result.exit_code == 2
    assert "bad.parquet holds no published records" in result.stderr
