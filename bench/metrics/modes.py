"""Which modes of a data set samples cover, and how evenly: counts of classes and the divergence of their histogram."""

import math

import torch
from torch import Tensor

READABLE = 0.9
"""A sample is unreadable if, for one of its channels, the classifier gives no class this probability."""


_SCORE_BLOCK = 4096
"""Samples whose probabilities of all modes are held at once."""


def mode_indices(logits: Tensor) -> Tensor:
    """Return the mode [N] of each sample: sum over channels c of class_c k^c, for logits [N, k] or [N, C, k]."""
    classes = logits.argmax(-1).reshape(len(logits), -1)
    place_values = logits.shape[-1] ** torch.arange(classes.shape[1], device=logits.device)
    return (classes * place_values).sum(1)


def unreadable_share(logits: Tensor) -> float:
    """Return the share of samples with a channel whose largest class probability is below `READABLE`.

    The classifier names a class for garbage too. This share says how far the mode counts can be trusted.
    """
    confidence = logits.softmax(-1).amax(-1).reshape(len(logits), -1).amin(1)
    return (confidence < READABLE).double().mean().item()


def classifier_score(logits: Tensor) -> float:
    """Return exp E KL(p(y|x) || p(y)), between 1 and the number of modes, for logits [N, k] or [N, C, k].

    It is the Inception score (Salimans et al., 2016) in the data set's own classifier, without splits. A mode y of C
    channels has p(y|x) = prod_c p_c(y_c|x), whose entropy is the sum of the channels' entropies.
    """
    confidences = logits.double().log_softmax(-1).reshape(len(logits), -1, logits.shape[-1])
    conditional = -(confidences.exp() * confidences).sum((1, 2)).mean()
    marginal = confidences.new_zeros(logits.shape[-1] ** confidences.shape[1])
    for block in confidences.exp().split(_SCORE_BLOCK):
        joint = block[:, 0]
        for channel in range(1, block.shape[1]):
            joint = (joint[:, :, None] * block[:, None, channel]).flatten(1)
        marginal += joint.sum(0)
    marginal /= len(logits)
    return (-torch.xlogy(marginal, marginal).sum() - conditional).exp().item()


def captured(counts: Tensor, at_least: float = 1.0) -> int:
    """Return how many modes have at least `at_least` samples, for counts [K]."""
    return int((counts >= at_least).sum())


def histogram_divergence(counts: Tensor, expected: Tensor) -> float | None:
    """Return KL(p || q) in nats of the histogram p of counts [K] from the frequencies q [K]; None without a sample.

    Modes without samples add nothing, as 0 log 0 = 0. A sampled mode that does not occur in the real data makes the
    divergence infinite. That says nothing about the samples, so it is returned as None.
    """
    total = counts.sum().item()
    if total == 0:
        return None
    seen = counts > 0
    share = counts[seen].double() / total
    divergence = (share * (share / expected[seen].double()).log()).sum().item()
    return max(0.0, divergence) if math.isfinite(divergence) else None


def divergence_floor(modes: int, count: int) -> float:
    """Return the divergence expected of N = `count` samples of the right distribution: (K - 1) / 2N to first order."""
    return (modes - 1) / (2.0 * count)


def stacked_frequencies(frequencies: Tensor, stack: int) -> Tensor:
    """Return the frequencies [k^C] of the modes of C images drawn independently from classes of frequencies [k]."""
    combined = frequencies.double()
    for _ in range(stack - 1):
        combined = torch.outer(frequencies.double(), combined).flatten()
    return combined
