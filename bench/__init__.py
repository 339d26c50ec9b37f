"""The harness around `losses`: one fixed DCGAN, every registered loss, paired seeds, and what may be concluded."""

from typing import Final

__version__: Final = "0.1.0"
