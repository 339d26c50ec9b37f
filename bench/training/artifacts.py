"""What a trial leaves to look at: the generator's weights and a picture of its samples."""

import contextlib
import math
import re
from pathlib import Path

import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from bench.config.trial import Trial, canonical_json
from bench.config.workload import Workload
from bench.files.places import resolved
from bench.files.regular import UnusableFileError, open_regular
from bench.files.writing import reason
from bench.store import strict_json

_TRIAL_FOLDER = re.compile(r"[0-9a-f]{16}")
_GRID_SIDE = 8
_POINTS = 2000
_GAP = 2
_UPSCALE = 2


def keep(generator: nn.Module, samples: Tensor | None, trial: Trial, workload: Workload, folder: Path) -> str:
    """Write all that a trial leaves; return what to say where that cannot be done, as on a full disk, else nothing.

    What was trained is worth its record without them.
    """
    try:
        save_generator(generator, trial, folder)
        if samples is not None:
            save_samples(samples, workload, folder)
    except (OSError, SafetensorError) as error:
        with contextlib.suppress(OSError):  # a disk that lets nobody write often lets nobody remove, too
            for half in folder.glob("*"):
                half.unlink()
        why = reason(error) if isinstance(error, OSError) else str(error)
        return f"its generator and samples could not be kept ({why})"
    return ""


def save_generator(generator: nn.Module, trial: Trial, folder: Path) -> None:
    """Write `generator.safetensors`, with the trial that made it in the header."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in generator.state_dict().items()}
    # One key only: several are written in an order that changes from run to run, and equal runs give equal files.
    made_by = _MadeBy(spec=trial.spec, components=trial.components, trial_id=trial.id)
    header = {"trial": canonical_json(made_by).decode()}
    save_file(weights, folder / "generator.safetensors", metadata=header)


def load_generator(path: Path) -> tuple[Trial, dict[str, Tensor]]:
    """Read what `save_generator` wrote: the trial that made the generator, and its weights on the CPU.

    Raises:
        ValueError: there is no such file, or it is no generator of a recorded trial; its header names a trial that is
            not the one of its spec and components, or lies in the folder of another trial.
    """
    expected = "expected the generator.safetensors of a recorded trial; `show TRIAL` says where it is"
    try:
        open_regular(path).close()  # a pipe would be waited for
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        made_by = strict_json.decode(header["trial"].encode(), _MadeBy)
    except UnusableFileError as error:
        raise ValueError(f"{path} {error}; {expected}") from error
    except (OSError, SafetensorError) as error:
        raise ValueError(f"cannot read {path}: {error}; {expected}") from error
    except (KeyError, *strict_json.UNREADABLE) as error:
        raise ValueError(f"{path} does not say which trial made it ({error}); {expected}") from error
    trial = Trial(spec=made_by.spec, components=made_by.components)
    _refuse_another_trial(path, trial, made_by.trial_id)
    return trial, weights


class _MadeBy(Trial, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the header says: the trial, and its id, which generators of before protocol 1.1 do not name."""

    trial_id: str = ""


def _refuse_another_trial(path: Path, trial: Trial, named: str) -> None:
    if named not in ("", trial.id):
        raise ValueError(
            f"{path} says that trial {named} made it, and its spec and components are those of {trial.id}: its header "
            "was edited; train the trial again to have its generator"
        )
    folder = resolved(path).parent.name
    if _TRIAL_FOLDER.fullmatch(folder) and folder != trial.id:
        raise ValueError(
            f"{path} is the generator of trial {trial.id}, and lies in the folder of trial {folder}: move it to "
            f"artifacts/{trial.id}, or train {folder} again to have its own"
        )


def save_samples(samples: Tensor, workload: Workload, folder: Path) -> None:
    """Write `samples.png`: a grid of the first 64 images, or the first 2,000 points over the mixture's centres."""
    shown = _POINTS if workload.is_toy else _GRID_SIDE**2
    save_picture(samples[:shown], workload, folder / "samples.png")


def save_picture(samples: Tensor, workload: Workload, path: Path) -> None:
    """Write a PNG of all the samples: images in a grid as square as it can be, or points over the mixture's centres."""
    if workload.is_toy:
        _save_scatter(samples, workload, path)
        return
    grid = image_grid(samples, math.isqrt(len(samples) - 1) + 1).cpu()
    enlarged = grid.repeat_interleave(_UPSCALE, dim=0).repeat_interleave(_UPSCALE, dim=1)
    Image.fromarray(enlarged.squeeze(2).numpy()).save(path, format="PNG")


def image_grid(images: Tensor, columns: int) -> Tensor:
    """Lay uint8 images [N, C, H, W] out in rows, [height, width, C], with white gaps; missing ones are white.

    torchvision has such a function, but its import takes as long as torch's own, in every process that trains.
    """
    missing = -len(images) % columns
    padded = functional.pad(images, (0, _GAP, 0, _GAP, 0, 0, 0, missing), value=255)
    count, channels, height, width = padded.shape
    rows = padded.reshape(count // columns, columns, channels, height, width).permute(0, 3, 1, 4, 2)
    grid = rows.reshape(count // columns * height, columns * width, channels)
    return functional.pad(grid, (0, 0, _GAP, 0, _GAP, 0), value=255)


def _save_scatter(points: Tensor, workload: Workload, path: Path) -> None:
    # Toys alone need matplotlib in the training process, and its import takes half a second.
    from matplotlib.figure import Figure

    assert workload.mixture is not None
    centres = torch.tensor(workload.mixture.centres)
    limit = 1.25 * float(centres.abs().max())
    figure = Figure(figsize=(3.2, 3.2), dpi=120, layout="constrained")
    axes = figure.subplots()
    shown = points.cpu()
    axes.scatter(shown[:, 0], shown[:, 1], s=3, alpha=0.4, linewidths=0, color="#0072b2")
    axes.scatter(centres[:, 0], centres[:, 1], s=40, marker="+", linewidths=1, color="#d55e00")
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axes.tick_params(labelsize=7)
    figure.savefig(path, format="png")
