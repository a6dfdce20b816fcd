"""Random graphs that are valid by construction: each node is run as soon as it is drawn.

Every value of a graph is known: its array is what ONNX Runtime computes for it. So a node is drawn
for operands whose shapes, types and contents are at hand, and one that nobody runs, or that makes
numbers of no use, is dropped.

A model may be run with inputs of several sizes. Then a value has an array for each, families look
at the first, and a node is dropped that cannot be run with all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from chooser import Chooser
from contents import MOST_ELEMENTS, ORDINARY, Array, Contents, is_exact
from onnx import helper, numpy_helper
from oracles import Answer, model_of, node_answers

OPSETS = (11, 13, 17, 18, 21, 23)

SLIDING = ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool")
"""What has windows. PyTorch refuses those that fit nowhere, of which ONNX Runtime makes nothing."""

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


@dataclass(frozen=True)
class Value:
    """A value of the graph: its name, and its array for each of the feeds; one array if it is the
    same for all.

    `exact` values are the same whoever computes them: comparisons and conversions to integers
    are drawn for these only, as others would turn a rounding error into another result.
    """

    name: str
    arrays: tuple[Array, ...] = field(repr=False)
    exact: bool = True
    constant: bool = False

    def at(self, feed: int) -> Array:
        return self.arrays[feed if len(self.arrays) > 1 else 0]

    @property
    def array(self) -> Array:
        return self.arrays[0]

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


class Names:
    """Distinct names, in the styles of several exporters."""

    def __init__(self, style: str) -> None:
        self.style = style
        self.count = 0

    def fresh(self) -> str:
        self.count += 1
        return self.style.format(self.count)


@dataclass(frozen=True)
class Setting:
    """What holds for all graphs of a model."""

    choose: Chooser
    opset: int
    names: Names
    families: Sequence[Callable[[Graph], object]]
    """What bodies are grown from."""
    contents: Contents = ORDINARY
    floats: str = "float32"
    """The type of floats of all values that are not converted to another."""
    empty: bool = False
    """Whether values without elements are of use wherever they come from."""
    asks_both: bool = False
    """Whether ONNX's reference is asked about each node, too."""
    feeds: int = 1


class Graph:
    """A graph, or the body of a node of an outer graph, that is being drawn."""

    def __init__(self, setting: Setting, outer: Graph | None = None):
        self.setting = setting
        self.choose = setting.choose
        self.opset = setting.opset
        self.names = setting.names
        self.floats = setting.floats
        self.outer = outer
        self.nodes: list[onnx.NodeProto] = []
        self.values: list[Value] = [] if outer is None else list(outer.values)
        self.disputed: list[Value] = []
        """What ONNX Runtime and the reference compute otherwise, each: outputs, read by no node."""
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
        value = Value(name, (array,), is_exact(array), constant=True)
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

    def numbers(self, shape: Sequence[int], dtype: str | None = None, low: int = -2) -> Array:
        """Numbers of the model's sort."""
        rng = np.random.default_rng(self.names.count + 1)
        return self.setting.contents.draw(rng, shape, dtype or self.floats, low)

    def parameters(self, shape: Sequence[int], dtype: str | None = None, low: int = -2) -> Array:
        """Numbers of a layer: ordinary ones, as a compiler may combine them with others."""
        rng = np.random.default_rng(self.names.count + 1)
        return ORDINARY.draw(rng, shape, dtype or self.floats, low)

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
        """Adds a node and returns its values; None if it is of no use and was not added, or was
        added and nothing may read it, as its values are disputed.

        An empty value is of use if `empty`, or the whole model, says so. It is not from a loop: of
        what no iteration has stacked ONNX Runtime may not know the other dimensions, and a Scan
        that stacks it ends the process.
        """
        names = [self.names.fresh() for _ in range(outputs)]
        given = ["" if v is None else v.name for v in inputs]
        while given and not given[-1]:
            given.pop()
        node = helper.make_node(op, given, names, name=f"{op}_{names[0]}", **(attributes or {}))
        read = {v.name: v for v in (*inputs, *captured) if v is not None}
        answers = self._answers(node, list(read.values()))
        if answers is None:
            return None
        columns = [tuple(arrays) for arrays in zip(*(a[0] for a in answers), strict=True)]
        if not all(self._are_useful(arrays, empty) for arrays in columns):
            return None
        if op in SLIDING and not _fits(inputs[0], answers):
            return None
        disputed = any(len(a) > 1 for a in answers)
        if disputed and self.outer is not None:
            return None
        self.nodes.append(node)
        known = not rounds and all(v.exact for v in read.values())
        made = [
            Value(name, arrays, known and all(map(is_exact, arrays)))
            for name, arrays in zip(names, columns, strict=True)
        ]
        self.exact = self.exact and known
        if disputed:
            self.disputed += made
            return None
        self.values += made
        return made

    def _answers(self, node: onnx.NodeProto, read: Sequence[Value]) -> list[list[Answer]] | None:
        """The answers for each of the feeds; None if for one there is none."""
        opsets = [helper.make_opsetid("", self.opset)]
        model, found = model_of([], [], [], [], opsets), list[list[Answer]]()
        same = all(len(v.arrays) == 1 for v in read)
        for i in range(1 if same else self.setting.feeds):
            feed = {v.name: v.at(i) for v in read}
            if not self.setting.contents.may_read(node.op_type, list(feed.values())):
                return None
            # An infinite value times one that rounding may have made 0, or not, may be anything.
            if _is_at_an_edge([(v.at(i), v.exact) for v in read]):
                return None
            answers = node_answers(node, feed, model, self.setting.asks_both)
            if not answers:
                return None
            found.append(answers)
        return found

    def _are_useful(self, arrays: Sequence[Array], empty: bool) -> bool:
        return all(
            a.size <= MOST_ELEMENTS
            and a.ndim <= 5
            and (a.size or empty or self.setting.empty)
            and self.setting.contents.are_useful(a)
            and not (self.floats == "float64" and _was_single(a))
            for a in arrays
        )


def _fits(x: Value | None, answers: Sequence[Sequence[Answer]]) -> bool:
    """Whether windows fit somewhere: none of the answers is empty for an x that is not, and x has
    something to slide over, be it for no samples."""
    if x is None:
        return True
    if any(0 in a.shape[2:] for a in x.arrays):
        return False
    return all(
        answer[0].size or not x.at(i).size for i, each in enumerate(answers) for answer in each
    )


def _was_single(array: Array) -> bool:
    """Whether inexact numbers are just those that a float32 holds: ONNX Runtime and the reference
    compute some operators (Erf) for float64 in float32."""
    if array.dtype != np.float64 or is_exact(array):
        return False
    return np.array_equal(array, array.astype(np.float32).astype(np.float64), equal_nan=True)


def _is_at_an_edge(operands: Sequence[tuple[Array, bool]]) -> bool:
    floats = [(a, exact) for a, exact in operands if a.dtype.kind == "f"]
    if all(np.all(np.isfinite(a)) for a, _ in floats):
        return False
    return any(not exact and np.any(np.abs(a) < 1e-4) for a, exact in floats)
