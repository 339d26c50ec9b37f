"""The version of the training engine's arithmetic; raised whenever a change alters any trained number."""

from typing import Final

ENGINE_VERSION: Final = "1"
