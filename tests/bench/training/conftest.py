import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def reference_loop() -> ModuleType:
    """The plain loop that the engine must agree with. Test folders are not packages, so it is loaded by its path."""
    spec = importlib.util.spec_from_file_location("reference_loop", Path(__file__).parent / "reference_loop.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
