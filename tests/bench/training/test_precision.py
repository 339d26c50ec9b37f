"""What holds for the whole process."""

from contextlib import nullcontext

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


@pytest.mark.parametrize(
    ("precision", "capability", "refused"),
    [
        ("bf16", (7, 5), True),
        ("tf32", (7, 5), True),
        ("fp32", (7, 5), False),
        ("bf16", (8, 0), False),
        ("tf32", (9, 0), False),
    ],
)
def test_a_precision_that_a_card_does_not_have_is_refused(monkeypatch, precision, capability, refused):
    """torch would emulate bf16 there, and compute in float32 where tf32 was asked for, without a word."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "set_device", lambda _: None)
    trial, options = make_trial("nsgan", precision=precision), RunOptions(device="cuda")
    with pytest.raises(ValueError, match=f"Tesla T4 has no {precision}.*it has 7.5") if refused else nullcontext():
        prepare_process(trial, options)
    prepare_process(make_trial("nsgan"), RunOptions())  # as it was
