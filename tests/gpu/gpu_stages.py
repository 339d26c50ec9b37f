"""One stage of the GPU checks, in a process of its own; `checks.py` starts them, and says what they are for."""

import argparse
import importlib
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "performance"))
sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

from gpu_results import Found, Result
from gpu_setup import Check, Setup

from bench.common.errors import first_line

PLACES: Final = {
    "card": "gpu_card:card",
    "probes": "gpu_probes:probes",
    "capture": "gpu_agreement:capture",
    "evaluation": "gpu_agreement:evaluation",
    "company": "gpu_company:company",
    "pace": "gpu_pace:pace",
    "queues": "gpu_pace:queues",
    "kernels": "gpu_training:kernels",
    "precisions": "gpu_training:precisions",
    "trials": "gpu_training:trials",
}
"""The generator of each stage's checks, as module:function."""


def results(stage: str, setup: Setup, only: str | None = None) -> Iterator[Result]:
    """Make a stage's checks, and tell what each found; one that raises has failed, and the others go on.

    A GPU that refuses to compute any more ends the stage: the next one has a process of its own.
    """
    module, _, function = PLACES[stage].partition(":")
    checks: Iterator[Check] = getattr(importlib.import_module(module), function)(setup)
    with setup.stand_ins():
        for what, check in checks:
            if only is not None and what != only:
                continue
            started = time.monotonic()
            try:
                found = check()
            except Exception as error:  # noqa: BLE001 - what this check found
                traceback.print_exc()
                found = Found("failed", f"{type(error).__name__}: {first_line(error)}")
            seconds = time.monotonic() - started
            yield Result(stage, what, found.state, found.said, found.values, seconds)
            if found.state == "failed" and not setup.recovers():
                yield Result(stage, f"what comes after {what}", "failed", "the GPU computes no more in this process")
                return


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=sorted(PLACES))
    parser.add_argument("--device", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", help="make the check of this name alone")
    parser.add_argument("--small", action="store_true")
    chosen = parser.parse_args(arguments)
    setup = Setup(chosen.device, chosen.output, small=chosen.small, seconds=chosen.seconds, data=chosen.data)
    for result in results(chosen.stage, setup, chosen.only):
        sys.stdout.write(result.line() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
