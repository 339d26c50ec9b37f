"""The fixed networks of the protocol. A network here is frozen: a change of any number is a new name."""

from bench.networks.build import build_discriminator, build_generator

__all__ = ["build_discriminator", "build_generator"]
