"""Published campaigns by name, by path, or all of them, and what is said where there is none."""

import itertools

import msgspec
import pytest
from planted_campaigns import campaign

import losses
from bench.config.protocol import PROTOCOL_VERSION
from bench.config.suite import load_suite, shipped_suites
from bench.plan import expand
from bench.store import published
from bench.store.campaigns import find_campaigns, suite_of


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Two campaigns as a wheel ships them, and one folder of records as a user has it."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    for name, methods in (("topics", {"nsgan": 60.0, "hinge": 30.0}), ("small", {"nsgan": 60.0})):
        (folder / f"{name}.parquet").write_bytes(published.to_parquet(campaign(seeds=2, methods=methods)))
    monkeypatch.setattr(published, "published_files", lambda: sorted(folder.glob("*.parquet")))
    records = tmp_path / "mine" / "records"
    records.mkdir(parents=True)
    for each in campaign(seeds=3, methods={"wgan": 90.0}):
        (records / f"{each.trial_id}.{each.attempt}.json").write_bytes(msgspec.json.encode(each))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(text):
    return [(each.name, len(each.records)) for each in find_campaigns(text)]


def test_a_name_a_path_and_all(shipped):
    assert found("topics") == [("topics", 4)]
    assert found("all") == [("small", 2), ("topics", 4)]
    assert found("mine") == [("mine", 3)] == found(str(shipped / "mine"))
    assert found("shipped/small.parquet") == [("small", 2)]
    (shipped / "mine" / published.FILE).write_bytes((shipped / "shipped" / "small.parquet").read_bytes())
    assert found("mine/records.parquet") == [("mine", 2)]


def test_a_folder_with_the_parquet_file_alone_is_a_campaign(shipped):
    (shipped / "copied").mkdir()
    (shipped / "copied" / published.FILE).write_bytes((shipped / "shipped" / "topics.parquet").read_bytes())
    assert found("copied") == [("copied", 4)]


@pytest.mark.parametrize("text", ["topic", "shipped", "no/such/folder"])
def test_what_is_not_there_is_told_with_what_is(shipped, text):
    with pytest.raises(ValueError, match="there are small, topics, all, or give a folder with records") as caught:
        find_campaigns(text)
    assert ("did you mean 'topics'" in str(caught.value)) is (text == "topic")


def test_a_record_that_does_not_fit_itself_is_refused(shipped):
    one, *others = campaign(seeds=2, methods={"nsgan": 60.0})
    edited = msgspec.structs.replace(one, spec=msgspec.structs.replace(one.spec, steps=300))
    (shipped / "shipped" / "small.parquet").write_bytes(published.to_parquet([edited, *others]))
    with pytest.raises(ValueError, match=f"the record of {one.trial_id} calls its trial {one.trial_id}"):
        find_campaigns("small")


def test_where_nothing_ships_all_is_nothing(monkeypatch):
    monkeypatch.setattr(published, "published_files", list)
    with pytest.raises(ValueError, match="no published records ship with this program"):
        find_campaigns("all")


@pytest.mark.parametrize(
    ("name", "suite", "norm"),
    [
        ("norms", "norms", None),
        ("norms-ln", "norms", "ln"),
        ("topic-balance", "topic-balance", None),
        ("ln", "ln", None),
    ],
)
def test_a_campaign_is_called_as_its_suite_and_a_norm_that_is_not_the_suites(name, suite, norm):
    assert suite_of(name) == (suite, norm)


def test_every_campaign_that_ships_and_has_a_suite_trains_it():
    """All of its trials, under the norm that its name says; suites of an earlier protocol were others."""
    suites = {suite.name: suite for suite in shipped_suites()}
    for each in find_campaigns("all"):
        name, norm = suite_of(each.name)
        if name not in suites or {record.spec.protocol_version for record in each.records} != {PROTOCOL_VERSION}:
            continue
        suite = msgspec.structs.replace(suites[name], **({"d_norm": norm} if norm else {}))
        if {record.spec.workload for record in each.records} != set(suite.workloads):
            continue
        assert {trial.id for trial in expand(suite)} == {record.trial_id for record in each.records}, each.name


def test_the_campaign_on_photographs_trains_its_suite_on_a_folder_of_images():
    """The suite names CIFAR-10, and the folder is not here, so there are no ids of trials to compare with."""
    suite = load_suite("photographs")
    (campaign,) = find_campaigns("photographs")
    specs = [record.spec for record in campaign.records]
    methods = {str(losses.get(name)) for name in suite.methods}
    assert {(spec.method, spec.seed) for spec in specs} == {*itertools.product(methods, range(suite.seeds))}
    assert len(specs) == len(methods) * suite.seeds
    assert {(spec.steps, spec.evaluate_every, spec.precision, spec.network.d_norm) for spec in specs} == {
        (suite.steps, suite.evaluate_every, suite.precision, suite.d_norm)
    }
    assert {spec.workload for spec in specs} == {"imagefolder:/cifar10-jpeg?size=32"}


def test_runs_that_chose_the_network_are_part_of_the_suite_mnist():
    """So that fourteen of its thirty trials need not be trained again."""
    (network,) = find_campaigns("network")
    known = {record.trial_id for record in network.records if record.spec.workload == "mnist"}
    shared = [trial for trial in expand(load_suite("mnist")) if trial.id in known]
    assert {trial.spec.method_name for trial in shared} == {
        *("nsgan", "mmgan", "lsgan", "hinge", "wgan-gp", "nsgan-r1", "rpgan"),
    }
    assert len(shared) == 14
