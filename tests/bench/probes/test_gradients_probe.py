"""The over-trained discriminator: what it shows, that it is the engine's own gradient, that it moves nothing else."""

import csv
import io

import msgspec
import pytest
import torch
from idx_files import write_tiny_files

import losses
from bench import data, plan
from bench.config.suite import Suite
from bench.probes import gradients
from bench.probes.gradients import Curve, Point, measuring_points
from bench.training import artifacts
from bench.training.build import build_step
from bench.training.observations import generator_statistics, stacked


def built(method, *, width=8, batch_size=32, workload="digits", seed=0):
    """The training step that a trial of this width would make, and its trial."""
    (trial,) = plan.expand(Suite(name="one", methods=[method], workloads=[workload], seeds=1, batch_size=batch_size))
    network = msgspec.structs.replace(trial.spec.network, width=width)
    trial = msgspec.structs.replace(trial, spec=msgspec.structs.replace(trial.spec, network=network, seed=seed))
    images = torch.from_numpy(data.load(workload).train)
    return build_step(trial, images, torch.device("cpu")), trial


UPDATES = 200


@pytest.fixture(scope="module")
def curves():
    return {curve.method: curve for curve in gradients.probe(["nsgan", "mmgan", "wgan-gp"], updates=UPDATES)}


@pytest.mark.slow
def test_the_signal_of_minimax_falls_by_the_losses_share(curves):
    minimax, other = curves["mmgan"], curves["nsgan"]
    assert other.verdict == "exploding"
    assert minimax.ratio < 0.5 < 20 < other.ratio
    end, others = minimax.points[-1], other.points[-1]
    assert end.discriminator_accuracy == 1
    assert end.generator_weight < 0.02
    assert others.generator_weight == pytest.approx(1, abs=0.02)
    shares = end.generator_weight / others.generator_weight
    assert end.generator_signal / others.generator_signal == pytest.approx(shares, rel=0.5)


def test_data_are_those_of_the_folder_that_is_named_and_no_classifier_is_trained(tmp_path, monkeypatch):
    """What identifies a trial on them is read there, too, and nothing is evaluated here."""
    write_tiny_files(tmp_path / "named" / "FashionMNIST" / "raw")
    for variable in ("DATA", "CACHE"):
        monkeypatch.setenv(f"GAN_LOSS_BENCH_{variable}", str(tmp_path / variable))
    monkeypatch.setattr("urllib.request.urlopen", None)
    monkeypatch.setattr(plan, "train_if_lacking", None)
    (curve,) = gradients.probe(
        ["nsgan"], workload="fashion-mnist", updates=1, width=2, batch_size=2, data_dir=tmp_path / "named"
    )
    assert [point.updates for point in curve.points] == [0, 1]
    with pytest.raises(ValueError, match="unknown loss 'nsgn'"):
        gradients.probe(["nsgn"], workload="fashion-mnist", data_dir=tmp_path / "elsewhere")


@pytest.mark.slow
def test_minimax_vanishes_where_non_saturating_does_not():
    found = gradients.probe(["nsgan", "mmgan", "wgan-gp"], updates=600)
    curves = {curve.method: curve for curve in found}
    assert curves["mmgan"].verdict == "vanishing"
    # Arjovsky and Bottou (2017): without a penalty the slope of a discriminator that has won grows on.
    assert curves["nsgan"].verdict == "exploding"
    assert curves["wgan-gp"].verdict == "steady"
    assert curves["mmgan"].ratio < curves["nsgan"].ratio / 100
    end = curves["mmgan"].points[-1]
    # The discriminator has won, and it is the loss whose slope has gone: sigmoid(b) against 1 - sigmoid(b).
    assert end.discriminator_accuracy == 1
    assert end.generator_weight < 0.01
    assert curves["nsgan"].points[-1].generator_weight == pytest.approx(1, abs=0.01)
    # Both share one discriminator loss, so D is the same, and so is what separates their signals: the loss's share.
    shares = curves["mmgan"].points[-1].generator_weight, curves["nsgan"].points[-1].generator_weight
    signals = curves["mmgan"].points[-1].generator_signal, curves["nsgan"].points[-1].generator_signal
    assert signals[0] / signals[1] == pytest.approx(shares[0] / shares[1], rel=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["nsgan", "wgan-gp"])
def test_the_first_point_is_the_engines_own_first_generator_gradient(curves, method):
    step, _ = built(method)
    says = generator_statistics(stacked([step.generator_gradients(step.batch("generator", 0))]))
    norm, signal, weight = (says[f"generator_{name}"].item() for name in ("gradient_norm", "signal", "weight"))
    by_hand = torch.stack([parameter.grad.square().sum() for parameter in step.generator.parameters()]).sum().sqrt()
    first = curves[method].points[0]
    assert first.updates == 0
    assert first.generator_gradient_norm == pytest.approx(norm, rel=1e-6)
    assert first.generator_gradient_norm == pytest.approx(float(by_hand), rel=1e-5)
    assert (first.generator_signal, first.generator_weight) == pytest.approx((signal, weight), rel=1e-6)


def test_measuring_leaves_the_generator_as_it_is_and_the_discriminator_to_its_own_way():
    step, _ = built("nsgan-r1", batch_size=8)
    before = {name: weights.clone() for name, weights in step.generator.named_parameters()}
    gradients.follow(step, 12)
    assert all(torch.equal(weights, before[name]) for name, weights in step.generator.named_parameters())

    alone, _ = built("nsgan-r1", batch_size=8)
    for update in range(12):
        alone.discriminator_gradients(alone.batch("discriminator", update))
        alone.apply_discriminator()
    for probed, other in zip(step.discriminator.parameters(), alone.discriminator.parameters(), strict=True):
        assert torch.equal(probed, other)


def test_looking_does_not_change_what_parts_remember():
    step, _ = built("bce_ns + gp_pathlen", batch_size=8)
    step.generator_gradients(step.batch("generator", 0))
    before = {name: tensor.clone() for name, tensor in step.state["gp_pathlen"].items()}
    gradients._generator_statistics(step)
    assert before
    assert all(torch.equal(step.state["gp_pathlen"][name], tensor) for name, tensor in before.items())


def test_a_recorded_generator_is_probed_with_its_own_networks(tmp_path):
    step, trial = built("nsgan", width=4, batch_size=8)
    step.run(0)
    artifacts.save_generator(step.generator, trial, tmp_path)
    path = tmp_path / "generator.safetensors"
    (curve,) = gradients.probe(["hinge"], generator=path, updates=2, batch_size=8)

    expected, _ = built("hinge", width=4, batch_size=8)
    expected.generator.load_state_dict(step.generator.state_dict())
    row = expected.generator_gradients(expected.batch("generator", 0))
    assert curve.points[0].generator_gradient_norm == pytest.approx(row.gradient_norm.item(), rel=1e-6)
    untrained = gradients.probe(["hinge"], width=4, updates=2, batch_size=8)[0]
    assert curve.points[0].generator_gradient_norm != pytest.approx(
        untrained.points[0].generator_gradient_norm, rel=1e-3
    )

    with pytest.raises(ValueError, match="was trained on 'digits', not on 'ring8'"):
        gradients.probe(["hinge"], generator=path, workload="ring8")
    with pytest.raises(ValueError, match="has width 4"):
        gradients.probe(["hinge"], generator=path, width=16)


def test_files_that_are_no_recorded_generator_are_refused(tmp_path):
    from safetensors.torch import save_file

    with pytest.raises(ValueError, match=r"nothing\.safetensors cannot be read: No such file"):
        gradients.probe(["hinge"], generator=tmp_path / "nothing.safetensors")
    (tmp_path / "text").write_text("no weights")
    with pytest.raises(ValueError, match="cannot read"):
        gradients.probe(["hinge"], generator=tmp_path / "text")
    save_file({"w": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="does not say which trial made it"):
        gradients.probe(["hinge"], generator=tmp_path / "other.safetensors")

    _, trial = built("nsgan", width=4)
    artifacts.save_generator(torch.nn.Linear(2, 2), trial, tmp_path)
    with pytest.raises(ValueError, match="not those of the network"):
        gradients.probe(["hinge"], generator=tmp_path / "generator.safetensors")


def test_points_of_the_plane_can_be_probed_too():
    (curve,) = gradients.probe(["nsgan"], workload="ring8", updates=3)
    assert [point.updates for point in curve.points] == [0, 1, 2, 3]
    assert curve.verdict == "steady"


def test_an_untrained_discriminators_flatness_is_no_measure():
    """The end is held against the largest norm of the first tenth, not against the first."""
    points = [
        Point(updates, norm, 1, 1, 1.0) for updates, norm in ((0, 0.01), (5, 3.0), (10, 2.0), (50, 90), (100, 4.5))
    ]
    curve = Curve("m", "m", points)
    assert curve.ratio == pytest.approx(1.5)
    assert curve.verdict == "steady"


def test_measuring_points_are_spaced_evenly_on_a_logarithm():
    assert measuring_points(1) == [0, 1]
    assert measuring_points(10) == [0, 1, 2, 3, 5, 7, 10]
    points = measuring_points(500)
    assert {0, 10, 100, 500} <= set(points)
    assert len(points) == 18
    assert points == sorted(points)


@pytest.mark.parametrize(
    ("first", "last", "verdict"),
    [(1, 0.09, "vanishing"), (1, 0.11, "steady"), (1, 9, "steady"), (1, 11, "exploding"),
     (1, float("nan"), "nonfinite"), (0, 1, "nonfinite")],
)  # fmt: skip
def test_verdicts(first, last, verdict):
    curve = Curve("m", "m", [Point(0, first, 1, 1, 0.5), Point(9, last, 1, 1, 1.0)])
    assert curve.verdict == verdict
    assert (curve.to_json()["ratio"] is None) == (verdict == "nonfinite")


def test_the_table_has_every_point():
    curves = gradients.probe(["nsgan", "wgan-gp"], updates=3, width=4, batch_size=12)
    rows = list(csv.DictReader(io.StringIO(gradients.to_csv(curves))))
    assert len(rows) == 2 * len(measuring_points(3))
    assert float(rows[0]["generator_gradient_norm"]) == curves[0].points[0].generator_gradient_norm
    assert rows[0]["expression"] == str(losses.get("nsgan"))


@pytest.mark.slow
@pytest.mark.parametrize("method", losses.names("method"))
def test_every_method_can_be_probed(method):
    (curve,) = gradients.probe([method], updates=2, width=4, batch_size=12)
    assert [point.updates for point in curve.points] == [0, 1, 2]
