"""Where the weights come from, and what they are called in a record."""

import msgspec
import pytest

from bench import data
from bench.config.judges import OFFICIAL_WEIGHTS
from bench.config.protocol import INCEPTION, INCEPTION_SHA256
from bench.extractors import inception_weights
from bench.extractors.inception_weights import InceptionPlan, cached_path, fetch, identify
from bench.extractors.weight_files import Weights

OFFICIAL = Weights(path="official.pth", sha256=f"{INCEPTION_SHA256}{'0' * 56}")
OWN = Weights(path="own.pth", sha256="a" * 64)


@pytest.fixture
def online(monkeypatch, tmp_path):
    """A file that stands for the official one, at an address of this machine; returns the place of downloads."""
    content = b"weights" * 1000
    source = tmp_path / "server.pth"
    source.write_bytes(content)
    monkeypatch.setattr(inception_weights, "URL", source.as_uri())
    monkeypatch.setitem(OFFICIAL_WEIGHTS, INCEPTION, identify(source).sha256[:8])
    monkeypatch.setattr(inception_weights, "FILE", f"weights-{identify(source).sha256[:8]}.pth")
    monkeypatch.setenv("GAN_LOSS_BENCH_OFFLINE", "0")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return source


def test_the_address_and_the_place_are_torch_fidelitys(monkeypatch, tmp_path):
    from torch.hub import get_dir
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    assert inception_weights.URL == URL_INCEPTION_V3
    for variables in ({"TORCH_HOME": str(tmp_path)}, {"XDG_CACHE_HOME": str(tmp_path)}, {}):
        for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert str(cached_path().parent) == f"{get_dir()}/checkpoints"


def test_a_download_is_told_and_kept(online):
    told = []
    found = fetch(lambda *progress: told.append(progress))
    assert cached_path().read_bytes() == online.read_bytes()
    assert found == identify(cached_path())
    assert told[-1][1:] == (7000, 7000)
    online.unlink()
    assert fetch() == found, "what is there is not fetched again"


def test_another_file_at_the_address_is_refused(online):
    online.write_bytes(b"<html>")
    with pytest.raises(ValueError, match=r"sent something else: SHA-256 .* expected"):
        fetch()
    assert not cached_path().exists()
    assert not list(cached_path().parent.iterdir()), "nothing half is left"


def test_without_a_network_it_is_said_how_to_get_them(online, monkeypatch):
    online.unlink()
    with pytest.raises(ValueError, match=r"the download failed .*--inception-weights"):
        fetch()
    monkeypatch.setenv("GAN_LOSS_BENCH_OFFLINE", "1")
    with pytest.raises(ValueError, match=r"GAN_LOSS_BENCH_OFFLINE; get file:.*--inception-weights"):
        fetch()


def test_a_name_that_carries_a_hash_is_held_to_it(tmp_path):
    right, wrong, own = (tmp_path / name for name in ("w.pth", "w-6726825d.pth", "my-weights.pth"))
    for path in (right, wrong, own):
        path.write_bytes(b"something")
    assert not identify(own).official
    with pytest.raises(ValueError, match=r"damaged, or not what its name says: .* expected 6726825d"):
        identify(wrong)
    digest = identify(right).sha256
    assert identify(right.rename(tmp_path / f"w-{digest[:10]}.pth")).label == digest[:12]
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        identify(tmp_path / "nowhere.pth")
    with pytest.raises(ValueError, match="cannot be read: it is a folder"):
        identify(tmp_path)


@pytest.mark.parametrize("name", ["vgg16-20240115.pth", "inception-00012000.pth", "w-finetuned-20231201.pt"])
def test_a_date_or_a_number_of_steps_in_a_name_is_no_hash(tmp_path, name):
    (tmp_path / name).write_bytes(b"something")
    assert not identify(tmp_path / name).official


def test_colour_images_are_covered_and_grey_ones_where_it_is_required():
    auto, required = InceptionPlan(weights=OFFICIAL), InceptionPlan(weights=OFFICIAL, required=True)
    covered = {
        name: (auto.covers(data.workload(name)), required.covers(data.workload(name)))
        for name in ("cifar10", "celeba64", "imagefolder:photos", "mnist", "digits", "stacked-mnist", "ring8")
    }
    assert covered == {
        **dict.fromkeys(("cifar10", "celeba64", "imagefolder:photos"), (True, True)),
        **dict.fromkeys(("mnist", "digits"), (False, True)),
        **dict.fromkeys(("stacked-mnist", "ring8"), (False, False)),
    }


def test_what_is_required_is_missed(record, workload):
    def made(label: str | None):
        plain = record(workload, "nsgan", 0)
        versions = {**plain.environment.versions, **({INCEPTION: label} if label else {})}
        return msgspec.structs.replace(plain, environment=msgspec.structs.replace(plain.environment, versions=versions))

    required = InceptionPlan(weights=OFFICIAL, required=True)
    assert required.misses(workload, made(None))
    assert required.misses(workload, made(OWN.label))
    assert not required.misses(workload, made(OFFICIAL.label))
    assert not InceptionPlan(weights=OFFICIAL).misses(data.workload("cifar10"), made(None))
    assert not required.misses(data.workload("ring8"), made(None))
    assert required.misses(workload, msgspec.structs.replace(made(OFFICIAL.label), environment=None))
    unfetched = InceptionPlan(weights=Weights(path="", sha256=INCEPTION_SHA256), required=True)
    assert (unfetched.misses(workload, made(None)), unfetched.misses(workload, made(OFFICIAL.label))) == (True, False)
