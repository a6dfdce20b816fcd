"""Models compiled for a GPU, on a device of the CPU whose streams run in their own time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from onnx import parser
from small_models import branches
from test_providers import TOLERANCE, case, network

import ramiel
from ramiel.api import CompiledProgram
from ramiel.errors import CompileError
from ramiel.pipelines import ON_STREAMS
from ramiel.runtime.outputs import as_tuple
from ramiel.runtime.streams.device import programs_on
from ramiel.runtime.streams.stand_in import StandIn

pytestmark = pytest.mark.timeout(240)

ONE_SAMPLE = [name for name in ON_STREAMS if name != "hyper"]


def on_streams(model: Any, seed: int = 0, **options: Any) -> CompiledProgram:
    with programs_on(StandIn(seed)):
        return ramiel.compile(model, device="cuda:h100", **options)


def close(results: Any, expected: Any, tolerance: float = TOLERANCE) -> bool:
    pairs = zip(as_tuple(results), expected, strict=True)
    return all(np.abs(a.float().numpy() - b).max() <= tolerance * np.abs(b).max() for a, b in pairs)


@pytest.mark.parametrize("schedule", ONE_SAMPLE)
def test_schedule(schedule: str) -> None:
    """Each in a few orders of streams, captured and not, against ONNX Runtime."""
    x, expected = case()
    for seed in range(3):
        with on_streams(network(), seed, schedule=schedule) as model:
            for _ in range(3):
                assert close(model(x), expected) and close(model.serial(x), expected)
            assert model.capture_status(x) == "captured"
            model.captures = False
            assert close(model(x + 0), expected)


def test_programs_have_kernels_of_the_gpu_and_no_threads() -> None:
    with on_streams(network(), schedule="linear") as model:
        source = model.source
    for name in ("kernels.", "kernel=", "set_num_threads", ".recv()", "mkldnn"):
        assert name not in source
    assert "class Branches(StreamProgram):" in source
    streams = len(re.findall(r"async def worker_\d+\(self, ch: Events\)", source))
    assert streams == source.count("with ch.stream(") > 2


def test_streams_are_limited_and_one_is_enough() -> None:
    for workers in (1, 2, 3):
        for schedule in ("linear", "list", "opara", "auto"):
            with on_streams(branches(), schedule=schedule, workers=workers) as model:
                assert model.report.workers <= workers
                x = torch.randn(1, 8, 16, 16)
                assert all(map(torch.equal, as_tuple(model(x)), as_tuple(model.serial(x))))


def test_auto_is_not_slower_than_one_stream_or_linear_by_more_than_it_accepts() -> None:
    reports = {}
    for schedule in ("auto", "serial", "linear", "list", "opara"):
        with on_streams(network(), schedule=schedule) as model:
            reports[schedule] = model.report.parallel_us
    assert reports["auto"] <= 1.05 * min(reports.values())


@pytest.mark.parametrize("switched", [False, True])
def test_batches(switched: bool) -> None:
    """Samples as interleaved hyperclusters on streams, and the remainder on one."""
    x = torch.randn(5, 8, 16, 16)
    with on_streams(branches(), batch=2, switched=switched) as model:
        results, serial = model(x), model.serial(x)
        assert results[0].shape[0] == 5
        assert all(torch.allclose(a, b) for a, b in zip(results, serial, strict=True))
        again = model(x)
    assert all(map(torch.equal, results, again))


@pytest.mark.parametrize("dtype", ["bf16", "f16"])
def test_low_precision(dtype: str) -> None:
    x, expected = case()
    with on_streams(network(), dtype=dtype) as model:
        assert close(model(x), expected, 0.1)


CHOOSING = """
<ir_version: 8, opset_import: ["" : 17]>
choosing (float[4] x) => (float[4] y) {
  zero = Constant <value = float {0.0}> ()
  total = ReduceSum <keepdims = 0> (x)
  positive = Greater (total, zero)
  y = If (positive) <
    then_branch = then () => (float[4] a) { a = Exp (x) },
    else_branch = otherwise () => (float[4] b) { b = Neg (x) }
  >
}
"""


def test_a_model_that_is_only_control_flow_runs_on_the_host() -> None:
    model = on_streams(parser.parse_model(CHOOSING))
    x = torch.tensor([1.0, 2.0, -1.0, 0.5])
    for value in (x, -x, x, -x):
        expected = value.exp() if value.sum() > 0 else -value
        assert torch.allclose(model(value), expected)
    assert "capturing" in model.capture_status(x)


AROUND = """
<ir_version: 8, opset_import: ["" : 17]>
around (float[n, 4] x) => (float[n, 4] y, float[k, n, 4] states, float[m, 2] places, float last)
<float[4] w = {1.0, 2.0, 3.0, 4.0}> {
  zero = Constant <value = float {0.0}> ()
  yes = Constant <value = bool {1}> ()
  sines = Sin (x)
  left = Mul (sines, w)
  right = Cos (x)
  total = ReduceSum <keepdims = 0> (left)
  positive = Greater (total, zero)
  chosen = If (positive) <
    then_branch = then () => (float[n, 4] a) { a = Exp (left) },
    else_branch = otherwise () => (float[n, 4] b) { b = Neg (left) }
  >
  scaled = Mul (right, w)
  y = Add (chosen, scaled)
  trips = Cast <to = 7> (total)
  end, states = Loop (trips, yes, chosen) <body = body (int64 i, bool c, float[n, 4] v)
    => (bool co, float[n, 4] vo, float[n, 4] so)
    { co = Identity (c) vo = Mul (v, w) so = Add (v, right) }>
  found = NonZero (y)
  pairs = Transpose <perm = [1, 0]> (found)
  places = Cast <to = 1> (pairs)
  sum = ReduceSum <keepdims = 0> (places)
  final = Greater (sum, total)
  last = If (final) <
    then_branch = larger () => (float c1) { c1 = Identity (sum) },
    else_branch = smaller () => (float c2) { c2 = Identity (total) }
  >
}
"""


@pytest.mark.parametrize("schedule", ["linear", "list"])
def test_what_is_around_control_flow_is_captured(schedule: str) -> None:
    """A branch between two streams, a loop of a length that depends on values, a result whose shape
    does, and a branch at the end."""
    source = parser.parse_model(AROUND)
    session = ort.InferenceSession(source.SerializeToString())
    generator = torch.Generator().manual_seed(0)
    for seed in range(2):
        model = on_streams(source, seed, schedule=schedule)
        for rows, sign in ((2, 1.0), (3, -1.0), (2, 2.0), (3, 3.0), (2, 1.0), (2, -1.0)):
            x = sign * torch.rand(rows, 4, generator=generator).round(decimals=1)
            expected: Any = session.run(None, {"x": x.numpy()})
            for results in (model(x), model.serial(x)):
                for a, b in zip(results, expected, strict=True):
                    assert a.shape == b.shape and np.allclose(a.numpy(), b, 1e-4, 1e-4)
        status = model.capture_status(x)
        assert status.startswith("captured but for worker_")
        assert 'chosen (ONNX node "chosen", If)' in status and "at 1 more places" in status
        assert model.serial_capture_status(x).startswith("captured but for serial, line ")


POINTWISE = """
<ir_version: 8, opset_import: ["" : 17]>
pointwise (float[2, 4] x) => (float[2, 4] y)
<float[4] w = {1.0, 2.0, 3.0, 4.0}> {
  sum = Add (x, w)
  gate = Sigmoid (sum)
  left = Mul (sum, gate)
  part = Softmax (x)
  square = Mul (part, part)
  right = Exp (square)
  y = Sub (left, right)
}
"""

OPEN = """
<ir_version: 8, opset_import: ["" : 17]>
open (float[n, 8] x) => (float[m, 8] y)
<int64[1] minus = {-1}> {
  shape = Shape (x)
  flat = Reshape (x, minus)
  back = Reshape (flat, shape)
  left = Sin (back)
  right = Cos (back)
  y = Concat <axis = 0> (left, right)
}
"""


def test_shapes_that_change() -> None:
    model = on_streams(parser.parse_model(OPEN))
    for rows in (1, 3, 2, 3, 1):
        x = torch.randn(rows, 8)
        assert torch.allclose(model(x), torch.cat([x.sin(), x.cos()]))


WRONG: Mapping[str, tuple[dict[str, Any], str]] = {
    "a device that is not known": ({"device": "tpu"}, "no device 'tpu'; there are cpu, cuda"),
    "a GPU that is not known": ({"device": "cuda:h1"}, "no device 'cuda:h1'"),
    "threads": ({"device": "cuda", "schedule": "intra-op"}, "no schedule 'intra-op' for a GPU"),
    "opara without streams": ({"schedule": "opara"}, "no schedule 'opara'; there are auto"),
    "profiling": ({"device": "cuda:t4", "profile": True}, "measure the device that is here"),
    "kernels of a CPU": ({"fuse_pointwise": True}, "it needs --device cuda"),
    "a batch": ({"device": "cuda", "schedule": "list", "batch": 2}, "for a batch there are auto"),
}


@pytest.mark.parametrize("options, message", WRONG.values(), ids=WRONG.keys())
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CompileError, match=re.escape(message)):
        ramiel.compile(branches(), **options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_a_program_is_compiled_but_not_loaded() -> None:
    with pytest.raises(CompileError, match="this program is for CUDA, and "):
        ramiel.compile(branches(), device="cuda")


def test_pointwise_calls_are_fused() -> None:
    """Into functions of the program, which a GPU's compiler makes kernels of."""
    x = torch.linspace(-1, 1, 8).reshape(2, 4)
    model = on_streams(parser.parse_model(POINTWISE), fuse_pointwise=True)
    assert model.source.count("@compiled") == 1
    session = ort.InferenceSession(parser.parse_model(POINTWISE).SerializeToString())
    expected: Any = session.run(None, {"x": x.numpy()})
    for _ in range(2):
        assert np.allclose(model(x).numpy(), expected[0], 1e-5, 1e-5)
    assert np.allclose(model.serial(x).numpy(), expected[0], 1e-5, 1e-5)
    assert model.capture_status(x) == "captured"


def test_capture_can_be_switched_off() -> None:
    with on_streams(branches(), capture=False) as model:
        x = torch.randn(1, 8, 16, 16)
        model(x)
        model(x)
        assert model.capture_status(x) != "captured"
    with ramiel.compile(branches(), workers=2, capture=False) as model:
        x = torch.randn(1, 8, 16, 16)
        for _ in range(3):
            model(x)
        assert model.capture_status(x) != "captured"
