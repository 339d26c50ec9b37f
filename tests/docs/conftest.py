"""What the tests of the pages share."""

import pytest

from losses import registry


@pytest.fixture
def scratch_registry(monkeypatch):
    """What a page registers is forgotten afterwards."""
    registry.parts()
    monkeypatch.setattr(registry, "_parts", dict(registry._parts))
