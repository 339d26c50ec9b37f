"""Where the weights of CLIP and VGG16 come from, which files are read, and which records lack their numbers."""

import os
from http.client import IncompleteRead

import msgspec
import pytest

from bench import data
from bench.config.judges import CLIP, OFFICIAL_WEIGHTS, VGG16
from bench.extractors.judge_weights import SOURCES, misses
from bench.extractors.weight_files import Weights, cached_path, fetch, identify

BOTH = pytest.mark.parametrize("name", [CLIP, VGG16])


@pytest.fixture
def online(monkeypatch, tmp_path):
    """A file that stands for an official one, at an address of this machine, with an empty cache of torch.hub."""
    server = tmp_path / "server.pt"
    server.write_bytes(b"weights" * 1000)
    digest = identify(server, SOURCES[VGG16]).sha256
    monkeypatch.setenv("GAN_LOSS_BENCH_OFFLINE", "0")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def make(name):
        monkeypatch.setitem(OFFICIAL_WEIGHTS, name, digest)
        changed = msgspec.structs.replace(SOURCES[name], url=server.as_uri(), file=f"{name}-{digest[:10]}.pt")
        monkeypatch.setitem(SOURCES, name, changed)
        return server

    return make


def test_addresses_hashes_and_places_are_torch_fidelitys(monkeypatch, tmp_path):
    from torch.hub import get_dir
    from torch_fidelity.feature_extractor_clip import MODEL_METADATA, MODEL_URLS
    from torchvision.models import VGG16_Weights

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    clip, vgg = SOURCES[CLIP], SOURCES[VGG16]
    assert clip.url == MODEL_URLS[CLIP]
    assert clip.sha256 == MODEL_METADATA[CLIP]["hash"]
    assert clip.file == f"{CLIP}-{MODEL_METADATA[CLIP]['hash']}.pt"
    official = VGG16_Weights.IMAGENET1K_V1
    assert vgg.url == official.url
    assert vgg.file == official.url.rpartition("/")[2]
    assert vgg.sha256 in vgg.file
    megabytes = official.meta["_file_size"] * 2**20 / 1e6
    assert vgg.size == f"{megabytes:.0f} MB"
    assert str(cached_path(vgg).parent) == f"{get_dir()}/checkpoints"


def test_a_download_that_breaks_off_says_how_else_to_get_the_file(online, monkeypatch):
    def broken(*_, **__):
        raise IncompleteRead(b"half")

    online(VGG16)
    monkeypatch.setattr("urllib.request.urlopen", broken)
    with pytest.raises(ValueError, match=r"the download failed \(.*IncompleteRead.*; get file:.* where there is a net"):
        fetch(SOURCES[VGG16])


@pytest.mark.usefixtures("homeless")
def test_without_a_home_the_weights_lie_in_our_own_cache(monkeypatch, tmp_path):
    vgg = SOURCES[VGG16]
    assert cached_path(vgg).parent == tmp_path / f"gan-loss-bench-{os.getuid()}" / "torch" / "hub" / "checkpoints"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cached_path(vgg).parent == tmp_path / "cache" / "torch" / "hub" / "checkpoints"
    monkeypatch.setenv("TORCH_HOME", "~/torch")
    with pytest.raises(ValueError, match=r"^~/torch: no home folder is known"):
        cached_path(vgg)


@BOTH
def test_a_download_is_told_and_kept(online, name):
    server, told = online(name), []
    found = fetch(SOURCES[name], lambda *progress: told.append(progress))
    assert found == identify(cached_path(SOURCES[name]), SOURCES[name])
    assert (found.network, found.official) == (name, True)
    assert told[-1][1:] == (7000, 7000)
    server.unlink()
    assert fetch(SOURCES[name]) == found, "what is there is not fetched again"


@BOTH
def test_another_file_at_the_address_is_refused(online, name):
    online(name).write_bytes(b"<html>")
    with pytest.raises(ValueError, match=r"sent something else: SHA-256 .* expected"):
        fetch(SOURCES[name])
    assert not list(cached_path(SOURCES[name]).parent.iterdir()), "nothing half is left"


@BOTH
def test_without_a_network_it_is_said_which_file_is_wanted_and_how_to_name_it(name, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("GAN_LOSS_BENCH_OFFLINE", "1")
    with pytest.raises(ValueError, match="GAN_LOSS_BENCH_OFFLINE") as caught:
        fetch(SOURCES[name])
    for words in (SOURCES[name].url, OFFICIAL_WEIGHTS[name], SOURCES[name].size, f"--also-in {name}=FILE"):
        assert words in str(caught.value)


def test_another_file_of_clip_is_refused_and_one_of_vgg16_is_labeled(tmp_path):
    path = tmp_path / "mine.pt"
    path.write_bytes(b"something")
    with pytest.raises(ValueError, match="is not the official file of clip-vit-b-32") as caught:
        identify(path, SOURCES[CLIP])
    for words in ("expected 40d365715913", "354 MB", "TorchScript", SOURCES[CLIP].url):
        assert words in str(caught.value)
    own = identify(path, SOURCES[VGG16])
    assert (own.network, own.official, own.label) == (VGG16, False, own.sha256[:12])


@BOTH
def test_a_name_that_carries_a_hash_is_held_to_it(name, tmp_path):
    path = tmp_path / SOURCES[name].file
    path.write_bytes(b"cut short")
    with pytest.raises(ValueError, match="is damaged, or not what its name says"):
        identify(path, SOURCES[name])


def test_a_record_lacks_a_judge_until_it_has_looked_with_these_weights(record, workload):
    def judged_by(**judges):
        plain = record(workload, "nsgan", 0)
        versions = {**plain.environment.versions, **{name.replace("_", "-"): each for name, each in judges.items()}}
        return msgspec.structs.replace(plain, environment=msgspec.structs.replace(plain.environment, versions=versions))

    mine = Weights(path="", sha256="a" * 64, network=VGG16)
    assert misses(mine, workload, judged_by())
    assert misses(mine, workload, judged_by(inception_v3_compat="a" * 12)), "of another judge"
    assert misses(mine, workload, judged_by(vgg16="b" * 12)), "with other weights"
    assert not misses(mine, workload, judged_by(vgg16="a" * 12))
    unfetched = Weights(path="", sha256=OFFICIAL_WEIGHTS[VGG16], network=VGG16)
    assert not misses(unfetched, workload, judged_by(vgg16=f"{OFFICIAL_WEIGHTS[VGG16]}abcd"))
    assert not misses(mine, data.workload("ring8"), judged_by()), "points have no images"
    assert not misses(mine, data.workload("stacked-mnist"), judged_by())
