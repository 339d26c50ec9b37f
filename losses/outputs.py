"""The discriminator's output, brought to logits [B], or one clear error that says what was returned.

Three layouts of logits are known. `per_image`: one a sample. `per_patch`: a map of logits a sample, each of which
judges a patch. `per_scale`: a list of outputs, one a scale, each of them per image or per patch.

Legend: B = samples; n = numbers a sample that the objective asks for, 1 but for a vector head; P = patches a sample.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from losses.numerics import in_full_precision
from losses.suggest import did_you_mean
from losses.types import LAYOUTS, CriticHead, Layout
from losses.whole_batch import WholeBatch


class DiscriminatorOutput(NamedTuple):
    """One forward of the discriminator, in full precision.

    `logits` is [B], or [B, n] for an objective with a vector head; per patch it is [B P] or [B P, n], the patches of a
    sample side by side. `features` is [B, ...] if the discriminator gives them.

    A discriminator may return one, too: it says that what is in second place are features, even where they look like
    the logits of a second scale.
    """

    logits: Tensor
    features: Tensor | None


class ScaleOutput:
    """The discriminator's output on a batch at one scale: `own` is this process's, the rest of the whole batch."""

    def __init__(self, own: DiscriminatorOutput, whole: WholeBatch | None) -> None:
        self.own = own
        self._whole = whole
        self._gathered: dict[str, Tensor] = {}

    @property
    def logits(self) -> Tensor:
        return self._of_all("logits", self.own.logits)

    @property
    def features(self) -> Tensor | None:
        return None if self.own.features is None else self._of_all("features", self.own.features)

    def _of_all(self, what: str, own: Tensor) -> Tensor:
        """Gather once. Not by functools.cached_property, whose lock all instances share while one waits for others."""
        if self._whole is None:
            return own
        if what not in self._gathered:
            self._gathered[what] = self._whole.gathered(own)
        return self._gathered[what]


Scales = Sequence[ScaleOutput]
Output = DiscriminatorOutput | ScaleOutput


def check_layout(layout: str) -> None:
    """Raise ValueError for a layout that is not known, with the nearest that is."""
    if layout not in LAYOUTS:
        raise ValueError(f"unknown layout of logits {layout!r}{did_you_mean(layout, LAYOUTS)}: {', '.join(LAYOUTS)}")


def read_output(output: object, samples: int, objective: CriticHead, layout: Layout) -> Sequence[DiscriminatorOutput]:
    """Return the output at each scale, of which there is one but in the layout `per_scale`.

    Raises:
        ValueError: for anything else than the layout says, naming what was returned.
    """
    if layout != "per_scale":
        return [_read_scale(output, samples, objective, layout, "the discriminator returned")]
    if not isinstance(output, list | tuple) or not output:
        raise ValueError(
            f"the discriminator returned {describe_output(output)}: expected a list with the logits of each scale, as "
            f"logits='per_scale' says"
        )
    return [
        _read_scale(scale, samples, objective, "per_patch", f"at scale {number} the discriminator returned")
        for number, scale in enumerate(output)
    ]


def describe_output(output: object) -> str:
    """Return what an output is, in words: its kind and the shapes of its tensors."""
    if isinstance(output, Tensor):
        return f"a tensor of shape {tuple(output.shape)}"
    if isinstance(output, list | tuple):
        return f"a {type(output).__name__} of {len(output)} ({', '.join(map(describe_output, output))})"
    return f"{'an' if type(output).__name__[0] in 'aeiou' else 'a'} {type(output).__name__}"


def _read_scale(output: object, samples: int, objective: CriticHead, layout: Layout, said: str) -> DiscriminatorOutput:
    logits, features = output if isinstance(output, tuple) and len(output) == 2 else (output, None)
    if not isinstance(logits, Tensor) or not (features is None or isinstance(features, Tensor)):
        raise ValueError(
            f"{said} {describe_output(output)}: expected a tensor of logits, or the pair (logits, features); the "
            f"logits of several scales are a list, and logits='per_scale' says so"
        )
    flat = (_per_patch if layout == "per_patch" else _per_image)(logits, samples, objective, said)
    if features is not None:
        told = f"{said} {describe_output(output)}"
        _check_samples(features, samples, told)
        if not isinstance(output, DiscriminatorOutput):  # which says itself that these are features
            _refuse_second_logit(logits, features, told)
            if layout == "per_patch":
                _refuse_second_map(logits, features, objective, told)
    return DiscriminatorOutput(in_full_precision(flat), None if features is None else in_full_precision(features))


def _per_image(logits: Tensor, samples: int, objective: CriticHead, said: str) -> Tensor:
    """Bring logits to [B], or [B, n] for a vector head, from any of the usual shapes."""
    n = objective.outputs
    if logits.dim() > 0 and logits.shape[0] == samples and logits.numel() == samples * n:
        return logits.reshape(samples) if n == 1 else logits.reshape(samples, n)
    shapes = (
        f"one logit a sample, ({samples},), ({samples}, 1) or ({samples}, 1, 1, 1)"
        if n == 1
        else f"{n} numbers a sample for {objective.name}, ({samples}, {n}) or ({samples}, {n}, 1, 1)"
    )
    patches = logits.dim() > 2 and logits.shape[:2] == (samples, n) and logits.numel() > 0
    hint = "; where each of them judges a patch, logits='per_patch' says so" if patches else ""
    raise ValueError(f"{said} logits of shape {tuple(logits.shape)} for {samples} inputs: expected {shapes}{hint}")


def _per_patch(logits: Tensor, samples: int, objective: CriticHead, said: str) -> Tensor:
    """Bring a map of logits a sample, [B, n, ...], to [B P] or [B P, n]; [B] and, without a vector head, [B, P] too."""
    n = objective.outputs
    flat = n == 1 and logits.dim() in (1, 2)
    maps = logits.dim() > 1 and logits.shape[1] == n
    if logits.numel() == 0 or logits.dim() == 0 or logits.shape[0] != samples or not (flat or maps):
        raise ValueError(
            f"{said} logits of shape {tuple(logits.shape)} for {samples} inputs: expected maps of "
            f"{'one logit' if n == 1 else f'{n} numbers for {objective.name}'} a patch, ({samples}, {n}, H, W)"
        )
    return logits.reshape(-1) if n == 1 else logits.flatten(2).movedim(1, -1).reshape(-1, n)


def _check_samples(features: Tensor, samples: int, said: str) -> None:
    """Refuse features of anything else than the samples."""
    if features.dim() == 0 or features.shape[0] != samples:
        raise ValueError(f"{said}: expected features of {samples} samples in second place")


def _refuse_second_logit(logits: Tensor, features: Tensor, said: str) -> None:
    """Refuse one number a sample in second place, which looks like the logits of a second scale."""
    # A single feature is told from a logit only where the logits are written in another way, (B,) beside (B, 1).
    single = math.prod(features.shape[1:]) == 1
    if single and not (logits.dim() == 1 and features.dim() == 2):
        raise ValueError(
            f"{said}: one number a sample in second place is no set of features. The logits of several scales go with "
            f"logits='per_scale'; a second head is not for the loss: return the first alone; for a single feature "
            f"return losses.DiscriminatorOutput(logits, features)"
        )


def _refuse_second_map(logits: Tensor, features: Tensor, objective: CriticHead, said: str) -> None:
    """Refuse a map that looks like the logits of a second scale, which would be dropped without a word."""
    is_map = features.dim() == logits.dim() > 2
    if is_map and features.shape[1] == logits.shape[1] == objective.outputs:
        raise ValueError(
            f"{said}: is the second one a map of logits, too? For two scales return a list of them, with "
            f"logits='per_scale'; for features return losses.DiscriminatorOutput(logits, features)"
        )
