"""Planted campaigns under the present protocol, as `recommend` reads them: known distances, with evaluations."""

import msgspec
from planted_records import planted_record

from bench import data
from bench.config.trial import Network
from bench.store.record import Evaluation, History

METHODS = {"nsgan": 60.0, "hinge": 30.0, "lsgan": 15.0, "wgan": 90.0, "mmgan": 120.0}
WORKLOADS = {
    name: data.workload(name) for name in ("digits", "mnist", "ring8", "cifar10", "stacked-digits", "celeba64")
}


def campaign(name="digits", seeds=5, methods=METHODS, early=None, workloads=WORKLOADS, **changes):
    """Records whose distances at half of the steps are `early`, if they are given."""
    workload = workloads[name]
    network = Network(name=workload.network, width=32, channels=1, image_size=32, latent_size=100, d_norm="none")
    steps = changes.pop("steps", 600)
    setting = {"protocol_version": "1.1", "network": network, "steps": steps, "evaluate_every": steps // 2, **changes}
    found = []
    for method, distance in methods.items():
        for seed in range(seeds):
            record = planted_record(workload, method, seed, distance=distance * (1 + seed / 100), **setting)
            halfway = (early or methods)[method] * (1 + seed / 100)
            path = {0: 8000.0, steps // 2: halfway, steps: record.metrics["distance"]}
            primary = "sliced_w2" if workload.is_toy else "fd"
            metrics = {name: value for name, value in record.metrics.items() if not name.startswith("distance")}
            evaluations = [Evaluation(step=step, metrics={**metrics, primary: each}) for step, each in path.items()]
            found.append(msgspec.structs.replace(record, history=History(evaluations=evaluations)))
    return found
