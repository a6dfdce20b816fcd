"""Programs of which the beginning is replayed: what cannot be, and what follows from it, goes on in
Python, and nobody notices."""

from __future__ import annotations

import copy
import os
import pickle
import re
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from onnx import parser
from replayed import replays, serial_replays
from torch import Tensor

import ramiel
from ramiel.api import CompiledProgram
from ramiel.runtime import OpError
from ramiel.runtime.replay import tape
from ramiel.runtime.replay.meeting import Meeting, NotSent, TapedChannels
from ramiel.runtime.replay.native import native
from ramiel.runtime.trace import trace

pytestmark = pytest.mark.skipif(native() is None, reason="without the native part or oneDNN")

MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
halves (float[1, 8, N, 48] x, float[1, 8, N, 48] z, int64[1] row) => (y, picked, early)
{
  shape = Constant <value_ints = [8, 8, 3, 3]> ()
  a_w = ConstantOfShape <value = float[1] {0.01}> (shape)
  b_w = ConstantOfShape <value = float[1] {-0.02}> (shape)
  a = Conv <pads = [1, 1, 1, 1]> (x, a_w)
  a_relu = Relu (a)
  b = Conv <pads = [1, 1, 1, 1]> (z, a_w)
  b_pool = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (b)
  c = Conv <pads = [1, 1, 1, 1]> (a_relu, b_w)
  c_sigmoid = Sigmoid (c)
  d = Conv <pads = [1, 1, 1, 1]> (b_pool, b_w)
  early = GlobalAveragePool (d)
  e = Add (c_sigmoid, d)
  STOP
  f = Conv <pads = [1, 1, 1, 1]> (stopped, a_w)
  y = Mul (f, b_pool)
  axes = Constant <value_ints = [2, 3]> ()
  g = ReduceSum <keepdims = 0> (y, axes)
  g_row = Squeeze (g)
  [pick] picked = Gather (g_row, row)
}
"""
STOPS = {
    "aten.nonzero.default depends on values": """
        [stops] n = NonZero (e)  n_float = Cast <to = 1> (n)
        n_mean = ReduceMean <keepdims = 0> (n_float)  stopped = Add (e, n_mean)
    """,
    "Tensor.__bool__ reads values": """
        zero = Constant <value_float = 0.0> ()  sum = ReduceSum <keepdims = 0> (e)
        is_more = Greater (sum, zero)
        [stops] stopped = If (is_more) <
            then_branch = one () => (then) { then = Relu (e) },
            else_branch = two () => (other) { other = Sigmoid (e) }
        >
    """,
    "Tensor.__int__ reads values": """
        count = Constant <value_int = 3> ()  go = Constant <value = bool {1}> ()
        one = Constant <value_float = 1.0> ()
        [stops] stopped = Loop (count, go, e) <
            body = step (int64 i, bool going, float[1, 8, N, 48] s) => (more, t) {
                t = Sigmoid (s)  t_sum = ReduceSum <keepdims = 0> (t)  more = Greater (t_sum, one)
            }
        >
    """,
    "RandomNormalLike): ": "[stops] noise = RandomNormalLike (e)  stopped = Add (e, noise)",
}
NON_ZERO = MODEL.replace("STOP", STOPS["aten.nonzero.default depends on values"])


def compiled(text: str, schedule: str = "linear", **options: Any) -> CompiledProgram:
    return ramiel.compile(parser.parse_model(text), schedule=schedule, **options)


def inputs(seed: int = 0, size: int = 48, samples: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x, z = (torch.randn(samples, 8, size, 48, generator=generator) for _ in range(2))
    return x, z, torch.full((samples,), seed % 8)


def same(got: Any, expected: Any) -> bool:
    return all(map(torch.equal, got, expected))


def seeded(program: Any, *given: Tensor) -> Any:
    torch.manual_seed(0)
    return program(*given)


@pytest.fixture
def program() -> Iterator[CompiledProgram]:
    with compiled(NON_ZERO, workers=2) as program:
        program.capture(*inputs())
        yield program


@pytest.fixture(scope="module")
def python() -> Iterator[CompiledProgram]:
    """The same, never replayed."""
    with compiled(NON_ZERO, workers=2, capture=False) as program:
        yield program


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("reason", STOPS)
def test_they_are_bit_for_bit_the_program(reason: str, workers: int) -> None:
    text = MODEL.replace("STOP", STOPS[reason])
    with compiled(text, workers=workers) as program, compiled(text, capture=False) as python:
        for call in range(6):
            given = inputs(call)
            assert same(seeded(program, *given), seeded(python, *given))
            assert same(seeded(program.serial, *given), seeded(python, *given))
        given = inputs()
        for status in (program.capture_status, program.serial_capture_status):
            where = r'captured up to (worker_\d|serial), line \d+: \w+ \(ONNX node "stops"'
            assert re.match(where, status(*given)) and reason in status(*given)
        assert replays(program, *given) and serial_replays(program, *given)
        assert python.capture_status(*given) == "capture is off"


def test_most_of_a_program_is_replayed(program: CompiledProgram) -> None:
    (split,) = program._plans._plans.values()
    calls = [n.event for w in split.plan.workers for n in w]  # pyright: ignore
    assert len(calls) > 8
    assert "worker_" in program.capture_status(*inputs())


def test_shapes_and_values_that_change(program: CompiledProgram, python: CompiledProgram) -> None:
    for seed, size in enumerate([48, 8, 48, 8, 20, 8, 20, 48, 20]):
        given = inputs(seed, size)
        assert same(program(*given), python(*given))
        assert same(program.serial(*given), python(*given))
    x, z, row = inputs()
    for image in (x.to(memory_format=torch.channels_last), x[:, :1].expand(-1, 8, -1, -1), x.mT):
        for _ in range(4):
            assert same(program(image, z, row), python(image, z, row))
            assert same(program(x, x, row), python(x, x, row))
    x[0, 0, 0, 0] = float("nan")
    for got, expected in zip(program(x, z, row), python(x, z, row), strict=True):
        assert torch.equal(got.nan_to_num(7), expected.nan_to_num(7))


def test_results_are_the_callers(program: CompiledProgram, python: CompiledProgram) -> None:
    given = inputs()
    kept = [x.clone() for x in given]
    first = program(*given)
    expected = python(*given)
    for call in range(3):
        for y in program(*inputs(call)):
            y.zero_()
    assert same(first, expected) and same(given, kept)


def test_calls_from_several_threads(program: CompiledProgram, python: CompiledProgram) -> None:
    expected = [python(*inputs(seed)) for seed in range(4)]

    def call(seed: int) -> bool:
        return all(
            same(form(*inputs(seed)), expected[seed])
            for _ in range(50)
            for form in (program, program.serial)
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(call, range(4)))


def test_changed_weights_are_noticed(program: CompiledProgram, python: CompiledProgram) -> None:
    given = inputs()
    other = copy.deepcopy(python)
    with other:
        for _ in range(3):
            program.serial(*given)
        for buffers in (program.buffers(), other.buffers()):
            for weight in buffers:
                weight.mul_(1.5)
        for _ in range(4):
            assert same(program(*given), other(*given))
            assert same(program.serial(*given), other(*given))
        assert not same(program(*given), python(*given))
        next(iter(program.children())).register_forward_hook(lambda *_: None)
        for _ in range(3):
            assert same(program(*given), other(*given))
        assert program.capture_status(*given) == "a layer has hooks"


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))]
)
def test_copies(program: CompiledProgram, python: CompiledProgram, duplicate: Any) -> None:
    with duplicate(program) as other:
        for _ in range(3):
            assert same(other(*inputs(1)), python(*inputs(1)))
        assert other.capture_status(*inputs()) == program.capture_status(*inputs())
    assert same(program(*inputs(1)), python(*inputs(1)))


def test_errors_name_the_node(program: CompiledProgram, python: CompiledProgram) -> None:
    x, z, _ = inputs()
    for _ in range(3):
        program.serial(*inputs())
    for call in (program, program.serial):
        with pytest.raises(OpError, match="pick") as failed:
            call(x, z, torch.tensor([9]))
        assert failed.value.node == "pick"
        assert same(call(*inputs(3)), python(*inputs(3)))
    assert replays(program, *inputs()) and serial_replays(program, *inputs())


def test_batches() -> None:
    text = NON_ZERO.replace("[1, 8, N, 48]", "[1, 8, 48, 48]")
    for part, whole in [("g_row = Squeeze (g)", ""), ("Gather (g_row", "Gather <axis = 1> (g")]:
        text = text.replace(part, whole)
    options: dict[str, Any] = {"workers": 2, "schedule": "hyper", "batch": 2}
    with compiled(text, **options) as program, compiled(text, capture=False, **options) as python:
        for call in range(4):
            for samples in (2, 3, 4):
                given = inputs(call, samples=samples)
                assert same(program(*given), python(*given))
                assert same(program.serial(*given), python(*given))
        given = inputs(samples=2)
        assert program.capture_status(*given).startswith("captured up to worker_")
        assert replays(program, *given) and serial_replays(program, *given)


class Late(BaseException):
    """What a handler of a signal raises, as Ctrl-C does."""


@pytest.mark.usefixtures("handlers_may_raise")
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="without SIGALRM")
def test_what_handlers_of_signals_raise_is_not_lost(
    program: CompiledProgram, python: CompiledProgram
) -> None:
    def late(number: int, frame: object) -> None:
        raise Late

    expected = python(*inputs())
    before = signal.signal(signal.SIGALRM, late)
    try:
        for number in range(30):
            with pytest.raises(Late):
                signal.setitimer(signal.ITIMER_REAL, 0.0005 + 0.0001 * number)
                for _ in range(1000):
                    assert same(program(*inputs()), expected)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="without fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child(program: CompiledProgram, python: CompiledProgram) -> None:
    expected = python(*inputs(1))
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)  # for the comparison: after a fork PyTorch itself hangs on more
        os._exit(0 if same(program(*inputs(1)), expected) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert same(program(*inputs(1)), expected)


def test_closed(program: CompiledProgram, python: CompiledProgram) -> None:
    for _ in range(3):
        program.serial(*inputs())
    program.close()
    with pytest.raises(RuntimeError, match="closed"):
        program(*inputs())
    assert same(program.serial(*inputs()), python(*inputs()))


def test_a_run_that_takes_too_much_memory(
    python: CompiledProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The values before, which are few enough, are replayed."""
    with compiled(NON_ZERO, workers=1) as program:
        monkeypatch.setattr(tape, "memory_bytes", lambda: 8 * 73728 * 6.5)
        program.capture(*inputs())
        assert "too much memory" in program.capture_status(*inputs())
        for seed in range(3):
            assert same(program(*inputs(seed)), python(*inputs(seed)))
            assert replays(program, *inputs(seed))


def test_a_trace_shows_both_parts(program: CompiledProgram) -> None:
    run = trace(program, *inputs(), runs=3)
    assert run.form == f"replayed in part ({program.capture_status(*inputs())})"
    names = [event.name for event in run.events if event.kind == "op"]
    assert len(names) == len(set(names))
    whole = trace(program, *inputs(), replay=False)
    assert set(names) == {event.name for event in whole.events if event.kind == "op"}
    for event in run.events:
        assert 0 <= event.start <= event.end <= run.makespan_us


# --- channels of taped runs


def test_nobody_waits_for_what_is_not_sent() -> None:
    meeting = Meeting(3)
    channels = TapedChannels(["a", "b"], meeting)
    stopped: list[int] = []

    def wait(number: int) -> None:
        try:
            (channels.a if number else channels.b).recv()
        except NotSent:
            stopped.append(number)
        finally:
            meeting.leave()

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    channels.b.send(1)
    threads[0].join()
    assert not stopped
    meeting.leave()  # the third
    threads[1].join()
    assert stopped == [1]
