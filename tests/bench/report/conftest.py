"""A method index for pages, so that their tests do not move with the library's."""

import pytest

from bench.report import methods
from bench.report.methods import MethodEntry

INDEX = (
    MethodEntry(name="nsgan", kind="method", summary="The reference.", expression="bce_ns", citation="Goodfellow 2014"),
    MethodEntry(
        name="bce_ns", kind="objective", summary="Logistic.", formula="G: softplus(-b)", citation="Part source"
    ),
    MethodEntry(name="r1", kind="regularizer", summary="Zero-centered.", formula="E |grad D|^2"),
)


@pytest.fixture(scope="module")
def index():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "index", lambda: INDEX)
        yield
