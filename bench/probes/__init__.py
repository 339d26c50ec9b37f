"""Probes: small experiments about one property of a loss, run through the real training step and never ranked."""
