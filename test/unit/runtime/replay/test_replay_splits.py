"""Programs of which the beginning is replayed: what cannot be, and what follows from it, goes on in
Python, and nobody notices."""

from __future__ import annotations

import copy
import functools
import linecache
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
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import parser
from replayed import replays, serial_replays
from small_programs import program as steps
from torch import Tensor

import ramiel
from ramiel.api import CompiledProgram
from ramiel.runtime import Input, OpError, Program, Weights
from ramiel.runtime.replay import tape
from ramiel.runtime.replay.meeting import Meeting, NotSent, TapedChannels
from ramiel.runtime.replay.native import native
from ramiel.runtime.replay.split import FEWEST
from ramiel.runtime.replay.tape import NotCapturable
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


# --- programs that were edited by hand


def written(body: str, serial: str = "", name: str = "Edited", **made: Any) -> Any:
    """A program of one input x, a square, with a weight w."""
    source = f"class {name}(Program):\n{body}{serial}"
    file = f"<{name} {next(_numbers)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    scope: dict[str, Any] = {"Program": Program, "torch": torch}
    exec(compile(source, file, "exec"), scope)
    program_class = scope[name]
    program_class.inputs = (Input("x", torch.float32, (None, None)),)
    program_class.outputs = ("y",)
    for attribute, value in made.items():
        setattr(program_class, attribute, value)
    workers = body.count("def worker_")
    program = program_class(Weights.from_tensors({}), workers=workers)
    program.w = torch.randn(W, W, generator=torch.Generator().manual_seed(7))
    return program


W = 8
_numbers = iter(range(1 << 30))
WORK = """
        a = x + 1
        b = a * self.w
        c = torch.sigmoid(b)
        d = c @ self.w
        e = d - a
"""
LIVE = {
    "if": """
        if e.sum() > 0:
            f = e * 2
        else:
            f = e.mT
        y = f + a
    """,
    "if that changes nothing before it does": """
        for row in e:
            if row[0] > 0:
                g = row
                break
        y = e + 1
    """,
    "containers": """
        pair, deep = (a, 3), [[b, "text"], {"c": c, "size": a.shape}, slice(1, 2), torch.float64]
        top = d.topk(2)
        s = e.sum().item()
        deep[0].append(s)
        deep[0].append(deep[0][-1] + pair[1] + top.indices[0, 0])
        y = pair[0] * deep[0][-1] + deep[1]["c"][deep[2]].to(deep[3]) + len(deep[0])
        y = (y + top.values.sum()).float()
    """,
    "one list by two names": """
        f = [a, b]
        g = (f, {"f": f})
        s = torch.stack(f).sum().item()
        f.append(c * s)
        y = g[0][2] + g[1]["f"][2]
    """,
    "a slice of tensors": """
        n = x[0, :1].abs().clamp(max=5).to(torch.int64).squeeze()
        f = slice(n, None)
        s = e.sum().item()
        y = a[f] * s
    """,
    "views": """
        f, g = a.mT, a[1]
        h = self.w.mT
        n = a.shape[0]
        a.add_(e.max().item())
        f.mul_(3)
        y = f + g * h + n + b
    """,
    "one after the other": """
        s = e.sum().item()
        t = (e * s).sum().item()
        y = a * t
    """,
    "augmented": """
        a += 1
        e -= e[a[0].long() > 1].sum()
        a += e
        y = a * 1
    """,
    "deleted": """
        f = a.sum().item()
        del a, x
        y = b * f
        del b
    """,
    "closures": """
        f = e.sum().item()
        y = sum(map(lambda v: v * f + a, [b, c])) + torch.stack([r * f for r in e])
    """,
}


@pytest.mark.parametrize("size", [W, 1])
@pytest.mark.parametrize("case", LIVE)
def test_variables_go_on(case: str, size: int) -> None:
    body = f"    def worker_0(self, ch):\n        x = ch.x.recv()\n{WORK}{LIVE[case]}"
    body += "\n        ch.y.send(y)\n"
    with written(body) as program, written(body, captures=False) as python:
        python.captures = False
        for call in range(6):
            x = torch.randn(size, W, generator=torch.Generator().manual_seed(call)).expand(W, W)
            x = x.contiguous()
            kept = x.clone()
            expected = python(x)
            for _ in range(2):
                assert torch.equal(program(x), expected)
            assert torch.equal(x, kept)
        x = torch.randn(W, W)
        assert program.capture_status(x).startswith("captured up to worker_0, line ")
        assert replays(program, x)


REFUSED = {
    "a loop that has changed a variable": """
        for _ in range(3):
            e = e * 2
            e = e * e.sum().item()
        y = e
    """,
    "an object": """
        f = iter([a, b])
        s = e.sum().item()
        y = next(f) * s
    """,
    "a branch that has changed a variable": """
        if a.shape[0] > 1:
            x = x + 1
            f = e.sum().item()
        y = x * f
    """,
    "a loop that has changed a list": """
        f = [a]
        for i in range(3):
            f.append(a * i)
            if e.sum() > 1e9:
                break
        y = torch.cat(f)
    """,
    "a statement that has changed a list": """
        f = [a, b, c]
        y = f.pop() * e.sum().item()
        y = y + f[-1]
    """,
    "a list of the program": """
        self.f = [a]
        s = e.sum().item()
        y = self.f[0] * s
    """,
    "a variable of the module": """
        global W
        W = a
        s = e.sum().item()
        y = W * s
    """,
    "a reason that is caught": """
        try:
            s = e.sum().item()
        except Exception:
            s = 0.0
        y = a * s
    """,
    "two statements": """
        a.add_(1); s = e.sum().item()
        y = a * s
    """,
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_go_on_stays_in_python(case: str) -> None:
    body = f"    def worker_0(self, ch):\n        x = ch.x.recv()\n{WORK}{REFUSED[case]}"
    body += "\n        ch.y.send(y)\n"
    with written(body) as program, written(body) as python:
        python.captures = False
        for call in range(4):
            x = torch.randn(W, W, generator=torch.Generator().manual_seed(call))
            assert torch.equal(program(x), python(x))
        x = torch.randn(W, W)
        assert not program.capture_status(x).startswith("captured")
        assert not replays(program, x)


def test_source_that_is_not_what_runs() -> None:
    body = f"    def worker_0(self, ch):\n        x = ch.x.recv()\n{WORK}"
    body += "        y = e * e.sum().item()\n        ch.y.send(y)\n"
    with written(body) as program:
        file = type(program).worker_0.__code__.co_filename  # pyright: ignore
        lines = [line.replace("d - a", "d + a") for line in linecache.getlines(file)]
        linecache.cache[file] = (1, None, lines, file)
        with pytest.raises(NotCapturable, match=r"reads values \(its source is not"):
            program.capture(torch.ones(W, W))

    def worker(ch: Any) -> None:
        x = ch.x.recv()
        for _ in range(2 * FEWEST):
            x = x + 1
        ch.y.send(x * x.sum().item())

    with steps(worker) as program, pytest.raises(NotCapturable, match="reads values"):
        program.capture(torch.ones(4))


def test_workers_that_are_wrapped_stay_in_python() -> None:
    body = f"    def worker_0(self, ch):\n        x = ch.x.recv()\n{WORK}"
    body += "        y = e * e.sum().item()\n        ch.y.send(y)\n"
    with written(body) as program:
        worker = type(program).worker_0

        @functools.wraps(worker)
        def wrapper(self: Any, ch: Any) -> None:
            calls.append(worker(self, ch))

        calls: list[None] = []
        type(program).worker_0 = wrapper
        with pytest.raises(NotCapturable, match=r"reads values$"):
            program.capture(torch.ones(W, W))


def test_too_little_to_replay() -> None:
    body = "    def worker_0(self, ch):\n        x = ch.x.recv()\n        a = x + 1\n"
    body += "        ch.y.send(a * a.sum().item())\n"
    with written(body) as program:
        with pytest.raises(NotCapturable, match=r"^a?.*reads values$"):
            program.capture(torch.ones(W, W))
        assert not replays(program, torch.ones(W, W))


# --- random programs of two workers


@st.composite
def programs(draw: st.DrawFn) -> tuple[str, int]:
    """The workers' methods, and the size of the squares. Values share memory, are changed in place,
    and pass from worker to worker; at some place a value is read. What a worker has got or sent is
    no longer changed."""
    bodies: list[list[str]] = [[], []]
    known: list[dict[str, str | None]] = []
    """The variables of each worker, with the one that has the memory; None if nobody may write."""
    for worker in range(2):
        bodies[worker].append("x = ch.x.recv()")
        known.append({"x": None})
    channels = 0
    count = draw(st.integers(8, 30))
    reads = draw(st.sets(st.integers(count // 2, count - 1), max_size=2))
    for number in range(count):
        worker = draw(st.integers(0, 1))
        body, values = bodies[worker], known[worker]
        value = f"v{number}"
        a, b = (draw(st.sampled_from(sorted(values))) for _ in range(2))
        kind = draw(st.sampled_from("add view view change change send new pack".split()))
        kind = "read" if number in reads else kind
        if kind == "add":
            body.append(f"{value} = {a} + {b} * 0.5")
            values[value] = value
        elif kind == "new":
            body.append(f"{value} = torch.tanh({a} @ self.w)")
            values[value] = value
        elif kind == "view":
            body.append(f"{value} = {draw(st.sampled_from([f'{a}.mT', f'{a}[:]', 'self.w.mT']))}")
            values[value] = None if "self" in body[-1] else values[a]
        elif kind == "pack":
            body.append(f"{value}, _ = [({a}, {a}.shape[0]), {b}][0]")
            values[value] = values[a]
        elif kind == "read":
            body.append(f"{value} = {a} * ({b}.abs().max().item() * 0.1)")
            values[value] = value
        elif kind == "change" and values[a] is not None:
            change = draw(st.sampled_from(["{}[1].mul_(0.5)", "{}.add_(0.25)", "{}[:, 0].neg_()"]))
            body.append(change.format(a))
        elif kind == "send":
            root = values[a]
            if root is not None:
                known[worker] = {n: None if r == root else r for n, r in values.items()}
            body.append(f"ch.c{channels}.send({a})")
            bodies[1 - worker].append(f"{value} = ch.c{channels}.recv()")
            known[1 - worker][value] = None
            channels += 1
    bodies[1].append(f"ch.last.send(torch.stack([{', '.join(sorted(known[1]))}]))")
    bodies[0].append("last = ch.last.recv()")
    bodies[0].append(f"ch.y.send(torch.cat([last, torch.stack([{', '.join(sorted(known[0]))}])]))")
    text = ""
    for worker, body in enumerate(bodies):
        text += f"    def worker_{worker}(self, ch):\n"
        text += "".join(f"        {line}\n" for line in body)
    return text, draw(st.sampled_from([4, 160]))


@settings(deadline=None, max_examples=100)
@given(programs())
def test_random_programs(made: tuple[str, int]) -> None:
    body, size = made
    channels = (*(f"c{i}" for i in range(body.count(".recv()"))), "last")
    with written(body, channels=channels) as program, written(body, channels=channels) as python:
        python.captures = False
        for p in (program, python):
            p.w = torch.randn(size, size, generator=torch.Generator().manual_seed(7)) / size
        xs = [torch.randn(size, size, generator=torch.Generator().manual_seed(i)) for i in range(3)]
        expected = [python(x) for x in xs]
        for _ in range(3):
            for x, y in zip(xs, expected, strict=True):
                assert torch.equal(program(x), y)
        status = program.capture_status(xs[0])
        assert status.startswith("captured") or "reads values" in status


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
