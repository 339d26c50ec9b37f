"""Distances of stored generators in other networks: against another formula, and what refuses to be measured."""

import csv
import io

import msgspec
import numpy as np
import pytest
import torch
from planted_campaigns import campaign as planted_campaign

from bench import data
from bench.config.trial import Trial
from bench.extractors.embedding import embed
from bench.extractors.loading import load_extractor
from bench.extractors.specs import extractor_component
from bench.networks import build_generator
from bench.probes import other_networks
from bench.probes.other_networks import GRAIN, HEAD, Ruler, grain, rows, runs_with_generators
from bench.store.journal import Store
from bench.training.artifacts import save_generator
from bench.training.sampling import sample
from bench.training.seeding import Stream

CPU = torch.device("cpu")


@pytest.fixture
def stored(tmp_path):
    """Two runs with a generator each, whose records have the distances of these."""
    store, records = Store(tmp_path), []
    for number, record in enumerate(planted_campaign(seeds=2, methods={"nsgan": 60.0})):
        network = msgspec.structs.replace(record.spec.network, width=4)
        trial = Trial(
            spec=msgspec.structs.replace(record.spec, network=network, samples=100),
            components={**record.components, "extractor": extractor_component("digits-cnn-v1")},
        )
        folder = store.artifacts_dir(trial.id)
        folder.mkdir(parents=True)
        drawn = build_generator(network, lambda name, shape, seed=number: Stream(seed, name).normal(0, shape)[0])
        save_generator(drawn, trial, folder)
        samples, workload = sample(folder / "generator.safetensors", count=100)
        metrics = {**record.metrics, "fd": Ruler(workload, "digits-cnn-v1").distance(samples)}
        kept = {"spec": trial.spec, "components": trial.components, "trial_id": trial.id, "metrics": metrics}
        records.append(msgspec.structs.replace(record, **kept))
    return store, records


@pytest.mark.parametrize("network", ["digits-cnn-v1", "random-conv-v1"])
def test_the_distance_is_that_of_the_formula_with_the_eigenvalues_of_the_product(network):
    workload, arrays = data.workload("digits"), data.load("digits")
    images = torch.from_numpy(arrays.train[:300]).flip(-1)
    extractor = load_extractor(network)
    real = torch.cat([torch.from_numpy(arrays.train), torch.from_numpy(arrays.test)])
    moments = []
    for each in (real, images):
        features = embed(extractor, each, CPU)[0].double().numpy()
        moments.append((features.mean(0), np.cov(features, rowvar=False)))
    (mean, one), (other_mean, other) = moments
    root = np.sqrt(np.linalg.eigvals(one @ other).real.clip(min=0)).sum()
    expected = ((mean - other_mean) ** 2).sum() + np.trace(one) + np.trace(other) - 2 * root
    assert Ruler(workload, network).distance(images) == pytest.approx(expected, rel=1e-5)


def test_each_run_has_a_row_for_its_own_network_and_one_for_each_other(stored):
    store, records = stored
    found = [*rows(runs_with_generators(records, store, allow_missing=False), ["random-conv-v1"])]
    assert [(seed, network.partition(":")[0]) for _, _, seed, network, _ in found] == [
        (0, "digits-cnn-v1"), (0, "random-conv-v1"), (1, "digits-cnn-v1"), (1, "random-conv-v1"),
    ]  # fmt: skip
    assert [float(row[-1]) for row in found[::2]] == pytest.approx([each.metrics["fd"] for each in records], rel=1e-5)


def test_the_network_of_the_record_comes_first_and_is_the_one_that_is_checked(stored):
    """Photographs are measured in one of two networks, and a folder's own may be the other one."""
    store, (record, _) = stored
    samples, workload = sample(store.artifacts_dir(record.trial_id) / "generator.safetensors", count=100)
    ruler = Ruler(workload, "random-conv-v1")
    measured = msgspec.structs.replace(
        record,
        components={**record.components, "extractor": ruler.component},
        metrics={**record.metrics, "fd": ruler.distance(samples)},
    )
    runs = runs_with_generators([measured], store, allow_missing=False)
    found = [*rows(runs, ["random-conv-v1", "digits-cnn-v1"])]
    assert [network.partition(":")[0] for *_, network, _ in found] == ["random-conv-v1", "digits-cnn-v1"]
    assert float(found[1][-1]) == pytest.approx(record.metrics["fd"], rel=1e-5)


def test_a_generator_of_another_run_is_refused(stored):
    store, records = stored
    changed = [
        msgspec.structs.replace(each, metrics={**each.metrics, "fd": each.metrics["fd"] * 1.01}) for each in records
    ]
    with pytest.raises(ValueError, match="it is of another run"):
        list(rows(runs_with_generators(changed, store, allow_missing=False), []))


def test_what_is_missing_is_named_and_left_out_only_on_request(stored):
    store, records = stored
    (store.artifacts_dir(records[1].trial_id) / "generator.safetensors").unlink()
    with pytest.raises(ValueError, match="1 of 2 generators are missing: nsgan seed 1"):
        runs_with_generators(records, store, allow_missing=False)
    assert [record for record, _ in runs_with_generators(records, store, allow_missing=True)] == records[:1]


@pytest.mark.parametrize("name", ["stacked-digits", "ring8"])
def test_only_single_images_are_measured(name):
    with pytest.raises(ValueError, match="no single images"):
        Ruler(data.workload(name), "random-conv-v1")


def test_the_command_writes_csv(stored, monkeypatch, capsys):
    store, records = stored
    monkeypatch.setattr(other_networks, "find_campaigns", lambda _: [type("Found", (), {"records": records})])
    other_networks.main([str(store.root), "--campaign", "made-up", "--network", "random-conv-v1"])
    out, err = capsys.readouterr()
    head, *body = csv.reader(io.StringIO(out))
    assert tuple(head) == HEAD
    assert len(body) == 4
    assert "[2/2] nsgan, seed 1" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--campaign", "nrms"], "no published records called 'nrms' (did you mean 'norms'?)"),
     (["--campaign", "norms"], "40 of 40 generators are missing")],
    ids=["campaign", "generators"],
)  # fmt: skip
def test_what_is_wrong_is_one_line_and_a_2(tmp_path, capsys, arguments, words):
    with pytest.raises(SystemExit) as ended:
        other_networks.main([str(tmp_path), *arguments])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_grain_by_hand():
    """A single white pixel on black has 4 * 255 at itself and -255 at each of its four neighbors, of 3x3 inner ones."""
    image = torch.zeros(1, 1, 5, 5, dtype=torch.uint8)
    image[0, 0, 2, 2] = 255
    assert grain(image) == pytest.approx(255 * ((16 + 4) / 9) ** 0.5)
    ramp = torch.arange(0, 250, 10, dtype=torch.uint8).reshape(1, 1, 5, 5)
    assert grain(ramp) == 0.0, "a slope has no grain"
    assert grain(torch.cat([image, image], dim=1)) == pytest.approx(grain(image))


def test_grain_stands_among_the_networks(stored):
    store, records = stored
    found = [*rows(runs_with_generators(records, store, allow_missing=False), [GRAIN])]
    samples, _ = sample(store.artifacts_dir(records[0].trial_id) / "generator.safetensors", count=100)
    assert found[1][3:] == ("grain", f"{grain(samples):.6g}")
