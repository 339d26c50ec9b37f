"""Running the command line in this process."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from compared_sets import WORLD
from planted_records import make_workload, planted_record
from pretended_training import PretendedTraining, install
from published_folders import make_published
from synthetic import make, write

from bench.cli.main import cli
from bench.report import methods, overview, sections, style
from bench.report.methods import MethodEntry

INDEX = (
    MethodEntry(name="nsgan", kind="method", summary="The reference.", expression="bce_ns", citation="Goodfellow 2014"),
    MethodEntry(name="nsgan-r1", kind="method", summary="With R1.", expression="bce_ns + r1(gamma=10)"),
    MethodEntry(name="hinge", kind="method", summary="The hinge.", expression="hinge"),
    MethodEntry(name="bce_ns", kind="objective", summary="Logistic.", formula="G: softplus(-b)"),
)


@pytest.fixture
def index(monkeypatch):
    monkeypatch.setattr(methods, "index", lambda: INDEX)


@pytest.fixture
def drawn():
    """Ask for it to have figures drawn: commands that write a page spend most of their time on that."""


@pytest.fixture(autouse=True)
def _undrawn(request, monkeypatch):
    """Figures are made, and then left empty; `tests/bench/report` draws them."""
    if "drawn" not in request.fixturenames:
        empty = '<svg viewBox="0 0 1 1"></svg>'
        monkeypatch.setattr(style, "svg_of", lambda _: empty)
        monkeypatch.setattr(sections, "draw", lambda _: empty)
        for figure in ("draw_curves", "draw_ranks", "draw_costs"):
            monkeypatch.setattr(overview, figure, lambda *_: None)


@pytest.fixture
def bench(monkeypatch):
    """Run `bench(*arguments)` and return click's result; its `exit_code`, `stdout` and `stderr` are a user's."""
    for variable in ("GAN_LOSS_BENCH_DEBUG", "GAN_LOSS_BENCH_RESULTS"):
        monkeypatch.delenv(variable, raising=False)

    def invoke(*arguments):
        result = CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="python -m bench")
        if result.exit_code == 2:
            assert result.stderr.startswith("error: ")
            assert result.stderr.count("\n") == 1, "bad input gets one line"
            assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def image_folders(tmp_path):
    """Write results on folders of images, by name: `image_folders(name, "cats", dogs=3.0)`, by factors of distances."""

    def make_set(name, *as_they_are, **worse):
        records = []
        for images, factor in {**dict.fromkeys(as_they_are, 1.0), **worse}.items():
            workload = make_workload(f"imagefolder:/photos/{images}?size=32", content_hash=f"{images:0<64}", modes=0)
            records += [planted_record(workload, seed=seed, distance=(100 + seed) * factor) for seed in range(10)]
        return write(records, tmp_path / name)

    return make_set


@pytest.fixture
def pretend(monkeypatch, record, workload):
    """Replace training by a trainer that pretends; see `PretendedTraining`. Judges measure no real images before it."""
    monkeypatch.setattr("bench.metrics.judges.prepare", lambda *_: None)
    training = PretendedTraining(lambda method, seed, distance: record(workload, method, seed, distance=distance))
    install(monkeypatch, training)
    return training


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """A published folder that tests read; one that changes it takes a copy, `folder`."""
    return make_published(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def folder(published, tmp_path):
    """A published folder of the test's own."""
    return Path(shutil.copytree(published, tmp_path / "results" / "published" / "three"))


@pytest.fixture(autouse=True)
def _outside_of_actions(monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.fixture
def base(tmp_path):
    return write(make(WORLD, 10, 0), tmp_path / "base")


@pytest.fixture
def sets(tmp_path, base):
    """Write a set that differs from the base by luck and by what is given."""

    def make_set(name="new", seeds=10, draw=1, **truth):
        return write(make(replace(WORLD, **truth), seeds, draw), tmp_path / name)

    return make_set
