import math

import numpy as np
import pytest
import torch

from bench import data
from bench.metrics.evaluate import Evaluator
from bench.metrics.vendi import vendi_score

CPU = torch.device("cpu")


def by_definition(features):
    """The n x n definition, in numpy: the exponential of the entropy of the eigenvalues of K/n."""
    rows = features.double().numpy()
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(rows @ rows.T / len(rows))
    values = values[values > 1e-15]
    return math.exp(-(values * np.log(values)).sum())


@pytest.mark.parametrize(("count", "size"), [(40, 16), (16, 16), (9, 16)])
def test_it_is_the_score_of_the_definition(correlated, count, size):
    features = correlated(count, size=size, shift=0.4)
    assert vendi_score(features) == pytest.approx(by_definition(features), rel=1e-9)
    assert 1.0 < vendi_score(features) < min(count, size)


def test_samples_that_are_all_alike_count_as_one(correlated):
    sample = correlated(1)
    assert vendi_score(sample.repeat(50, 1)) == pytest.approx(1.0, abs=1e-12)
    # A direction is all that the cosine sees.
    lengths = torch.arange(1, 51, dtype=torch.float64)[:, None]
    assert vendi_score(sample * lengths) == pytest.approx(1.0, abs=1e-12)
    assert vendi_score(torch.zeros(50, 4)) == pytest.approx(1.0, abs=1e-12)


def test_orthogonal_samples_count_each():
    assert vendi_score(3.0 * torch.eye(12)) == pytest.approx(12.0, rel=1e-12)
    assert vendi_score(torch.eye(12).repeat(5, 1)) == pytest.approx(12.0, rel=1e-12)
    # Two directions in the shares 1/4 and 3/4.
    uneven = torch.eye(2)[[0, 1, 1, 1]]
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert vendi_score(uneven) == pytest.approx(math.exp(entropy), rel=1e-12)


def test_features_that_are_all_zero_are_a_direction_of_their_own():
    assert vendi_score(torch.cat([torch.eye(3), torch.zeros(1, 3)])) == pytest.approx(4.0, rel=1e-12)


def test_neither_the_order_nor_the_scale_matters(correlated):
    features = correlated(100).float()
    expected = vendi_score(features)
    assert vendi_score(features.flip(0)) == pytest.approx(expected, rel=1e-9)
    assert vendi_score(1e6 * features) == pytest.approx(expected, rel=1e-6)


def test_a_lost_class_and_a_single_image_are_less_diverse(digits):
    evaluator = Evaluator(data.workload("digits"), digits, CPU)
    ceiling = evaluator.constants["vendi_ceiling"]
    images = torch.from_numpy(digits.train)
    assert evaluator.evaluate(images)["vendi"] == pytest.approx(ceiling, rel=0.02)
    few = images[torch.from_numpy(digits.train_labels < 5)]
    assert evaluator.evaluate(few)["vendi"] < 0.85 * ceiling
    assert evaluator.evaluate(images[:1].repeat(60, 1, 1, 1))["vendi"] == pytest.approx(1.0, abs=1e-9)
