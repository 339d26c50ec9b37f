"""A captured step makes the numbers of a plain one, bit for bit; recorded here on tapes, which are the CPU's graphs."""

import msgspec
import pytest
import torch
from interrupted import begin
from slow_cases import sampled
from small_trials import ADAM, images, make_trial, toy_trial, train_alone
from tape import Tapes
from torch import Tensor

import losses
from bench.accelerate import capture as room
from bench.accelerate.capture import WARM_UP, CapturedStepper
from bench.training import run, timing
from bench.training.build import build_step
from bench.training.monitors import UPDATE_RATIO_EVERY, Monitors
from bench.training.step import TrainingStep

CPU = torch.device("cpu")
STEPS = 12

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")

METHODS = [
    "nsgan",
    "wgan",
    "wgan-gp",
    "bce_ns + r1(gamma=1, every=2)",
    "bce_ns + r1 + r2",
    "bce_ns + dragan",
    "bce_ns + lecam(start=0)",
    "bce_ns + cr + msgan",
    "hinge + ada",
    "bce_ns + diffaug",
    "sngan",
    "mmd-gan-rq",
]


def trained(method: str, recorder: Tapes | None, steps: int = STEPS, **changes: object) -> dict[str, Tensor | object]:
    step = build_step(make_trial(method, width=4, batch_size=8, seed=3, **changes), images(), CPU)
    monitors = Monitors(steps, CPU)
    captured = None if recorder is None else CapturedStepper(step, monitors, recorder)
    for index in range(steps):
        if captured is None:
            monitors.record(index, *step.run(index))
        else:
            captured.run(index)
    monitors.flush(steps)
    block = monitors.drain()
    assert block is not None
    tensors = dict(step.generator.state_dict(prefix="generator.")) | step.discriminator.state_dict(prefix="critic.")
    state = {f"{part}.{name}": value for part, own in step.state.items() for name, value in own.items()}
    return {"captured": captured, "tensors": tensors | state | {"monitors": block.values}}


def assert_same(found: dict, expected: dict) -> None:
    assert found["tensors"].keys() == expected["tensors"].keys()
    for name, value in expected["tensors"].items():
        assert torch.equal(found["tensors"][name].nan_to_num(-7.0), value.nan_to_num(-7.0)), name


@pytest.mark.parametrize("method", sampled(METHODS, every=3))
def test_replayed_steps_are_those_of_the_plain_loop(method):
    recorder = Tapes()
    found = trained(method, recorder)
    assert found["captured"].reason is None
    assert found["captured"].replayed_steps > 0
    assert_same(found, trained(method, None))


@pytest.mark.slow
def test_more_than_one_update_of_the_critic_has_its_own_batch_and_numbers():
    recorder = Tapes()
    found = trained("wgan-gp", recorder, critic_steps=3)
    assert recorder.replays > 2 * STEPS
    assert_same(found, trained("wgan-gp", None, critic_steps=3))


@pytest.mark.slow
def test_a_block_of_batches_ends_inside_the_replays():
    assert_same(trained("wgan-gp", Tapes(), steps=70), trained("wgan-gp", None, steps=70))


@pytest.mark.slow
def test_each_kind_of_update_is_recorded_once():
    recorder = Tapes()
    steps = (WARM_UP + 1) * UPDATE_RATIO_EVERY
    found = trained("bce_ns + r1(gamma=1, every=2)", recorder, steps=steps)
    # D's with the term and without, G's, and G's measured; D's measured ones come up too rarely so far, two of each.
    assert recorder.recordings == 4
    assert found["captured"].replayed_steps > 0.8 * steps


@pytest.mark.parametrize("method", ["bce_ns + instance_noise(anneal_steps=100)", "topk-gan"])
def test_what_computes_with_the_count_of_steps_is_not_replayed(method):
    recorder = Tapes()
    found = trained(method, recorder)
    assert "count of steps" in found["captured"].reason
    assert recorder.replays == 0
    assert found["captured"].replayed_steps == 0
    assert_same(found, trained(method, None))


def test_state_that_a_part_replaces_is_carried_from_replay_to_replay(monkeypatch):
    """The library's parts change their state in place; nobody forbids to put a new tensor there."""

    def replacing(self: object, context: losses.Context) -> Tensor:
        mean = 0.9 * context.get_state("mean", torch.zeros(())) + context.fake_critic.mean().detach()
        context.state["mean"] = mean
        return (context.real_critic - mean).square().mean()

    monkeypatch.setattr(type(losses.get("bce_ns + lecam(start=0)").regularizers[0]), "__call__", replacing)
    recorder = Tapes()
    found = trained("bce_ns + lecam(start=0)", recorder)
    assert recorder.replays > STEPS
    assert_same(found, trained("bce_ns + lecam(start=0)", None))


def test_what_reads_the_device_is_not_replayed(monkeypatch):
    plain = losses.get("nsgan").objective.discriminator

    def reading(self: object, real: Tensor, fake: Tensor) -> Tensor:
        return plain(real, fake) * (1.0 if fake.mean().item() > -1e9 else 2.0)

    monkeypatch.setattr(type(losses.get("nsgan").objective), "discriminator", reading)
    found = trained("nsgan", Tapes())
    assert "waits for the device" in found["captured"].reason
    assert found["captured"].replayed_steps == 0
    assert all(value.isfinite().all() for name, value in found["tensors"].items() if name != "monitors")


@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd"])
def test_only_what_is_captured_has_optimizers_that_can_be(name: str) -> None:
    """Also where it goes on from a checkpoint of steps made the other way. A device without numbers stands for CUDA."""
    meta = torch.device("meta")
    trial = make_trial("nsgan", width=4, batch_size=8, optimizer=msgspec.structs.replace(ADAM, name=name))

    def flags(step: TrainingStep) -> set[bool]:
        both = (step.generator_optimizer, step.discriminator_optimizer)
        return {group["capturable"] for each in both for group in each.param_groups if "capturable" in group}

    def built(*, captured: bool) -> TrainingStep:
        step = build_step(trial, images().to(meta), meta)
        if captured:
            CapturedStepper(step, Monitors(1, CPU), Tapes())
        return step

    has_flag = name != "sgd"
    for captured in (True, False):
        step, other = built(captured=captured), built(captured=not captured)
        assert flags(step) == ({captured} if has_flag else set())
        counted = other.generator_optimizer.state
        counted.update((weight, {"step": torch.ones(())}) for weight in other.generator.parameters())
        step.restore(other.snapshot())
        assert flags(step) == ({captured} if has_flag else set())
        counts = {kept["step"].device for kept in step.generator_optimizer.state.values()}
        assert not captured or counts == {meta}, "a graph counts on its device"


def test_on_the_cpu_optimizers_can_be_recorded_as_they_are() -> None:
    step = build_step(make_trial("nsgan", width=4, batch_size=8), images(), CPU)
    CapturedStepper(step, Monitors(1, CPU), Tapes())
    assert not step.generator_optimizer.param_groups[0]["capturable"]


def test_a_tape_sees_what_a_graph_would_fix():
    """A number that Python computes between two steps stays as it was recorded: the tests above would notice."""
    factor, counted = [1.0], torch.zeros(())

    def call() -> None:
        counted.add_(factor[0])

    replay = Tapes().record(call, ())
    factor[0] = 5.0
    replay()
    assert counted.item() == 2.0


@pytest.mark.slow
def test_a_trial_has_the_same_outcome_captured_and_says_how_much_was_replayed(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "recorder_for", lambda device: Tapes())
    trial = make_trial("wgan-gp", width=4, steps=60, evaluate_every=30, samples=50)
    plain, captured = (train_alone(trial, tmp_path / str(capture), capture=capture) for capture in (False, True))
    assert captured.metrics == plain.metrics
    assert captured.history == plain.history
    assert captured.stability == plain.stability
    assert "replayed_steps" not in plain.cost
    assert 40 <= captured.cost["replayed_steps"] < 60
    assert captured.message == ""


def test_steps_that_only_time_a_trial_are_no_replayed_steps_of_its_training(tmp_path, monkeypatch):
    """Two steps are too few to record any; the further ones that tell the pace in a shared process record them all."""
    monkeypatch.setattr(timing, "PHASE_STEPS", 0)
    monkeypatch.setattr(timing, "EXCLUSIVE_BLOCKS", 1)
    monkeypatch.setattr(timing, "BLOCK_STEPS", 3 * WARM_UP)
    monkeypatch.setattr(run.files, "keep", lambda *_: "")
    trial = toy_trial(steps=2, evaluate_every=2, samples=40)
    made = begin(trial, trials_in_process=2, make_stepper=lambda *given: CapturedStepper(*given, Tapes()))
    assert list(made.steps()) == [0, 1]
    cost = made.conclude(tmp_path).cost
    assert cost["steps_per_second"] > 0
    assert cost["replayed_steps"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "steps", "known"),
    sampled(
        [
            ("wgan-gp", 2, False),
            ("wgan-gp", 20, True),
            ("bce_ns + r1(gamma=1, every=16)", 20, False),
            ("topk-gan", 2, True),
        ],
        every=3,
    ),
)
def test_the_times_of_updates_are_those_of_replays_or_unknown(
    tmp_path, monkeypatch, method: str, steps: int, known: bool
) -> None:
    """A training that is too short has not recorded every kind; one that is never captured has eager ones."""
    tapes = Tapes()
    monkeypatch.setattr(room, "recorder_for", lambda device: tapes)
    replays = []
    time_phases = run.time_phases

    def counted(*given: object) -> dict[str, float | None]:
        before = tapes.replays
        times = time_phases(*given)
        replays.append(tapes.replays - before)
        return times

    monkeypatch.setattr(run, "time_phases", counted)
    trial = make_trial(method, width=4, steps=steps, evaluate_every=steps, samples=50)
    cost = train_alone(trial, tmp_path, capture=True).cost
    assert (cost["discriminator_update_seconds"] is not None) is known
    assert replays[0] == {("wgan-gp", 20): 32, ("topk-gan", 2): 0}.get((method, steps), replays[0])


@pytest.mark.slow
def test_a_record_says_why_a_method_was_not_captured(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "recorder_for", lambda device: Tapes())
    outcome = train_alone(make_trial("topk-gan", width=4), tmp_path, capture=True)
    assert outcome.cost["replayed_steps"] == 0
    assert outcome.message == "trained without capture: a part of the method computes with the count of steps"


def test_without_cuda_there_is_nothing_to_capture(tmp_path):
    with pytest.raises(ValueError, match="CUDA graphs, which cpu does not have"):
        train_alone(make_trial("nsgan"), tmp_path, capture=True)


def test_an_update_whose_recording_fails_is_made_as_if_nobody_had_tried(monkeypatch):
    """What it remembered until then is forgotten.

    A tape does its work while it is written, as no graph does: the statistics of batch norm have seen a batch more.
    """
    method = "bce_ns + lecam(start=0)"

    def replacing(self: object, context: losses.Context) -> Tensor:
        mean = 0.9 * context.get_state("mean", torch.zeros(())) + context.fake_critic.mean().detach()
        context.state["mean"] = mean
        assert mean.item() > -1e9, "it reads the device"
        return (context.real_critic - mean).square().mean()

    monkeypatch.setattr(type(losses.get(method).regularizers[0]), "__call__", replacing)
    found = trained(method, Tapes())
    assert "waits for the device" in found["captured"].reason
    expected = trained(method, None)
    for side in (found, expected):
        kept = {name: value for name, value in side["tensors"].items() if not name.endswith(STATISTICS)}
        assert 0 < len(kept) < len(side["tensors"])
        side["tensors"] = kept
    assert_same(found, expected)
