"""How much work an operation of the `torch` dialect does, from the shapes of its operands.

Each kind of work that a callee or a layer may have by the table of callees is a function here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import log2, prod

from xdsl.dialects.builtin import ArrayAttr
from xdsl.ir import Attribute, Block

from ramiel.analysis.static_cost import CACHE, SPILLED, WORKSPACE, Work, static_cost
from ramiel.dialects.onnx.types import numpy_dtype_of, shape_of
from ramiel.dialects.text import text_of
from ramiel.dialects.torch import CallOp, ControlOp, FusedOp, LayerOp, LoopOp, TorchOperation
from ramiel.dialects.torch.callees import ACTIVATIONS, CALLEES, LAYERS, Kind, Trait
from ramiel.dialects.torch.literals import python_literal
from ramiel.torch_level.candidates import Kernel, kernel_of

NOMINAL = 32
"""What stands for a dimension that is not known at compile time; a batch, the first
dimension, counts as 1."""

VIEW = 0.25
"""What a call that moves no data takes of the price of one that computes."""
STEPS_OF_A_LOOP = 8
"""What stands for the number of a loop's iterations."""
STEP_OF_A_LAYER = 0.2
"""What a step of a recurrent layer takes of the price of a call; step by step, it is a call."""
STEPS = 3
"""How many calls a convolution by Winograd's algorithm counts as."""
FEWEST_CHANNELS = 4
"""A convolution of fewer takes as long."""
FEWEST_RESULTS = 16
"""One by Winograd's algorithm with fewer channels of results takes as long."""
TILE = 4
"""The results on a side of its tiles."""
TEXT = 0.06
"""What one element that Python looks at takes of the price of a call."""
NEIGHBOURS = 4
"""The elements that are read for one between pixels."""


def work_of(op: TorchOperation, threads: int = 1) -> Work:
    """The work of one operation, by its kernel for a number of threads."""
    return work_by(op, kernel_of(op, threads))


def work_by(op: TorchOperation, kernel: Kernel) -> Work:
    """The work of one operation if it is computed by a kernel."""
    if isinstance(op, FusedOp):
        return _work_of_fused(op)
    if isinstance(op, ControlOp):
        bodies = [_work_of_body(block) for block in op.bodies]
        return (
            bodies[0] * STEPS_OF_A_LOOP if isinstance(op, LoopOp) else max(bodies, key=static_cost)
        )
    if isinstance(op, LayerOp):
        kind = LAYERS[op.layer].kind
        work = WORK[kind](_Shapes.of(op, op.weight_shape, op.config, kernel))
        return _placed(work) + _curves(op, ACTIVATIONS.get(_activation(op), ""))
    if isinstance(op, CallOp):
        weight = _dims(op.operands[1].type) if len(op.operands) > 1 else ()
        work = WORK[CALLEES[op.callee].kind](_Shapes.of(op, weight, op.kwargs, kernel))
        return _placed(work) + _curves(op, op.callee)
    return Work(calls=0)


def _activation(op: LayerOp) -> str:
    """The name of a layer's activation, or nothing."""
    given = op.config.get("activation")
    first = given.data[0] if isinstance(given, ArrayAttr) else given
    return text_of(first) or ""


def _placed(work: Work) -> Work:
    """The work with the bytes that it moves far from the cores, if they are many."""
    return work if work.moved <= CACHE else replace(work, moved=0.0, far=work.moved)


def _curves(op: CallOp | LayerOp, callee: str) -> Work:
    """The work of a function on each element of the result, if it is a transcendental one."""
    is_one = callee in CALLEES and CALLEES[callee].is_a(Trait.TRANSCENDENTAL)
    return Work(calls=0, curves=float(prod(_dims(op.results[0].type))) if is_one else 0.0)


def _work_of_body(block: Block) -> Work:
    works = (work_of(op) for op in block.ops if isinstance(op, TorchOperation))
    return sum(works, Work(calls=1))


def _work_of_fused(op: FusedOp) -> Work:
    """That of one call, which reads the operands and writes the result; what its calls hand to each
    other stays in registers."""
    moved = sum(bytes_of(v.type) for v in (*op.operands, *op.results))
    return sum((_curves(call, call.callee) for call in op.calls), _placed(Work(moved=moved)))


@dataclass(frozen=True)
class _Shapes:
    """An operation as its work is asked for."""

    op: CallOp | LayerOp
    x: tuple[int, ...]
    """The first operand's shape."""
    y: tuple[int, ...]
    """The first result's."""
    weight: tuple[int, ...]
    """A layer's weight's, or the second operand's."""
    config: Mapping[str, Attribute]
    kernel: Kernel
    moved: float
    """The bytes of all operands and results."""

    @staticmethod
    def of(
        op: CallOp | LayerOp,
        weight: tuple[int, ...],
        config: Mapping[str, Attribute],
        kernel: Kernel,
    ) -> _Shapes:
        x = _dims(op.operands[0].type) if op.operands else ()
        y = _dims(op.results[0].type)
        moved = sum(bytes_of(v.type) for v in (*op.operands, *op.results))
        return _Shapes(op, x, y, weight, config, kernel, moved)

    @property
    def element(self) -> float:
        """The bytes of one element of the result."""
        return bytes_of(self.op.results[0].type) / max(1, prod(self.y))

    @property
    def weights(self) -> float:
        """The bytes of the weight."""
        return prod(self.weight) * self.element


def _view(_: _Shapes) -> Work:
    return Work(calls=VIEW)


def _moves(s: _Shapes) -> Work:
    return Work(moved=s.moved)


def _convolution(s: _Shapes, transposed: bool = False) -> Work:
    if len(s.weight) < 3:
        return _moves(s)
    # A transposed convolution spreads its input over the result.
    channels = max(s.weight[1], FEWEST_CHANNELS if "groups" not in s.config else 1)
    flops = 2.0 * prod(s.x if transposed else s.y) * channels * prod(s.weight[2:])
    if "groups" in s.config:
        return Work(grouped=flops, moved=s.moved, weights=s.weights)
    if prod(s.weight[2:]) == 1:
        return Work(product=flops, moved=s.moved, weights=s.weights)
    if s.kernel is not None and "winograd" in s.kernel:
        return _winograd(s)
    return Work(convolution=flops, moved=s.moved, weights=s.weights)


def _winograd(s: _Shapes) -> Work:
    """Transforms of tiles, and products of what these make."""
    wide = [size for size in s.weight[2:] if size > 1]
    tiles = s.y[0] * prod(s.y[2:]) / TILE ** len(wide)
    places = prod(size + TILE - 1 for size in wide)
    made, read = max(s.weight[0], FEWEST_RESULTS), s.weight[1]
    size = tiles * places * (made + read) * s.element
    return Work(
        STEPS,
        winograd=2.0 * tiles * places * made * read,
        transformed=size + (SPILLED - 1) * max(0.0, size - WORKSPACE),
        weights=s.weights * places / prod(wide),
        moved=s.moved,
    )


def _transposed(s: _Shapes) -> Work:
    return _convolution(s, transposed=True)


def _product(s: _Shapes) -> Work:
    """Also of each pair of rows [k], which is as many steps."""
    if not s.x:
        return _moves(s)
    return Work(product=2.0 * prod(s.y) * s.x[-1], moved=s.moved)


def _linear(s: _Shapes) -> Work:
    if not s.x:
        return _moves(s)
    work = Work(moved=s.moved, weights=s.weights)
    flops = 2.0 * prod(s.y) * s.x[-1]
    return replace(work, packed=flops) if s.kernel == "mkl" else replace(work, product=flops)


def _packed_product(s: _Shapes) -> Work:
    """The weight is written and read again as floats."""
    if not s.x or not s.y:
        return _moves(s)
    unpacked = 2 * s.x[-1] * s.y[-1] * s.element
    return _product(s) + Work(calls=1, moved=unpacked)


def _einsum(s: _Shapes) -> Work:
    """Each combination of its letters is a multiplication."""
    assert isinstance(s.op, CallOp)
    equation = python_literal(s.op.args[0])
    letters: dict[str, int] = {}
    rest = 1
    if isinstance(equation, str):
        terms = equation.partition("->")[0].split(",")
        for term, operand in zip(terms, s.op.operands, strict=False):
            dims, names = list(_dims(operand.type)), re.findall("[A-Za-z]", term)
            if "..." in term:
                first = len(re.findall("[A-Za-z]", term.partition("...")[0]))
                batch = dims[first : len(dims) - len(names) + first]
                del dims[first : first + len(batch)]
                rest = max(rest, prod(batch))
            letters |= dict(zip(names, dims, strict=False))
    return Work(product=2.0 * rest * prod(letters.values()), moved=s.moved)


def _attention(s: _Shapes) -> Work:
    """The softmax is of a score for each row and key."""
    if len(s.weight) < 2:
        return _moves(s)
    keys = s.weight[-2]
    product = 2.0 * keys * (prod(s.x) + prod(s.y))
    return Work(product=product, moved=s.moved, curves=float(prod(s.y[:-1]) * keys))


def _recurrent(s: _Shapes) -> Work:
    if len(s.weight) < 2 or not s.y:
        return _moves(s)
    steps = prod(s.y) / max(1, prod(_dims(s.op.results[1].type)))
    rows, inputs, hidden = s.weight[-2], s.weight[-1], s.y[-1]
    flops = 2.0 * prod(s.y[:-1]) * rows * (inputs + hidden)
    calls = 1 + steps * (STEP_OF_A_LAYER if isinstance(s.op, LayerOp) else 1.0)
    weights = s.weights * (1 + hidden / max(1, inputs))
    return Work(calls, product=flops, moved=s.moved, weights=weights)


def _windows(s: _Shapes) -> Work:
    size = s.config.get("kernel_size")
    sides = [] if size is None else list(size) if isinstance(size, ArrayAttr) else [size]
    lengths = [v for v in map(python_literal, sides) if isinstance(v, int)]
    window = lengths[0] ** (len(s.y) - 2) if len(lengths) == 1 else prod(lengths)
    return Work(windows=window * bytes_of(s.op.results[0].type))


def _solved(s: _Shapes) -> Work:
    """Gaussian elimination takes n**3 / 3 multiplications."""
    return Work(product=2 / 3 * prod(s.x) * (s.x[-1] if s.x else 1), moved=s.moved)


def _sorted(s: _Shapes) -> Work:
    return Work(moved=s.moved * max(1.0, log2(max(1, prod(s.x)))))


def _sampled(s: _Shapes) -> Work:
    return Work(windows=NEIGHBOURS * prod(s.y) * s.element, moved=s.moved)


def _text(s: _Shapes) -> Work:
    return Work(calls=1 + TEXT * max(prod(s.x), prod(s.y)))


WORK: Mapping[Kind, Callable[[_Shapes], Work]] = {
    Kind.VIEW: _view,
    Kind.MOVES: _moves,
    Kind.CONVOLUTION: _convolution,
    Kind.TRANSPOSED: _transposed,
    Kind.PRODUCT: _product,
    Kind.LINEAR: _linear,
    Kind.PACKED_PRODUCT: _packed_product,
    Kind.EINSUM: _einsum,
    Kind.ATTENTION: _attention,
    Kind.RECURRENT: _recurrent,
    Kind.WINDOWS: _windows,
    Kind.PAIRS: _product,
    Kind.SOLVED: _solved,
    Kind.SORTED: _sorted,
    Kind.SPECTRUM: _sorted,
    Kind.SAMPLED: _sampled,
    Kind.TEXT: _text,
}


def _dims(type: Attribute) -> tuple[int, ...]:
    shape = shape_of(type) or ()
    return tuple((1 if i == 0 else NOMINAL) if d is None else d for i, d in enumerate(shape))


def bytes_of(type: Attribute) -> float:
    """The size of a tensor of a type, open dimensions guessed."""
    dtype = numpy_dtype_of(type)
    return float(prod(_dims(type)) * (dtype.itemsize if dtype is not None else 4))
