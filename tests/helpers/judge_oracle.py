"""Images to measure in Inception, CLIP and VGG16, and torch-fidelity's own numbers for them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from judge_files import ignoring_torchscript
from torch.utils.data import DataLoader, Dataset

from bench import data


def pictures(count: int, seed: int, channels: int = 3, size: int = 32) -> np.ndarray:
    """Smooth colored fields, brighter with the seed."""
    rng = np.random.RandomState(seed)
    coarse = torch.from_numpy(rng.uniform(0, 200 + 10 * seed, (count, channels, 4, 4)))
    smooth = torch.nn.functional.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    return (smooth + torch.from_numpy(rng.uniform(0, 20, smooth.shape))).clamp(0, 255).to(torch.uint8).numpy()


def arrays_of(train: np.ndarray, test: np.ndarray) -> data.Arrays:
    labels = [np.zeros(len(each), dtype=np.int64) for each in (train, test)]
    return data.Arrays(train=train, train_labels=labels[0], test=test, test_labels=labels[1])


class Images(Dataset):
    def __init__(self, images: np.ndarray) -> None:
        self.images = torch.from_numpy(images)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.images[index]


def oracle(file: Path, fakes: np.ndarray, reals: np.ndarray, **settings: object) -> Mapping[str, float]:
    """torch-fidelity's own numbers; in Inception, unless the settings name another network."""
    import torch_fidelity

    with pytest.MonkeyPatch.context() as patch, ignoring_torchscript():
        # Its data loader asks for more workers than small machines have, and warns.
        patch.setattr("torch_fidelity.utils.DataLoader", lambda *a, **k: DataLoader(*a, **{**k, "num_workers": 0}))
        return torch_fidelity.calculate_metrics(
            input1=Images(fakes),
            input2=Images(reals),
            feature_extractor_weights_path=str(file),
            fid=True,
            kid=True,
            kid_subset_size=min(1000, len(fakes), len(reals)),
            cache=False,
            cuda=False,
            verbose=False,
            **settings,
        )


def assert_equal_numbers(ours: Mapping[str, float | None], theirs: Mapping[str, float]) -> None:
    assert ours["fid"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3)
    assert ours["inception_kid"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)
    assert ours["inception_score"] == pytest.approx(theirs["inception_score_mean"], rel=1e-4)


def vgg16_features(network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The second hidden layer of a VGG after its ReLU; the constants are torchvision's."""
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    network.eval()
    with torch.no_grad():
        maps = network.avgpool(network.features((images / 255.0 - mean) / deviation))
        return network.classifier[:5](maps.flatten(1))
