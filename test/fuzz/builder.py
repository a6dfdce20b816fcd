"""Random graphs that are valid by construction: each node is run as soon as it is drawn.

Every value of a graph is known: its array is what ONNX Runtime computes for it. So a node is drawn
for operands whose shapes, types and contents are at hand, and one that ONNX Runtime refuses, or
that makes numbers of no use (infinite, huge), is dropped.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import onnx
import onnxruntime
from hypothesis import strategies as st
from onnx import helper, numpy_helper

Array = np.ndarray[Any, Any]
T = TypeVar("T")

onnxruntime.set_default_logger_severity(4)

LARGEST = 1e3
"""Numbers beyond make a node be dropped: on the way to an overflow, rounding is all there is."""
MOST_ELEMENTS = 4096

OPSETS = (11, 13, 17, 18, 21, 23)

NAME_STYLES = (
    "v{}",
    "/block.{0}/Node_{0}",
    "x.{}",
    "x_{}",
    "{}",
    "class{}:0",
    "ops/{}",
    "worker_{}",
)


class Chooser:
    """Draws from Hypothesis, which makes what is drawn smaller when it has found a failure."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def pick(self, items: Sequence[T]) -> T:
        return items[self.integer(0, len(items) - 1)]

    def integer(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def some(self, items: Sequence[T], low: int, high: int) -> list[T]:
        return [self.pick(items) for _ in range(self.integer(low, high))]

    def permutation(self, count: int) -> list[int]:
        return self.draw(st.permutations(range(count)))

    def chance(self, one_in: int) -> bool:
        return self.integer(0, one_in - 1) == one_in - 1

    def flag(self) -> bool:
        return self.draw(st.booleans())


class RandomChooser(Chooser):
    """Draws from a generator: more at random than Hypothesis, which likes to repeat itself."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def integer(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    def permutation(self, count: int) -> list[int]:
        return self.random.sample(range(count), count)

    def flag(self) -> bool:
        return self.random.random() < 0.5


@dataclass(frozen=True)
class Value:
    """A value of the graph: its name, and its array for the inputs that are at hand.

    `exact` values are the same whoever computes them: comparisons and conversions to integers
    are drawn for these only, as others would turn a rounding error into another result.
    """

    name: str
    array: Array = field(repr=False)
    exact: bool = True
    constant: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def rank(self) -> int:
        return self.array.ndim

    @property
    def dtype(self) -> str:
        return self.array.dtype.name

    @property
    def kind(self) -> str:
        """b, i, u or f."""
        return self.array.dtype.kind


def is_exact(array: Array) -> bool:
    """Whether sums and products of such numbers are exact in float32."""
    if array.dtype.kind != "f":
        return True
    return bool(np.all(array * 64 == np.round(array * 64)) and np.abs(array).max(initial=0) < 4096)


def type_of(array: Array, shape: Sequence[int | str | None] | None = None) -> onnx.TypeProto:
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_type_proto(kind, array.shape if shape is None else shape)


class Names:
    """Distinct names, in the styles of several exporters."""

    def __init__(self, style: str) -> None:
        self.style = style
        self.count = 0

    def fresh(self) -> str:
        self.count += 1
        return self.style.format(self.count)


class Graph:
    """A graph, or the body of a node of an outer graph, that is being drawn."""

    def __init__(self, choose: Chooser, opset: int, names: Names, outer: Graph | None = None):
        self.choose = choose
        self.opset = opset
        self.names = names
        self.outer = outer
        self.nodes: list[onnx.NodeProto] = []
        self.values: list[Value] = [] if outer is None else list(outer.values)
        self.initializers: list[onnx.TensorProto] = []
        self.exact = True
        """Whether no node so far rounds."""

    # --- operands ---

    def find(self, fits: Callable[[Value], bool]) -> Value | None:
        """One of the values that fit, rather a late one; None if there is none."""
        found = [v for v in self.values if fits(v)]
        if not found:
            return None
        return found[-1 - min(self.choose.integer(0, 7), self.choose.integer(0, len(found) - 1))]

    def constant(self, array: Array) -> Value:
        """A constant: mostly an initializer, or a node, here or in the graph around this one."""
        name = self.names.fresh()
        value = Value(name, array, is_exact(array), constant=True)
        home: Graph = self
        while home.outer is not None and self.choose.flag():
            home = home.outer
        tensor = numpy_helper.from_array(array, name)
        if self.choose.chance(3):
            node = helper.make_node("Constant", [], [name], value=tensor)
            home.nodes.append(node)
        else:
            home.initializers.append(tensor)
        graph: Graph | None = self
        while graph is not None:
            graph.values.append(value)
            if graph is home:
                break
            graph = graph.outer
        return value

    def numbers(self, shape: Sequence[int], dtype: str = "float32", low: int = -2) -> Array:
        """Numbers that are exact: multiples of 1/8 in [low, 2]."""
        rng = np.random.default_rng(self.names.count + 1)
        if dtype == "bool":
            return np.asarray(rng.integers(0, 2, shape) == 1)
        if dtype.startswith("float"):
            return np.asarray(rng.integers(low * 8, 17, shape) / 8, dtype)
        return np.asarray(rng.integers(0 if dtype[0] == "u" else low * 2, 5, shape), dtype)

    def i64(self, *values: int) -> Value:
        return self.constant(np.array(values, np.int64))

    # --- nodes ---

    def add(
        self,
        op: str,
        inputs: Sequence[Value | None],
        attributes: Mapping[str, Any] | None = None,
        outputs: int = 1,
        rounds: bool = False,
        captured: Iterable[Value] = (),
        empty: bool = False,
    ) -> list[Value] | None:
        """Adds a node and returns its values; None if it is of no use and was not added.

        An empty value is of use if `empty` says so. It is not from a loop: of what no iteration has
        stacked ONNX Runtime may not know the other dimensions, and a Scan that stacks it ends the
        process.
        """
        names = [self.names.fresh() for _ in range(outputs)]
        attributes = dict(attributes or {})
        given = ["" if v is None else v.name for v in inputs]
        while given and not given[-1]:
            given.pop()
        node = helper.make_node(op, given, names, name=f"{op}_{names[0]}", **attributes)
        feed = {v.name: v for v in (*inputs, *captured) if v is not None}
        arrays = run_node(node, list(feed.values()), self.opset)
        if arrays is None or not all(_is_useful(a, empty) for a in arrays):
            return None
        self.nodes.append(node)
        known = not rounds and all(v.exact for v in feed.values())
        made = [
            Value(name, array, known and is_exact(array))
            for name, array in zip(names, arrays, strict=True)
        ]
        self.exact = self.exact and known
        self.values += made
        return made


def _is_useful(array: Array, empty: bool) -> bool:
    if array.size > MOST_ELEMENTS or array.ndim > 5 or (not array.size and not empty):
        return False
    if array.dtype.kind == "b":
        return True
    if array.dtype.kind in "iu":
        return bool(np.abs(array.astype(np.float64)).max(initial=0) <= 2**30)
    return bool(np.all(np.isfinite(array)) and np.abs(array).max(initial=0) <= LARGEST)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    initializers: Sequence[onnx.TensorProto],
    opset: int,
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "fuzz", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def run_node(node: onnx.NodeProto, values: Sequence[Value], opset: int) -> list[Array] | None:
    """What ONNX Runtime computes for one node; None if it refuses it."""
    inputs = [helper.make_value_info(v.name, type_of(v.array)) for v in values]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
    model = model_of([node], inputs, outputs, [], opset)
    return run_model(model, {v.name: v.array for v in values})


def run_model(model: onnx.ModelProto, feed: Mapping[str, Array]) -> list[Array] | None:
    """What ONNX Runtime computes for a model; None if it refuses it."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return [np.asarray(a) for a in session.run(None, dict(feed))]
    except Exception:  # it has a dozen classes of errors, which share no base of their own
        return None
