"""Discriminators of other people: patches, scales, labels, generators that return more than images, clear errors."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import losses
from losses.contract.toy_problem import drawn

REAL, FAKE = drawn("real", 4, 3, 8, 8), drawn("fake", 4, 3, 8, 8)
PATCH_METHODS = ["nsgan", "hinge", "lsgan", "wgan-gp", "rpgan", "r3gan", "ra_bce", "lecam(start=0)", "cr", "drift"]


class Patches(nn.Module):
    """A patch discriminator: 16 logits a sample."""

    def __init__(self, seed: int = 0, stride: int = 2) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Conv2d(3, 5, 3, stride=stride, padding=1)
        self.head = nn.Conv2d(5, 1, 1)
        self.double()

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.head(torch.tanh(self.body(images)))
        return maps


class Scales(nn.Module):
    """Two patch discriminators, the second of which sees the image at half its size."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = Patches(0), Patches(1)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [self.fine(images), self.coarse(functional.avg_pool2d(images, 2))]


class Conditional(nn.Module):
    """A projection discriminator of three classes, on images or on points between them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head, self.embedding = nn.Linear(192, 6), nn.Linear(6, 1), nn.Embedding(3, 6)
        self.double()

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        hidden = torch.tanh(self.body(images.flatten(1)))
        logits: Tensor = self.head(hidden) + (hidden * self.embedding(labels)).sum(1, keepdim=True)
        return logits


def method_of(name: str) -> losses.Method:
    return losses.get(name if name in losses.names("method") + losses.names("objective") else f"hinge + {name}")


def gradients(module: nn.Module) -> list[Tensor]:
    return [weights.grad.clone() for weights in module.parameters() if weights.grad is not None]


@pytest.mark.parametrize("name", PATCH_METHODS)
def test_the_loss_of_patches_is_that_of_as_many_samples(name: str) -> None:
    """What looks at logits sees B P of them; penalties differentiate the sum over a sample's patches."""
    method, d = method_of(name), Patches()
    options = {"rng": torch.Generator().manual_seed(0), "state": {}, "step": 0, "logits": "per_patch"}
    found = method.discriminator_loss(d, REAL, FAKE, **options)
    a, b = d(REAL).flatten(), d(FAKE).flatten()
    assert found[method.objective.name].value.item() == pytest.approx(
        method.objective.discriminator(a, b).item(), rel=1e-12
    )
    assert torch.equal(found.real_logits, a)
    found.total.backward()
    assert all(gradient.isfinite().all() for gradient in gradients(d))


def test_r1_of_patches_is_the_slope_of_their_sum() -> None:
    d = Patches()
    found = losses.get("hinge + r1").discriminator_loss(d, REAL, FAKE, logits="per_patch")["r1"].value
    x = REAL.clone().requires_grad_()
    (slope,) = torch.autograd.grad(d(x), x, grad_outputs=torch.ones(4, 1, 4, 4, dtype=torch.float64))
    assert found.item() == pytest.approx(slope.square().sum((1, 2, 3)).mean().item(), rel=1e-12)


def test_a_shared_forward_of_patches_gives_the_same() -> None:
    method, d = losses.get("hinge + r1 + r2"), Patches()
    apart, joint = (
        method.discriminator_loss(d, REAL, FAKE, logits="per_patch", concat_batches=joint).total
        for joint in (False, True)
    )
    assert joint.item() == pytest.approx(apart.item(), rel=1e-12)


def test_vector_heads_of_patches_are_rows() -> None:
    method, d = losses.get("mmd_rq"), nn.Conv2d(3, 16, 3, stride=4, padding=1).double()
    found = method.discriminator_loss(d, REAL, FAKE, logits="per_patch")
    rows = [d(images).permute(0, 2, 3, 1).reshape(-1, 16) for images in (REAL, FAKE)]
    assert found.total.item() == pytest.approx(method.objective.discriminator(*rows).item(), rel=1e-10)


@pytest.mark.parametrize("name", ["alp", "gan_qp", "js_reg"])
def test_parts_that_want_one_logit_an_image_refuse_patches(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} needs the logit of each image"):
        losses.get(f"wasserstein + {name}").discriminator_loss(Patches(), REAL, FAKE, logits="per_patch")


@pytest.mark.parametrize("expression", ["hinge", "hinge + r1 + lecam(start=0)", "wgan-gp", "nsgan + accuracy_gate"])
def test_the_losses_of_scales_are_averaged(expression: str) -> None:
    method, d = losses.get(expression), Scales()
    state: dict[str, dict[str, Tensor]] = {}
    options = {"step": 0, "logits": "per_scale"}
    found = method.discriminator_loss(d, REAL, FAKE, rng=torch.Generator().manual_seed(0), state=state, **options)
    found.total.backward()
    together = gradients(d)
    d.zero_grad()
    values = []
    rng = torch.Generator().manual_seed(0)
    for scale in (d.fine, lambda x: d.coarse(functional.avg_pool2d(x, 2))):
        one = method.discriminator_loss(scale, REAL, FAKE, rng=rng, state={}, step=0, logits="per_patch")
        (one.total / 2).backward()
        values.append(one.total.item())
    assert found.total.item() == pytest.approx(sum(values) / 2, rel=1e-10)
    for ours, theirs in zip(together, gradients(d), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)
    remembering = {key.partition(" at scale ")[0] for key in state}
    assert len(state) == 2 * len(remembering), "each scale has a memory of its own"


def test_a_term_on_the_weights_is_taken_once_whatever_the_scales() -> None:
    d = Scales()
    scales = losses.get("hinge + ortho").discriminator_loss(d, REAL, FAKE, logits="per_scale")["ortho"].value
    one = losses.get("hinge + ortho").discriminator_loss(_OfFirst(d), REAL, FAKE, logits="per_patch")["ortho"].value
    assert scales.item() == pytest.approx(one.item(), rel=1e-12)
    state: dict[str, dict[str, Tensor]] = {}
    losses.get("hinge + historical_avg").discriminator_loss(d, REAL, FAKE, state=state, logits="per_scale")
    assert list(state) == ["historical_avg"], "the weights have one past"


class _OfFirst(nn.Module):
    def __init__(self, scales: Scales) -> None:
        super().__init__()
        self.scales = scales

    def forward(self, images: Tensor) -> Tensor:
        return self.scales(images)[0]


@pytest.mark.parametrize(
    "expression", ["hinge", "hinge + r1 + r2", "wgan-gp", "nsgan + dragan", "hinge + bcr", "wgan-alp"]
)
def test_labels_go_to_the_images_that_they_belong_to(expression: str) -> None:
    """Reals with theirs, fakes with theirs, points between them with those of the reals."""
    d, seen = Conditional(), []
    d.register_forward_hook(lambda _, given, __: seen.append((given[0].detach().clone(), given[1])))
    real_labels, fake_labels = torch.tensor([0, 1, 2, 0]), torch.tensor([2, 2, 1, 1])
    method = losses.get(expression)
    found = method.discriminator_loss(
        d, REAL, FAKE, rng=torch.Generator().manual_seed(0), real_labels=real_labels, fake_labels=fake_labels
    )
    found.total.backward()
    assert torch.equal(seen[0][1], real_labels)
    assert torch.equal(seen[0][0], REAL)
    assert torch.equal(seen[1][1], fake_labels)
    for points, labels in seen[2:]:
        expected = torch.cat([real_labels, fake_labels]) if len(points) == 8 else real_labels
        assert torch.equal(labels, expected) or (expression == "hinge + bcr" and torch.equal(labels, fake_labels))
    assert d.embedding.weight.grad is not None


def test_labels_of_a_shared_forward_are_joined_too() -> None:
    labels = {"real_labels": torch.tensor([0, 1, 2, 0]), "fake_labels": torch.tensor([2, 2, 1, 1])}
    apart, joint = (
        losses.get("hinge + r1 + r2")
        .discriminator_loss(Conditional(), REAL, FAKE, concat_batches=joint, **labels)
        .total
        for joint in (False, True)
    )
    assert joint.item() == pytest.approx(apart.item(), rel=1e-12)


def test_r1_of_a_conditional_discriminator_is_that_of_the_closure() -> None:
    d, labels = Conditional(), torch.tensor([0, 1, 2, 0])
    with_labels = losses.get("hinge + r1").discriminator_loss(d, REAL, FAKE, real_labels=labels, fake_labels=labels)
    closed = losses.get("hinge + r1").discriminator_loss(lambda x: d(x, labels), REAL, FAKE)
    assert with_labels.total.item() == pytest.approx(closed.total.item(), rel=1e-12)


def test_a_conditional_generator_is_given_the_labels_of_the_fakes() -> None:
    embedding = nn.Embedding(3, 192).double()
    labels, latents = torch.tensor([0, 1, 2, 0]), drawn("latents", 4, 192)

    def generator(latents: Tensor, labels: Tensor) -> Tensor:
        return torch.tanh(latents + embedding(labels)).view(-1, 3, 8, 8)

    found = losses.get("hinge + msgan").generator_loss(
        Conditional(), generator, latents, fake_labels=labels, rng=torch.Generator().manual_seed(0)
    )
    found.total.backward()
    assert (embedding.weight.grad.abs().sum(1) > 0).all()
    assert torch.equal(found.fake_images, generator(latents, labels))


def test_labels_that_are_not_one_a_sample_are_refused() -> None:
    with pytest.raises(ValueError, match="3 real labels for 4 real images"):
        losses.get("hinge").discriminator_loss(
            Conditional(), REAL, FAKE, real_labels=torch.tensor([0, 1, 2]), fake_labels=torch.tensor([0, 1, 2, 0])
        )
    one = torch.tensor(1)
    with pytest.raises(ValueError, match=r"the real labels are a single number: expected one a sample"):
        losses.get("hinge").discriminator_loss(Conditional(), REAL, FAKE, real_labels=one, fake_labels=one)
    with pytest.raises(ValueError, match="real labels and no fake labels"):
        losses.get("hinge").discriminator_loss(Conditional(), REAL, FAKE, real_labels=torch.tensor([0, 1, 2, 0]))


def test_packs_have_no_labels() -> None:
    labels = torch.tensor([0, 1, 2, 0])
    with pytest.raises(ValueError, match="pack joins"):
        losses.get("hinge + pack").discriminator_loss(Conditional(), REAL, FAKE, real_labels=labels, fake_labels=labels)


def test_a_generator_may_return_a_tuple_that_begins_with_images() -> None:
    d, latents = Patches(), drawn("latents", 4, 192)
    images = lambda z: torch.tanh(z).view(-1, 3, 8, 8)  # noqa: E731 - reads as mathematics
    plain, more = (
        losses.get("hinge + zcr_g").generator_loss(
            d, generator, latents, rng=torch.Generator().manual_seed(0), logits="per_patch"
        )
        for generator in (images, lambda z: (images(z), {"style": z}))
    )
    assert plain.total.item() == more.total.item()
    with pytest.raises(ValueError, match="the generator returned a dict: expected images"):
        losses.get("hinge").generator_loss(d, lambda z: {"images": images(z)}, latents, logits="per_patch")


@pytest.mark.parametrize(
    ("output", "layout", "message"),
    [
        (lambda n: torch.zeros(n, 1, 4, 4), "per_image", r"shape \(4, 1, 4, 4\) for 4 inputs: .*logits='per_patch'"),
        (lambda n: torch.zeros(n, 7), "per_image", r"shape \(4, 7\) for 4 inputs: expected one logit a sample"),
        (lambda n: torch.zeros(()), "per_image", r"shape \(\) for 4 inputs"),
        (lambda n: [torch.zeros(n, 1), torch.zeros(n, 1)], "per_image", r"a list of 2 .*logits='per_scale'"),
        (lambda n: (torch.zeros(n, 1), torch.zeros(n, 1)), "per_image", r"one number a sample in second place"),
        (lambda n: (torch.zeros(n), torch.zeros(n)), "per_image", r"one number a sample in second place"),
        (lambda n: (torch.zeros(n), torch.zeros(n, 1, 1, 1)), "per_image", r"one number a sample in second place"),
        (lambda n: (torch.zeros(n, 1), torch.zeros(9, 5)), "per_image", r"expected features of 4 samples"),
        (lambda n: (torch.zeros(n, 1),) * 3, "per_image", r"a tuple of 3 "),
        (lambda n: {"logits": torch.zeros(n, 1)}, "per_image", r"returned a dict: expected a tensor of logits"),
        (lambda n: None, "per_image", r"returned a NoneType"),
        (lambda n: torch.zeros(n, 2, 4, 4), "per_patch", r"shape \(4, 2, 4, 4\) for 4 inputs: expected maps of one"),
        (
            lambda n: (torch.zeros(n, 1, 4, 4), torch.zeros(n, 1, 2, 2)),
            "per_patch",
            r"For two scales return a list of them, with logits='per_scale'; for features return losses\.Discrim",
        ),
        (lambda n: torch.zeros(n, 1, 4, 4), "per_scale", r"a tensor of shape .*expected a list"),
        (lambda n: [], "per_scale", r"a list of 0"),
        (
            lambda n: [[torch.zeros(n, 3, 2, 2), torch.zeros(n, 1)]],
            "per_scale",
            r"at scale 0 the discriminator returned",
        ),
    ],
)
def test_what_cannot_be_used_is_named_in_one_clear_error(output: Callable, layout: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        losses.get("hinge").discriminator_loss(lambda x: output(len(x)), REAL, FAKE, logits=layout)


@pytest.mark.parametrize(
    "features",
    [(5,), (1, 9), (2, 4, 4), (7, 2, 2), (1, 4, 4, 4)],
    ids=["flat", "one token", "two channels", "a coarser map", "a volume"],
)
def test_features_of_patches_are_no_second_scale(features: tuple[int, ...]) -> None:
    d = Patches()
    parts = losses.get("hinge + fm").generator_loss(
        lambda x: (d(x), torch.ones(len(x), *features)), lambda z: FAKE + z.sum(), torch.zeros(4, 2), REAL,
        logits="per_patch",
    )  # fmt: skip
    assert parts["fm"].value.item() == 0


def test_a_map_of_one_channel_is_features_where_the_discriminator_says_so() -> None:
    d = Patches()

    def named(x: Tensor) -> losses.DiscriminatorOutput:
        return losses.DiscriminatorOutput(d(x), x.mean(1, keepdim=True))

    parts = losses.get("hinge + fm").generator_loss(
        named, lambda z: FAKE + z.sum(), torch.zeros(4, 2), REAL, logits="per_patch"
    )
    assert parts["fm"].value.item() > 0


@pytest.mark.parametrize(
    ("logits", "features"), [((1,), (1,)), ((), ()), ((1, 1, 1), (1, 1, 1))], ids=["columns", "flat", "maps"]
)
def test_a_single_number_is_a_feature_where_the_discriminator_says_so(
    logits: tuple[int, ...], features: tuple[int, ...]
) -> None:
    def pair(x: Tensor) -> tuple[Tensor, Tensor]:
        return x.flatten(1).sum(1).reshape(-1, *logits), x.flatten(1).mean(1).reshape(-1, *features)

    method, z = losses.get("hinge + fm"), torch.zeros(4, 2)
    parts = method.generator_loss(lambda x: losses.DiscriminatorOutput(*pair(x)), lambda z: FAKE + z.sum(), z, REAL)
    gap = REAL.flatten(1).mean(1).mean() - FAKE.flatten(1).mean(1).mean()
    assert parts["fm"].value.item() == pytest.approx(gap.square().item(), rel=1e-12)
    with pytest.raises(ValueError, match=r"for a single feature return losses\.DiscriminatorOutput\(logits, features"):
        method.generator_loss(pair, lambda z: FAKE + z.sum(), z, REAL)


def test_two_maps_of_a_vector_head_are_no_logits_and_features() -> None:
    method = next(losses.get(name) for name in losses.names("objective") if losses.get(name).outputs > 1)
    maps = (torch.zeros(4, method.outputs, 4, 4), torch.zeros(4, method.outputs, 2, 2))
    with pytest.raises(ValueError, match=r"For two scales return a list of them"):
        method.discriminator_loss(lambda x: maps, REAL, FAKE, logits="per_patch")


def test_an_unknown_layout_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown layout of logits 'per_pach'.*per_patch"):
        losses.get("hinge").discriminator_loss(Patches(), REAL, FAKE, logits="per_pach")


def test_the_shapes_of_one_logit_a_sample_agree() -> None:
    lin = nn.Linear(192, 1).double()
    found = {
        losses.get("rpgan")
        .discriminator_loss(lambda x, s=s: lin(x.flatten(1)).reshape(-1, *s), REAL, FAKE)
        .total.item()
        for s in [(), (1,), (1, 1, 1)]
    }
    assert len(found) == 1


# --- every part -----------------------------------------------------------------------------------------------------


class Features(nn.Module):
    """Give a discriminator features too: its images, flattened and cut short."""

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, images: Tensor, *labels: Tensor) -> object:
        output, features = self.discriminator(images, *labels), images.flatten(1)[:, :6]
        return [(scale, features) for scale in output] if isinstance(output, list) else (output, features)


class Drawing(nn.Module):
    """A generator that takes labels where there are any, and draws nothing by them."""

    def __init__(self) -> None:
        super().__init__()
        self.only = nn.Linear(7, 192).double()

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        return torch.tanh(self.only(latents)).view(-1, 3, 8, 8)


PARTS = [
    *(f"{name}" for name in losses.names("objective") if losses.get(name).outputs == 1),
    *(f"bce_ns + {name}" for kind in ("regularizer", "transform") for name in losses.names(kind) if name != "pack"),
]
"""Packs want a first layer of their own width; with labels they are refused above."""
LAYOUTS = {"per_patch": Patches, "per_scale": Scales, "labels": Conditional}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("expression", PARTS)
def test_every_part_works_with_every_discriminator_or_says_why_not(expression: str, layout: str) -> None:
    method = losses.get(expression)
    d, generator = Features(LAYOUTS[layout]()), Drawing()
    labels = torch.tensor([0, 1, 2, 0])
    options: dict[str, object] = {"rng": torch.Generator().manual_seed(0), "state": {}, "step": 2000}
    options |= {"real_labels": labels, "fake_labels": labels} if layout == "labels" else {"logits": layout}
    z = drawn("latents", 4, 7)

    def run() -> list[losses.LossParts]:
        phases = [
            method.discriminator_loss(d, REAL, FAKE, latents=z, generator=generator, **options),
            method.generator_loss(d, generator, z, REAL, **options),
        ]
        for parts in phases:
            parts.total.backward()
        return phases

    refusal = refusal_of(method, layout)
    if refusal:
        with pytest.raises(ValueError, match=refusal):
            run()
        return
    assert all(parts.total.isfinite() for parts in run())
    for module in (d, generator):
        assert gradients(module)
        assert all(gradient.isfinite().all() for gradient in gradients(module))


def refusal_of(method: losses.Method, layout: str) -> str | None:
    if any(part.requires for part in method.parts):
        return "add san_head"
    wants_an_image = any("logit_per_image" in part.needs for part in method.regularizers)
    return "needs the logit of each image" if wants_an_image and layout != "labels" else None
