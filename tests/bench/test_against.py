"""At which settings of published records a method can be trained: those that are asked for, as their data is called."""

from pathlib import Path

import msgspec
import pytest
from planted_records import planted_record

from bench import data
from bench.against import settings_of
from bench.config.protocol import PROTOCOL_VERSION
from bench.store.campaigns import Campaign


def campaign(name, place, seeds, finished_at="2026-01-01T00:00:00+00:00", images="1"):
    """The records of two methods on a folder of images, as one published them for himself."""
    workload = msgspec.structs.replace(
        data.workload(f"imagefolder:{place}"), content_hash=images * 64, samples=1000, steps=600, evaluate_every=200
    )
    changes = {"protocol_version": PROTOCOL_VERSION, "finished_at": finished_at}
    records = [planted_record(workload, method, seed, **changes) for method in ("nsgan", "hinge") for seed in seeds]
    return Campaign(name, Path(place), tuple(records))


def settings(campaigns, *workloads):
    chosen, left_out = settings_of(campaigns, workloads)
    return [(setting.record.spec.workload, setting.seeds) for setting in chosen], left_out


def test_a_folder_of_images_is_asked_for_as_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    published = [campaign("mine", tmp_path / "photos", range(3))]
    name = f"imagefolder:{tmp_path}/photos?size=32"
    assert settings(published, "imagefolder:photos") == ([(name, (0, 1, 2))], [])
    assert settings(published, "imagefolder:photos", "digits") == (
        [(name, (0, 1, 2))],
        [f"no record on digits; there are some on {name}"],
    )
    assert settings(published, "imagefolder:others?size=32") == (
        [],
        [f"no record on imagefolder:{tmp_path}/others?size=32; there are some on {name}"],
    )
    with pytest.raises(ValueError, match="did you mean 'digits'"):
        settings(published, "digitz")


def test_a_folder_that_has_moved_is_trained_on_where_it_is():
    old, new = (
        campaign("old", "/old/photos", range(2)),
        campaign("new", "/new/photos", (2, 3), "2026-02-01T00:00:00+00:00"),
    )
    assert settings([new, old], "imagefolder:/new/photos") == ([("imagefolder:/new/photos?size=32", (0, 1, 2, 3))], [])
    other = campaign("new", "/new/photos", (2, 3), images="2")
    assert settings([other, old], "imagefolder:/new/photos") == ([("imagefolder:/new/photos?size=32", (2, 3))], [])
