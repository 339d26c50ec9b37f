"""torch-fidelity as the oracle: the same images through our extractor, registered there, must give the same numbers."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from bench.extractors.embedding import embed
from bench.extractors.loading import load_extractor
from bench.metrics.frechet import frechet_distance, moments, square_root
from bench.metrics.kernel_distance import squared_mmd
from bench.metrics.neighbors import compare

SUBSETS, SUBSET_SIZE, SEED = 20, 300, 2020


class Images(Dataset):
    def __init__(self, images: torch.Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.images[index]


@pytest.fixture(scope="module")
def pair(digits):
    """Real digits, and the same spoilt by noise and made uneven, as a generator's might be."""
    rng = torch.Generator().manual_seed(3)
    reals = torch.from_numpy(digits.train)
    clear = torch.from_numpy(np.concatenate([digits.test, digits.train[:541]]))
    noise = 40.0 * torch.randn(clear.shape, generator=rng)
    return (clear + noise).clamp(0, 255).to(torch.uint8), reals


@pytest.fixture(scope="module")
def oracle(pair) -> Mapping[str, float]:
    torch_fidelity = pytest.importorskip("torch_fidelity")

    class Registered(torch_fidelity.FeatureExtractorBase):
        def __init__(self, name, features_list, **_):
            super().__init__(name, features_list)
            self.extractor = load_extractor("digits-cnn-v1")

        @staticmethod
        def get_provided_features_list():
            return ("features",)

        @staticmethod
        def get_default_feature_layer_for_metric(metric):
            return "features"

        @staticmethod
        def can_be_compiled():
            return False

        @staticmethod
        def get_dummy_input_for_compile():
            return torch.zeros(1, 1, 32, 32, dtype=torch.uint8)

        def forward(self, images):
            return (self.extractor(images)[0],)

    torch_fidelity.register_feature_extractor("oracle-digits-cnn", Registered)
    patch = pytest.MonkeyPatch()
    # Its data loader asks for more workers than small machines have, and warns.
    patch.setattr("torch_fidelity.utils.DataLoader", lambda *a, **k: DataLoader(*a, **{**k, "num_workers": 0}))
    try:
        return torch_fidelity.calculate_metrics(
            input1=Images(pair[0]),
            input2=Images(pair[1]),
            feature_extractor="oracle-digits-cnn",
            fid=True,
            kid=True,
            prc=True,
            kid_subsets=SUBSETS,
            kid_subset_size=SUBSET_SIZE,
            rng_seed=SEED,
            cache=False,
            cuda=False,
            verbose=False,
        )
    finally:
        patch.undo()


@pytest.fixture(scope="module")
def features(pair, digits_extractor):
    return tuple(embed(digits_extractor, images, torch.device("cpu"))[0] for images in pair)


def test_the_frechet_distance_agrees(oracle, features):
    fakes, reals = (moments(part) for part in features)
    ours = frechet_distance(reals, square_root(reals.covariance), fakes)
    assert ours > 1.0
    assert ours == pytest.approx(oracle["frechet_inception_distance"], rel=1e-4)


def test_the_kernel_distance_agrees_on_the_same_subsets(oracle, features):
    draws = np.random.RandomState(SEED)
    found = []
    for _ in range(SUBSETS):
        fakes, reals = (part[draws.choice(len(part), SUBSET_SIZE, replace=False)] for part in features)
        found.append(squared_mmd(fakes, reals))
    assert np.mean(found) == pytest.approx(oracle["kernel_inception_distance_mean"], rel=1e-4)
    assert np.std(found) == pytest.approx(oracle["kernel_inception_distance_std"], rel=1e-3)


def test_precision_and_recall_agree(oracle, features):
    ours = compare(*features)
    assert 0.05 < ours.precision < 0.999
    assert 0.05 < ours.recall < 0.999
    # A distance that equals a radius but for rounding may fall on either side.
    assert ours.precision == pytest.approx(oracle["precision"], abs=1.5 / len(features[0]))
    assert ours.recall == pytest.approx(oracle["recall"], abs=1.5 / len(features[1]))
