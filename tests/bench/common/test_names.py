"""A mistyped name is answered with the nearest valid spelling, alike in the harness and in the loss library."""

import pytest

from bench.common.errors import first_line
from bench.common.names import did_you_mean, nearest_name
from losses import suggest

KNOWN = ("digits", "mnist", "fashion-mnist", "batch_size", "WGAN-GP")


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("digit", "digits"),
        ("fashion", "fashion-mnist"),
        ("wgan_gp", "WGAN-GP"),
        ("batch-size", "batch_size"),
        ("DIGITS", "digits"),
        ("", None),
        ("entirely else", None),
    ],
)
def test_the_nearest_name_ignores_case_and_hyphens(word, near):
    assert nearest_name(word, KNOWN) == near
    assert did_you_mean(word, KNOWN) == ("" if near is None else f" (did you mean '{near}'?)")


@pytest.mark.parametrize("word", ["digit", "fashion", "wgan_gp", "hinge", "mnits"])
def test_the_loss_library_names_the_same(word):
    assert suggest.did_you_mean(word, KNOWN) == did_you_mean(word, KNOWN).replace("'", '"')


def test_the_first_line_of_an_error_is_never_empty():
    assert first_line(ValueError("  one\ntwo")) == "one"
    assert first_line(KeyError()) == "KeyError"
    assert first_line(RuntimeError("\n \n")) == "RuntimeError"
