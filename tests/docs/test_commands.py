"""The commands on the pages are commands of this program, and those that train nothing run as they are printed."""

import re
import shlex
import shutil
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from doc_pages import DOCS, ROOT, blocks, commands, name, pages
from image_records import on_images
from PIL import Image
from published_folders import publish
from synthetic import write

from bench.cli.main import cli

PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*|\.\.\.")
"""What stands for a name of the reader's."""

EVERY = [
    (page, words)
    for page in [*pages(), *sorted(DOCS.rglob("*.ipynb"))]
    for words in commands(page, inline=True)
    if not PLACEHOLDER.fullmatch(words[0])
]
PRINTED = {" ".join(map(shlex.quote, words)): words for page in pages() for words in commands(page)}

READING = {
    "leaderboard",
    "recommend",
    "doctor",
    "report",
    "merge",
    "publish",
    "verify",
    "baseline",
    "export",
    "status",
    "show",
}
"""Verbs that only read records, or copy them."""


SLOW = pytest.mark.slow
LONG = {"report", "doctor"}
"""Verbs that import plotly or torch and draw or measure much; tests of their own run them on less."""

AGAIN = {"baseline": ["--replace"]}
"""What a command needs where it has been given before."""


def read_only(words: list[str]) -> bool:
    if words[0] == "compare":
        return "results/ci" in words
    trains = any(word.startswith("--rerun") for word in words)
    return (words[0] in READING and not trains) or "--dry-run" in words or "--table" in words


def stands_for_something(words: list[str]) -> bool:
    return any(PLACEHOLDER.fullmatch(word.rpartition("/")[2]) or "$" in word for word in words)


RUN = {text: words for text, words in PRINTED.items() if read_only(words) and not stands_for_something(words)}


@pytest.mark.parametrize(
    ("page", "words"), EVERY, ids=lambda value: name(value) if isinstance(value, Path) else " ".join(value)
)
def test_every_command_on_a_page_is_one_of_ours(page, words, desk, monkeypatch):
    monkeypatch.chdir(desk)
    words = [word.replace("$SLURM_ARRAY_TASK_ID", "1") for word in words]
    context, command = click.Context(cli), cli
    while isinstance(command, click.Group) and words:
        found = command.get_command(context, words[0])
        assert found is not None, f"{name(page)} names the command {words[0]}"
        context, command, words = click.Context(found, info_name=words[0], parent=context), found, words[1:]
    spellings = {"--help", "-h", *(each for option in command.params for each in option.opts)}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= spellings, name(page)
    if words and words != ["--help"] and not stands_for_something(words):
        command.make_context(command.name, list(words), parent=context.parent)  # parses, and runs nothing


@pytest.fixture(scope="session")
def desk(tmp_path_factory):
    """A reader's folder: photos, records of their own, published ones, and the losses of the tutorial."""
    folder = tmp_path_factory.mktemp("desk")
    published = ROOT / "results" / "published"
    campaigns = sorted(records.parent.name for records in published.glob("*/records"))
    for campaign in campaigns:
        shutil.copytree(published / campaign, folder / "results" / "published" / campaign)
    shutil.copytree(published / "r3gan-ablation", folder / "results" / "published" / "mine")
    sources = [
        *((place, "network") for place in ("local", "node1", "node2")),
        *((place, "classics") for place in ("base", "ci")),
        ("local/mine", "r3gan-ablation"),
        *((f"local/{campaign}", campaign) for campaign in campaigns),
        *(("local/topics", topic) for topic in campaigns if topic.startswith("topic-")),  # suites share some trials
    ]
    for place, source in sources:
        shutil.copytree(published / source / "records", folder / "results" / place / "records", dirs_exist_ok=True)
    shutil.copytree(published / "kernels" / "kernels", folder / "results" / "local" / "kernels")
    frozen = [
        "baseline",
        "freeze",
        "main",
        "--results",
        str(folder / "results" / "base"),
        "-o",
        str(folder / "baselines" / "main.jsonl"),
    ]
    assert CliRunner().invoke(cli, frozen).exit_code == 0
    (folder / "photos").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (520, 8, 8, 3), dtype=np.uint8)
    for number, each in enumerate(pixels):
        Image.fromarray(each).save(folder / "photos" / f"{number:03}.png")
    own = write(on_images(folder / "photos"), folder / "results" / "local" / "photos")
    publish(folder / "results" / "published" / "photos", "--from", own, "--describe-images", "photos=noise")
    tutorial = blocks(DOCS / "tutorials" / "your-own-loss.md", "python")
    for file, mark in (("my_losses.py", '"cubic"'), ("my_penalty.py", '"slope_cap"')):
        (code,) = [each for each in tutorial if f"register({mark})" in each]
        (folder / file).write_text(code, encoding="utf-8")
    (suite,) = blocks(DOCS / "reference" / "suites.md", "toml")
    (folder / "mine.toml").write_text(suite, encoding="utf-8")
    return folder


@pytest.fixture
def at_the_desk(desk, monkeypatch):
    monkeypatch.chdir(desk)
    for variable in ("GAN_LOSS_BENCH_RESULTS", "GAN_LOSS_BENCH_DEBUG"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.usefixtures("at_the_desk", "scratch_registry")
@pytest.mark.parametrize(
    "text", [pytest.param(text, marks=SLOW if words[0] in LONG else ()) for text, words in RUN.items()]
)
def test_what_trains_nothing_runs_as_it_is_printed(text):
    result = CliRunner().invoke(cli, [*RUN[text], *AGAIN.get(RUN[text][0], [])], prog_name="python -m bench")
    assert result.exit_code == 0, result.output


def shortened(words: list[str]) -> list[str]:
    """Return a command that trains, with two steps and one seed."""
    text = re.sub(r" --steps \d+| --seeds \d+", "", " ".join(map(shlex.quote, words)))
    small = "--steps 2 --seeds 1 --set evaluate_every=2 --set samples=100 --inception off"
    return shlex.split(f"{text} {small}")


@pytest.mark.slow
@pytest.mark.usefixtures("at_the_desk", "scratch_registry")
@pytest.mark.parametrize("page", ["first-run", "your-own-loss", "your-own-photos"])
def test_the_training_of_a_tutorial_runs_with_a_shorter_budget(page, tmp_path):
    runs = [words for words in commands(DOCS / "tutorials" / f"{page}.md") if words[0] == "run"]
    assert runs
    for words in runs:
        result = CliRunner().invoke(cli, [*shortened(words), "--results", str(tmp_path)], prog_name="python -m bench")
        assert result.exit_code == 0, result.output
    assert list((tmp_path / "records").iterdir())
