"""What `doctor` says of the judges: whether FID, and numbers in CLIP and VGG16, can be measured without a download."""

import importlib

from bench.cli.checks import Check
from bench.config.judges import BESIDE_INCEPTION


def inception_check() -> Check:
    """Say whether FID can be measured without a download; that it cannot is no defect."""
    weights = importlib.import_module("bench.extractors.inception_weights")
    try:
        path = weights.cached_path()
        if not path.is_file():
            fix = f"`run --inception require` downloads them ({weights.SIZE}), or name a file with --inception-weights"
            return Check("inception", "note", f"no weights for FID in {path.parent}", fix)
        return Check("inception", "ok", f"weights {weights.identify(path).label} for FID")
    except ValueError as error:
        return Check("inception", "note", str(error))


def judge_checks() -> list[Check]:
    """Say the same of the others, which are asked for by name alone: that their weights are not there is no note."""
    files = importlib.import_module("bench.extractors.weight_files")
    sources = importlib.import_module("bench.extractors.judge_weights").SOURCES
    checks = []
    for name in BESIDE_INCEPTION:
        source = sources[name]
        try:
            path = files.cached_path(source)
            if not path.is_file():
                words = f"no weights in {path.parent}; `run --also-in {name}` downloads them ({source.size})"
                checks.append(Check(name, "ok", f"{words}, `--also-in {name}=FILE` names a file"))
                continue
            weights = files.identify(path, source)
            checks.append(Check(name, "ok", f"weights {weights.label} for `run --also-in {name}`"))
        except ValueError as error:
            checks.append(Check(name, "note", str(error)))
    return checks
