"""Replayed calls are as calls in Python to who makes them, whatever happens in between."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any

import onnx
import pytest
import torch
from onnx import parser
from replayed import MODEL, check, inputs, plans, python_steps, replays, serial_replays
from torch import Tensor

import ramiel
from ramiel.api import CompiledProgram
from ramiel.runtime import OpError, one_thread
from ramiel.runtime.locks import Lock
from ramiel.runtime.replay.native import Regions, native
from ramiel.runtime.replay.tape import (
    changes,
)

pytestmark = pytest.mark.skipif(native() is None, reason="without the native part or oneDNN")


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


class Late(Exception):
    """What a handler of a signal raises."""


@pytest.mark.usefixtures("handlers_may_raise")
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


@pytest.mark.parametrize("captures", [True, False])
def test_interrupts_after_any_call(model: onnx.ModelProto, captures: bool) -> None:
    """Python handles signals when functions begin and after calls: after each of them, the program
    still computes and closes. None is handled between a lock's __enter__ and the block."""
    lib = native()
    assert lib is not None
    program = ramiel.compile(model, workers=2, schedule="linear", capture=captures)
    x, z = inputs()
    expected = [program(x, z) for _ in range(3)][-1]
    left = moment = 0

    def interrupt(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        if event != "c_call" and (event, frame.f_code) != ("return", Lock.__enter__.__code__):
            left -= 1
            if left == 0:
                raise KeyboardInterrupt

    while left == 0:
        moment += 1
        left = moment
        sys.setprofile(interrupt)
        try:
            program(x, z)
        except KeyboardInterrupt:
            pass
        finally:
            sys.setprofile(None)
        assert torch.is_grad_enabled() and lib.regions() is Regions.OPENMP
        for got, want in zip(program(x, z), expected, strict=True):
            assert torch.equal(got, want)
    assert moment > 100
    closing = threading.Thread(target=program.close, daemon=True)
    closing.start()
    closing.join(60)
    assert not closing.is_alive()


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
