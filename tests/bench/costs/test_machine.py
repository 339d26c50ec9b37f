"""The machine's rates, and a GPU as nvidia-ml-py tells of it; here it is a module of the test's own."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch

from bench.costs import machine
from bench.store.kernels import Rates

CPU, CUDA = torch.device("cpu"), torch.device("cuda:1")


class NVMLError(Exception):
    pass


def handle(uuid):
    """Answer as NVML does, which knows the whole names alone."""
    if uuid not in ("GPU-123", "MIG-456"):
        raise NVMLError("not found")
    return uuid


@pytest.fixture
def pynvml(monkeypatch):
    told = {"cuda:0": "other", "cuda:1": "123", "cuda:2": "456", "cuda:3": "MIG-456"}
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid=told[str(device)]))
    fake = ModuleType("pynvml")
    fake.NVMLError = NVMLError
    fake.NVML_CLOCK_SM, fake.NVML_CLOCK_MEM = "sm", "memory"
    fake.nvmlInit = fake.nvmlShutdown = lambda: None
    fake.nvmlDeviceGetHandleByUUID = handle
    fake.nvmlDeviceGetName = lambda handle: f"the GPU {handle}".encode()
    fake.nvmlSystemGetDriverVersion = lambda: "550.1"
    fake.nvmlDeviceGetClockInfo = lambda _, which: {"sm": 900, "memory": 1500}[which]
    fake.nvmlDeviceGetMaxClockInfo = lambda _, which: {"sm": 1980, "memory": 2619}[which]
    fake.nvmlDeviceGetPowerManagementLimit = lambda _: 700_000
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


@pytest.mark.slow
def test_the_cpu_has_a_fingerprint_and_rates():
    found = machine.describe(CPU, 1, "fp32")
    assert found.fingerprint == found.environment.fingerprint
    assert found.accelerator is None
    assert 1e8 < found.rates.flops_per_second < 1e14
    assert 1e8 < found.rates.bytes_per_second < 1e13


def test_rates_are_those_of_the_fastest_repetition(monkeypatch):
    seconds = iter([9.0, 9.0, 4.0, 2.0, 3.0, 5.0, 6.0, 9.0, 9.0, 0.5, 0.25, 1.0, 1.0, 1.0])
    monkeypatch.setattr(machine, "elapsed", lambda *_: next(seconds))
    found = machine.measure_rates(CPU, "fp32")
    assert found.flops_per_second == 2 * 1024**3 / 2.0
    assert found.bytes_per_second == 8 * 2**24 / 0.25


def test_a_gpu_is_described(pynvml):
    found = machine.read_accelerator(CUDA)
    assert (found.name, found.driver, found.power_limit) == ("the GPU GPU-123", "550.1", 700.0)
    assert (found.sm_clock, found.sm_clock_maximum) == (900, 1980)
    assert (found.memory_clock, found.memory_clock_maximum) == (1500, 2619)


@pytest.mark.parametrize(("device", "name"), [("cuda:2", "the GPU MIG-456"), ("cuda:3", "the GPU MIG-456")])
def test_a_part_of_a_gpu_is_found_by_its_own_name(pynvml, device, name):
    assert machine.read_accelerator(torch.device(device)).name == name


@pytest.mark.parametrize("question", ["nvmlDeviceGetHandleByUUID", "nvmlDeviceGetName", "nvmlSystemGetDriverVersion"])
def test_a_gpu_that_nvml_does_not_speak_of_has_no_description(pynvml, question):
    ended = []
    pynvml.nvmlShutdown = lambda: ended.append(True)

    def refuse(*_):
        raise NVMLError("insufficient permissions")

    setattr(pynvml, question, refuse)
    assert machine.read_accelerator(CUDA) is None
    assert ended == [True]


def test_the_floor_is_that_of_products_that_draw_power(monkeypatch):
    """Ones would change few bits from one number to the next."""
    spread, multiply = [], torch.mm

    def watching(left, right, out):
        spread.extend(float(each.std()) for each in (left, right))
        return multiply(left, right, out=out)

    monkeypatch.setattr(torch, "mm", watching)
    machine.measure_rates(CPU, "fp32")
    assert min(spread) > 0.9


def test_what_a_gpu_does_not_tell_is_none(pynvml):
    def refuse(*_):
        raise NVMLError("not supported")

    pynvml.nvmlDeviceGetClockInfo = pynvml.nvmlDeviceGetPowerManagementLimit = refuse
    found = machine.read_accelerator(CUDA)
    assert found.sm_clock is found.memory_clock is found.power_limit is None
    assert found.sm_clock_maximum == 1980


def test_without_the_driver_or_the_package_there_is_no_description(pynvml, monkeypatch):
    def refuse():
        raise NVMLError("driver not loaded")

    pynvml.nvmlInit = refuse
    assert machine.read_accelerator(CUDA) is None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert machine.read_accelerator(CUDA) is None


def test_the_driver_is_part_of_a_gpus_fingerprint_and_the_present_clock_is_not(pynvml, monkeypatch):
    monkeypatch.setattr(machine, "accelerator_name", lambda _: "A GPU")
    monkeypatch.setattr(machine, "measure_rates", lambda *_: Rates(flops_per_second=1.0, bytes_per_second=1.0))
    first = machine.describe(CUDA, 1, "fp32").fingerprint
    pynvml.nvmlDeviceGetClockInfo = lambda *_: 300
    assert machine.describe(CUDA, 1, "fp32").fingerprint == first
    pynvml.nvmlSystemGetDriverVersion = lambda: "560.2"
    assert machine.describe(CUDA, 1, "fp32").fingerprint != first
