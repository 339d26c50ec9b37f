import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from own_loss import OWN

import losses
from bench import data
from bench.config.suite import Suite, load_suite, shipped_suites
from bench.config.trial import Trial
from bench.config.workload import Workload
from bench.plan import expand, pending, shard_of, use_losses_of
from bench.store.journal import Store
from bench.store.record import Record, Status
from losses import registry


def suite(**changes: object) -> Suite:
    settings: dict[str, object] = {"methods": ["nsgan", "hinge"], "workloads": ["digits"], "seeds": 1}
    return Suite(name="test", **(settings | changes))


def only(**changes: object) -> Trial:
    (trial,) = expand(suite(**({"methods": ["nsgan"]} | changes)))
    return trial


def test_order_is_seed_by_seed() -> None:
    trials = expand(suite(workloads=["digits", "ring8"], seeds=2))
    assert [(trial.spec.seed, trial.spec.workload, trial.spec.method_name) for trial in trials] == [
        (seed, workload, method) for seed in (0, 1) for workload in ("digits", "ring8") for method in ("nsgan", "hinge")
    ]
    assert len({trial.id for trial in trials}) == len(trials)


def test_all_shipped_suites_expand(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of a data set that must be downloaded expands once its content is known."""

    def resolved(name: str, *_: object, **__: object) -> Workload:
        workload = data.workload(name)
        return msgspec.structs.replace(workload, content_hash=workload.content_hash or "0" * 64)

    monkeypatch.setattr(data, "resolve", resolved)
    for each in shipped_suites():
        assert len(expand(each, fetch=False)) == each.seeds * len(each.methods) * len(each.workloads)


def test_controlled_track_resolves_everything() -> None:
    trial = only(methods=["wgan-gp"])
    spec, workload = trial.spec, data.workload("digits")
    assert spec.method == "wasserstein + gp1(weight=10, target=1, every=1)"
    assert spec.method_name == "wgan-gp"
    assert (spec.optimizer.name, spec.optimizer.lr_generator, spec.optimizer.betas) == ("adam", 2e-4, (0.5, 0.999))
    assert spec.optimizer.lr_discriminator == 2e-4
    assert (spec.critic_steps, spec.batch_size, spec.precision) == (1, 64, "fp32")
    assert (spec.steps, spec.evaluate_every, spec.samples) == (
        workload.steps,
        workload.evaluate_every,
        workload.samples,
    )
    assert (spec.network.name, spec.network.width, spec.network.d_norm) == ("dcgan-v2", workload.width, "none")
    assert spec.data_hash == workload.content_hash
    assert set(trial.components) == {
        *("engine", "losses", "metrics", "extractor", "data"), "loss:wasserstein", "loss:gp1",
    }  # fmt: skip
    assert trial.components["losses"] == losses.VERSION
    assert trial.components["extractor"].startswith("digits-cnn-v1:")


def test_a_folder_of_images_is_planned_by_its_content(tmp_path: Path, photos: Path) -> None:
    def trial(folder: Path) -> Trial:
        named = suite(methods=["nsgan"], workloads=[f"imagefolder:{folder}"])
        (planned,) = expand(named, tmp_path / "data", fetch=False)
        return planned

    first = trial(photos)
    assert len(first.spec.data_hash) == 64
    assert first.components["data"] == first.spec.data_hash
    assert first.components["extractor"].startswith("random-conv-v1:")
    assert (first.spec.network.channels, first.spec.network.image_size) == (3, 32)
    moved = photos.rename(tmp_path / "moved")
    assert trial(moved).id == first.id
    (moved / "000.png").unlink()
    assert trial(moved).id != first.id


def test_a_link_to_a_folder_of_images_is_the_same_workload_twice(tmp_path: Path, photos: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(photos)
    named = [f"imagefolder:{folder}" for folder in (photos, link)]
    with pytest.raises(ValueError, match=r"photos' and '.*link': the same one twice \(imagefolder-32 of \w{16}\)"):
        expand(suite(methods=["nsgan"], workloads=named), tmp_path / "data", fetch=False)
    sizes = [named[0], f"{named[1]}?size=64"]
    assert len(expand(suite(methods=["nsgan"], workloads=sizes), tmp_path / "data", fetch=False)) == 2


def test_data_that_nobody_has_yet_cannot_be_planned_on(tmp_path: Path) -> None:
    with pytest.raises(data.DataError, match="trials on fashion-mnist are identified by its data"):
        expand(suite(workloads=["fashion-mnist"]), tmp_path, fetch=False)
    with pytest.raises(ValueError, match="the same one twice"):
        expand(suite(workloads=["imagefolder:/a/b", "imagefolder:/a/../a/b?size=32"]), tmp_path)


def test_paper_track_takes_the_recipe_of_the_method() -> None:
    trial = only(methods=["mcgan-mean"], track="paper", d_norm="sn", batch_size=16)
    recipe = losses.get("mcgan-mean").recipe
    assert recipe is not None
    assert trial.spec.optimizer.name == recipe.optimizer == "rmsprop"
    assert trial.spec.critic_steps == 5
    assert trial.spec.network.d_norm == recipe.d_norm
    assert trial.spec.batch_size == 16, "the paper's is not known, so the suite's is taken"
    assert only(track="paper").spec.batch_size == 128


def test_paper_track_refuses_a_method_without_a_recipe() -> None:
    with pytest.raises(ValueError, match="has no published recipe; run it on the controlled track"):
        expand(suite(methods=["hinge + r1"], track="paper"))


@pytest.mark.parametrize("d_norm", ["ln", "bn", "sn", "none"])
def test_toys_have_no_norm(d_norm: str) -> None:
    trial = only(workloads=["ring8"], d_norm=d_norm, methods=["wgan-gp"])
    assert trial.spec.network.name == "mlp-v1"
    assert trial.spec.network.d_norm == "none"
    assert not trial.spec.allow_invalid
    assert "extractor" not in trial.components


def test_spellings_of_one_method_are_one_trial() -> None:
    spellings = ["wgan-gp", "wasserstein + gp1(weight=10)", "wasserstein + gp1(10.0)", "wasserstein+gp1"]
    assert len({only(methods=[spelling]).id for spelling in spellings}) == 1
    assert only(methods=["hinge + r1(gamma=2)"]).id == only(methods=["hinge + r1(gamma=2.0)"]).id
    assert only(methods=["hinge + r1(gamma=2)"]).id != only(methods=["hinge + r1(gamma=2.5)"]).id


def test_longer_interval_than_the_run_is_the_same_trial() -> None:
    assert only(steps=10, evaluate_every=500).id == only(steps=10, evaluate_every=10).id
    assert only(steps=10).spec.evaluate_every == 10


def test_a_quick_budget_is_the_workloads_own_and_gives_way_to_numbers() -> None:
    quick = only(workloads=["digits"], budget="quick").spec
    assert (quick.steps, quick.evaluate_every) == (600, 200)
    assert only(workloads=["digits"], budget="quick", steps=50).spec.evaluate_every == 50
    toy = only(workloads=["ring8"], budget="quick").spec
    assert (toy.steps, toy.evaluate_every) == (3000, 500)
    lacking = {"workloads": ["stacked-digits"]}
    assert only(**lacking, budget="quick").id == only(**lacking, budget="full").id


def test_the_optimiser_is_the_workloads_and_equal_for_all_methods() -> None:
    for workload, rate in (("digits", 2e-4), ("ring8", 1e-4), ("grid25", 3e-4)):
        for method in ("nsgan", "wgan-gp"):
            found = only(workloads=[workload], methods=[method]).spec.optimizer
            assert (found.lr_generator, found.lr_discriminator) == (rate, rate)


def test_norm_counts_and_timeouts_do_not() -> None:
    assert only(d_norm="bn").id != only().id
    assert only(timeout_minutes=1.0, summary="x").id == only().id


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": ["nsgan", "nsgan"]}, "method 'nsgan': the same one twice"),
        (
            {"methods": ["wgan-gp", "wasserstein + gp1"]},
            "method 'wgan-gp' and 'wasserstein [+] gp1': the same one twice",
        ),
        ({"workloads": ["digits", "digits"]}, "workload 'digits': the same one twice"),
        ({"methods": ["nsgen"]}, "nsgan"),
        ({"workloads": ["digit"]}, "did you mean 'digits'"),
    ],
)
def test_mistakes(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        expand(suite(**changes))


def test_ill_defined_methods_are_refused_under_batch_norm_with_the_reason() -> None:
    with pytest.raises(
        ValueError, match=r"'nsgan-r1' is not well defined .*: r1 is invalid: the gradient of one logit"
    ):
        expand(suite(methods=["nsgan", "nsgan-r1"], d_norm="bn"))


def test_ill_defined_methods_run_as_labelled_variants_and_the_label_is_on_them_alone() -> None:
    trials = expand(suite(methods=["nsgan", "nsgan-r1"], d_norm="bn", allow_invalid=True))
    assert [trial.spec.allow_invalid for trial in trials] == [False, True]
    assert only(allow_invalid=True).id == only().id


def test_a_methods_own_pace_leaves_the_tracks_settings_alone_so_that_one_table_holds_all() -> None:
    spec, plain = only(methods=["bce_ns + ttur(ratio=0.5) + critic_steps(count=3)"]).spec, only().spec
    assert (spec.optimizer, spec.critic_steps) == (plain.optimizer, plain.critic_steps)
    assert spec.method == "bce_ns + ttur(ratio=0.5) + critic_steps(count=3)"


def test_an_alias_is_planned_under_the_name_it_trains_as() -> None:
    assert only(methods=["fgan-js"]) == only(methods=["fgan_gan"]) == only(methods=["nsgan"])
    assert only(methods=["fgan_js(saturating=True)"]).spec.method_name == "mmgan"
    with pytest.raises(ValueError, match=r"method 'nsgan' and 'fgan-js': the same one twice \(bce_ns\)"):
        expand(suite(methods=["nsgan", "fgan-js"]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"methods": ["bce_ns + diffaug"], "workloads": ["ring8"]},
            "diffaug works on images, and ring8 is made of points",
        ),
        ({"methods": ["bce_ns + pack(size=3)"]}, "joins 3 samples to one input, which does not divide the batch of 64"),
        ({"methods": ["realness + pack"]}, "pack joins 2 samples to one input, but realness reads 51 outputs"),
    ],
)
def test_what_would_end_every_trial_in_an_error_is_refused_at_once(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        expand(suite(**changes))


def test_pending_leaves_out_results_and_tries_infrastructure_failures_again(
    tmp_path: Path, record: Callable[..., Record]
) -> None:
    trials = expand(suite(seeds=4, methods=["nsgan"]))
    store = Store(tmp_path)
    assert pending(trials, store) == [(trial, 0) for trial in trials]

    def keep(trial: Trial, attempt: int, status: Status) -> None:
        made = record(data.workload("digits"), attempt=attempt, status=status)
        its_own = {"trial_id": trial.id, "protocol_version": trial.spec.protocol_version, "spec": trial.spec}
        store.append(msgspec.structs.replace(made, **its_own, components=trial.components))

    keep(trials[0], 0, "ok")
    keep(trials[1], 0, "nonfinite")
    keep(trials[2], 0, "error")
    keep(trials[2], 1, "timeout")
    assert pending(trials, store) == [(trials[2], 2), (trials[3], 0)]
    keep(trials[2], 2, "ok")
    assert pending(trials, store) == [(trials[3], 0)]
    keep(trials[0], 1, "error")
    assert pending(trials, store) == [(trials[3], 0)], "what was lost on the way to more numbers leaves a result"
    wanted = SimpleNamespace(misses=lambda _, made: made.status != "nonfinite")
    assert pending(trials, store, wanted) == [(trials[0], 2), (trials[2], 3), (trials[3], 0)]


def test_smoke_is_small() -> None:
    assert len(expand(load_suite("smoke"))) == 2


def test_a_loss_of_the_users_own_is_identified_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_parts", dict(registry.parts()))
    monkeypatch.setenv("GAN_LOSS_BENCH_LOSSES", "")
    path = tmp_path / "my_losses.py"
    path.write_text(OWN)
    use_losses_of([path])
    assert os.environ["GAN_LOSS_BENCH_LOSSES"] == str(path), "the processes that train know it too"
    trial, plain = only(methods=["own_hinge + r1"]), only(methods=["hinge + r1"])
    assert set(trial.components) - set(plain.components) == {"loss:own_hinge"}
    path.write_text(OWN.replace("(1 - real", "(2 - real"))
    assert only(methods=["own_hinge + r1"]).id != trial.id
    assert only(methods=["hinge + r1"]).id == plain.id


def test_what_a_loss_imports_from_beside_its_file_identifies_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_parts", dict(registry.parts()))
    monkeypatch.setenv("GAN_LOSS_BENCH_LOSSES", "")
    neighbor = tmp_path / "margins_of_my_losses.py"
    neighbor.write_text("MARGIN = 1\n")
    path = tmp_path / "my_losses.py"
    path.write_text(f"from margins_of_my_losses import MARGIN\n{OWN.replace('(1 - real', '(MARGIN - real')}")
    use_losses_of([path])
    trial, plain = only(methods=["own_hinge"]), only(methods=["hinge"])
    (tmp_path / "not_imported.py").write_text("MARGIN = 3\n")
    assert only(methods=["own_hinge"]).id == trial.id
    neighbor.write_text("MARGIN = 2\n")
    assert only(methods=["own_hinge"]).id != trial.id
    assert only(methods=["hinge"]).id == plain.id


def test_a_file_of_losses_that_is_not_there_or_broken_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no file"):
        use_losses_of([tmp_path / "nowhere.py"])
    (tmp_path / "broken.py").write_text("import losses\n\nlosses.get('nothing')\n")
    with pytest.raises(ValueError, match=r"broken\.py, line 3: ValueError: unknown loss 'nothing'"):
        use_losses_of([tmp_path / "broken.py"])


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_every_trial_is_in_exactly_one_part_of_a_plan(count):
    trials = list(range(8))
    parts = [shard_of(trials, part, count) for part in range(1, count + 1)]
    assert sorted(trial for part in parts for trial in part) == trials
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_an_empty_part_of_a_plan_is_refused():
    with pytest.raises(ValueError, match="part 3 of 4 is empty: there are 2 trials"):
        shard_of([0, 1], 3, 4)
