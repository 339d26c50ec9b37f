"""Fixtures for everything that measures: real digits, the classifier of digits, random numbers, and one thread."""

from collections.abc import Iterator

import pytest
import torch

from bench import data
from bench.extractors.classifiers import ClassifierExtractor
from bench.extractors.loading import load_extractor


@pytest.fixture(scope="session")
def digits() -> data.Arrays:
    return data.load("digits")


@pytest.fixture(scope="session")
def digits_extractor() -> ClassifierExtractor:
    return load_extractor("digits-cnn-v1")


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(7)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
