"""Branches and loops: programs against ONNX Runtime, and all that can be asked of a program."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from control_flow_models import (
    BRANCHES,
    CASES,
    CONDITIONAL,
    COUNTED,
    FOLDED,
    LAYERS,
    NESTED,
    Feed,
    X,
    model,
)
from one_node import assert_same
from onnx import parser

import ramiel
from ramiel.api import CompiledProgram
from ramiel.errors import CompileError
from ramiel.runtime import OpError
from ramiel.runtime.trace import trace

pytestmark = pytest.mark.timeout(60)

OPTIONS: dict[str, dict[str, Any]] = {
    "list": {"workers": 2, "schedule": "list"},
    "linear": {"workers": 3, "schedule": "linear", "clone": True},
    "serial": {"schedule": "serial"},
    "profile": {"workers": 2, "profile": True},
}


def expected(source: onnx.ModelProto, feed: Feed) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(source.SerializeToString())
    dtypes = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}
    arrays = {i.name: np.asarray(feed[i.name], dtypes[i.type]) for i in session.get_inputs()}
    return [np.asarray(a) for a in session.run(None, arrays)]


def outputs_of(results: torch.Tensor | tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return results if isinstance(results, tuple) else (results,)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize(("text", "feeds"), CASES.values(), ids=CASES)
def test_programs(text: str, feeds: list[Feed], options: dict[str, Any]) -> None:
    if options.get("profile") and text is CONDITIONAL:
        pytest.skip("the inputs that profiling makes up may let it loop forever")
    source = model(text)
    with ramiel.compile(source, **options) as program:
        for feed in feeds:
            parallel, serial = outputs_of(program(**feed)), outputs_of(program.serial(**feed))
            for p, s, want in zip(parallel, serial, expected(source, feed), strict=True):
                assert torch.equal(p, s)
                assert_same(s.numpy(), want)


def test_a_known_condition_leaves_no_branch() -> None:
    with ramiel.compile(model(FOLDED)) as program:
        assert "if condition" not in program.source
        assert "* 4.0" in program.source
        assert "-x" not in program.source


def test_layers_of_bodies_are_made_once() -> None:
    with ramiel.compile(model(LAYERS)) as program:
        assert program.source.count("= Conv2d(weights") == 1
        assert program.source.count("= Linear(weights") == 1


@pytest.mark.parametrize("dtype", ["bf16", "f16"])
@pytest.mark.parametrize("text", [BRANCHES, NESTED, LAYERS])
def test_bodies_stay_in_f32(text: str, dtype: str) -> None:
    """What a body is given is converted, and so is what is computed from its results."""
    big = np.linspace(-1, 1, 192, dtype=np.float32).reshape(4, 48)
    source = model(
        """
        big (bool c, float[4, 48] x) => (float[4, 48] y) {
          e = Exp (x)
          z = If (c) <
            then_branch = t () => (float[4, 48] a) { a = Mul (e, x) },
            else_branch = f () => (float[4, 48] b) { b = Identity (e) }
          >
          y = Tanh (z)
        }
        """
    )
    with ramiel.compile(source, dtype=dtype, workers=1) as program:
        for c in (True, False):
            got = program.serial(c, big).numpy()
            np.testing.assert_allclose(got, expected(source, {"c": c, "x": big})[0], atol=0.02)
    small = model(text)
    feed = next(feeds for t, feeds in CASES.values() if t is text)[-1]
    with ramiel.compile(small, dtype=dtype) as program:
        for got, want in zip(outputs_of(program(**feed)), expected(small, feed), strict=True):
            np.testing.assert_allclose(got.numpy(), want, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("workers", [1, 2])
def test_batches(workers: int) -> None:
    source = model(
        """
        batched (float[1, 4] x) => (float[1, 4] y, float[1, 4] z) {
          zero = Constant <value_float = 0.0> ()
          sum = ReduceSum <keepdims = 0> (x)
          c = Greater (sum, zero)
          y = If (c) <
            then_branch = t () => (float[1, 4] a) { a = Exp (x) },
            else_branch = e () => (float[1, 4] b) { b = Neg (x) }
          >
          z = Tanh (y)
        }
        """
    )
    rows = np.array([[1, 2, 3, 4], [-1, -2, -3, -4], [0.5, 0, 0, 0], [-9, 0, 0, 0]], np.float32)
    with ramiel.compile(source, batch=2, workers=workers) as program:
        got = program(rows[:3])
        for i in range(3):
            for whole, want in zip(got, expected(source, {"x": rows[i : i + 1]}), strict=True):
                assert_same(whole[i : i + 1].numpy(), want)
        for p, s in zip(got, program.serial(rows[:3]), strict=True):
            assert torch.equal(p, s)


def test_trace() -> None:
    with ramiel.compile(model(COUNTED), workers=2) as program:
        names = {e.name for e in trace(program, 4, X).events if e.kind == "op"}
        assert any("loop" in name or "last" in name for name in names), names


def test_a_state_of_one_type_alone() -> None:
    """The first state's type holds for a state whose own the body does not say."""
    source = model(
        """
        untyped (int64 n, float[2, 3] x) => (float[2, 1] y) {
          go = Constant <value = bool {1}> ()
          s = Loop (n, go, x) <
            body = b (int64 i, bool k, float a) => (bool k2, float c) {
              k2 = Identity (k)
              c = Exp (a)
            }
          >
          one = Constant <value_ints = [1]> ()
          y = ReduceMean <axes = [-1]> (s)
        }
        """
    )
    loop = next(n for n in source.graph.node if n.op_type == "Loop")
    for value in (loop.attribute[0].g.input[2], loop.attribute[0].g.output[1]):
        value.type.tensor_type.ClearField("shape")
    x = np.ones((2, 3), np.float32) / 4
    with ramiel.compile(source) as program:
        for n in (0, 2):
            assert_same(program(n, x).numpy(), expected(source, {"n": n, "x": x})[0])


# Errors and interrupts


FAILING = """
failing (bool c, int64[K] shape, float[3] x) => (float[N] y) {
  y = If (c) <
    then_branch = t () => (float[N] a) { [inner_reshape] a = Reshape (x, shape) },
    else_branch = e () => (float[N] b) { b = Neg (x) }
  >
}
"""


def test_an_error_in_a_body_names_its_node() -> None:
    with ramiel.compile(model(FAILING)) as program:
        for run in (program, program.serial):
            with pytest.raises(OpError, match='ONNX node "inner_reshape", Reshape') as error:
                run(True, [5], X)
            assert error.value.node == "inner_reshape"
        assert program(False, [5], X).tolist() == (-X).tolist()


def test_an_operator_without_lowering_in_a_body_is_named() -> None:
    text = BRANCHES.replace("b = Add (a, x)", "[bad] b = acme.Thing (x)")
    source = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17, "acme" : 1]>{text}')
    with pytest.raises(CompileError, match=r'node "bad" .*acme::Thing'):
        ramiel.compile(source)


ENDLESS = """
endless (bool go, float[3] x) => (float[3] y, float[M] z, float[N] w) {
  y = Loop ("", go, x) <
    body = a (int64 i, bool k, float[3] s) => (bool k2, float[3] t) {
      k2 = Identity (k)
      t = Neg (s)
    }
  >
  w = Loop ("", go, x) <
    body = b (int64 i, bool k, float[J] s) => (bool k2, float[J] t) {
      k2 = Identity (k)
      t = Abs (s)
    }
  >
  z = Exp (x)
}
"""


@pytest.fixture
def endless() -> Iterator[CompiledProgram]:
    with ramiel.compile(model(ENDLESS), workers=2, schedule="list") as program:
        assert "def worker_1" in program.source and program.source.count(" self.") >= 4
        yield program


@pytest.mark.usefixtures("python_handles_interrupts")
@pytest.mark.parametrize("serial", [False, True])
def test_an_interrupt_ends_endless_loops(endless: Any, serial: bool) -> None:
    run = endless.serial if serial else endless
    for _ in range(2):
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            run(True, X)
        assert time.monotonic() - start < 10
        timer.join()
        assert [t.tolist() for t in run(False, X)[::2]] == [X.tolist()] * 2


def test_an_error_ends_the_endless_loop_of_another_worker() -> None:
    text = ENDLESS.replace("float[3] x)", "float[3] x, int64[K] shape)", 1).replace(
        "z = Exp (x)", "[bad] z = Reshape (x, shape)"
    )
    text = text.replace('w = Loop ("", go, x)', 'w = Loop ("", go, z)')
    with ramiel.compile(model(text), workers=2, schedule="list") as program:
        assert "def worker_1" in program.source
        with pytest.raises(OpError, match='ONNX node "bad", Reshape'):
            program(True, X, [7])
