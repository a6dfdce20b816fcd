"""torch-fold-pad: folds paddings into the convolutions and pools that read them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp
from xdsl.ir import Attribute, Operation
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern

from ramiel.console.refusals import refuse
from ramiel.dialects.onnx.types import shape_of
from ramiel.dialects.torch import CallOp, LayerOp, TorchOperation
from ramiel.dialects.torch.literals import python_literal, scalar
from ramiel.torch_level.patterns import CONVOLUTIONS, arguments_of, changed_layer, replace, rewrite

_POOLS = {f"F.{kind}_pool{dims}d": dims for kind in ("avg", "max") for dims in (1, 2, 3)}


@dataclass(frozen=True)
class _Pad:
    """A padding that is equal at both ends, with a size for each spatial dimension."""

    sizes: tuple[int, ...]
    value: float


class _FoldPad(RewritePattern):
    """Replaces conv(pad(x)) by conv(x) with more padding, and pools likewise."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, CallOp) or op.callee != "F.pad":
            return
        users = [use.operation for use in op.results[0].uses]
        if not any(map(_pads_itself, users)):
            return
        pad = _pad(op)
        if isinstance(pad, str):
            return refuse(op, pad)
        changed: list[tuple[TorchOperation, TorchOperation]] = []
        for user in users:
            new = _folded(user, pad)
            if isinstance(new, str) or not isinstance(user, TorchOperation):
                return refuse(op, str(new))
            changed.append((user, new))
        for user, new in changed:
            new.operands[0] = op.operands[0]
            replace(rewriter, user, new, user)


def _pads_itself(op: Operation) -> bool:
    """Whether an operation is a convolution or pool, which can pad its input."""
    if isinstance(op, LayerOp):
        return op.layer in CONVOLUTIONS
    return isinstance(op, CallOp) and op.callee in _POOLS


def _pad(op: CallOp) -> _Pad | str:
    """The padding of a call that pads only spatial dimensions, or why it cannot be folded."""
    args, options = arguments_of(op)
    shape, value = shape_of(op.results[0].type), options.pop("value", 0)
    if shape is None:
        return "the number of dimensions is not known"
    if len(args) != 2 or options:
        return "it does not pad with a constant"
    if not isinstance(value, int | float):
        return "the number that it pads with is not known"
    sides = cast("list[int]", args[1])
    sizes = sides[::2][::-1]
    missing = len(shape) - 2 - len(sizes)
    if missing < 0:
        return "it pads more than the spatial dimensions"
    if sides[::2] != sides[1::2]:
        return "it does not pad both ends of each dimension alike"
    if min(sizes) < 0:
        return "it crops at an end"
    return _Pad((0,) * missing + tuple(sizes), value)


def _folded(op: Operation, pad: _Pad) -> LayerOp | CallOp | str:
    """A copy of an operation that pads its input itself, still with its old operand.

    The reason if there is none.
    """
    if isinstance(op, LayerOp) and CONVOLUTIONS.get(op.layer) == len(pad.sizes):
        return _convolution(op, pad)
    if isinstance(op, CallOp) and _POOLS.get(op.callee) == len(pad.sizes):
        return _pool(op, pad)
    return "its result has a reader that is neither a convolution nor a pool"


def _convolution(op: LayerOp, pad: _Pad) -> LayerOp | str:
    total = _sum(_integers(op.config.get("padding")), pad)
    if pad.value != 0:
        return "it pads with a number other than 0, which convolutions cannot"
    if total is None:
        return "the padding of the convolution after it is not known"
    if len(op.operands) != 1:
        return "the convolution after it adds another value"
    return changed_layer(op, config={"padding": scalar(total)})


def _pool(op: CallOp, pad: _Pad) -> CallOp | str:
    args, options = arguments_of(op)
    average = op.callee.startswith("F.avg_pool")
    before, kernel = (_integers(op.kwargs.get(name)) for name in ("padding", "kernel_size"))
    total = _sum(before, pad)
    if len(args) != 1 or total is None:
        return "the padding of the pool after it is not known"
    # ceil_mode's extra elements at the end do not count as padding, so the windows would change.
    if options.get("ceil_mode", False):
        return "the pool after it rounds its size up (ceil_mode)"
    kernels = kernel * len(total) if len(kernel) == 1 else kernel
    if len(kernels) != len(total) or any(2 * t > k for t, k in zip(total, kernels, strict=True)):
        return "the padding would be more than half of the windows of the pool after it"
    if pad.value != (0 if average else -math.inf):
        return f"it pads with {pad.value:g}, but the pool after it with {0 if average else '-inf'}"
    if any(before) and options.get("count_include_pad", True) is not True:
        return "the average after it does not count the padding that it has already"
    options.pop("count_include_pad", None)
    return CallOp.of(op.callee, args, {**options, "padding": scalar(total)}, op.result_types)


def _integers(attribute: Attribute | None) -> tuple[int, ...]:
    """An option with one number for all dimensions, or one for each; 0 if it is not given."""
    values = list(attribute) if isinstance(attribute, ArrayAttr) else [attribute]
    return tuple(cast(int, python_literal(v)) if v is not None else 0 for v in values)


def _sum(padding: tuple[int, ...], pad: _Pad) -> list[int] | None:
    sizes = padding * len(pad.sizes) if len(padding) == 1 else padding
    if len(sizes) != len(pad.sizes):
        return None
    return [a + b for a, b in zip(sizes, pad.sizes, strict=True)]


@dataclass(frozen=True)
class TorchFoldPadPass(ModulePass):
    """Makes convolutions and pools pad their input, if nothing else reads the padded one.

        %1 = torch.call F.pad(%x, [1, 1, 1, 1]) : ...
        %2 = torch.layer Conv2d(%1) {stride = 2} weights {...} : ...
        // becomes
        %2 = torch.layer Conv2d(%x) {stride = 2, padding = 1} weights {...} : ...

    The padding must be equal at both ends of a dimension, and of zeros for convolutions and average
    pools, which then count it, or of minus infinity for max pools.
    """

    name = "torch-fold-pad"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        rewrite(self.name, op, _FoldPad())
