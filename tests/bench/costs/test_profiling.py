"""What the profiler saw, against counts by hand."""

from types import SimpleNamespace

import pytest
import torch

from bench.costs.profiling import TOP, device_kernels, profile, top_kernels
from bench.store.kernels import Kernel, Rates

CPU = torch.device("cpu")


def test_operators_are_counted_where_they_are_called():
    left, right = torch.ones(64, 64), torch.ones(64, 64)

    def call():
        return (torch.matmul(left, right) + left).exp()

    call()
    found = profile(call, CPU, seconds=1.0)
    assert found.kernels == 3
    assert {kernel.name: kernel.calls for kernel in found.top} == {"aten::matmul": 1, "aten::add": 1, "aten::exp": 1}
    assert found.flops == 2 * 64**3
    assert 0 < found.kernel_seconds <= found.wall_seconds
    assert 0.0 <= found.launch_share < 1.0
    assert found.kernel_seconds == pytest.approx(sum(kernel.seconds for kernel in found.top))


def test_time_outside_operators_is_launch_bound():
    values = torch.ones(8)

    def python_alone():
        return sum(range(200_000)) + values.add(1).shape[0]

    large = torch.ones(700, 700)
    assert profile(python_alone, CPU, 1.0).launch_share > 0.8
    assert profile(lambda: large @ large, CPU, 1.0).launch_share < 0.5


def test_peak_memory_is_the_most_that_was_held_at_once():
    quarter = 2**18

    def call():
        one = torch.ones(quarter)
        two = torch.ones(quarter)
        del one, two
        return torch.ones(quarter)

    assert profile(call, CPU, 1.0).peak_extra_bytes == pytest.approx(2 * 4 * quarter, rel=0.01)


def test_the_longest_kernels_come_first():
    ran = [("b", 1.0), ("a", 2.0), ("b", 2.0), *((f"small {place}", 0.1) for place in range(9))]
    found = top_kernels(ran)
    assert len(found) == TOP
    assert found[:2] == [Kernel("b", 2, 3.0), Kernel("a", 1, 2.0)]


def test_on_cuda_a_kernel_is_what_the_device_ran():
    def event(name, device, microseconds, *, annotation=False):
        kind = SimpleNamespace(name=device)
        return SimpleNamespace(
            name=name, device_type=kind, self_device_time_total=microseconds, is_user_annotation=annotation
        )

    events = [
        event("aten::mm", "CPU", 50.0),
        event("sgemm", "CUDA", 50.0),
        event("D real", "CUDA", 80.0, annotation=True),
        event("Memcpy", "CUDA", 2.0),
    ]
    assert device_kernels(events) == [("sgemm", pytest.approx(50e-6)), ("Memcpy", pytest.approx(2e-6))]


def test_the_floor_is_the_slower_of_computing_and_moving():
    found = profile(lambda: torch.ones(10) + 1, CPU, 1.0)
    assert found.floor(Rates(flops_per_second=1.0, bytes_per_second=40.0)) == found.bytes / 40.0
    assert found.bytes > 0
