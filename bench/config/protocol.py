"""The constants frozen under the protocol version. Results of different versions are never mixed in one table."""

from typing import Final

PROTOCOL_VERSION: Final = "1.1"

CORE_NORM: Final = "none"
"""What stands in the discriminator where Radford has BatchNorm, on the core track: nothing."""

AVERAGE_DECAY: Final = 0.999
"""The most that the generator's moving average keeps of itself at a step, once it is warm."""

SCORING_VERSION: Final = "2"
"""The rule by which records of this protocol are scored, `bench.statistics.scores`. Scores are pure functions of
records, so that a change of the rule trains nothing anew: it raises this number, which every table names."""

_EARLIER_SCORING: Final = {"1.0": "1"}
"""The rule of records of earlier protocols: what was published by it is computed by it still."""

AVERAGE: Final = "ema_"
"""What the names of metrics begin with that were measured on the moving average of the generator's weights."""

INCEPTION: Final = "inception-v3-compat"
"""torch-fidelity's extractor, in whose features alone a Fréchet distance is called FID."""

INCEPTION_SHA256: Final = "6726825d"
"""The first digits of the SHA-256 of its official weights, as the file's name carries them."""

INCEPTION_METRICS: Final = frozenset({"fid", "fid_floor", "fid_samples", "inception_kid", "inception_score"})
"""What is measured with it: a run may do without, so that equal trials differ in having it."""

REFERENCE_METHOD: Final = "nsgan"
"""The method that every other is compared with."""

PUBLISHABLE_SEEDS: Final = 10
"""Below this many seeds a row is printed as provisional: fewer can show large differences alone."""

FAILURE_SHARE: Final = 0.5
"""A run has learned once its distance falls below this share of the untrained generator's distance."""

TARGET_SCORE: Final = 0.5
"""The time to target is the time to this score, halfway in log distance from the untrained generator to real data."""

CONTROLLED_LEARNING_RATE: Final = 2e-4
CONTROLLED_BETAS: Final = (0.5, 0.999)
CONTROLLED_BATCH_SIZE: Final = 64


def core_norm(version: str) -> str:
    """Return the discriminator's norm on the core track of a protocol version, whose records may still be read."""
    return "ln" if version == "1.0" else CORE_NORM


def scoring_version(protocol_version: str) -> str:
    """Return the version of the rule by which records of a protocol are scored: the one place that chooses it."""
    return _EARLIER_SCORING.get(protocol_version, SCORING_VERSION)
