"""The Python on the pages runs as it is printed, page by page, in the order of the page."""

import re
import shutil

import pytest
import torch
from doc_pages import ROOT, blocks, name, pages

import losses

WITH_PYTHON = [page for page in pages() if blocks(page, "python")]


def names_of_a_loop() -> dict[str, object]:
    """Return what the code on the pages takes for granted: a reader's networks, optimizers and data."""
    generator, discriminator = torch.nn.Linear(128, 6), torch.nn.Linear(6, 1)
    return {
        "__name__": "page",
        "torch": torch,
        "losses": losses,
        "method": losses.get("nsgan"),
        "generator": generator,
        "discriminator": discriminator,
        "d_optimizer": torch.optim.SGD(discriminator.parameters(), lr=0.1),
        "g_optimizer": torch.optim.SGD(generator.parameters(), lr=0.1),
        "latents": torch.randn(4, 128),
        "batches": torch.randn(2, 4, 6),
        "real_images": torch.randn(4, 6),
        "fake_images": torch.randn(4, 6),
        "step": 0,
    }


def test_there_are_pages_with_code():
    assert {"README.md", "docs/how-to/your-own-loop.md", "docs/tutorials/your-own-loss.md"} <= set(
        map(name, WITH_PYTHON)
    )


@pytest.mark.parametrize(
    "method",
    ["bce_ns + ttur(ratio=4)", "wgan-gp + critic_steps(5)", "hinge + lecam + spectral_norm", "ra_hinge", "wgan"],
)
def test_the_loop_of_the_readme_is_complete_for_every_loss_as_it_says(method):
    names = names_of_a_loop() | {"batches": torch.randn(12, 4, 6)}
    (loop,) = [block for block in blocks(ROOT / "README.md", "python") if "for real_images in batches" in block]
    assert "This loop is complete and correct for every loss." in (ROOT / "README.md").read_text(encoding="utf-8")
    exec(compile(loop.replace("hinge + r1(gamma=1, every=16)", method), "README.md", "exec"), names)
    rates = [optimizer.param_groups[0]["lr"] for optimizer in (names["d_optimizer"], names["g_optimizer"])]
    assert rates[0] / rates[1] == losses.get(method).learning_rate_factor


class Asked(torch.nn.Module):
    """A discriminator that gives what the page says that a method asks for."""

    def __init__(self, method: losses.Method) -> None:
        super().__init__()
        self.body, self.head = torch.nn.Linear(6 * method.pack, 8), torch.nn.Linear(8, method.outputs)
        self.gives_features = "features" in method.needs

    def forward(self, images):
        features = self.body(images)
        return (self.head(features), features) if self.gives_features else self.head(features)


@pytest.mark.parametrize("method", ["mmd-gan-rq", "feature-matching", "gdpp-gan", "pacgan2", "coral-gan", "nsgan"])
def test_a_discriminator_as_the_page_describes_it_is_what_a_method_asks_for(method):
    text = (ROOT / "docs/how-to/your-own-loop.md").read_text(encoding="utf-8")
    told = [f"`{name}`" for name in ('"features" in method.needs', "method.outputs", "method.pack")]
    assert [name for name in told if name not in text] == []
    discriminator = Asked(losses.get(method))
    names = names_of_a_loop() | {"batches": torch.randn(3, 4, 6), "discriminator": discriminator}
    (loop,) = [block for block in blocks(ROOT / "README.md", "python") if "for real_images in batches" in block]
    before = discriminator.body.weight.clone()
    exec(compile(loop.replace("hinge + r1(gamma=1, every=16)", method), "README.md", "exec"), names)
    assert not torch.equal(discriminator.body.weight, before)


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/your-own-loop.md"])
def test_the_recipe_is_where_the_page_says(page):
    (said,) = re.findall(r"`([^`]+\.recipe)`", (ROOT / page).read_text(encoding="utf-8"))
    advised = losses.get("wgan-gp + critic_steps(5)")
    recipe = eval(said, {"losses": losses, "method": advised})
    assert recipe is not None
    assert recipe.critic_steps == advised.critic_steps
    assert advised.recipe is None, "an expression of your own has none"


@pytest.mark.usefixtures("scratch_registry")
@pytest.mark.parametrize("page", WITH_PYTHON, ids=name)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    network = ROOT / "results" / "published" / "network"
    shutil.copytree(network / "records", tmp_path / "results" / "local" / "records")
    (tmp_path / "results" / "published" / "network").mkdir(parents=True)
    shutil.copy(network / "records.parquet", tmp_path / "results" / "published" / "network")
    monkeypatch.chdir(tmp_path)
    names = names_of_a_loop()
    for block in blocks(page, "python"):
        exec(compile(block, name(page), "exec"), names)
