"""Inception: torch-fidelity as the oracle, what is kept of the real images, and files that are no weights."""

import os

import pytest
import torch
from judge_oracle import arrays_of, assert_equal_numbers, oracle, pictures

from bench import data
from bench.config.protocol import INCEPTION, INCEPTION_METRICS
from bench.extractors import inception_network
from bench.extractors.inception_network import embed, load
from bench.extractors.inception_weights import identify
from bench.metrics import real_images
from bench.metrics.catalogue import CATALOGUE
from bench.metrics.inception import Inception, inception_score
from bench.metrics.judged_workload import unmeasurable
from bench.metrics.kernel_distance import kid

CPU = torch.device("cpu")
COLOUR = data.workload("imagefolder:photos")

# Once asked for it is small until the file ends: so it is for every test here, in whatever order they run.
pytestmark = pytest.mark.usefixtures("small_inception")


@pytest.fixture(scope="module")
def images():
    return {"train": pictures(110, 1), "test": pictures(40, 2), "fakes": pictures(90, 5)}


@pytest.fixture(scope="module")
def weights(inception_file):
    return identify(inception_file)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def measured(weights, images, folder, told):
    arrays = arrays_of(images["train"], images["test"])
    return Inception(COLOUR, arrays, weights, CPU, folder, lambda *progress: told.append(progress))


@pytest.fixture(scope="module")
def scores(measured, images):
    return measured.measure(torch.from_numpy(images["fakes"]))


@pytest.mark.slow
def test_the_numbers_are_torch_fidelitys(scores, inception_file, images):
    ours = scores
    layer = {"feature_layer_fid": "192", "feature_layer_kid": "192"}
    theirs = oracle(inception_file, images["fakes"], images["train"], isc=True, **layer)
    assert theirs["frechet_inception_distance"] > 0.1
    assert theirs["inception_score_mean"] > 1.01
    assert_equal_numbers(ours, theirs)
    floor = oracle(inception_file, images["test"], images["train"], **layer)
    assert ours["fid_floor"] == pytest.approx(floor["frechet_inception_distance"], rel=1e-3)
    assert ours["fid_floor"] < 0.5 * ours["fid"]
    assert ours["fid_samples"] == 90


@pytest.mark.slow
def test_everything_that_is_measured_is_named(scores):
    assert set(scores) == INCEPTION_METRICS
    assert {name for name, each in CATALOGUE.items() if "inception" in each.needs} == INCEPTION_METRICS
    assert {name for name, each in CATALOGUE.items() if each.title.startswith("FID")} <= INCEPTION_METRICS
    assert unmeasurable(INCEPTION) == {"fid": None, "inception_kid": None, "inception_score": None}


@pytest.mark.slow
def test_what_is_near_the_data_is_near(measured, scores, images):
    near, far = measured.measure(torch.from_numpy(images["test"])), scores
    assert near["fid"] == pytest.approx(near["fid_floor"], rel=1e-4)
    assert near["fid"] < 0.5 * far["fid"]
    assert near["inception_kid"] < 0.1 * far["inception_kid"]


@pytest.mark.slow
def test_grey_images_are_repeated_as_three_channels(weights, tmp_path):
    grey = torch.from_numpy(pictures(12, 3, channels=1))
    network = load(weights, CPU)
    for ours, expected in zip(embed(network, grey, CPU), embed(network, grey.repeat(1, 3, 1, 1), CPU), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"uint8 images \[N, 1 or 3, H, W\]"):
        embed(network, grey.float(), CPU)


@pytest.mark.slow
def test_batches_do_not_matter(weights, images, monkeypatch):
    network, few = load(weights, CPU), torch.from_numpy(images["fakes"][:20])
    whole = embed(network, few, CPU)
    monkeypatch.setattr(inception_network, "_BATCH", 7)
    seen = []
    pieces = embed(network, few, CPU, seen.append)
    assert seen == [7, 7, 6]
    for one, other in zip(whole, pieces, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_the_real_images_are_measured_once(measured, told, weights, images, folder, scores, monkeypatch):
    assert told[-1] == ("measuring imagefolder-32 in Inception", 150, 150)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    monkeypatch.setattr(Inception, "_build", lambda *_: pytest.fail("measured again"))
    again = Inception(COLOUR, arrays_of(images["train"], images["test"]), weights, CPU, folder)
    assert again.measure(torch.from_numpy(images["fakes"])) == scores


def test_settings_are_as_before(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    monkeypatch.setattr(real_images, "usable_cpus", lambda: 2)
    before = torch.get_num_threads(), torch.backends.cudnn.deterministic, True
    with real_images.settled(CPU):
        assert (torch.get_num_threads(), torch.backends.cudnn.deterministic) == (2, True)
        assert not torch.backends.cudnn.benchmark
    assert (torch.get_num_threads(), torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == before


def test_kid_takes_smaller_subsets_where_there_are_fewer_images(correlated):
    fakes, reals = correlated(40, shift=1.0), correlated(60)
    assert kid(fakes, reals, CPU) == pytest.approx(kid(fakes, reals, CPU, size=40), rel=1e-12)
    assert kid(fakes, reals, CPU, size=10) == pytest.approx(kid(fakes, reals, CPU), rel=0.2)
    assert kid(fakes, reals, CPU, size=10) != kid(fakes, reals, CPU)


def test_the_score_is_the_number_of_classes_named_surely_and_evenly():
    logits = 50.0 * torch.eye(10).repeat(20, 1)
    assert inception_score(logits, splits=1) == pytest.approx(10.0, rel=1e-6)
    assert inception_score(torch.zeros(50, 10)) == pytest.approx(1.0, rel=1e-9)
    assert inception_score(logits[:9]) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path, _: path.write_bytes(b"<html>not found</html>"), "no file of tensors"),
        (lambda path, content: path.write_bytes(content[: len(content) // 2]), "cut short"),
        (lambda path, _: path.write_bytes(b""), "cut short"),
        (lambda path, _: torch.save(torch.nn.Linear(2, 2), path), "no file of tensors"),
        (lambda path, _: torch.save({"fc.weight": torch.zeros(3)}, path), "names or shapes of its tensors are others"),
        (lambda path, _: torch.save([1, 2], path), "names or shapes of its tensors are others"),
    ],
)
def test_a_file_that_holds_no_weights_is_told_in_one_line(tmp_path, inception_file, spoil, reason):
    path = tmp_path / "spoilt.pth"
    spoil(path, inception_file.read_bytes())
    with pytest.raises(ValueError, match=reason) as caught:
        load(identify(path), CPU)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert "--inception-weights" in str(caught.value)


def test_what_a_file_would_run_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trapped"),)

    path = tmp_path / "trap.pth"
    torch.save({"fc.weight": Trap()}, path)
    with pytest.raises(ValueError, match="no weights"):
        load(identify(path), CPU)
    assert not (tmp_path / "trapped").exists()


def test_a_file_that_changes_under_way_is_noticed(tmp_path, inception_file):
    path = tmp_path / "weights.pth"
    path.write_bytes(inception_file.read_bytes())
    found = identify(path)
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="has changed since the run began"):
        load(found, CPU)
    path.unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        load(found, CPU)
