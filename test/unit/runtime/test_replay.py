"""Replay: a captured program computes what the program computes, whatever happens in between."""

from __future__ import annotations

import copy
import ctypes
import inspect
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from types import FrameType
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from onnx import parser
from small_programs import Net, X, net_weights
from torch import Tensor

import ramiel
from ramiel.api import CompiledProgram
from ramiel.cores import cores
from ramiel.runtime import OpError, kernels, one_thread
from ramiel.runtime.replay import memory
from ramiel.runtime.replay.dispatcher import FREES_STRINGS
from ramiel.runtime.replay.native import Kind, native
from ramiel.runtime.replay.plan import MOST_IDLE, Plan
from ramiel.runtime.replay.tape import (
    Call,
    NotCapturable,
    Receive,
    Send,
    Tape,
    changes,
    running,
)

pytestmark = pytest.mark.skipif(native() is None, reason="without the native part or oneDNN")

MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
branches (float[1, 8, 48, 48] x, float[1, 8, 48, 48] z) => (y, pooled)
{
  shape = Constant <value_ints = [8, 8, 3, 3]> ()
  a_w = ConstantOfShape <value = float[1] {0.01}> (shape)
  b_w = ConstantOfShape <value = float[1] {-0.02}> (shape)
  a = Conv <pads = [1, 1, 1, 1]> (x, a_w)
  a_relu = Relu (a)
  b = Conv <pads = [1, 1, 1, 1]> (z, b_w)
  b_pool = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (b)
  c = Conv <pads = [1, 1, 1, 1]> (a_relu, b_w)
  d = Add (c, b_pool)
  e = Sigmoid (d)
  y = Concat <axis = 1> (a_relu, e, b_pool)
  pooled = GlobalAveragePool (y)
}
"""


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return parser.parse_model(MODEL)


@pytest.fixture
def program(model: onnx.ModelProto) -> Iterator[CompiledProgram]:
    with ramiel.compile(model, workers=2, schedule="linear") as program:
        yield program


def inputs(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x, z = (torch.randn(1, 8, 48, 48, generator=generator) for _ in range(2))
    return x, z


def plans(program: CompiledProgram) -> list[Plan]:
    return [p for p in program._plans._plans.values() if isinstance(p, Plan)]


def check(program: CompiledProgram, *given: Any) -> None:
    program._serial_plans.clear()  # the first call runs in Python
    for got, expected in zip(program(*given), program.serial(*given), strict=True):
        assert got.is_contiguous()
        assert torch.equal(got, expected) or (got - expected).abs().max() < 1e-5


def serial_replays(program: CompiledProgram, *given: Any) -> bool:
    """Whether a call of serial() is replayed: Python's function is not run."""
    function = inspect.unwrap(type(program).serial).__code__
    called: list[object] = []

    def profile(frame: FrameType, event: str, arg: object) -> None:
        if event == "call" and frame.f_code is function:
            called.append(1)

    threading.setprofile(profile)  # a taped run has a thread of its own
    sys.setprofile(profile)
    try:
        program.serial(*given)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # pyright: ignore[reportArgumentType]
    return not called


def replays(program: CompiledProgram, *given: Any) -> bool:
    """Whether a call is replayed: Python's workers are not run."""
    before = program._run_in_python
    called: list[object] = []
    program.__dict__["_run_in_python"] = lambda samples: called.append(1) or before(samples)
    try:
        program(*given)
    finally:
        del program.__dict__["_run_in_python"]
    return not called


@pytest.mark.parametrize("schedule", ["serial", "intra-op", "linear", "list", "dsc", "ios"])
@pytest.mark.parametrize("workers", [1, 2, 3, 16])
def test_replays_are_bit_for_bit_the_program(
    model: onnx.ModelProto, schedule: str, workers: int
) -> None:
    with ramiel.compile(model, workers=workers, schedule=schedule) as program:
        expected = [program(*inputs(seed)) for seed in (0, 1)]
        program.capture(*inputs())
        for seed in (0, 1, 0, 1):
            assert replays(program, *inputs(seed))
            for got, want in zip(program(*inputs(seed)), expected[seed], strict=True):
                assert torch.equal(got, want)


def test_weights_that_only_pytorch_can_read(model: onnx.ModelProto) -> None:
    with ramiel.compile(model, workers=2, schedule="linear", provider="torch") as program:
        expected = program(*inputs(1))
        program.capture(*inputs())
        assert replays(program, *inputs(1))
        assert all(map(torch.equal, program(*inputs(1)), expected))


def test_calls_capture_by_themselves(program: CompiledProgram) -> None:
    assert [replays(program, *inputs()) for _ in range(4)] == [False, True, True, True]
    check(program, *inputs(1))
    assert len(plans(program)) == 1


@pytest.mark.parametrize("how", ["RAMIEL_CAPTURE is 0", "capture is off"])
@pytest.mark.parametrize("duplicate", [lambda p: p, copy.copy, copy.deepcopy])
def test_it_can_be_switched_off(
    model: onnx.ModelProto, how: str, duplicate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_variable = how == "RAMIEL_CAPTURE is 0"
    if by_variable:
        monkeypatch.setenv("RAMIEL_CAPTURE", "0")
    with duplicate(ramiel.compile(model, workers=2, capture=by_variable)) as program:
        assert not any(replays(program, *inputs()) for _ in range(4))
        assert not any(serial_replays(program, *inputs()) for _ in range(4))
        assert program.capture_status(*inputs()) == how
        assert program.serial_capture_status(*inputs()) == how
        program.capture(*inputs())
        assert replays(program, *inputs())


def test_serial_replays_bit_for_bit(program: CompiledProgram) -> None:
    expected = [program(*inputs(seed)) for seed in (0, 1)]
    assert program.serial_capture_status(*inputs()) == "not called so far"
    assert not serial_replays(program, *inputs())
    assert program.serial_capture_status(*inputs()) == "called only once so far"
    assert not serial_replays(program, *inputs())  # it is taped
    assert program.serial_capture_status(*inputs()) == "captured"
    program.close()  # it needs none of the program's threads
    for seed in (0, 1, 0, 1):
        assert serial_replays(program, *inputs(seed))
        assert all(map(torch.equal, program.serial(*inputs(seed)), expected[seed]))
    x, z = inputs()
    assert torch.equal(program.serial(z=z.numpy(), x=x)[0], expected[0][0])
    nan = torch.full_like(x, float("nan"))
    assert program.serial(nan, z)[0].isnan().any()
    assert serial_replays(program, x, z)
    program.serial(x, z)[0].zero_()
    assert all(map(torch.equal, program.serial(x, z), expected[0]))


def test_two_serial_forms_do_not_share_plans(model: onnx.ModelProto) -> None:
    class Two(type(ramiel.compile(model))):
        @one_thread
        def negative(self, x: Tensor, z: Tensor) -> Tensor:
            return inspect.unwrap(type(self).serial)(self, x, z)[0].neg()

    with ramiel.compile(model, workers=2) as program:
        program.__class__ = Two
        for _ in range(4):
            y, _ = program.serial(*inputs())
            assert torch.equal(program.negative(*inputs()), -y)  # pyright: ignore


def test_serial_from_several_threads(program: CompiledProgram) -> None:
    expected = [program.serial(*inputs(seed)) for seed in range(4)]

    def call(seed: int) -> bool:
        return all(
            torch.equal(a, b)
            for _ in range(100)
            for a, b in zip(program.serial(*inputs(seed)), expected[seed], strict=True)
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(call, range(4)))
    assert program.serial_capture_status(*inputs()) == "captured"


def test_programs_that_call_programs(model: onnx.ModelProto, program: CompiledProgram) -> None:
    """A tape would not see what the inner program does in its own threads, or replays."""

    class Outer(type(program)):
        @one_thread
        def serial(self, x: Tensor, z: Tensor) -> Any:
            return tuple(program.serial(x * 2, z))

    with ramiel.compile(model, workers=2) as outer:
        outer.__class__ = Outer
        for seed in range(4):
            x, z = inputs(seed)
            assert torch.equal(outer.serial(x, z)[0], program.serial(x * 2, z)[0])
        assert "a program of its own" in outer.serial_capture_status(*inputs())


def test_batches(model: onnx.ModelProto) -> None:
    with ramiel.compile(model, workers=2, schedule="hyper", batch=2) as program:
        given = [torch.cat([a, b]) for a, b in zip(inputs(0), inputs(1), strict=True)]
        for _ in range(4):
            check(program, *given)
        assert plans(program)
        odd = [torch.cat([x, x[:1]]) for x in given]
        expected = program.serial(*odd)
        assert program.serial_capture_status(*odd) == "captured"
        assert serial_replays(program, *odd)
        for call in (program, program.serial):
            assert all(map(torch.equal, call(*odd), expected))
        with pytest.raises(NotCapturable, match="1 of the 2 samples"):
            program.capture(*inputs())


def test_concatenations_are_divided_among_those_who_make_the_parts(model: onnx.ModelProto) -> None:
    """Each of the two workers copies what it has made, right after it; bits stay as they are."""
    with ramiel.compile(model, workers=2, schedule="linear") as program:
        program.capture(*inputs())
        (plan,) = plans(program)
        called = [
            [n.event.function for n in steps if isinstance(n.event, Call)] for steps in plan.workers
        ]
        copies = [functions.count(torch.ops.aten.copy_.default) for functions in called]
        assert len(copies) == 2 and min(copies) > 0
        assert torch.ops.aten.cat.default not in chain.from_iterable(called)
        for seed in range(50):
            check(program, *inputs(seed))


def test_inputs_that_share_memory(program: CompiledProgram) -> None:
    x, z = inputs()
    program.capture(x, x)
    check(program, x, z)
    check(program, z, x)
    y, _ = program(x, z)
    check(program, y[:, :8], y[:, 8:16])


def test_other_shapes_and_strides(program: CompiledProgram) -> None:
    x, z = inputs()
    program.capture(x, z)
    for image in (x.to(memory_format=torch.channels_last), x.mT, x[:, :1].expand(-1, 8, -1, -1)):
        for _ in range(3):
            check(program, image, z)
    with pytest.raises(ValueError, match="expected float32"):
        program(x[:, :1], z)
    check(program, x, z)


def test_open_dimensions_keep_the_last_plans() -> None:
    text = MODEL.replace("float[1, 8, 48, 48]", "float[N, 8, 48, 48]")
    with ramiel.compile(parser.parse_model(text), workers=2, schedule="linear") as program:
        for size in range(1, 12):
            given = [torch.randn(size, 8, 48, 48) for _ in range(2)]
            for _ in range(3):
                check(program, *given)
        assert 0 < len(plans(program)) <= 8


def test_values_that_are_not_finite(program: CompiledProgram) -> None:
    x, z = inputs()
    program.capture(x, z)
    z[0, 3, 5, 5] = float("nan")
    z[0, 1, 2, 2] = -float("inf")
    for got, want in zip(program(x, z), program.serial(x, z), strict=True):
        assert torch.allclose(got, want, equal_nan=True)
    check(program, *inputs(2))
    assert replays(program, *inputs(2))


def test_results_are_the_callers(program: CompiledProgram) -> None:
    x, z = inputs()
    program.capture(x, z)
    first = program(x, z)
    kept = [y.clone() for y in first]
    for y in program(z, x):
        y.zero_()
    assert all(map(torch.equal, first, kept))
    check(program, x, z)


def _change_in_place(program: Any) -> None:
    next(iter(program.buffers())).mul_(2)


def _change_data(program: Any) -> None:
    tensor = next(iter(program.buffers()))
    tensor.data = tensor.data * 3


def _load(program: Any) -> None:
    program.load_state_dict({k: v * 4 for k, v in program.state_dict().items()})


def _exchange_tensor(program: Any) -> None:
    layer = next(iter(program.children()))
    layer.weight = layer.weight * 5


def _exchange_layer(program: Any) -> None:
    name, layer = next(iter(program.named_children()))
    new = copy.deepcopy(layer)
    new.weight.mul_(6)
    setattr(program, name, new)


def _forget(program: Any) -> None:
    layer = next(iter(program.children()))
    layer.weight.data.mul_(7)
    for layer in program.children():
        layer.forget()


def _hook(program: Any) -> None:
    layer = next(iter(program.children()))
    layer.register_forward_hook(lambda module, args, y: y * 8)


@pytest.mark.parametrize(
    "change",
    [_change_in_place, _change_data, _load, _exchange_tensor, _exchange_layer, _forget, _hook],
)
@pytest.mark.parametrize("automatic", [False, True])
def test_changes_are_noticed(
    program: CompiledProgram, change: Any, automatic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "count", 0)  # as in a process where nothing has changed so far
    x, z = inputs()
    if automatic:
        for _ in range(2):
            program(x, z)
    else:
        program.capture(x, z)
    for _ in range(2):
        program.serial(x, z)
    assert replays(program, x, z) and serial_replays(program, x, z)
    before = program(x, z)
    change(program)
    for _ in range(4):
        check(program, x, z)
    assert not torch.equal(program(x, z)[0], before[0])


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))]
)
def test_copies(program: CompiledProgram, duplicate: Any) -> None:
    program.capture(*inputs())
    other = duplicate(program)
    with other:
        for _ in range(3):
            check(other, *inputs(1))
    check(program, *inputs(1))


@pytest.mark.parametrize("workers", [2, 16])
def test_calls_from_several_threads(model: onnx.ModelProto, workers: int) -> None:
    with ramiel.compile(model, workers=workers, schedule="list") as program:
        program.capture(*inputs())
        expected = [program.serial(*inputs(seed)) for seed in range(4)]

        def call(seed: int) -> bool:
            return all(
                torch.equal(a, b) or (a - b).abs().max() < 1e-5
                for _ in range(200)
                for a, b in zip(program(*inputs(seed)), expected[seed], strict=True)
            )

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(call, range(4)))


REFUSED = {
    "reads values": """
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[4, 4] x, int64[2] shape) => (y) { a = Relu (x)  y = Reshape (a, shape) }
    """,
    "depends on values": """
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[4, 4] x, int64[2] shape) => (y) { a = Relu (x)  y = NonZero (a) }
    """,
    "on chance": """
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[4, 4] x, int64[2] shape) => (y) { a = RandomNormalLike (x)  y = Add (a, x) }
    """,
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_not_captured_says_why(reason: str) -> None:
    with ramiel.compile(parser.parse_model(REFUSED[reason]), workers=2) as program:
        given = torch.randn(4, 4), torch.tensor([2, 8])
        with pytest.raises(NotCapturable, match=rf'^\w+ \(ONNX node ".*", \w+\): .*{reason}'):
            program.capture(*given)
        for _ in range(2):
            program.serial(*given)
        assert program.serial_capture_status(*given) == program.capture_status(*given)
        assert not replays(program, *given)
        program(given[0], torch.tensor([8, 2]))


def test_values_that_are_no_plain_tensors_are_told_by_their_line() -> None:
    with Net(net_weights()) as net:
        net.scale = torch.nn.Parameter(torch.tensor(2.0), requires_grad=False)
        _, first = inspect.getsourcelines(Net.worker_1)
        with pytest.raises(NotCapturable, match=f"^line {first + 3}: a Parameter of cpu"):
            net.capture(X, 1)
        assert all(torch.equal(net(X, 1)[0], net.serial(X, 1)[0]) for _ in range(3))


def test_a_run_that_takes_too_much_memory(
    program: CompiledProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sysconf", lambda name: 100)
    with pytest.raises(NotCapturable, match="too much memory"):
        program.capture(*inputs())
    check(program, *inputs())


def test_inputs_that_no_step_reads() -> None:
    text = """
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[2, 3] x, float[2, 3] unused, float[2, 3] z) => (y, x) { y = Relu (z) }
    """
    with ramiel.compile(parser.parse_model(text), workers=2) as program:
        given = [torch.randn(2, 3) for _ in range(3)]
        program.capture(*given)
        assert replays(program, *given)
        y, x = program(*given)
        assert torch.equal(y, given[2].relu()) and torch.equal(x, given[0])


def test_errors_name_the_node() -> None:
    text = """
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[4, 4] x, int64[2] rows) => (y) { a = Relu (x)  [pick] y = Gather (a, rows) }
    """
    with ramiel.compile(parser.parse_model(text), workers=2) as program:
        x = torch.randn(4, 4)
        program.capture(x, torch.tensor([0, 1]))
        with pytest.raises(OpError, match="pick"):
            program(x, torch.tensor([0, 9]))
        assert replays(program, x, torch.tensor([3, 1]))
        for _ in range(2):
            program.serial(x, torch.tensor([0, 1]))
        for call in (program.capture, program.serial):
            with pytest.raises(OpError, match="pick"):
                call(x, torch.tensor([0, 9]))
        for call in (program, program.serial):
            assert torch.equal(call(x, torch.tensor([3, 1])), x.relu()[[3, 1]])
        assert serial_replays(program, x, torch.tensor([3, 1]))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="without fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child(program: CompiledProgram) -> None:
    program.capture(*inputs())
    expected = program(*inputs(1))
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)  # for the comparison: after a fork PyTorch itself hangs on more
        got = program(*inputs(1))
        os._exit(0 if all(map(torch.equal, got, expected)) else 1)
    assert os.waitpid(child, 0)[1] == 0
    check(program, *inputs())


def test_closed(program: CompiledProgram) -> None:
    program.capture(*inputs())
    program.close()
    with pytest.raises(RuntimeError, match="closed"):
        program(*inputs())


def test_collected(model: onnx.ModelProto) -> None:
    program = ramiel.compile(model, workers=2, schedule="list")
    program.capture(*inputs())
    program(*inputs())
    thread = threading.Thread(target=program.close)
    thread.start()
    thread.join()
    del program


# --- operators


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


def capture(function: Callable[[Tensor], Tensor], x: Tensor, threads: int) -> Plan:
    found = native()
    assert found is not None
    torch.set_num_threads(threads)
    tape = Tape()
    with torch.no_grad(), running(tape):
        y = function(x)
    return Plan(found, [tape], [x], [y])


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


def python_steps(plan: Plan) -> int:
    return sum(step.kind == Kind.CALL for a in plan._idle[0]._arrays for step in a)


@pytest.fixture
def restored_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


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
            assert instance._native.run(instance._plan, 0) == 0
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
    result = instance._outputs[0].fill_(-1)
    last = ctypes.c_float.from_address(result.data_ptr() + 4 * (result.numel() - 1))
    interval = sys.getswitchinterval()
    thread = threading.Thread(target=lambda: instance._native.run(instance._plan, 0))
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


# --- where values lie


@given(
    st.lists(
        st.tuples(st.integers(1, 500), st.integers(0, 8), st.integers(0, 4)),
        min_size=1,
        max_size=12,
    )
)
def test_values_that_live_at_a_time_do_not_overlap(values: list[tuple[int, int, int]]) -> None:
    lives: list[memory.Life] = []
    for _, first, steps in values:
        life = memory.Life.unused(1)
        for step in (first, first + steps):
            life.use(0, step, np.array([step]))
        lives.append(life)
    starts, total = memory.offsets([size for size, _, _ in values], lives)
    for i, (size, first, steps) in enumerate(values):
        assert starts[i] % memory.ALIGNMENT == 0 and starts[i] + size <= total
        for j in range(i):
            other, begin, more = values[j]
            if first <= begin + more and begin <= first + steps:
                assert starts[i] + size <= starts[j] or starts[j] + other <= starts[i]


def test_clocks_follow_channels() -> None:
    one = [Send("a"), Send("b"), Receive("c")]
    two = [Receive("b"), Send("c")]
    first, second = memory.clocks([one, two])
    assert second.tolist() == [[2, 0], [2, 1]]
    assert first.tolist() == [[0, 0], [1, 0], [2, 2]]
    with pytest.raises(NotCapturable, match="nobody sends"):
        memory.clocks([[Receive("x")]])


class Late(Exception):
    """What a handler of a signal raises."""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="without SIGALRM")
def test_what_handlers_of_signals_raise_is_not_lost() -> None:
    """Nor is the step that Python would run when the signal comes."""

    def late(number: int, frame: object) -> None:
        raise Late

    model = parser.parse_model(MODEL.replace("Sigmoid", "Elu"))  # which Python computes
    before = signal.signal(signal.SIGALRM, late)
    try:
        with ramiel.compile(model, workers=1) as program:
            x, z = inputs()
            program.capture(x, z)
            assert python_steps(plans(program)[0]) > 0
            expected = program.serial(x, z)
            came = 0
            for _ in range(30):
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.0005)
                    for _ in range(1000):
                        for got, want in zip(program(x, z), expected, strict=True):
                            assert torch.equal(got, want)
                except Late:
                    came += 1
            assert came == 30
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def test_inputs_without_memory_of_their_own(program: CompiledProgram) -> None:
    """Their shapes, types and strides are those of a plan."""
    x, z = inputs()
    program.capture(x, z)
    with pytest.raises(OpError):
        program(x.to("meta"), z)
    negative = torch._neg_view(x)  # pyright: ignore[reportPrivateImportUsage]
    for got, want in zip(program(negative, z), program(-x, z), strict=True):
        assert torch.equal(got, want)


def test_inference_mode(model: onnx.ModelProto) -> None:
    """What was captured in it replays out of it, and the other way round."""
    with ramiel.compile(model, workers=2, schedule="linear") as program:
        x, z = inputs()
        with torch.inference_mode():
            program.capture(x, z)
            expected = program(x, z)
        for _ in range(3):
            assert replays(program, x, z)
            for got, want in zip(program(x, z), expected, strict=True):
                assert torch.equal(got, want)
        with torch.inference_mode():
            assert replays(program, x, z)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_numbers_keep_their_precision(dtype: torch.dtype) -> None:
    x = torch.randn(4096).to(dtype)
    plan = capture(lambda x: (x * 0.1) / 0.3 + 0.7 - 0.01, x, threads=1)
    (got,) = plan.run([x]) or [None]
    assert got is not None and torch.equal(got, (x * 0.1) / 0.3 + 0.7 - 0.01)


def test_few_copies_of_a_plan_are_kept(program: CompiledProgram) -> None:
    x, z = inputs()
    program.capture(x, z)
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda _: program(x, z), range(200)))
    assert len(plans(program)[0]._idle) <= max(MOST_IDLE, cores())
