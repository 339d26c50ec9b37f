"""How far stored generators are from the data in the features of other networks than the one that ranks them:

    python -m bench.probes.other_networks RESULTS --campaign NAME > distances.csv

The samples are those of the last evaluation, bit for bit, so that in the network of the records the distance is the
recorded one: the first row of each run shows it. Generators are kept beside the records of a results folder, and are
not published; the published records say which trials are meant.
"""

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from bench import data
from bench.config.workload import Workload
from bench.extractors.embedding import embed
from bench.extractors.loading import load_extractor
from bench.extractors.specs import extractor_component, extractor_names
from bench.metrics.frechet import Moments, frechet_distance, moments, square_root
from bench.metrics.reference import arranged
from bench.statistics.scores import is_result
from bench.store.campaigns import find_campaigns
from bench.store.journal import Store
from bench.store.record import Record
from bench.training.sampling import sample

NETWORKS: Final = ("mnist-cnn-v1", "random-conv-v1")
GRAIN: Final = "grain"
"""Stands among the networks for `grain`, which looks at neighboring pixels only."""

HEAD: Final = ("trial_id", "method", "seed", "network", "distance")
AGREES: Final = 1e-3
"""Relatively: how near the distance in the own network must be to the recorded one. Another number of threads gives
other last bits.
"""
Run = tuple[Record, Path]
"""A run, and the file of its generator."""

_CPU: Final = torch.device("cpu")


class Ruler:
    """Measures samples of one workload in the features of one network."""

    def __init__(self, workload: Workload, network: str) -> None:
        """Embed the real images.

        Raises:
            ValueError: the workload has no single images, or there is no such network.
        """
        if workload.is_toy or workload.stack > 1:
            raise ValueError(f"{workload.name} has no single images, and only these are measured in other networks")
        self.component = extractor_component(network)
        self._extractor = load_extractor(network)
        arrays = data.load(workload.name)
        train, test = (self._features(torch.from_numpy(images)) for images in (arrays.train, arrays.test))
        self._real: Moments = moments(arranged(workload, train, test).reference)
        self._root = square_root(self._real.covariance)

    def distance(self, samples: Tensor) -> float:
        """Return the Fréchet distance of uint8 samples [N, C, H, W] to the workload's reference."""
        return frechet_distance(self._real, self._root, moments(self._features(samples)))

    def _features(self, images: Tensor) -> Tensor:
        features, _ = embed(self._extractor, images, _CPU)
        return features


class Grain:
    """Measures the grain of samples, as a `Ruler` measures their distance."""

    component = GRAIN

    def distance(self, samples: Tensor) -> float:
        return grain(samples)


def grain(images: Tensor) -> float:
    """Return how rough images [N, C, H, W] are, in gray levels: the root mean square of 4 x - (its four neighbors)."""
    channels = images.float().flatten(0, 1)[:, None]
    inner = channels[..., 1:-1, 1:-1]
    around = channels[..., :-2, 1:-1] + channels[..., 2:, 1:-1] + channels[..., 1:-1, :-2] + channels[..., 1:-1, 2:]
    return float((4 * inner - around).double().square().mean().sqrt())


def runs_with_generators(records: Iterable[Record], results: Store, *, allow_missing: bool) -> list[Run]:
    """Return the runs and their generators' files, in the order of methods and seeds.

    Raises:
        ValueError: a generator is missing, unless that is allowed.
    """
    runs = sorted((record for record in records if is_result(record)), key=lambda run: (run.spec.method, run.spec.seed))
    with_files = [(record, results.artifacts_dir(record.trial_id) / "generator.safetensors") for record in runs]
    missing = [
        f"{record.spec.method_name} seed {record.spec.seed}" for record, file in with_files if not file.is_file()
    ]
    if missing and not allow_missing:
        raise ValueError(
            f"{len(missing)} of {len(runs)} generators are missing: {', '.join(missing)}; train these trials again, "
            "or leave them out with --allow-missing"
        )
    return [(record, file) for record, file in with_files if file.is_file()]


def rows(runs: Sequence[Run], networks: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """Yield a row for each run and network; the one that its record was measured in comes first.

    Raises:
        ValueError: a generator does not give the samples of its record.
    """
    rulers: dict[tuple[str, str], Ruler | Grain] = {}
    for number, (record, weights) in enumerate(runs, 1):
        samples, workload = sample(weights, count=record.spec.samples)
        own = extractor_names(record.components["extractor"])[0]
        for network in dict.fromkeys((own, *networks)):
            ruler = rulers.get((workload.name, network))
            if ruler is None:
                ruler = Grain() if network == GRAIN else Ruler(workload, network)
                rulers[workload.name, network] = ruler
            distance = ruler.distance(samples)
            if network == own:
                _check(record, distance)
            yield record.trial_id, record.spec.method, record.spec.seed, ruler.component, f"{distance:.6g}"
        sys.stderr.write(f"[{number}/{len(runs)}] {record.spec.method_name}, seed {record.spec.seed}\n")


def _check(record: Record, distance: float) -> None:
    recorded = record.metrics.get("fd")
    if recorded is None or abs(distance - recorded) > AGREES * recorded:
        raise ValueError(
            f"the generator of trial {record.trial_id} gives {distance:.6g} where its record has {recorded}: it is of "
            "another run; train it again"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the distances of a published campaign as CSV."""
    parser = argparse.ArgumentParser(prog="python -m bench.probes.other_networks", description=__doc__)
    parser.add_argument("results", type=Path, help="the results folder that has the generators")
    parser.add_argument("--campaign", required=True, help="a published campaign, by name or path")
    parser.add_argument(
        "--network", action="append", help=f"{GRAIN} or a network, repeatable; by default {' and '.join(NETWORKS)}"
    )
    parser.add_argument("--allow-missing", action="store_true", help="leave out trials whose generator is not there")
    chosen = parser.parse_args(arguments)
    try:
        (campaign,) = find_campaigns(chosen.campaign)
        runs = runs_with_generators(campaign.records, Store(chosen.results), allow_missing=chosen.allow_missing)
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(HEAD)
        writer.writerows(rows(runs, chosen.network or NETWORKS))
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
