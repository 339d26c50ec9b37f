"""The constants frozen under the protocol version. Results of different versions are never mixed in one table."""

from typing import Final

PROTOCOL_VERSION: Final = "1.0"

REFERENCE_METHOD: Final = "nsgan"
"""The method that every other is compared with."""

PUBLISHABLE_SEEDS: Final = 10
"""Below this many seeds a row is printed as provisional: bootstrap intervals of fewer cover too little."""

FAILURE_SHARE: Final = 0.5
"""A run has learned once its distance falls below this share of the untrained generator's distance."""

TARGET_SCORE: Final = 0.5
"""The time to target is the time to this score, halfway in log distance from the untrained generator to real data."""

CONTROLLED_LEARNING_RATE: Final = 2e-4
CONTROLLED_BETAS: Final = (0.5, 0.999)
CONTROLLED_BATCH_SIZE: Final = 64
