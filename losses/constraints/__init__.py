"""What is done to the discriminator's weights, and at what pace they move. Importing this registers them."""

from losses.constraints import clipping, normalization, pace

__all__ = ["clipping", "normalization", "pace"]
