"""From methods to records: a wrong timing is caught, and what is recorded is not measured again."""

import math

import msgspec
import pytest
import torch
from planted_kernels import planted_kernels

from bench.costs import measure as costs
from bench.costs.blocks import Effort
from bench.costs.measure import Known, Measured, Refused, measure
from bench.costs.tracing import run_steps
from bench.methods import everything, resolve
from bench.store.kernels import KernelStore

NAP = 0.1
PRODUCT = 0.001
ONCE = Effort(block_seconds=0.0, seconds=0.0, least=2, most=2, staged_calls=4)


def measured(methods, setting, folder, effort):
    events = list(measure(resolve(methods), [setting], KernelStore(folder), device="cpu", threads=1, effort=effort))
    return [event.record for event in events if isinstance(event, Measured)]


@pytest.mark.slow
def test_a_record_has_every_path_with_its_blocks_and_its_profile(small, quick, tmp_path):
    (record,) = measured(["bce_ns + r1 + msgan"], small, tmp_path, quick)
    paths = [timing.path for timing in record.timings]
    assert paths[-4:] == ["penalty", "terms", "d_step", "g_step"]
    for timing in record.timings:
        assert len(timing.blocks) == len(timing.reference_blocks) == 4
        assert all(seconds > 0 for seconds in [*timing.blocks, *timing.reference_blocks])
        assert timing.profile.kernels > 0
        assert timing.profile.bytes > 0
    assert record.timing("penalty").reference == "d_step"
    assert record.timing("terms").reference == "g_step"
    for path, ranges in {
        "penalty": {"D real", "D fake", "penalty r1", "input gradient", "double backward", "objective", "rest"},
        "terms": {"G fake", "G other", "D fake", "penalty msgan", "double backward", "objective", "rest"},
        "d_step": {"D real", "D fake", "penalty r1", "input gradient", "D backward", "D update", "G fake"},
        "g_step": {"G fake", "G other", "D fake", "penalty msgan", "G backward", "G update"},
    }.items():
        assert set(record.timing(path).stages) >= ranges
    assert KernelStore(tmp_path).records() == [record]


@pytest.mark.slow
@pytest.mark.parametrize(("d_norm", "shared"), [("ln", True), ("bn", False)])
def test_reals_and_fakes_share_a_forward_in_penalty_and_step_where_they_do_in_training(
    d_norm, shared, small, quick, tmp_path
):
    setting = msgspec.structs.replace(small, d_norm=d_norm)
    (record,) = measured(["bce_ns + drift"], setting, tmp_path, quick)
    for path in ("penalty", "d_step"):
        assert ("D real and fake" in record.timing(path).stages) is shared
        assert ("D real" in record.timing(path).stages) is not shared


@pytest.mark.slow
@pytest.mark.usefixtures("planted", "machine")
def test_a_known_nap_is_found_in_the_penalty_and_in_the_step(small, tmp_path):
    (record,) = measured(["bce_ns + nap"], small, tmp_path, ONCE)
    for timing in (record.timing("penalty"), record.timing("d_step")):
        assert timing.blocks == pytest.approx([NAP] * 4)
        assert timing.reference_blocks == [0.0] * 4
        assert {name: seconds for name, seconds in timing.stages.items() if seconds > 0} == {
            "penalty nap": pytest.approx(NAP)
        }
    assert record.timing("g_step").blocks == [0.0] * 4
    assert record.timing("d_step").profile.launch_share > 0.3, "a sleep is no operator's time"


@pytest.mark.slow
@pytest.mark.usefixtures("planted", "machine")
def test_a_lazy_nap_is_spread_over_its_interval(small, tmp_path):
    (record,) = measured(["bce_ns + nap(every=4)"], small, tmp_path, ONCE)
    step = record.timing("d_step")
    assert step.calls == 4
    assert step.blocks == pytest.approx([NAP / 4] * 4)
    assert step.stages["penalty nap"] == pytest.approx(NAP / 4)


@pytest.mark.slow
@pytest.mark.usefixtures("planted", "machine")
def test_known_extra_work_is_found_in_proportion(small, tmp_path):
    few, many = (
        measured([f"bce_ns + products(count={count})"], small, tmp_path, ONCE)[0].timing("penalty")
        for count in (10, 40)
    )
    assert many.profile.flops - few.profile.flops == 30 * 2 * 256**3
    assert many.profile.kernels - few.profile.kernels == 30
    assert few.stages["penalty products"] == pytest.approx(10 * PRODUCT)
    assert many.stages["penalty products"] == pytest.approx(40 * PRODUCT)
    assert many.blocks == pytest.approx([40 * PRODUCT] * 4)


@pytest.mark.slow
def test_what_is_recorded_is_not_measured_again(small, quick, tmp_path):
    store, told = KernelStore(tmp_path), []
    tell = {"device": "cpu", "threads": 1, "effort": quick, "on_progress": lambda *each: told.append(each)}
    list(measure(resolve(["nsgan"]), [small], store, **tell))
    before = store.path(store.records()[0].id).read_bytes()
    told.clear()
    (known,) = measure(resolve(["bce_ns"]), [small], store, **tell)
    assert isinstance(known, Known)
    assert known.label == "nsgan"
    assert told == [("nsgan", 1, 1)]
    assert store.path(known.id).read_bytes() == before
    other = msgspec.structs.replace(small, batch_size=4)
    (again,) = measure(resolve(["nsgan"]), [other], store, **tell)
    assert isinstance(again, Measured)


def test_what_cannot_be_run_is_told_and_the_others_go_on(small, quick, tmp_path):
    odd = msgspec.structs.replace(small, batch_size=7)
    events = list(
        measure(resolve(["pacgan2", "hinge"]), [odd], KernelStore(tmp_path), device="cpu", threads=1, effort=quick)
    )
    assert [type(event) for event in events] == [Refused, Measured]
    assert "batch of 7" in events[0].reason


@pytest.fixture
def machine(monkeypatch):
    """It is made up, which takes no time."""
    monkeypatch.setattr(costs.machines, "describe", lambda *_: planted_kernels("nsgan").machine)


class OutOfMemoryError(RuntimeError):
    """Called as torch's own."""


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (OutOfMemoryError("CUDA: nothing left\nmore"), True),
        (MemoryError("nothing left"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("nsgan cannot be fused: No working C++ compiler found in config.cpp.cxx"), True),
        (RuntimeError("a mistake"), False),
        (KeyError("a mistake"), False),
    ],
)
@pytest.mark.parametrize("where", ["Paths", "_reference", "_timings"])
@pytest.mark.usefixtures("machine")
def test_what_this_machine_lacks_is_told_and_not_recorded(small, quick, tmp_path, monkeypatch, error, passing, where):
    def fail(*_):
        raise error

    monkeypatch.setattr(costs, where, fail)
    events = measure(resolve(["nsgan"]), [small], KernelStore(tmp_path), device="cpu", threads=1, effort=quick)
    if passing:
        (refused,) = events
        assert isinstance(refused, Refused)
        assert refused.reason in str(error).splitlines()
    else:
        with pytest.raises(type(error), match="a mistake"):
            list(events)
    assert KernelStore(tmp_path).records() == []


@pytest.mark.usefixtures("machine")
def test_a_lack_of_memory_costs_one_method_alone(small, quick, tmp_path, monkeypatch):
    def lacking(name, *_):
        if name == "hinge":
            raise OutOfMemoryError("CUDA out of memory")
        return []

    monkeypatch.setattr(costs, "_timings", lacking)
    methods = resolve(["hinge", "nsgan"])
    events = list(measure(methods, [small], KernelStore(tmp_path), device="cpu", threads=1, effort=quick))
    assert [type(event) for event in events] == [Refused, Measured]
    assert [record.label for record in KernelStore(tmp_path).records()] == ["nsgan"]
    monkeypatch.setattr(costs, "_timings", lambda *_: [])
    again = list(measure(methods, [small], KernelStore(tmp_path), device="cpu", threads=1, effort=quick))
    assert [type(event) for event in again] == [Measured, Known], "it is tried anew"


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("lost", [("loss", "generator_loss"), ("loss",)])
def test_a_mode_that_gives_no_path_at_all_is_told_and_not_recorded(small, quick, tmp_path, monkeypatch, lost):
    def refuse(paths, path):
        if path in lost:
            raise RuntimeError("not today")
        return paths.calls()[path]

    timed = []
    monkeypatch.setattr(costs.modes, "_compiled", refuse)
    monkeypatch.setattr(costs, "_timings", lambda _, calls, *rest: timed.extend(calls) or [])
    setting = msgspec.structs.replace(small, mode="compiled")
    (event,) = measure(resolve(["hinge"]), [setting], KernelStore(tmp_path), device="cpu", threads=1, effort=quick)
    if len(lost) == 2:
        assert event.reason == "loss cannot be compiled: not today"
        assert KernelStore(tmp_path).records() == []
    else:
        assert event.record.notes == ["loss cannot be compiled: not today"]
        assert timed == ["generator_loss"]


def test_without_names_everything_is_measured_once():
    methods = resolve([])
    assert len(methods) == len({str(method) for method in methods}) == len(everything())
    parts = {part.name for method in methods for part in method.parts}
    assert {"nsgan", "wgan-gp"} <= {method.name for method in methods}
    assert {"r1", "gp1", "ttur", "spectral_norm", "diffaug"} <= parts


def test_a_part_is_measured_alone():
    assert [method.short for method in resolve(["r1", "hinge", "hinge + r1(gamma=1)"])] == [
        "bce_ns + r1",
        "hinge",
        "hinge + r1(gamma=1)",
    ]
    with pytest.raises(ValueError, match="nsgan"):
        resolve(["nsgna"])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_fourth_of_the_library_can_be_measured(small, tmp_path):
    least = Effort(block_seconds=0.0, seconds=0.0, least=1, most=1, staged_calls=1)
    # Every fourth, from the names that differ most: all of them take as many minutes as the rest of the slow tests.
    some = sorted(resolve([]), key=str)[::4]
    events = list(measure(some, [small], KernelStore(tmp_path), device="cpu", threads=1, effort=least))
    assert all(isinstance(event, Measured) for event in events)
    for event in events:
        step = event.record.timing("d_step")
        assert math.isfinite(step.ratio.median)
        assert step.stages["D backward"] > 0


@pytest.mark.slow
def test_a_precision_that_the_card_does_not_have_is_refused_and_the_others_are_measured(
    small, quick, tmp_path, monkeypatch
):
    def check(_, precision):
        if precision == "bf16":
            raise ValueError("Tesla T4 has no bf16")

    monkeypatch.setattr(costs, "check_precision", check)
    settings = [msgspec.structs.replace(small, precision=precision) for precision in ("bf16", "fp32")]
    methods = resolve(["nsgan"])
    events = list(measure(methods, settings, KernelStore(tmp_path), device="cpu", threads=1, effort=quick))
    assert [type(event) for event in events] == [Refused, Measured]
    assert events[0].reason == "Tesla T4 has no bf16"


class ChosenError(Exception):
    """Ends a measurement once it has chosen a device, as there is no GPU to go on with."""


@pytest.mark.parametrize("traced", [False, True])
def test_a_second_gpu_is_made_the_current_one_whose_events_time_it(small, tmp_path, monkeypatch, traced):
    def start():
        if traced:
            run_steps(resolve(["nsgan"]), small, "cuda:1")
        else:
            list(measure(resolve(["nsgan"]), [small], KernelStore(tmp_path), device="cuda:1"))

    def chosen(device):
        assert device == torch.device("cuda:1")
        raise ChosenError

    monkeypatch.setattr(torch.cuda, "set_device", chosen)
    with pytest.raises(ChosenError):
        start()
