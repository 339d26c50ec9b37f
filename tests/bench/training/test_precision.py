"""What holds for the whole process."""

import pytest
import torch
from small_trials import make_trial

from bench.training.build import prepare_process
from bench.training.run_options import RunOptions


@pytest.mark.parametrize(("device", "chosen"), [("cuda:1", ["cuda:1"]), ("cuda", []), ("cpu", [])])
def test_events_are_recorded_on_the_device_that_trains(monkeypatch, device, chosen):
    """They are on the current device's stream, which is the first GPU's unless somebody chooses."""
    asked = []
    monkeypatch.setattr(torch.cuda, "set_device", lambda given: asked.append(str(given)))
    prepare_process(make_trial("nsgan"), RunOptions(device=device))
    assert asked == chosen
