"""`run --against` as a user meets it: what is trained, what is ranked and marked, and what stays as it was."""

import hashlib
import itertools
import json
from pathlib import Path

import msgspec
import pytest
from own_loss import OWN

from bench import campaign
from bench.config.suite import chosen_suite
from bench.execution.inline import InlineExecutor
from bench.plan import expand
from bench.store import campaigns, published
from bench.store.journal import Store, read_record
from losses import registry

METHODS = ["nsgan", "lsgan", "wgan"]
BUDGET = {"steps": 600, "evaluate_every": 200, "samples": 2000}
PLAN = (
    *("--method", "nsgan", "--method", "lsgan", "--method", "wgan", "--workload", "digits", "--seeds", "5"),
    *("--steps", "600", "--set", "evaluate_every=200", "--set", "samples=2000"),
)
OWN_HINGE = ("--losses", "mine.py", "--method", "own_hinge")


def digests(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*")) if path.is_file()}


def ranking(result):
    (table,) = json.loads(result.stdout)["tables"]
    names = ("method", "rank", "rank_low", "rank_high", "score", "score_low", "score_high", "p_adjusted", "verdict")
    return [[row[name] for name in names] for row in table["rows"]], table


@pytest.fixture
def topics(pretend, tmp_path, monkeypatch):
    """A campaign that is published as a wheel has it, and the folder that it was made in."""
    monkeypatch.setattr(registry, "_parts", dict(registry.parts()))
    monkeypatch.setenv("GAN_LOSS_BENCH_LOSSES", "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    suite = chosen_suite({"methods": METHODS, "workloads": ["digits"], "seeds": 5, **BUDGET})
    store = Store(tmp_path / "made")
    assert all(campaign.run(expand(suite), InlineExecutor(), store))
    (tmp_path / "shipped").mkdir()
    file = tmp_path / "shipped" / "topics.parquet"
    file.write_bytes(published.to_parquet(store.records()))
    monkeypatch.setattr(published, "published_files", lambda: [file])
    pretend.trained.clear()
    return tmp_path / "made"


@pytest.fixture
def held(bench, topics):
    """Run `own_hinge`, or what else is named, against the published records; in this process."""

    def run(target="topics", *more, methods=OWN_HINGE):
        return bench("run", *methods, "--against", target, "--results", "own", "--executor", "inline", *more)

    return run


def test_only_what_is_new_is_trained_and_ranked_as_if_all_were_in_one_folder(bench, held, pretend, topics):
    before = digests(topics.parent / "shipped")
    result = held("topics", "--json")
    assert result.exit_code == 0, result.output
    # One published trial more: the pretended machine is not this one.
    assert pretend.trained == ["nsgan", *["own_hinge"] * 5]
    whole = bench("run", *OWN_HINGE, *PLAN, "--results", topics, "--executor", "inline", "--json")
    assert pretend.trained[6:] == ["own_hinge"] * 5
    found, table = ranking(result)
    assert found == ranking(whole)[0]
    assert table["digest"] == ranking(whole)[1]["digest"]
    assert digests(topics.parent / "shipped") == before


def test_published_rows_are_marked_in_json_on_the_terminal_and_on_the_page(held, tmp_path):
    document = json.loads(held("topics", "--json").stdout)
    (table,) = document["tables"]
    assert {row["method"]: row["from"] for row in table["rows"]} == {
        **dict.fromkeys(("nsgan", "lsgan", "wgan"), "topics"), "own_hinge": "here",
    }  # fmt: skip
    assert {row["method"]: row["images_per_second"] for row in table["rows"]} == dict.fromkeys(
        ("nsgan", "lsgan", "wgan", "own_hinge")
    )
    assert [each["comparable"] for each in document["against"]["checks"]] == [True]
    assert document["against"]["read_only"] is True
    shown = held()
    ranked = [line.split() for line in shown.stdout.splitlines() if "/5 (" in line]
    marks = [
        (line[place - 1], word) for line in ranked for place, word in enumerate(line) if word in ("topics", "here")
    ]
    assert sorted(marks) == [("lsgan", "topics"), ("nsgan", "topics"), ("own_hinge", "here"), ("wgan", "topics")]
    assert "Ranked among the published records of topics, which stay as they are." in " ".join(shown.stdout.split())
    page = (tmp_path / "own" / "against.html").read_text()
    again = "python -m bench run --against topics --losses mine.py --method own_hinge --results own"
    assert again in page, "it makes the page anew when it is pasted"
    assert '<td class="words" data-value="topics">topics</td>' in page
    assert '<td class="words" data-value="here">here</td>' in page
    assert not (tmp_path / "own" / "report.html").exists()


@pytest.mark.slow
def test_the_same_command_again_trains_nothing(held, pretend):
    held()
    pretend.trained.clear()
    assert held().exit_code == 0
    assert pretend.trained == []


def test_a_trial_is_listed_once_by_the_attempt_that_counts(held):
    held()
    store = Store(Path("own"))
    record = store.records()[0]
    store.append(msgspec.structs.replace(record, attempt=1, status="timeout", message="stopped"))
    trials = json.loads(held("topics", "--json").stdout)["trials"]
    assert [each["status"] for each in trials if each["trial"] == record.trial_id] == ["ok"]


def test_a_method_that_is_published_is_not_trained_and_the_published_table_is_shown(held, pretend):
    result = held("topics", "--json", methods=("--method", "lsgan"))
    assert result.exit_code == 0, result.output
    assert pretend.trained == []
    assert [row["from"] for row in json.loads(result.stdout)["tables"][0]["rows"]] == ["topics"] * 3


def test_numbers_of_a_machine_that_does_not_fit_stay_apart_with_exit_code_3(held, pretend, topics):
    def differ(record):
        environment = msgspec.structs.replace(record.environment, fingerprint="beef01234567")
        return msgspec.structs.replace(record, environment=environment)

    held()
    for path in (topics.parent / "own" / "records").iterdir():
        record = read_record(path)
        path.unlink()
        if record.spec.method_name != "nsgan":
            path.write_bytes(msgspec.json.encode(differ(record)))
    pretend.behave["nsgan"] = lambda: (_ for _ in ()).throw(RuntimeError("no reference"))
    result = held("topics", "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 1, "an error of the machinery comes first"
    assert (document["tables"], document["against"]["checks"][0]["comparable"]) == ([], False)
    assert "no published trial was trained here again" in document["against"]["checks"][0]["words"]
    assert [row["method"] for row in document["apart"][0]["rows"]] == ["own_hinge"]


def test_a_dry_run_says_what_would_be_trained(held, pretend, tmp_path):
    result = held("topics", "--dry-run")
    assert result.stdout.startswith("against topics: 6 trials, 0 recorded, 6 to run; digits: 600 steps, batch 64,")
    assert "1 published trial trained again: this is another kind of machine" in result.stdout
    assert (pretend.trained, (tmp_path / "own").exists()) == ([], False)


@pytest.mark.parametrize(("published", "said"), [({1}, True), ({3}, False), ({1, 3}, False), ({1, 2}, False)])
def test_who_has_other_threads_than_the_published_trials_is_told_how_many(held, topics, monkeypatch, published, said):
    """They make another kind of machine of the same one, and --workers decides them."""
    monkeypatch.setattr("bench.campaign.divide", lambda *_: (1, 3))
    store, counts = Store(topics), itertools.cycle(sorted(published))
    changed = [
        msgspec.structs.replace(record, environment=msgspec.structs.replace(record.environment, threads=next(counts)))
        for record in store.records()
    ]
    shipped = campaigns.published.published_files()[0]
    shipped.write_bytes(campaigns.published.to_parquet(changed))
    result = held("topics", "--dry-run")
    assert "trained again" in result.stdout
    assert ("A trial had 1 thread there and has 3 here: see --workers" in result.stdout) == said
    assert ("see --workers" in result.stdout) == said


def test_compare_pairs_the_trial_that_was_trained_again_with_the_published_one(bench, held, topics):
    held()
    result = bench("compare", topics, "own", "--allow-missing")
    assert result.exit_code == 3, "one seed shows nothing, and the new method has nothing to be compared with"
    said = " ".join(result.stdout.split())
    assert "repeats BASE at 1 of its 5 seeds" in said
    assert "own_hinge digits – – – – BASE has no result" in said


@pytest.mark.parametrize(
    ("target", "more", "said"),
    [
        ("topic", (), "no published records called 'topic' (did you mean 'topics'?)"),
        ("topics", ("--seeds", "3"), "--seeds: --against trains as the published records were trained; leave it out"),
        ("topics", ("--set", "samples=50"), "--set samples=50: --against trains as"),
        ("topics", ("--suite", "smoke"), "--suite: --against trains as"),
        ("topics", ("--executor", "ray"), "a cluster's nodes are known only when trials run"),
        (
            "topics",
            ("--workload", "ring8"),
            "nothing of topics can be trained here: no record on ring8; there are some on digits",
        ),
        (
            "topics",
            ("--workload", "digits", "--workload", "rinng8"),
            "unknown workload 'rinng8' (did you mean 'ring8'?)",
        ),
    ],
)
def test_bad_input_is_one_line(held, target, more, said):
    result = held(target, *more)
    assert result.exit_code == 2
    assert said in result.stderr


def test_published_records_get_no_company(bench, topics):
    """They stay as they are, as every table of them says."""
    before = digests(topics)
    refused = bench("run", *OWN_HINGE, "--against", "./made", "--results", topics, "--executor", "inline")
    assert refused.exit_code == 2
    assert "the published records of ./made are in --results" in refused.stderr
    assert digests(topics) == before


def test_a_workload_without_a_published_record_is_told(held):
    result = held("topics", "--workload", "ring8", "--workload", "digits", "--dry-run")
    assert result.exit_code == 0
    assert "left out: no record on ring8; there are some on digits" in result.output
    assert "no record on" not in held("topics", "--workload", "digits", "--dry-run").output


def test_without_a_method_there_is_nothing_to_rank(held):
    result = held(methods=())
    assert result.exit_code == 2
    assert "name them with --method" in result.stderr


def test_records_of_other_versions_are_named_and_never_ranked(held, topics):
    file = topics.parent / "shipped" / "topics.parquet"
    (found,) = campaigns.find_campaigns("topics")
    older = []
    for record in found.records:
        trial = msgspec.structs.replace(record.trial, components={**record.components, "engine": "1"})
        older.append(
            msgspec.structs.replace(
                record,
                components=trial.components,
                trial_id=trial.id,
                history=msgspec.structs.replace(Store(topics).records()[0].history),
            )
        )
    file.write_bytes(published.to_parquet(older))
    result = held()
    assert result.exit_code == 2
    assert "digits: the published trials are of another version: engine 3 here, 1 there" in result.stderr
