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
        data.workload(f"imagefolder:{place}"),
        content_hash=(images * 64)[:64],
        samples=1000,
        steps=600,
        evaluate_every=200,
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
    with pytest.raises(data.DataError, match="others does not exist"):
        settings(published, "imagefolder:others?size=32")
    assert settings(published, "imagefolder:others?size=64") == (
        [],
        [f"no record on imagefolder:{tmp_path}/others?size=64; there are some on {name}"],
    ), "images of no record's size are not read"
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


def test_a_folder_that_no_record_names_is_told_by_what_is_in_it(photos):
    """Somebody else's copy of published images, and a folder of other images beside it."""
    content = data.resolve(f"imagefolder:{photos}").content_hash
    mine = f"imagefolder:{photos}?size=32"
    published = [
        campaign("cats", "/cats", range(2), images="1"),
        campaign("photos", "/photos", range(3), images=content),
    ]
    assert settings(published, mine) == ([(mine, (0, 1, 2))], [])
    chosen, _ = settings_of(published, [mine])
    assert {record.spec.workload for setting in chosen for record in setting.published} == {mine}
    assert settings(published[:1], mine) == ([], [f"no record on {mine}; there are some on imagefolder:/cats?size=32"])
    assert [name for name, _ in settings(published)[0]] == ["imagefolder:/cats?size=32", "imagefolder:/photos?size=32"]
