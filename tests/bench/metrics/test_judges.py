"""What CLIP and VGG16 measure: torch-fidelity as the oracle, floors, ceilings, and what is kept of the real images."""

from pathlib import Path

import judge_files
import pytest
import torch
from judge_oracle import arrays_of, oracle, pictures

from bench import data
from bench.config.judges import BESIDE_INCEPTION, CLIP, JUDGED_METRICS, JUDGES, VGG16
from bench.extractors.judge_weights import SOURCES
from bench.extractors.weight_files import Weights, identify
from bench.metrics import judges
from bench.metrics.catalogue import CATALOGUE, about
from bench.metrics.judged_workload import unmeasurable
from bench.metrics.judges import JudgedBesideInception

CPU = torch.device("cpu")
COLOR = data.workload("imagefolder:photos")
BOTH = pytest.mark.parametrize("name", [CLIP, VGG16])

IMAGES = {"train": pictures(110, 1), "test": pictures(40, 2), "fakes": pictures(90, 4)}


def weights_of(name: str, judge_file) -> Weights:
    return identify(judge_file(name), SOURCES[name])


def judged(name: str, judge_file, folder: Path, told: list | None = None) -> JudgedBesideInception:
    tell = None if told is None else lambda *progress: told.append(progress)
    arrays = arrays_of(IMAGES["train"], IMAGES["test"])
    return JudgedBesideInception(COLOR, arrays, weights_of(name, judge_file), CPU, folder, tell)


@pytest.fixture(scope="module")
def whole(judge_file, tmp_path_factory):
    """Return a workload in a judge's eyes, given its name; it is measured once."""
    known: dict[str, JudgedBesideInception] = {}

    def of(name: str) -> JudgedBesideInception:
        if name not in known:
            known[name] = judged(name, judge_file, tmp_path_factory.mktemp("kept"))
        return known[name]

    return of


@pytest.mark.slow
@BOTH
def test_the_numbers_are_torch_fidelitys(name, judge_file, whole):
    workload, key = whole(name), BESIDE_INCEPTION[name].key
    ours = workload.measure(torch.from_numpy(IMAGES["fakes"]))
    theirs = oracle(judge_file(name), IMAGES["fakes"], IMAGES["train"], feature_extractor=name, prc=True)
    floor = oracle(judge_file(name), IMAGES["test"], IMAGES["train"], feature_extractor=name)
    assert 0.0 < theirs["recall"] < 1.0
    assert 0.0 < theirs["precision"] < 1.0, "else they would say little"
    assert ours[f"{key}_fd"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3)
    assert ours[f"{key}_kd"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-3)
    assert ours[f"{key}_precision"] == pytest.approx(theirs["precision"], abs=1e-6)
    assert ours[f"{key}_recall"] == pytest.approx(theirs["recall"], abs=1e-6)
    assert ours[f"{key}_fd_floor"] == pytest.approx(floor["frechet_inception_distance"], rel=1e-3)
    assert ours[f"{key}_samples"] == 90.0


@pytest.mark.slow
@BOTH
def test_everything_that_is_measured_is_named(name, whole):
    scores = whole(name).measure(torch.from_numpy(IMAGES["fakes"][:10]))
    judge = BESIDE_INCEPTION[name]
    assert set(scores) == judge.metrics == JUDGES[name].metrics
    assert {metric for metric, each in CATALOGUE.items() if judge.key in each.needs} == judge.metrics
    titles = [CATALOGUE[metric].title for metric in judge.metrics - {judge.samples}]
    assert all(f"[{name}]" in title and "FID" not in title for title in titles)
    assert unmeasurable(name) == dict.fromkeys(f"{judge.key}_{each}" for each in ("fd", "kd", "precision", "recall"))


def test_the_average_of_the_generator_is_not_judged():
    assert len(JUDGED_METRICS) == 5 + 2 * 8
    assert all(about(f"ema_{metric}") is None for metric in JUDGED_METRICS)
    assert about("ema_precision") is not None


@pytest.mark.slow
@BOTH
def test_real_images_reach_the_floor_and_the_ceilings(name, whole):
    workload, key = whole(name), BESIDE_INCEPTION[name].key
    tested = workload.measure(torch.from_numpy(IMAGES["test"]))
    far = workload.measure(torch.from_numpy(pictures(40, 9)))
    assert tested[f"{key}_fd"] == pytest.approx(tested[f"{key}_fd_floor"], rel=1e-4)
    assert tested[f"{key}_fd"] < 0.5 * far[f"{key}_fd"]
    assert tested[f"{key}_kd"] < 0.5 * far[f"{key}_kd"]
    for share in ("precision", "recall"):
        assert 0.6 < tested[f"{key}_{share}_ceiling"] <= 1.0
        assert tested[f"{key}_{share}"] > far[f"{key}_{share}"]


@pytest.mark.slow
def test_the_real_images_are_measured_once(judge_file, tmp_path):
    told: list[tuple] = []
    first = judged(VGG16, judge_file, tmp_path, told)
    assert told[-1] == ("measuring imagefolder-32 in VGG16", 150, 150)
    told.clear()
    again = judged(VGG16, judge_file, tmp_path, told)
    assert told == []
    fakes = torch.from_numpy(IMAGES["fakes"])
    assert again.measure(fakes) == first.measure(fakes)


@pytest.mark.slow
def test_each_judge_each_file_and_other_images_are_measured_anew(judge_file, tmp_path):
    def files() -> set[Path]:
        return set(tmp_path.glob("*.safetensors"))

    judged(VGG16, judge_file, tmp_path)
    judged(CLIP, judge_file, tmp_path)
    assert len(files()) == 2
    other = judge_files.write_vgg16(tmp_path / "other.pth", seed=12)
    weights = identify(other, SOURCES[VGG16])
    JudgedBesideInception(COLOR, arrays_of(IMAGES["train"], IMAGES["test"]), weights, CPU, tmp_path)
    assert len(files()) == 3
    JudgedBesideInception(COLOR, arrays_of(IMAGES["train"], IMAGES["fakes"]), weights, CPU, tmp_path)
    assert len(files()) == 4


@pytest.mark.slow
def test_neighbors_are_looked_for_among_so_many_images_and_no_more(judge_file, whole, tmp_path, monkeypatch):
    all_of_them = whole(VGG16).measure(torch.from_numpy(IMAGES["fakes"]))
    monkeypatch.setattr(judges, "NEIGHBOR_IMAGES", 45)
    few = judged(VGG16, judge_file, tmp_path).measure(torch.from_numpy(IMAGES["fakes"]))
    assert few["vgg16_fd"] == all_of_them["vgg16_fd"], "the distance is of all images"
    assert few["vgg16_precision"] * 45 == pytest.approx(round(few["vgg16_precision"] * 45), abs=1e-9)
    assert few["vgg16_recall"] * 45 == pytest.approx(round(few["vgg16_recall"] * 45), abs=1e-9)
    assert few["vgg16_kd"] == pytest.approx(all_of_them["vgg16_kd"], rel=0.3)
    assert few["vgg16_kd"] != all_of_them["vgg16_kd"]
