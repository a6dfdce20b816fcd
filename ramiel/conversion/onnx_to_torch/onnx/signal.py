"""Fourier transforms and mel weights."""

from __future__ import annotations

from xdsl.ir import SSAValue

from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.types import BY_PROTO, tensor_type


def _number(n: Node, i: int) -> int | float | SSAValue | None:
    known = n.scalar(i)
    return n.get(i) if known is None else known


def _dft(n: Node, axis: int | float | SSAValue) -> Lowered:
    shape = n.shape(0)
    if isinstance(axis, int | float) and shape is not None:
        rank = len(shape)
        if not -rank <= axis < rank or axis % rank == rank - 1:
            n.fail(f"a signal of rank {rank} has no axis {axis}")
    if shape and shape[-1] not in (None, 1, 2):
        n.fail("the last dimension of its input must have size 1 (real) or 2 (complex)")
    options: dict[str, object] = {"axis": axis}
    options |= {k: True for k in ("inverse", "onesided") if n.integer(k, 0)}
    length = _number(n, 1)
    return n.call("ops.dft", n[0], *([] if length is None else [length]), **options)


@lowers("DFT", 17)
def dft_17(n: Node) -> Lowered:
    return _dft(n, n.integer("axis", 1))


@lowers("DFT", 20)
def dft(n: Node) -> Lowered:
    axis = _number(n, 2)
    return _dft(n, -2 if axis is None else axis)


@lowers("STFT", 17)
def stft(n: Node) -> Lowered:
    step, length = _number(n, 1), _number(n, 3)
    if isinstance(step, int) and step < 1:
        n.fail("its frame step must be positive")
    options: dict[str, object] = {}
    if n.given(2):
        options["window"] = n[2]
    if length is not None:
        options["length"] = length
    if not n.integer("onesided", 1):
        options["onesided"] = False
    return n.call("ops.stft", n[0], step, **options)


@lowers("MelWeightMatrix", 17)
def mel_weight_matrix(n: Node) -> Lowered:
    row = BY_PROTO.get(n.integer("output_datatype", 1))
    if row is None:
        n.fail(f"its element type {n.integer('output_datatype')} is unknown")
    dtype = n.dtype(tensor_type(row.ir, None))
    return n.call("ops.mel_weight_matrix", *(_number(n, i) for i in range(5)), dtype)
