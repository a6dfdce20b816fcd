"""Programs that were edited by hand, or at random: what cannot be replayed goes on in Python with
the variables that it needs, or all of it stays there."""

from __future__ import annotations

import functools
import linecache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from replayed import replays
from small_programs import program as steps

from ramiel.runtime import Input, Program, Weights
from ramiel.runtime.replay.native import native
from ramiel.runtime.replay.split import FEWEST
from ramiel.runtime.replay.tape import NotCapturable

pytestmark = pytest.mark.skipif(native() is None, reason="without the native part or oneDNN")


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


def test_what_memory_does_not_hold_is_not_replayed() -> None:
    """Conjugates and their parts, of which PyTorch only knows that they are to be negated."""
    body = f"    def worker_0(self, ch):\n        x = ch.x.recv()\n{WORK}"
    body += "        z = torch.complex(e, a).conj()\n        ch.y.send(z.imag * (z * z).real)\n"
    serial = body.replace("worker_0(self, ch)", "serial(self, x)").replace("x = ch.x.recv()", "")
    serial = serial.replace("ch.y.send(", "return (")
    with written(body, serial) as program:
        for x in torch.randn(3, W, W):
            assert torch.equal(program(x), program.serial(x))
        assert "conjugated" in program.capture_status(torch.randn(W, W))
        odd = torch.randn(W, W, dtype=torch.complex64).conj().imag
        assert odd.is_neg()
        for _ in range(3):
            assert torch.equal(program(odd), program(odd.resolve_neg()))


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
