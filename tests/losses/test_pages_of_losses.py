"""The code on the pages about loops and losses of one's own runs as it is printed there."""

import re
from pathlib import Path

import pytest
import torch

import losses
from losses import contract, registry

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "how-to" / "your-own-loop.md", DOCS / "tutorials" / "your-own-loss.md"]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def block_with(text: str) -> str:
    (block,) = [block for block in BLOCKS if text in block]
    return block


def names_of_a_loop() -> dict[str, object]:
    generator, discriminator = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
    return {
        "losses": losses,
        "generator": generator,
        "discriminator": discriminator,
        "d_optimizer": torch.optim.SGD(discriminator.parameters(), lr=0.1),
        "g_optimizer": torch.optim.SGD(generator.parameters(), lr=0.1),
        "latents": torch.randn(4, 2),
        "real_images": torch.randn(4, 2),
        "step": 0,
    }


def test_the_criterion_in_a_loop_of_ones_own() -> None:
    names = names_of_a_loop()
    exec(block_with("losses.Criterion("), names)
    assert (names["criterion"].discriminator_updates, names["criterion"].generator_updates) == (1, 1)


def test_the_losses_in_a_loop_of_ones_own() -> None:
    names = names_of_a_loop()
    exec(block_with("method.generator_loss("), names)
    assert all(parameter.grad is not None for parameter in names["generator"].parameters())
    assert names["parts"]["hinge"].value.isfinite()


def test_the_loss_of_ones_own_is_known_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_parts", dict(registry._parts))
    exec(block_with('@losses.register("cubic")'), {"__name__": "page"})
    method = losses.get("cubic(margin=2)")
    logits = torch.zeros(3)
    assert method.objective.discriminator(logits, logits).item() == 16.0
    description = losses.describe("cubic")
    assert (description.parameters[0].name, description.parameters[0].default) == ("margin", 1.0)


def test_the_loss_of_ones_own_keeps_the_contract_as_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_parts", dict(registry._parts))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    exec(block_with('@losses.register("cubic")'), {"__name__": "page"})
    verdict = contract.verdict("cubic", contract.examine(registry.part("cubic")))
    assert verdict.startswith("cubic: ready")
    assert f"```\n{verdict}\n```" in TEXT
