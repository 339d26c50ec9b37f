"""What every test of the tree shares: nothing is downloaded, nothing is written into the user's own caches."""

import gc
import logging
import os
import shutil
import signal
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Tests run side by side; read by torch when it is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

_DEVELOPMENT_DATA = Path(__file__).parents[2] / "shared" / "data"
_ARCHIVE = _DEVELOPMENT_DATA / "mnist.tar.xz"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Run benchmarks once and untimed unless they are asked for: no test passes or fails by the clock."""
    if not (config.getoption("benchmark_only") or config.getoption("benchmark_enable")):
        config.option.benchmark_disable = True


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Make what every test costs small, once everything is imported.

    The garbage collector leaves alone what lives until the end, ten thousand tests and their modules: each full
    collection would walk over all of it, and what measures times makes several a test. And torch's loggers hand their
    records on: pytest ties two handlers to each logger that does not, six times a test, and torch has fifty of them.
    """
    for name, logger in logging.root.manager.loggerDict.items():
        if name.partition(".")[0] == "torch" and isinstance(logger, logging.Logger):
            logger.propagate = True
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_losses_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--losses` names its files to the processes that it starts by a variable, which stays in this one."""
    monkeypatch.delenv("GAN_LOSS_BENCH_LOSSES", raising=False)


@pytest.fixture(scope="session")
def mnist_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds MNIST/raw: $GAN_LOSS_BENCH_DATA, or the development archive unpacked."""
    given = os.environ.get("GAN_LOSS_BENCH_DATA")
    if given is not None and (Path(given) / "MNIST" / "raw").is_dir():
        return Path(given)
    if not _ARCHIVE.is_file():
        pytest.skip("the MNIST files are not there: set GAN_LOSS_BENCH_DATA to the folder that holds MNIST/raw")
    folder = tmp_path_factory.mktemp("data")
    with tarfile.open(_ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def many_files(tmp_path: Path) -> Iterator[Path]:
    """A folder for tens of thousands of files: in memory where there is room, since disks remove them slowly."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 * 2**30:
        with tempfile.TemporaryDirectory(dir=memory) as folder:
            yield Path(folder)
    else:
        yield tmp_path


@pytest.fixture
def unpack_jpegs(many_files: Path) -> Callable[[str], Path]:
    """Unpack a part of the development archive: "test" has 10,000 small JPEG files in CLASS folders, "train" 50,000."""
    archive = _DEVELOPMENT_DATA / "cifar10-jpeg.tar.xz"
    if not archive.is_file():
        pytest.skip("the development archive of JPEG images, cifar10-jpeg.tar.xz, is not there")

    def unpack(part: str) -> Path:
        folder = Path("cifar10-jpeg", part)
        with tarfile.open(archive) as packed:
            packed.extractall(many_files, (each for each in packed if folder in Path(each.name).parents), filter="data")
        return many_files / folder

    return unpack


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    """Debian's browser, driven by playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make browser")
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no Chromium here: install it with apt-get install chromium")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session", autouse=True)
def _hangs_up() -> None:
    """Tests under `nohup` end by SIGHUP what they end by it elsewhere: child processes would ignore it, too."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _sealed_off(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Child processes inherit this too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_LOSS_BENCH_OFFLINE", "1")
        patch.setenv("GAN_LOSS_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
