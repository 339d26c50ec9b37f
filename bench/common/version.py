"""The version of this program: the package's, what `--version` prints, and what records and reports name."""

from typing import Final

VERSION: Final = "0.2.0"
