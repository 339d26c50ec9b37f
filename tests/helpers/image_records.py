"""Planted records on a folder of images that nobody has read, whole as `publish` asks for."""

import msgspec
import pytest
from synthetic import World, make
from whole_records import whole

from bench import data
from bench.config.trial import trial_id


def on_images(place, content="1", seeds=3, methods=("nsgan", "hinge"), size=32, extractor=None):
    """Records on the images of a folder whose content has that hash, shortened to one character.

    `extractor` is the component of the features that they are measured in, if these are not the workload's own.
    """
    workload = f"imagefolder:{place}?size={size}"
    budget = {"samples": 1000, "steps": 600, "evaluate_every": 200}
    known = msgspec.structs.replace(data.workload(workload), content_hash=content * 64, **budget)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "workload", lambda _: known)
        made = [whole(record) for record in make(World(methods=methods, workloads=(workload,)), seeds)]
    if extractor is None:
        return made
    measured = [
        msgspec.structs.replace(record, components={**record.components, "extractor": extractor}) for record in made
    ]
    return [msgspec.structs.replace(record, trial_id=trial_id(record.spec, record.components)) for record in measured]
