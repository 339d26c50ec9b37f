"""The version of this program: the package's, what `--version` prints, and what records and reports name."""

from typing import Final

VERSION: Final = "0.2.0"

UPGRADE: Final = (
    "run: pip install --upgrade git+https://github.com/gan-loss-bench/gan-loss-bench (in a checkout: git pull)"
)
"""What to do where a file is from a newer program. The package is on no index: its name alone would find nothing."""
