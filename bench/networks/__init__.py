"""The fixed networks of the protocol. They are frozen: a network that changes any number gets a new name."""

from bench.networks.build import build_discriminator, build_generator

__all__ = ["build_discriminator", "build_generator"]
