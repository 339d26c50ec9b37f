"""What a caller passes in for one phase of one step."""

from dataclasses import dataclass

from torch import Tensor

from losses.types import Discriminator, Features, Generator, Layout, Phase, Rng, SampleLatents, State
from losses.whole_batch import WholeBatch


@dataclass(frozen=True, kw_only=True, eq=False)
class PhaseInputs:
    """What a caller passes in for one phase of one step. `Method.discriminator_loss` explains each.

    The generator's phase makes its own fakes, so it is given the generator and the latents, and no `fake_images`.
    """

    phase: Phase
    discriminator: Discriminator
    generator: Generator | None = None
    real_images: Tensor | None = None
    fake_images: Tensor | None = None
    latents: Tensor | None = None
    real_labels: Tensor | None = None
    fake_labels: Tensor | None = None
    frozen: Features | None = None
    sample_latents: SampleLatents | None = None
    rng: Rng = None
    step: int | None = None
    update: int | None = None
    """The count of the updates of the phase's own player, by which lazy terms are due."""
    state: State | None = None
    concat_batches: bool = False
    logits: Layout = "per_image"
    whole: WholeBatch | None = None


def check_tensor(what: str, value: object) -> None:
    """Raise ValueError for what a caller must pass as a tensor, and has not."""
    if value is None:
        raise ValueError(f"there are no {what}: pass them")
    if not isinstance(value, Tensor):
        raise ValueError(  # noqa: TRY004 - the library's one kind of error for a user's mistake
            f"{what} are of type {type(value).__name__}: expected a tensor, as torch.as_tensor makes it"
        )


def check_labels(inputs: PhaseInputs, real_images: Tensor | None, fake_images: Tensor | None) -> None:
    """Raise ValueError unless labels are one a sample, and given for both batches or for none."""
    real_labels, fake_labels = inputs.real_labels, inputs.fake_labels
    for which, images, labels in (("real", real_images, real_labels), ("fake", fake_images, fake_labels)):
        if labels is not None and isinstance(labels, Tensor) and labels.dim() == 0:
            raise ValueError(f"the {which} labels are a single number: expected one a sample, [B, ...]")
        if images is not None and labels is not None and len(labels) != len(images):
            raise ValueError(f"{len(labels)} {which} labels for {len(images)} {which} images: expected one a sample")
    if real_images is not None and fake_images is not None and (real_labels is None) != (fake_labels is None):
        given, missing = ("real", "fake") if fake_labels is None else ("fake", "real")
        raise ValueError(f"{given} labels and no {missing} labels: a conditional discriminator takes both")
