"""docs/reproductions.md: written again byte for byte, and a claim that fails says so."""

from pathlib import Path

import pytest

from bench.probes import reproductions
from bench.probes.reproductions import SIMULTANEOUS, Claim, Found, convergence_claim, rate_claim, table

PAGE = Path(__file__).parents[3] / "docs" / "reproductions.md"


@pytest.mark.slow
def test_the_page_is_written_again_byte_for_byte():
    assert reproductions.document() == PAGE.read_text()


@pytest.mark.slow
def test_two_rows_of_the_page_are_found_again():
    """The cheap sibling: a verdict and a rate."""
    lines = PAGE.read_text().splitlines()
    for claim in (reproductions.DIRAC[0], reproductions.DIRAC[-1]):
        assert claim.line() in lines


def test_the_page_has_every_claim_and_names_what_is_lacking():
    page = PAGE.read_text()
    for claim in (*reproductions.DIRAC, *reproductions.TIME_SCALES, *reproductions.gradient_claims()):
        assert f"| {claim.subject} | {claim.published} | " in page
        assert f"`{claim.command}`" in page
    assert "## Not there yet" in page


@pytest.mark.slow
def test_a_claim_that_is_not_found_is_called_so():
    wrong = convergence_claim("Goodfellow's game", "bce_mm", SIMULTANEOUS, "converges", ("convergent",), "made up")
    assert "| not convergent | **not reproduced** |" in wrong.line()
    slower = rate_claim("R1", "bce_mm + r1(gamma=2)", complex(-0.12), "another eigenvalue", "made up")
    assert "**not reproduced**" in slower.line()


def test_a_table_looks_when_it_is_written():
    seen = []
    claim = Claim("one", "said", "command", lambda: seen.append("looked") or Found("found", agrees=True), "why")
    assert table([claim])[2:] == ["| one | said | found | reproduced | why | `command` |"]
    assert seen == ["looked"]
