"""The reference is complete: every command and option, every public name, every metric, every variable."""

import itertools
import json
import re

import click
import msgspec
import pytest
import site_api
import site_commands
import site_metrics
from doc_pages import DOCS, ROOT

import bench
import losses
from bench.cli import main
from bench.cli.main import VERBS, cli
from bench.config.suite import Suite, shipped_suites
from bench.data.imagefolder import ENDINGS
from bench.metrics.registry import index_path
from bench.store.environment import environment
from bench.store.journal import Store


@pytest.fixture(scope="module")
def commands() -> dict[str, str]:
    return site_commands.pages()


def options_of(command: click.Command) -> set[str]:
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    own = {
        spelling
        for each in command.params
        if isinstance(each, click.Option) and not each.hidden
        for spelling in each.opts
    }
    return own.union(*map(options_of, inner))


@pytest.mark.parametrize("verb", VERBS)
def test_the_page_of_a_command_has_its_help_and_every_option(commands, verb):
    page = commands[f"reference/commands/{verb}.md"]
    command = cli.get_command(click.Context(cli), verb)
    assert page.startswith(f"# {verb}\n")
    assert " ".join(command.help.split())[:40] in " ".join(page.split())
    shown = {
        spelling
        for cell in re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
        for spelling in re.split(", | / ", cell)
    }
    assert options_of(command) <= shown
    assert f"[`{verb}`]({verb}.md)" in commands["reference/commands/index.md"]


def test_no_cell_of_an_option_breaks_its_table(commands):
    rows = [line for page in commands.values() for line in page.splitlines() if line.startswith("| ")]
    assert len(rows) > 200
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3}


def test_every_public_name_of_the_library_has_a_place():
    made = site_api.pages()
    for package in (losses, bench):
        page = made[f"reference/api/{package.__name__}.md"]
        named = set(re.findall(r"^## (\w+)$|^- `\w+\.(\w+)`", page, re.MULTILINE))
        assert set(package.__all__) <= {one or other for one, other in named}


def test_the_page_of_the_api_explains_arguments_and_errors():
    page = site_api.pages()["reference/api/losses.md"]
    assert "- `concat_batches`: whether reals and fakes may share a forward of the discriminator" in page
    assert "Literal['per_image', 'per_patch', 'per_scale'] = 'per_image'" in page
    assert "### Criterion.follow" in page


def test_docstrings_become_paragraphs_lists_and_code():
    def example(count: int) -> None:
        """Say a thing_with_marks.

            example(3)

        Args:
            count: how often,
                at least.

        Raises:
            ValueError: never.
        """

    assert "\n".join(site_api.docstring(example)) == (
        "Say a thing\\_with\\_marks.\n\n```python\nexample(3)\n```\n\n"
        "**Args**\n\n- `count`: how often, at least.\n\n**Raises**\n\n- `ValueError`: never.\n"
    )


def test_every_metric_is_listed():
    names = {each["name"] for each in json.loads(index_path().read_text(encoding="utf-8"))}
    assert len(names) > 20
    (page,) = site_metrics.pages().values()
    assert set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE)) >= names


def test_a_metric_of_a_judge_is_known_at_the_end_of_a_run_and_not_at_every_evaluation():
    (page,) = site_metrics.pages().values()
    known = dict(re.findall(r"^\| `(\w+)` \|.* \| ([^|]+) \|$", page, re.MULTILINE))
    judged = {"fid", "inception_kid", "inception_score", "clip_fd", "vgg16_recall"}
    assert {known[name] for name in judged} == {"at the end of a run"}
    assert {known[name] for name in ("fd", "recall", "modes")} == {"at every evaluation"}
    assert {known[name] for name in ("fid_floor", "clip_precision_ceiling")} == {"from the real data"}


def test_every_environment_variable_that_the_code_reads_is_explained():
    page = (DOCS / "reference" / "environment.md").read_text(encoding="utf-8")
    code = [
        path.read_text(encoding="utf-8") for folder in ("bench", "losses") for path in (ROOT / folder).rglob("*.py")
    ]
    listed = [name for text in code for name in re.findall(r"GAN_LOSS_BENCH_[A-Z]+", text)]
    assert len(set(listed)) >= 7
    assert {name for name in listed if name not in page} == set()


def test_every_variable_of_others_that_the_code_reads_is_explained():
    page = (DOCS / "reference" / "environment.md").read_text(encoding="utf-8")
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "bench").rglob("*.py"))
    read = set(re.findall(r"environ(?:\.get\(|\[)\"([A-Z_]+)\"", code))
    read |= {
        re.search(rf"^{constant}(?:: Final)? = \"(\w+)\"$", code, re.MULTILINE)[1]
        for constant in re.findall(r"environ(?:\.get\(|\[)([A-Z_]+)\b", code)
    }
    read -= {"BENCH_LINE", "BENCH_WORD"}  # between the shell's function and the program, which writes both
    assert read >= {"RAY_ADDRESS", "TORCH_HOME", "GITHUB_STEP_SUMMARY"}
    assert {name for name in read if f"`{name}`" not in page} == set()


def test_the_terms_name_all_that_a_fingerprint_depends_on():
    page = (DOCS / "reference" / "terms.md").read_text(encoding="utf-8")
    row = re.search(r"^\| fingerprint \| (.+) \|$", page, re.MULTILINE)[1].lower()
    versions = environment("cpu", 1).versions.keys() - {"gan-loss-bench"}
    assert {
        each for each in ("processor", "accelerator", "threads", "architecture", *versions) if each not in row
    } == set()


def test_every_column_of_a_published_table_is_on_the_page_of_columns():
    page = (DOCS / "reference" / "leaderboard.md").read_text(encoding="utf-8")
    explained = {name for cell in re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE) for name in cell.split(", ")}
    shown: set[str] = set()
    for table in (ROOT / "results" / "published").glob("*/leaderboard.json"):
        lines = table.with_suffix(".md").read_text(encoding="utf-8").splitlines()
        heads = [above for above, rule in itertools.pairwise(lines) if rule.startswith("| ---")]
        names = {name.strip("* ") for head in heads for name in head.strip("|").split("|")}
        boards = json.loads(table.read_text(encoding="utf-8"))["tables"]
        workloads = {workload for board in boards for workload in board["measures"]}
        shown |= names - workloads - {"method"}
    assert {"rank", "images/s", "iteration", "KL"} <= shown
    assert shown - explained == set()


def test_every_folder_of_a_results_folder_is_on_the_pages_that_list_them(tmp_path):
    Store(tmp_path / "results").check_writable()
    folders = {path.name for path in (tmp_path / "results").iterdir()}
    assert folders >= {"records", "claims"}
    for page in (DOCS / "reference" / "records.md", ROOT / "results" / "README.md"):
        listed = {each.split("/")[0] for each in re.findall(r"^\| `([^`]+)` \|", page.read_text("utf-8"), re.MULTILINE)}
        assert folders - listed == set(), page


def test_every_ending_that_is_taken_for_an_image_is_named():
    page = " ".join((DOCS / "reference" / "data.md").read_text(encoding="utf-8").split())
    named = re.search(r"found by their file endings \((.+?), in either case\)", page)[1].split(", ")
    assert sorted(f".{each}" for each in named) == list(ENDINGS)


def test_every_suite_with_a_question_is_on_the_page_of_suites():
    page = (DOCS / "reference" / "suites.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| .*\? .*\| (\d+) x (\d+) \|$", page, re.MULTILINE)
    sizes = {name: (int(methods), int(seeds)) for name, methods, seeds in rows}
    suites = {suite.name: suite for suite in shipped_suites()}
    asking = {name for name in suites if name.startswith("topic-")} | {"library", "norms", "r3gan-ablation"}
    asking |= {"classics", "digits", "mnist", "photographs"}
    assert set(sizes) == asking
    for name, suite in suites.items():
        if name in sizes:
            assert sizes[name] == (len(suite.methods) * len(suite.workloads), suite.seeds)


def test_every_key_of_a_suite_is_on_the_page_of_suites_with_its_default():
    page = (DOCS / "reference" / "suites.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (.+?) \| .+ \|$", page, re.MULTILINE)
    shown = {key: default.strip("`") for keys, default in rows for key in re.findall(r"\w+", keys)}
    words = {None: "the workload's own", "": "empty", (): "none"}
    for field in msgspec.structs.fields(Suite):
        default = () if field.default_factory is list else field.default
        if field.required:
            assert shown[field.name] == ("the file's name" if field.name == "name" else "must be there")
        else:
            text = words[default] if default in words else msgspec.json.encode(default).decode().strip('"')
            assert shown[field.name].removesuffix(".0") == text.removesuffix(".0"), field.name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("With --method or `--seeds`, a_b <FILE>", "With `--method` or `--seeds`, a\\_b &lt;FILE>"),
        ("x>=1, 2*3, --trials-per-process K", "x>=1, 2\\*3, `--trials-per-process` K"),
        ("a -- b, half--done", "a -- b, half--done"),
    ],
)
def test_a_help_text_is_read_as_it_is_written(text, shown):
    assert site_commands.escaped(text) == shown


def test_the_exit_codes_are_those_that_the_command_line_promises():
    page = (DOCS / "reference" / "output.md").read_text(encoding="utf-8")
    promised = main.__doc__.partition("Exit codes:")[2]
    assert re.findall(r"^\| (\d+) \|", page, re.MULTILINE) == re.findall(r"\b(\d+) [a-z]", promised)
