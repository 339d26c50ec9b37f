"""Running the command line in this process."""

import functools
import sys
import types

import pytest
from click.testing import CliRunner

from bench.cli.main import cli
from bench.report import methods
from bench.report.methods import MethodEntry
from bench.store.record import Outcome

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
def pretend(monkeypatch, record, workload):
    """Replace training by a stand-in; `pretend.behave` maps a method to what it does instead of succeeding."""
    from bench import campaign

    module = types.ModuleType("pretended_trainer")
    module.behave = {}
    module.trained = []
    module.options = []

    def train(trials, options, emit):
        module.options.append(options)
        for index, (trial, artifacts) in enumerate(trials):
            try:
                yield index, train_one(trial, artifacts)
            except Exception as error:  # noqa: BLE001 - what the trainer is to hand on
                yield index, error

    def train_one(trial, artifacts):
        module.trained.append(trial.spec.method_name)
        behavior = module.behave.get(trial.spec.method_name)
        if behavior is not None:
            behavior()
        made = record(
            workload, trial.spec.method, trial.spec.seed, distance=50.0 if "nsgan" in trial.spec.method_name else 90.0
        )
        (artifacts / "samples.png").write_bytes(b"picture")
        fields = {name: getattr(made, name) for name in Outcome.__struct_fields__}
        return Outcome(**fields)

    module.train = train
    monkeypatch.setitem(sys.modules, "pretended_trainer", module)
    monkeypatch.setattr(campaign, "run", functools.partial(campaign.run, trainer="pretended_trainer:train"))
    return module
