"""Recurrent operators: one call for each direction, so that the two directions of a bidirectional
operator can run at the same time.

If the weights are constant and PyTorch's fused kernels compute the operator, it becomes a layer
that uses them; otherwise it is computed step by step: `ops.lstm(x, w, r, ...)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np
from xdsl.ir import Attribute, SSAValue

from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.attributes import Array, TensorRef, WeightAttr
from ramiel.dialects.onnx.types import BY_PROTO, element_of, numpy_dtype_of, tensor_type
from ramiel.dialects.torch import CallOp, LayerOp, WeightOp


@dataclass(frozen=True)
class Kind:
    """The properties in which the operators differ."""

    layer: str
    callee: str
    gates: Sequence[int]
    """For each gate in PyTorch's order, its index in ONNX's."""
    activations: Sequence[str]
    """The default activations."""
    states: int


KINDS: Mapping[str, Kind] = {
    "RNN": Kind("RNN", "ops.rnn", [0], ["Tanh"], 1),
    "GRU": Kind("GRU", "ops.gru", [1, 0, 2], ["Sigmoid", "Tanh"], 1),
    "LSTM": Kind("LSTM", "ops.lstm", [0, 2, 3, 1], ["Sigmoid", "Tanh", "Tanh"], 2),
}

DIRECTIONS: Mapping[str, Sequence[bool]] = {
    "forward": [False],
    "foward": [False],  # the default of the first GRU
    "reverse": [True],
    "bidirectional": [False, True],
}
"""Whether each direction of an operator is reversed."""

ACTIVATIONS: Mapping[str, Sequence[float | None]] = {
    "Affine": [None, None],
    "Elu": [1.0],
    "HardSigmoid": [0.2, 0.5],
    "LeakyRelu": [0.01],
    "Relu": [],
    "ScaledTanh": [None, None],
    "Sigmoid": [],
    "Softplus": [],
    "Softsign": [],
    "Tanh": [],
    "ThresholdedRelu": [1.0],
}
"""The defaults of alpha and beta, for activations that have them; None where ONNX gives none."""

_BY_LOWER_CASE = {name.lower(): name for name in ACTIVATIONS}

W, R, B, LENGTHS, H, C, P = range(1, 8)
"""The inputs after x. The initial states are H and, for an LSTM, C."""

OPTIONAL = {B: "b", LENGTHS: "lengths", H: "h", C: "c", P: "p"}
"""The names of the optional inputs as keyword arguments, as of `ops.lstm`."""

Activation = str | list[object]
T = TypeVar("T")


@dataclass(frozen=True)
class Recurrent:
    """An operator that is being lowered."""

    n: Node
    kind: Kind
    directions: Sequence[bool]
    activations: Sequence[Sequence[Activation]]
    """The activations of each direction."""
    batch_first: bool
    clip: float | None
    hidden: int | None

    @classmethod
    def of(cls, n: Node, kind: Kind, transposed: bool = False) -> Recurrent:
        """The operator of a node; `transposed` if the last two dimensions of w and r are swapped.

        Refuses invalid and inconsistent attributes and shapes.
        """
        direction = n.text("direction", "forward")
        if direction not in DIRECTIONS:
            n.fail(f"direction is {direction!r}: expected forward, reverse or bidirectional")
        layout = n.integer("layout", 0)
        if layout not in (0, 1):
            n.fail(f"layout is {layout}: expected 0 or 1")
        clip = None if n.attribute("clip") is None else n.number("clip")
        if clip is not None and not clip >= 0:
            n.fail(f"clip is {clip:g}: expected a number >= 0")
        if n.rank(0) not in (None, 3):
            n.fail(f"its input has {n.rank(0)} dimensions: expected 3")
        directions = DIRECTIONS[direction]
        hidden = n.attribute("hidden_size")
        if hidden is None and (shape := n.shape(R)):
            hidden = shape[1 if transposed else -1]
        size = hidden if isinstance(hidden, int) else None
        _check_shapes(n, kind, len(directions), size, transposed)
        activations = _activations(n, kind, len(directions))
        return cls(n, kind, directions, activations, layout == 1, clip, size)

    def lower(
        self,
        weights: tuple[SSAValue, SSAValue] | None = None,
        in_pytorch: bool = True,
        **options: object,
    ) -> Lowered:
        """The results of the operator.

        `weights` replace its inputs w and r. `options` are keyword arguments of the callee;
        `in_pytorch` says whether PyTorch's kernels support what they mean.
        """
        count, results = len(self.directions), len(self.n.op.results)
        fused = in_pytorch and weights is None
        made = [
            self._layer(i) if fused and self._is_layer(i) else self._call(i, weights, options)
            for i in range(count)
        ]
        if count == 1:
            return made[0][:results]
        # The dimension of directions precedes that of the batch, unless the batch is first.
        axes = [2 if self.batch_first else 1] + [1 if self.batch_first else 0] * self.kind.states
        return [
            self.n.call("torch.cat", list(parts), dim=axis, type=self._type(i, count))
            for i, (*parts, axis) in enumerate(zip(*made, axes, strict=True))
        ][:results]

    # --- as a layer ---

    def _is_layer(self, i: int) -> bool:
        """Whether PyTorch's fused kernels can compute direction i."""
        n, kind, given = self.n, self.kind, self._given()
        activations = [kind.activations, ["Relu"]] if kind is KINDS["RNN"] else [kind.activations]
        return (
            self.activations[i] in activations
            and all(n.is_constant(k) for k in (W, R, B) if n.given(k))
            and self.hidden is not None
            and self.clip is None
            and not given & {LENGTHS, P}
            and (H in given or C not in given)
        )

    def _layer(self, i: int) -> Sequence[SSAValue]:
        n, kind = self.n, self.kind
        rows = len(kind.gates) * cast(int, self.hidden)
        weights = {
            "weight": self._weight(W, i, "", (rows, (n.shape(W) or (None,))[-1])),
            "recurrent": self._weight(R, i, "", (rows, self.hidden)),
        }
        if n.given(B):
            weights["bias"] = self._weight(B, i, "w", (rows,), slice(0, rows))
            weights["recurrent_bias"] = self._weight(B, i, "r", (rows,), slice(rows, None))
        config: dict[str, object] = {"activation": "relu"} if "Relu" in self.activations[i] else {}
        config |= self._order(i)
        states = [self._first_state(k, i) for k in (H, C) if k in self._given()]
        return n.add(LayerOp.of(kind.layer, [n[0], *states], weights, config, self._types()))

    def _weight(
        self,
        k: int,
        i: int,
        part: str,
        shape: Sequence[int | None],
        rows: slice[Any, Any, Any] = slice(None),
    ) -> WeightAttr:
        """Some rows of input k for direction i, with the gates in PyTorch's order."""
        gates = self.kind.gates

        def change(array: Array) -> Array:
            blocks = np.split(array[i][rows], len(gates))
            return np.concatenate([blocks[gate] for gate in gates])

        suffix = f"{self.kind.layer.lower()}{i}{part}"
        return self.n.new_weight(k, suffix, shape, change)

    def _first_state(self, k: int, i: int) -> SSAValue:
        """The initial state of direction i, [1, B, H] or [B, 1, H]."""
        n = self.n
        if len(self.directions) == 1:
            return n[k]
        own = slice(i or None, i + 1)
        index = [slice(None), own] if self.batch_first else own
        return n.call("operator.getitem", n[k], index, type=self._type(1))

    # --- step by step ---

    def _call(
        self, i: int, weights: tuple[SSAValue, SSAValue] | None, options: Mapping[str, object]
    ) -> Sequence[SSAValue]:
        n, kind = self.n, self.kind
        w, r = weights or (n[W], n[R])
        given: dict[str, object] = {OPTIONAL[k]: n[k] for k in sorted(self._given())}
        given |= {"direction": i} if i else {}
        given |= self._order(i)
        if self.activations[i] != kind.activations:
            given["activations"] = self.activations[i]
        if self.clip is not None:
            given["clip"] = self.clip
        given |= {k: v for k, v in options.items() if v}
        return n.add(CallOp.of(kind.callee, [n[0], w, r], given, self._types()))

    # --- both ---

    def _given(self) -> set[int]:
        """The optional inputs that matter: not zero states, nor lengths that equal the number of
        steps."""
        n = self.n
        given = {k for k in OPTIONAL if n.given(k)}
        for k in (H, C):
            if k in given and (state := n.constant(k)) is not None and not state.any():
                given.remove(k)
        steps = (n.shape(0) or (None, None))[1 if self.batch_first else 0]
        lengths = n.integers(LENGTHS)
        if lengths is not None and all(length == steps for length in lengths):
            given.remove(LENGTHS)
        return given

    def _order(self, i: int) -> dict[str, object]:
        order = {"reverse": self.directions[i], "batch_first": self.batch_first}
        return {k: v for k, v in order.items() if v}

    def _types(self) -> list[Attribute]:
        return [self._type(i) for i in range(1 + self.kind.states)]

    def _type(self, i: int, directions: int = 1) -> Attribute:
        """The type of result i, y or a state, for a number of directions."""
        n = self.n
        if directions == len(self.directions) and i < len(n.op.results):
            declared = n.result_type(i)
            if numpy_dtype_of(declared) is not None:
                return declared
        first, second, _ = n.shape(0) or (None,) * 3
        steps = [] if i else [second if self.batch_first else first]
        if self.batch_first:
            shape = [first, *steps, directions, self.hidden]
        else:
            shape = [*steps, directions, second, self.hidden]
        given = n.op.operands[0].type
        element = element_of(given) if numpy_dtype_of(given) is not None else None
        return tensor_type(element or BY_PROTO[1].ir, shape)


def _activations(n: Node, kind: Kind, directions: int) -> list[list[Activation]]:
    """The activations of each direction, with their alpha and beta if they take any.

    As in ONNX Runtime, each activation consumes as many of the alphas and betas as it takes.
    """
    count = len(kind.activations)
    if "activations" not in n.op.properties:
        return [list(kind.activations)] * directions
    names = _list(n, "activations", str)
    if len(names) != count * directions:
        n.fail(f"it has {len(names)} activations: expected {count} for each direction")
    numbers = [
        [n.decimal(np.float32(v)) for v in _list(n, f"activation_{which}", float)]
        for which in ("alpha", "beta")
    ]
    made: list[Activation] = []
    for text in names:
        name = _BY_LOWER_CASE.get(text.lower())
        if name is None:
            n.fail(f"unknown activation {text!r}: expected one of {', '.join(ACTIVATIONS)}")
        own = [
            given.pop(0) if given else default
            for given, default in zip(numbers, ACTIVATIONS[name], strict=False)
        ]
        if None in own:
            n.fail(f"{name} needs activation_alpha and activation_beta")
        made.append([name, *own] if own else name)
    return [made[i : i + count] for i in range(0, len(made), count)]


def _check_shapes(
    n: Node, kind: Kind, directions: int, hidden: int | None, transposed: bool
) -> None:
    """Refuses weights whose shapes do not match the number of directions and hidden units."""

    def times(count: int) -> int | None:
        return None if hidden is None else count * hidden

    gates = len(kind.gates)
    w, r = [times(gates), None], [times(gates), hidden]
    if transposed:
        w, r = w[::-1], r[::-1]
    for k, own in {W: w, R: r, B: [times(2 * gates)], P: [times(3)]}.items():
        given, expected = n.shape(k), [directions, *own]
        if given is None:
            continue
        pairs = zip(given, expected, strict=False)
        if len(given) != len(expected) or any(a != b for a, b in pairs if None not in (a, b)):
            given, expected = (["?" if d is None else d for d in s] for s in (given, expected))
            n.fail(f"input {k} has the shape {given}: expected {expected}")


def _list(n: Node, name: str, kind: type[T]) -> list[T]:
    """An attribute that is a list of elements of type `kind`; empty if it is not given."""
    given = n.attribute(name)
    items = [] if given is None else given
    if not isinstance(items, list | tuple):
        n.fail(f"attribute {name!r} is not a list")
    found = cast("Sequence[object]", items)
    if not all(isinstance(item, kind) for item in found):
        n.fail(f"attribute {name!r} is not a list of {kind.__name__}")
    return list(cast("Sequence[T]", found))


def _dequantized(n: Node, k: int, scale: int, zero: int) -> SSAValue:
    """Integer weights [D, columns, 4*H], dequantised to float32 [D, 4*H, columns] by a scale and a
    zero point, each [D] or [D, 4*H]."""
    if not all(n.is_constant(i) for i in (k, scale, zero)):
        n.fail("its weights, scales and zero points must be constant")
    shape = n.shape(k) or (None,) * 3
    for i in (scale, zero):
        if n.shape(i) not in (shape[:1], shape[::2]):
            n.fail(f"input {i} is neither one number for each direction nor one for each row")
    sources = [n.weight(i) for i in (k, scale, zero)]

    def load() -> Array:
        weights, *factors = (source.array().astype(np.float32) for source in sources)
        rows = weights.swapaxes(1, 2)
        by, origin = (f.reshape(len(rows), -1, 1) for f in factors)
        return (rows - origin) * by

    type = tensor_type(BY_PROTO[1].ir, [shape[0], shape[2], shape[1]])
    ref = TensorRef(".".join(source.data.name for source in sources), load, type)
    return n.add(WeightOp.of(WeightAttr(ref), type))[0]


def _lower(n: Node) -> Lowered:
    return Recurrent.of(n, KINDS[n.op.op_type]).lower()


@lowers("GRU")
def gru(n: Node) -> Lowered:
    linear = n.integer("linear_before_reset", 0) != 0
    return Recurrent.of(n, KINDS["GRU"]).lower(in_pytorch=linear, linear_before_reset=linear)


def _lstm(n: Node, quantized: bool) -> Lowered:
    coupled = n.integer("input_forget", 0) != 0
    op = Recurrent.of(n, KINDS["LSTM"], transposed=quantized)
    if not quantized:
        return op.lower(in_pytorch=not coupled, input_forget=coupled)
    weights = _dequantized(n, W, 8, 9), _dequantized(n, R, 10, 11)
    return op.lower(weights, input_forget=coupled, quantized=True)


lowers("RNN")(_lower)
lowers("LSTM")(partial(_lstm, quantized=False))
lowers("com.microsoft::DynamicQuantizeLSTM")(partial(_lstm, quantized=True))
