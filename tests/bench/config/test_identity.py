"""The identity of a trial. A failure of the golden value means that all records ever made are orphaned."""

import msgspec

from bench.config.trial import Network, Optimizer, Spec, Trial, canonical_json, trial_id

SPEC = Spec(
    protocol_version="1.0",
    track="controlled",
    method="bce_ns + r1(gamma=10, every=1)",
    method_name="nsgan-r1",
    workload="digits",
    data_hash="00" * 32,
    network=Network(name="dcgan-v1", width=32, channels=1, image_size=32, latent_size=100, d_norm="ln"),
    optimizer=Optimizer(name="adam", lr_generator=2e-4, lr_discriminator=2e-4, betas=(0.5, 0.999)),
    critic_steps=1,
    batch_size=64,
    steps=600,
    evaluate_every=200,
    samples=2000,
    precision="fp32",
    seed=0,
)
COMPONENTS = {"engine": "1", "losses": "1", "metrics": "1", "extractor": "digits-cnn-v1:ab12cd34ef56", "data": "00"}


def test_golden_identity() -> None:
    assert trial_id(SPEC, COMPONENTS) == "e3a2ab5b2a0fba1f"


def test_order_of_the_components_does_not_count() -> None:
    assert trial_id(SPEC, dict(reversed(COMPONENTS.items()))) == trial_id(SPEC, COMPONENTS)


def test_display_name_does_not_count() -> None:
    renamed = msgspec.structs.replace(SPEC, method_name="bce_ns + r1(gamma=10, every=1)")
    assert trial_id(renamed, COMPONENTS) == trial_id(SPEC, COMPONENTS)


def test_the_folder_that_images_are_read_from_does_not_count() -> None:
    def identity(workload: str) -> str:
        return trial_id(msgspec.structs.replace(SPEC, workload=workload), COMPONENTS)

    assert identity("imagefolder:/a/cats?size=32") == identity("imagefolder:/b?c/dogs?size=32")
    assert identity("imagefolder:/a/cats?size=32") != identity("imagefolder:/a/cats?size=64")


def test_every_other_field_counts() -> None:
    changes: dict[str, object] = {
        "protocol_version": "1.1",
        "track": "paper",
        "method": "bce_ns",
        "workload": "ring8",
        "data_hash": "11" * 32,
        "network": msgspec.structs.replace(SPEC.network, d_norm="bn"),
        "optimizer": msgspec.structs.replace(SPEC.optimizer, lr_generator=1e-4),
        "critic_steps": 2,
        "batch_size": 32,
        "steps": 601,
        "evaluate_every": 100,
        "samples": 1000,
        "precision": "bf16",
        "seed": 1,
        "allow_invalid": True,
    }
    assert {*changes, "method_name"} == set(Spec.__struct_fields__)
    changed = [trial_id(msgspec.structs.replace(SPEC, **{name: value}), COMPONENTS) for name, value in changes.items()]
    components = [trial_id(SPEC, COMPONENTS | {name: "other"}) for name in COMPONENTS]
    everything = [trial_id(SPEC, COMPONENTS), *changed, *components]
    assert len(set(everything)) == len(everything)


def test_identity_survives_the_disk() -> None:
    trial = Trial(spec=SPEC, components=COMPONENTS)
    assert msgspec.json.decode(msgspec.json.encode(trial), type=Trial).id == trial.id


def test_canonical_json_sorts_keys_and_shortens_floats() -> None:
    assert canonical_json({"b": 0.1, "a": (0.5, 0.999)}) == b'{"a":[0.5,0.999],"b":0.1}'
