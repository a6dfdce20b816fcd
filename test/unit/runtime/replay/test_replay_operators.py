"""Each operator, replayed, is PyTorch's bit for bit."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from replayed import capture, python_steps
from torch import Tensor

from ramiel.runtime import kernels
from ramiel.runtime.replay.dispatcher import FREES_STRINGS
from ramiel.runtime.replay.native import native

pytestmark = pytest.mark.skipif(native() is None, reason="without the native part or oneDNN")

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "in place": lambda x: F.silu(x * 2, inplace=True),
    "out": torch.sigmoid,
    "two results": lambda x: F.max_pool2d(x, [3, 3], [2, 2]),
    "empty results": lambda x: F.batch_norm(x, x[0, :, 0, 0], x[0, :, 1, 1].abs(), eps=0.1),
    "without out": lambda x: F.layer_norm(x, [64], x[0, 0, 0], x[0, 0, 1]),
    "without an optional tensor": lambda x: F.layer_norm(x, [64]),
    "string": lambda x: F.gelu(x, approximate="tanh"),
    "optional list": lambda x: x.mean([2, 3]),
    "optional number": lambda x: F.interpolate(x, scale_factor=2.0),
    "optional type": lambda x: x.sum(3, dtype=torch.float64),
    "list of optional tensors": lambda x: torch.ops.aten.index(x, [None, torch.tensor([3, 0])]),
    "conversion": lambda x: x.double(),
    "conversion to bool": lambda x: x.bool(),
    "view": lambda x: x.mT.softmax(-1),
    "number": lambda x: x < 0.5,
    "remainder": lambda x: x.remainder(0.3) + x.fmod(0.7),
    "integer for a float": lambda x: torch.where(x > 1, x, 3),
    "clamp": lambda x: x.clamp(-0.3, 0.4) + x.clamp_min(0.1) + x.clamp_max(0.1),
    "clamp of a slice": lambda x: F.relu(x[:, 1:6, ::2]) + x[:, 2:7, 1::2].clamp_max(0.1),
    "few channels": lambda x: x[:, 5:].contiguous(memory_format=torch.channels_last) * 1,
    "pool of a slice": lambda x: kernels.max_pool2d(x[:, 1:6], 3, 2),
    "clamp of another type": lambda x: (x * 9).int().clamp(-2, 3),
    "relu6": lambda x: F.relu6(x * 9),
    "broadcast": lambda x: x * x[:1, :, :1, :1] + x[0, 0, 0],
    "broadcast of the first": lambda x: x[:1, :1] - x,
    "strides": lambda x: x[:, ::2, 1:, ::3] / x.mT[:, ::2, 1:, ::3],
    "integers": lambda x: (x * 9).long() * 3 - (x * 9).long()[:1],
    "number first": lambda x: 2 - x,
    "square": lambda x: x**2,
    "square root": lambda x: x.abs().sqrt(),
    "constants": lambda x: x + torch.arange(64) * torch.full((), 2.5) + torch.ones_like(x),
    "masked": lambda x: x.masked_fill(x > 1, -1e9),
    "constant output": lambda x: torch.zeros_like(x),
    "stack": lambda x: torch.stack([x, x.mT, x], 2),
    "pad": lambda x: F.pad(x, [1, 2, -3, 4, 0, 1], value=0.5),
    "crop": lambda x: F.pad(x, [-1, -2]),
    "product": lambda x: x[0] @ x[1],
    "roll": lambda x: x.roll([1, 2], [2, 3]),
    "convolution": lambda x: F.conv1d(x[:, 0], x[0, :, :, :5]),
}


class MallInfo(ctypes.Structure):
    """glibc's struct mallinfo2, up to the bytes in use, and the two fields after them."""

    _fields_ = (
        ("before", ctypes.c_size_t * 7),
        ("used", ctypes.c_size_t),
        ("after", ctypes.c_size_t * 2),
    )


def allocated() -> int:
    """Bytes that have been allocated in C and C++."""
    info = ctypes.CDLL(None).mallinfo2
    info.restype = MallInfo
    return info().used


@pytest.mark.usefixtures("restored_threads")
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_operators_are_bit_for_bit_pytorchs(name: str, threads: int) -> None:
    function = FUNCTIONS[name]
    for memory_format in (torch.contiguous_format, torch.channels_last):
        first, *others = (
            torch.randn(2, 8, 64, 64).contiguous(memory_format=memory_format) for _ in range(3)
        )
        plan = capture(function, first, threads)
        assert python_steps(plan) == (name == "string" and not FREES_STRINGS)
        for x in (first, *others):
            with torch.no_grad():
                expected = function(x)
            (got,) = plan.run([x]) or [None]
            assert got is not None and got.dtype is expected.dtype
            assert torch.equal(got, expected)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.0])
def test_special_values(value: float) -> None:
    x = torch.randn(2, 8, 64, 64)
    x[:, :, ::3, ::5] = value
    for name in ("clamp", "relu6", "broadcast", "square", "number first", "out"):
        plan = capture(FUNCTIONS[name], x, 1)
        (got,) = plan.run([x]) or [None]
        assert got is not None
        assert torch.equal(got.nan_to_num(7), FUNCTIONS[name](x).nan_to_num(7))


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_slices_that_are_not_finite(value: float) -> None:
    """What the slice leaves out may be anything."""
    x = torch.randn(2, 8, 64, 64)
    plan = capture(FUNCTIONS["pool of a slice"], x, 1)
    x[:, 6] = value
    assert plan.run([x])
    x[1, 5, 63, 63] = value
    assert plan.run([x]) is None


@pytest.mark.usefixtures("restored_threads")
@pytest.mark.parametrize("function", [F.leaky_relu, F.elu, lambda x: x**3])
def test_operators_that_only_python_calls(function: Callable[[Tensor], Tensor]) -> None:
    plan = capture(function, torch.randn(2, 8, 64, 64), 2)
    assert python_steps(plan) == 1
    x = torch.randn(2, 8, 64, 64)
    (got,) = plan.run([x]) or [None]
    assert got is not None and torch.equal(got, function(x))


def test_an_operator_that_fails() -> None:
    rows = torch.tensor([1, 2])
    plan = capture(lambda rows: torch.ones(3, 4).index_select(0, rows), rows, 1)
    assert python_steps(plan) == 0
    for _ in range(100):
        assert plan.run([torch.tensor([1, 3])]) is None
        (got,) = plan.run([torch.tensor([0, 2])]) or [None]
        assert got is not None and torch.equal(got, torch.ones(2, 4))


def test_operators_keep_no_memory() -> None:
    def function(x: Tensor) -> Tensor:
        x = F.layer_norm(F.silu(x), [8], x[0], x[1]).softmax(-1)[None, None]
        return F.interpolate(x, scale_factor=2.0).mean([2, 3])

    instance = capture(function, torch.randn(8, 8), 1)._idle[0]
    for calls in (100, 10000):  # the first ones may fill caches
        before = allocated()
        for _ in range(calls):
            assert instance.native.run(instance._plan, 0) == 0
    assert allocated() - before < 10000


def test_operators_leave_the_callers_settings() -> None:
    plan = capture(torch.sigmoid, torch.randn(4, 4), 1)
    for enabled in (True, False):
        with torch.set_grad_enabled(enabled):
            assert plan.run([torch.randn(4, 4)]) is not None
            assert torch.is_grad_enabled() is enabled
    x = torch.randn(4, 4, requires_grad=True)
    torch.sigmoid(x).sum().backward()


def test_operators_need_no_lock_of_pythons() -> None:
    def function(x: Tensor) -> Tensor:
        for _ in range(300):
            x = torch.sigmoid(x)
        return x

    plan = capture(function, torch.randn(300, 300), 1)
    instance = plan._idle[0]
    ((_, outputs),) = instance._outputs
    assert outputs._whole is not None
    result = outputs._whole.fill_(-1)
    last = ctypes.c_float.from_address(result.data_ptr() + 4 * (result.numel() - 1))
    interval = sys.getswitchinterval()
    thread = threading.Thread(target=lambda: instance.native.run(instance._plan, 0))
    try:
        thread.start()
        time.sleep(0.003)  # until it is in the plan
        sys.setswitchinterval(60)  # from here on, this thread has the lock
        deadline = time.monotonic() + 20
        while last.value == -1 and time.monotonic() < deadline:
            pass
        assert last.value != -1
    finally:
        sys.setswitchinterval(interval)
        thread.join()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_numbers_keep_their_precision(dtype: torch.dtype) -> None:
    x = torch.randn(4096).to(dtype)
    plan = capture(lambda x: (x * 0.1) / 0.3 + 0.7 - 0.01, x, threads=1)
    (got,) = plan.run([x]) or [None]
    assert got is not None and torch.equal(got, (x * 0.1) / 0.3 + 0.7 - 0.01)
