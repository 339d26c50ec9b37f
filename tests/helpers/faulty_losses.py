"""Losses that break, as a user's own may: a file for `--losses`. The parameter says in which way."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch

import losses

WAYS = ("good", "raises", "shape", "nan", "forks", "hangs")


@losses.register("faulty")
@dataclass(frozen=True)
class Faulty(losses.Objective):
    way: int = losses.parameter(0, ge=0)

    def discriminator(self, real_logits, fake_logits):
        loss = (1 - real_logits).relu().mean() + (1 + fake_logits).relu().mean()
        way = WAYS[self.way]
        if way == "raises":
            raise RuntimeError("the loss has had enough")
        if way == "shape":
            return torch.stack([loss, loss])
        if way == "nan":
            return loss * float("nan")
        if way == "hangs":
            while True:
                time.sleep(0.1)
        if way == "forks":
            _leave_a_fork()
        return loss

    def generator(self, fake_logits, real_logits=None):
        return -fake_logits.mean()


def _leave_a_fork():
    """Leave a process, once, that has this one's pipes and its session."""
    marker = Path(os.environ["FAULTY_MARKER"])
    if not marker.exists():
        child = os.fork()
        if child == 0:
            time.sleep(300)
            os._exit(0)
        marker.write_text(str(child))
