"""FlexAttention: attention whose scores and probabilities are modified by subgraphs."""

from __future__ import annotations

import math

from xdsl.ir import SSAValue

from ramiel.conversion.onnx_to_torch.table import Lowered, Node, inline_block, lowers
from ramiel.dialects.onnx.structure import Custom
from ramiel.dialects.onnx.types import BY_IR, BY_PROTO, element_of, tensor_type


@lowers("ai.onnx.preview::FlexAttention")
def flex_attention(n: Node) -> Lowered:
    q, k, v = (n.shape(i) for i in range(3))
    if any(s is None or len(s) != 4 for s in (q, k, v)):
        n.fail("its inputs must be of rank 4")
    assert q is not None and k is not None and v is not None
    heads, shared, width = q[1], k[1], q[3]
    if heads is None or shared is None or width is None or shared < 1 or heads % shared:
        n.fail("its heads must be known, and those of the query a multiple of the key's")
    given = n.attribute("scale")
    scale = 1 / math.sqrt(width) if given is None else n.number("scale")
    result = n.like([*q[:3], v[3]])
    key, value = (_repeated(n, i, heads // shared) for i in (1, 2))
    if not n.op.regions and n.attribute("softmax_precision") is None:
        callee = "F.scaled_dot_product_attention"
        return n.call(callee, n[0], key, value, scale=scale, type=result)
    element = BY_PROTO[_precision(n)].ir
    scaled = n.call("operator.mul", n[0], scale, type=n.op.operands[0].type)
    turned = n.call("Tensor.mT", key, type=n.like([k[0], heads, k[3], k[2]]))
    shape = [*q[:3], k[2]]
    scores = n.call("operator.matmul", scaled, turned, type=n.like(shape))
    scores = _modified(n, "score_mod", _as(n, scores, element, shape))
    shares = n.call("F.softmax", scores, dim=-1, type=scores.type)
    shares = _modified(n, "prob_mod", shares)
    value = _as(n, value, element, [v[0], heads, *v[2:]])
    y = n.call("operator.matmul", shares, value, type=tensor_type(element, [*q[:3], v[3]]))
    return _as(n, y, element_of(n.op.operands[0].type), [*q[:3], v[3]])


def _precision(n: Node) -> int:
    """The TensorProto.DataType that the softmax is computed in."""
    row = BY_IR.get(element_of(n.op.operands[0].type))  # pyright: ignore[reportArgumentType]
    default = 11 if row is not None and row.onnx == "double" else 1
    code = n.integer("softmax_precision", default)
    return code if code in (1, 10, 11, 16) else n.fail(f"softmax_precision {code} is not a float")


def _repeated(n: Node, i: int, times: int) -> SSAValue:
    """Input i with each of its heads repeated `times` times."""
    shape = n.shape(i)
    if times == 1 or shape is None or shape[1] is None:
        return n[i]
    wide = n.like([shape[0], shape[1] * times, *shape[2:]], i)
    return n.call("torch.repeat_interleave", n[i], times, dim=1, type=wide)


def _as(n: Node, value: SSAValue, element: object, shape: list[int | None]) -> SSAValue:
    type = tensor_type(element, shape)  # pyright: ignore[reportArgumentType]
    if element_of(value.type) == element:
        return value
    return n.call("Tensor.to", value, n.dtype(type), type=type)


def _modified(n: Node, name: str, value: SSAValue) -> SSAValue:
    """The value after the subgraph that is attribute `name`, if the node has it."""
    assert isinstance(n.op, Custom)
    region = n.op.graphs.get(name)
    if region is None:
        return value
    block = region.block
    if len(block.args) != 1:
        n.fail(f"{name} must have one input and one output")
    n.builder.values[block.args[0]] = value
    results = inline_block(block, n.builder)
    return results[0] if len(results) == 1 else n.fail(f"{name} must have one output")
