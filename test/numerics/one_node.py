"""Models of one node, run by the lowering table and by ONNX Runtime or ONNX's own reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from zlib import crc32

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import DTypeLike
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from xdsl.context import Context
from xdsl.dialects import func

from ramiel.dialects.onnx.schemas import newest_opsets
from ramiel.dialects.onnx.types import numpy_dtype_of, shape_of
from ramiel.execution.evaluator import Evaluator
from ramiel.execution.tensors import array_of_tensor, tensor_of
from ramiel.frontend.importer import import_model
from ramiel.transforms.onnx_to_torch import OnnxToTorchPass

Array = np.ndarray[Any, Any]

onnxruntime.set_default_logger_severity(4)

TOLERANCE = {"float64": 1e-10, "float32": 1e-5, "float16": 4e-3, "bfloat16": 2e-2}
"""The largest difference that is allowed, relative to the largest value of the result."""


@dataclass(frozen=True)
class Random:
    """An input that is drawn: uniform in [low, high), of a shape."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    low: float = -1.0
    high: float = 1.0

    def draw(self, rng: np.random.Generator) -> Array:
        if self.dtype == "bool":
            return rng.integers(0, 2, self.shape) == 1
        if self.dtype.startswith(("int", "uint")):
            return rng.integers(int(self.low), int(self.high), self.shape).astype(self.dtype)
        return rng.uniform(self.low, self.high, self.shape).astype(self.dtype)


def f32(*shape: int, low: float = -1.0, high: float = 1.0) -> Random:
    return Random(shape, "float32", low, high)


def rand(dtype: str, *shape: int, low: float = -5, high: float = 6) -> Random:
    return Random(shape, dtype, 0 if dtype.startswith("uint") else low, high)


def i64(*values: int) -> Array:
    return np.array(values, np.int64)


def scalar(value: float | np.floating, dtype: DTypeLike = "float32") -> Array:
    return np.array(value, dtype)


def each(*attributes: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Attributes to make a case of, one after another."""
    return attributes


Input = Random | Array | None

LONGEST = 200
"""The most characters of a case's name that are its attributes."""


@dataclass(frozen=True)
class Case:
    """One node: its operator, inputs, attributes and opset; None is an input not given.

    The operator of another domain is written `com.microsoft::Gelu`; the opset is its domain's if
    ONNX defines that.
    """

    op: str
    inputs: Sequence[Input]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    opset: int = 22
    constants: Sequence[int] = ()
    """The inputs that are initializers."""
    outputs: int | Sequence[int] = 1
    """How many outputs there are, or which are named."""
    dynamic: bool = False
    """Whether the model leaves the dimensions of its first input open."""
    reference: bool = False
    """Whether to compare with ONNX's reference because ONNX Runtime does not have it, or errs."""
    tolerance: float | None = None
    """Relative to the largest value; of integers, how many steps."""

    def __str__(self) -> str:
        attributes = "".join(f"-{k}={v}" for k, v in self.attributes.items())
        if len(attributes) > LONGEST:
            short = (f"-{k}={v}" for k, v in self.attributes.items() if not isinstance(v, list))
            attributes = f"-{crc32(attributes.encode()):08x}{''.join(short)[:LONGEST]}"
        shapes = ",".join(_text(i) for i in self.inputs)
        marks = f"{'-dynamic' if self.dynamic else ''}{_const_text(self.constants)}"
        text = f"{self.op}.{self.opset}-{shapes}{attributes}{marks}"
        if self.outputs != 1:
            text += f"-outputs={self.outputs}"
        return "".join(text.split()).replace("[", "(").replace("]", ")")

    def arrays(self) -> list[Array | None]:
        rng = np.random.default_rng(crc32(self.op.encode()))
        return [i.draw(rng) if isinstance(i, Random) else i for i in self.inputs]


def _text(value: Input) -> str:
    if value is None:
        return "_"
    dtype = np.dtype(value.dtype)
    kind = dtype.name if dtype.kind == "V" else dtype.str[1:]
    if isinstance(value, np.ndarray) and value.dtype == object:
        return f"{value.tolist()}"
    dims = "x".join(map(str, value.shape))
    if isinstance(value, Random) or value.size > 8:
        return f"{'' if kind == 'f4' else kind}({dims})"
    numbers = np.array2string(value.astype(np.float64), separator=",", precision=3)
    return f"{'' if kind == 'i8' else kind}{numbers}"


def _const_text(constants: Sequence[int]) -> str:
    return f"-const={','.join(map(str, constants))}" if constants else ""


def case(
    op: str,
    *inputs: Input,
    opset: int = 22,
    const: Sequence[int] = (),
    outputs: int | Sequence[int] = 1,
    dynamic: bool = False,
    reference: bool = False,
    tolerance: float | None = None,
    **attributes: Any,
) -> Case:
    return Case(op, inputs, attributes, opset, const, outputs, dynamic, reference, tolerance)


def model_of(c: Case, arrays: Sequence[Array | None]) -> onnx.ModelProto:
    """The case as a model whose inputs are those that are neither constant nor left out."""
    names = ["" if a is None else f"i{i}" for i, a in enumerate(arrays)]
    kept = range(c.outputs) if isinstance(c.outputs, int) else c.outputs
    outputs = [f"o{i}" if i in kept else "" for i in range(max(kept) + 1)]
    attributes: dict[str, Any] = {
        k: numpy_helper.from_array(v) if isinstance(v, np.ndarray) else v
        for k, v in c.attributes.items()
    }
    domain, _, op = c.op.rpartition("::")
    standard = domain in ("", "ai.onnx")
    node = helper.make_node(
        op, names, outputs, name="node", domain="" if standard else domain, **attributes
    )
    inputs, constants = [], []
    for i, (name, array) in enumerate(zip(names, arrays, strict=True)):
        if array is None:
            continue
        if i in c.constants:
            constants.append(numpy_helper.from_array(array, name))
            continue
        shape = [None] * array.ndim if c.dynamic and not i else array.shape
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        inputs.append(helper.make_tensor_value_info(name, kind, shape))
    # Element type 0: inference is to tell, as in the middle of a real model.
    results = [helper.make_empty_tensor_value_info(o) for o in outputs if o]
    graph = helper.make_graph([node], "case", inputs, results, constants)
    opsets = {"": c.opset}
    if domain in newest_opsets():
        opsets = {"": 22, domain: c.opset}
    elif not standard:
        opsets[domain] = 1
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid(*o) for o in opsets.items()]
    )
    model.ir_version = 10
    return model


def lowered(model: onnx.ModelProto) -> func.FuncOp:
    """The model's function as `torch` operations, which verify."""
    module = import_model(model)
    module.verify()
    OnnxToTorchPass().apply(Context(), module)
    module.verify()
    return next(op for op in module.ops if isinstance(op, func.FuncOp))


def evaluated(model: onnx.ModelProto, inputs: Sequence[Array]) -> list[Array]:
    """The results of the model by the lowering table. Fails if they are not of the types that were
    inferred."""
    function = lowered(model)
    results = Evaluator().function(function, [tensor_of(a.copy()) for a in inputs])
    assert all(isinstance(r, torch.Tensor) for r in results)
    types = function.function_type.outputs
    arrays = [array_of_tensor(r, type) for r, type in zip(results, types, strict=True)]
    for array, type in zip(arrays, types, strict=True):
        assert numpy_dtype_of(type) in (None, array.dtype)
        shape = shape_of(type)
        assert shape is None or len(shape) == array.ndim
        assert all(dim in (None, size) for dim, size in zip(shape or (), array.shape, strict=False))
    return arrays


def expected(c: Case, model: onnx.ModelProto, feed: Mapping[str, Array]) -> list[Array]:
    if c.reference:
        return [np.asarray(r) for r in ReferenceEvaluator(model).run(None, dict(feed))]
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return [np.asarray(r) for r in session.run(None, dict(feed))]


def feed_of(c: Case, arrays: Sequence[Array | None]) -> dict[str, Array]:
    """The arrays by name that are inputs of the case's model."""
    return {f"i{i}": a for i, a in enumerate(arrays) if a is not None and i not in c.constants}


def results(c: Case) -> list[Array]:
    """The results of a case by the lowering table."""
    arrays = c.arrays()
    return evaluated(model_of(c, arrays), list(feed_of(c, arrays).values()))


def check(c: Case) -> list[Array]:
    """The table's results. Fails where they differ from ONNX's in type, shape or value."""
    arrays = c.arrays()
    model, feed = model_of(c, arrays), feed_of(c, arrays)
    ours = evaluated(model, list(feed.values()))
    for got, want in zip(ours, expected(c, model, feed), strict=True):
        assert_same(got, want, c.tolerance)
    return ours


def assert_same(got: Array, want: Array, tolerance: float | None = None) -> None:
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    if tolerance is None:
        tolerance = TOLERANCE.get(got.dtype.name, 0.0)
    if got.dtype.kind in "iu" and tolerance:
        steps = np.abs(got.astype(np.int64) - want.astype(np.int64))
        assert steps.max(initial=0) <= tolerance
        return
    if got.dtype.kind in "biuO" or not got.size:
        np.testing.assert_array_equal(got, want)
        return
    wide = complex if got.dtype.kind == "c" else np.float64
    a, b = got.astype(wide), want.astype(wide)
    finite = np.isfinite(b)
    np.testing.assert_array_equal(a[~finite], b[~finite])
    np.testing.assert_array_equal(np.isfinite(a), finite)
    scale = max(np.abs(b[finite]).max(initial=0.0), 1e-6)
    assert np.abs(a[finite] - b[finite]).max(initial=0.0) <= tolerance * scale


def as_inputs(c: Case) -> Case:
    """The same case with all constants as inputs."""
    return replace(c, constants=())


def with_open_shape(c: Case) -> Case:
    """The same case with the shape of its first input left open."""
    return replace(c, dynamic=True)


__all__ = [
    "Array",
    "Case",
    "Random",
    "TensorProto",
    "as_inputs",
    "assert_same",
    "case",
    "check",
    "evaluated",
    "expected",
    "f32",
    "feed_of",
    "i64",
    "lowered",
    "model_of",
    "rand",
    "results",
    "scalar",
    "with_open_shape",
]
