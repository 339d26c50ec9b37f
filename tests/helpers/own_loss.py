"""The text of a file such as a user writes: one loss, which is hinge under another name."""

OWN = """
from dataclasses import dataclass
import losses

@losses.register("own_hinge")
@dataclass(frozen=True)
class OwnHinge(losses.Objective):
    def discriminator(self, real_logits, fake_logits):
        return (1 - real_logits).relu().mean() + (1 + fake_logits).relu().mean()

    def generator(self, fake_logits, real_logits=None):
        return -fake_logits.mean()
"""
