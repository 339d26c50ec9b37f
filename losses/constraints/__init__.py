"""What is done to the discriminator's weights, and at what pace they move. Importing this registers them."""

from losses.constraints import clipping

__all__ = ["clipping"]
