"""The published table of kernel timings is the one that its records give."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "results" / "published" / "kernels"


@pytest.mark.skipif(not FOLDER.exists(), reason="the published records are not part of this copy")
def test_the_table_of_the_readme_is_that_of_the_records(bench):
    result = bench("kernels", "--table", "--format", "md", "--results", FOLDER)
    assert result.exit_code == 0, result.output
    rows = [line for line in result.stdout.splitlines() if line.startswith("|")]
    readme = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 2 + len(list((FOLDER / "kernels").iterdir()))
    assert rows == [line for line in readme if line.startswith("|")]
