"""What stands around the discriminator: on its input in both phases, or on the logits that the objective reads.

Importing this registers them.
"""

from losses.transforms import adaptive, augmentation, logits, noise, packing

__all__ = ["adaptive", "augmentation", "logits", "noise", "packing"]
