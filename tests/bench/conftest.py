"""Synthetic records with a planted order, for everything that reads records and never trains."""

import functools
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from planted_records import make_toy, make_workload, planted_record

from bench.config.trial import Trial
from bench.config.workload import Workload
from bench.data import digits
from bench.store import environment
from bench.store.journal import Store
from bench.store.record import Record


@pytest.fixture(scope="session", autouse=True)
def _read_once() -> Iterator[None]:
    """What stays the same while the tests run is read once: which packages are installed, and scikit-learn's digits."""
    images: dict[bytes, np.ndarray] = {}
    enlarge = digits.prepare

    def prepare(levels: np.ndarray) -> np.ndarray:
        key = levels.tobytes()
        if key not in images:
            images[key] = enlarge(levels)
        return images[key].copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "version", functools.cache(environment.version))
        patch.setattr(digits, "prepare", prepare)
        yield


@pytest.fixture(scope="session")
def workload() -> Workload:
    return make_workload()


@pytest.fixture(scope="session")
def toy() -> Workload:
    return make_toy()


@pytest.fixture(scope="session")
def record() -> Callable[..., Record]:
    """Make one record: `record(workload, method, seed, distance=..., status=...)`."""
    return planted_record


PLANTED_ORDER = ("nsgan + r1(gamma=10)", "wgan-gp", "nsgan", "mmgan")


@pytest.fixture(scope="session")
def planted_order() -> tuple[str, ...]:
    """The methods of `planted`, the best first."""
    return PLANTED_ORDER


@pytest.fixture(scope="session")
def planted(workload: Workload) -> Callable[..., list[Record]]:
    """Make the records of four methods whose distances are four apart, far more than their seeds scatter."""

    def make(seeds: int = 5, methods: Sequence[str] = PLANTED_ORDER) -> list[Record]:
        records = []
        for place, method in enumerate(methods):
            for seed in range(seeds):
                noise = zlib.crc32(f"{method}/{seed}".encode()) / 2**32  # a fixed scatter of up to 20 %
                records.append(planted_record(workload, method, seed, distance=20.0 * 4**place * (0.9 + 0.2 * noise)))
        return records

    return make


@pytest.fixture
def results(tmp_path: Path, planted: Callable[..., list[Record]]) -> Path:
    """A results folder with 4 methods x 3 seeds, one of them failed and one lost, and sample grids of seed 0 and 1."""
    records = planted(3)
    records[-1] = planted_record(make_workload(), PLANTED_ORDER[-1], 2, distance=None, status="nonfinite")
    root = tmp_path / "results"
    folder = root / "records"
    folder.mkdir(parents=True)
    pixel = bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8ffff3f0005fe02fe"
        "0def46b80000000049454e44ae426082"
    )
    for each in records:
        (folder / f"{each.trial_id}.{each.attempt}.json").write_bytes(msgspec.json.encode(each))
        if each.spec.seed < 2:
            grid = root / "artifacts" / each.trial_id
            grid.mkdir(parents=True)
            (grid / "samples.png").write_bytes(pixel)
    return root


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A container's user without a name, and the folder of temporary files is the test's own."""

    def nobody(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for variable in ("HOME", "TORCH_HOME", "XDG_CACHE_HOME", "GAN_LOSS_BENCH_CACHE", "GAN_LOSS_BENCH_DATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of 560 small pictures of one colour each: enough to be trained on."""
    from PIL import Image

    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(560):
        Image.new("RGB", (36, 40), (number % 256, number // 4, 255 - number % 256)).save(folder / f"{number:03}.png")
    return folder


@pytest.fixture(autouse=True)
def _without_imagenet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photographs are measured in the workloads' own extractors, whatever is installed here."""
    from bench.extractors import imagenet_weights

    monkeypatch.setattr(imagenet_weights, "_PACKAGE", "not_installed")


@pytest.fixture(scope="session")
def _imagenet_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import imagenet_file

    return imagenet_file.write(tmp_path_factory.mktemp("imagenet")).parents[2]


@pytest.fixture
def imagenet(_without_imagenet: None, _imagenet_package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Made-up weights of EfficientNet-Lite0 as those that are installed and pinned; their file."""
    import imagenet_file

    return imagenet_file.install(monkeypatch, _imagenet_package)


@pytest.fixture(scope="session")
def inception_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights for Inception."""
    import inception_file

    return inception_file.write(tmp_path_factory.mktemp("inception") / "weights.pth")


@pytest.fixture(scope="module")
def small_inception() -> Iterator[None]:
    """Inception on images of 75x75 and with 192 features, a twentieth of the work; also for torch-fidelity itself."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    from bench.extractors import inception_network

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureExtractorInceptionV3, "INPUT_IMAGE_SIZE", 75)
        patch.setattr(inception_network, "LAYERS", ("192", "logits_unbiased"))
        yield


@pytest.fixture(scope="session")
def _judge_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("judges")


@pytest.fixture(scope="module")
def judge_file(_judge_folder: Path) -> Iterator[Callable[[str], Path]]:
    """Return the file of a small judge's random weights, given its name: it is the official one here."""
    import judge_files

    with pytest.MonkeyPatch.context() as patch:
        judge_files.make_small(patch)

        def of(name: str) -> Path:
            path = _judge_folder / f"{name}.pt"
            if not path.is_file():
                judge_files.WRITERS[name](path)
            judge_files.make_official(patch, name, path)
            return path

        yield of


@pytest.fixture
def untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No further steps are timed at the end of a trial of this process."""
    from small_trials import leave_out_timing

    leave_out_timing(monkeypatch)


@pytest.fixture
def trial(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, workload: Workload, record: Callable[..., Record]
) -> Callable[..., Trial]:
    """Make a trial of the fake trainer: `trial(method, seed)`; the method's name says what that trainer does."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "execution"))
    monkeypatch.setenv("FAKE_TRAINING_MARKER", str(tmp_path / "marker"))
    return lambda method="plain", seed=0: record(workload, method, seed).trial


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")
