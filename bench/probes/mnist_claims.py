"""What papers say of losses on MNIST, and what the campaign of that name finds at the same seeds."""

from typing import Final

from bench.probes.campaign_claims import DISTANCE, TrainedClaim

_TUNED: Final = "5,000 steps at one setting, there each loss was tuned; three seeds that all agree give p 0.12."

MNIST_CLAIMS: Final = tuple(
    TrainedClaim(
        subject=subject,
        published=published,
        campaign="mnist",
        better=better,
        than=than,
        measure=DISTANCE,
        reason=_TUNED,
    )
    for subject, published, better, than in (
        (
            "non-saturating loss against the minimax game, on MNIST",
            "FID 6.8 ± 0.5 against 9.8 ± 0.9 (Lucic et al. 2018)", "nsgan", "mmgan",
        ),
        (
            "non-saturating loss against WGAN-GP, on MNIST",
            "FID 6.8 ± 0.5 against 20.3 ± 5.0 (Lucic et al. 2018)", "nsgan", "wgan-gp",
        ),
        (
            "non-saturating loss against LSGAN, on MNIST",
            "FID 6.8 ± 0.5 against 7.8 ± 0.6 (Lucic et al. 2018)", "nsgan", "lsgan",
        ),
        (
            "non-saturating loss against DRAGAN, on MNIST",
            "FID 6.8 ± 0.5 against 7.6 ± 0.4 (Lucic et al. 2018)", "nsgan", "dragan",
        ),
    )
)  # fmt: skip
