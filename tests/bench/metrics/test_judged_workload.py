"""What every judge shares: how many images it looks at, and under which name its measurements are kept."""

import msgspec
import pytest
import torch
from judge_oracle import arrays_of, pictures

from bench import data
from bench.config.judges import BESIDE_INCEPTION, CLIP, JUDGES, VGG16
from bench.config.protocol import INCEPTION
from bench.extractors import inception_network, judge_networks
from bench.extractors.weight_files import Weights
from bench.metrics import judged_workload, tensor_cache
from bench.metrics.inception import Inception
from bench.metrics.judged_workload import samples_of
from bench.metrics.judges import JudgedBesideInception
from bench.metrics.judges import judged_workload as class_of

COLOR = data.workload("imagefolder:photos")
IMAGES = {"train": pictures(6, 1), "test": pictures(4, 2)}
ALL = (INCEPTION, CLIP, VGG16)


class KeptAtError(Exception):
    """Names the file in which measurements would be kept."""


@pytest.fixture
def kept_at(monkeypatch, tmp_path):
    """Return where measurements are kept, without any."""

    def stop(path, names, build):
        raise KeptAtError(path)

    monkeypatch.setattr(tensor_cache, "once", stop)
    for measuring in (Inception, JudgedBesideInception):
        monkeypatch.setattr(measuring, "load", lambda *_: torch.nn.Identity())
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "an H200")

    def path(network, *, train=IMAGES["train"], test=IMAGES["test"], sha256="0" * 64, device="cpu", workload=COLOR):
        weights = Weights(path="", sha256=sha256, network=network)
        with pytest.raises(KeptAtError) as caught:
            class_of(network)(workload, arrays_of(train, test), weights, torch.device(device), tmp_path)
        (path,) = caught.value.args
        return path

    return path


@pytest.mark.parametrize("network", ALL)
def test_the_name_of_what_is_kept_holds_everything_the_numbers_depend_on(network, kept_at, monkeypatch):
    paths = [
        kept_at(network),
        kept_at(network, train=IMAGES["train"][::-1].copy()),
        kept_at(network, test=IMAGES["test"][:3]),
        kept_at(network, sha256="1" * 64),
        kept_at(network, device="cuda"),
        kept_at(network, workload=data.workload("imagefolder:photos?size=64")),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(inception_network, "LAYERS", ("768", "logits_unbiased"))
        patch.setattr(judge_networks, "LAYERS", dict.fromkeys(BESIDE_INCEPTION, "another"))
        paths.append(kept_at(network))
    with monkeypatch.context() as patch:
        patch.setattr(judged_workload, "METRICS_VERSION", "another")
        paths.append(kept_at(network))
    assert len(set(paths)) == len(paths)
    assert kept_at(network) == paths[0]


def test_no_judge_reads_what_another_has_kept(kept_at):
    assert len({kept_at(network) for network in ALL}) == len(ALL)


@pytest.mark.parametrize("network", BESIDE_INCEPTION)
def test_ceilings_depend_on_how_many_fakes_there_will_be(network, kept_at):
    more = msgspec.structs.replace(COLOR, inception_samples=COLOR.inception_samples + 1)
    assert kept_at(network, workload=more) != kept_at(network)
    assert kept_at(INCEPTION, workload=more) == kept_at(INCEPTION)


@pytest.mark.parametrize("network", ALL)
def test_every_judge_says_of_how_many_images_its_numbers_are(network):
    assert JUDGES[network].samples in JUDGES[network].metrics


def test_how_many_images_are_measured():
    cifar = data.workload("cifar10")
    assert (samples_of(cifar, cifar.samples), samples_of(COLOR, COLOR.samples)) == (50_000, 10_000)
    assert (samples_of(cifar, 20), samples_of(cifar, 60_000), samples_of(COLOR, 60_000)) == (20, 50_000, 10_000)
    settled = msgspec.structs.replace(COLOR, samples=1020)
    assert (samples_of(settled, 1020), samples_of(settled, 500)) == (10_000, 500)
