"""Shape rules: ONNX's own inference, called for one operation at a time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import cast

import onnx
from onnx import checker, shape_inference
from xdsl.ir import Attribute, SSAValue

from ramiel.dialects.onnx.attributes import WeightAttr, array_of
from ramiel.dialects.onnx.legacy import restated, with_rules
from ramiel.dialects.onnx.operation import SchemaOperation
from ramiel.dialects.onnx.protos import node_of, proto_of_type, tensor_of_array, type_of_proto
from ramiel.dialects.onnx.schemas import Schema
from ramiel.dialects.onnx.structure import constant_attribute_of
from ramiel.dialects.onnx.types import (
    ELEMENT_TYPES,
    OptionalType,
    SequenceType,
    UnknownType,
    element_of,
    numpy_dtype_of,
    shape_of,
    static_shape_of,
    tensor_type,
    type_of_array,
    type_of_nothing,
)

_MOST_SHAPE_DATA = {"i": 1024, "u": 1024, "f": 16}
"""How many elements, by the kind of their type, a constant may have that is passed to the shape
rules. Resize takes its scales as floats; other floats are mostly biases."""
MOST_KNOWN = 4096
"""How many inferences are kept."""

_known: dict[Hashable, list[Attribute]] = {}
"""The types that were inferred, by what they depend on: see question()."""


class ShapeError(Exception):
    """The types of an operation's inputs contradict its schema."""


def infer_types(op: SchemaOperation) -> list[Attribute] | None:
    """The types of an operation's results by its schema's rules.

    Returns None if no rule applies: the operator has none, or an input's type is unknown.
    Raises ShapeError if the inputs contradict each other. Models repeat their operations, so that
    types are inferred once for all that are alike.
    """
    declared = op.schema()
    if declared is None or op.regions or op.name == "onnx.Constant":
        return None
    constants = [shape_data(v) for v in op.operands]
    asked = question(op, constants)
    if asked in _known:
        return _known[asked]
    types = _inferred(op, declared, constants)
    if types is not None:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[asked] = types
    return types


def question(op: SchemaOperation, constants: Sequence[Attribute | None]) -> Hashable:
    """All that the types of an operation's results depend on, and their values if all operands are
    among the constants: these are the operands' attributes, None for those that do not matter."""
    return (
        (op.domain, op.operator, op.opset),
        tuple((name, _value(attribute)) for name, attribute in op.properties.items()),
        tuple(op.operand_types),
        tuple(op.result_types),
        tuple(map(_value, constants)),
    )


def _value(attribute: Attribute | None) -> Hashable:
    """What is equal for attributes of equal value; weights are equal if their names are."""
    if not isinstance(attribute, WeightAttr):
        return attribute
    array = attribute.array()
    strings = array.dtype.hasobject
    return array.dtype, array.shape, tuple(array.flat) if strings else array.tobytes()


def _inferred(
    op: SchemaOperation, declared: Schema, constants: Sequence[Attribute | None]
) -> list[Attribute] | None:
    ruling = with_rules(op.operator, declared.since, op.domain)
    if ruling is None:
        return _declared_types(op, declared)
    inputs: list[str] = []
    types: dict[str, onnx.TypeProto] = {}
    data: dict[str, onnx.TensorProto] = {}
    for i, (operand, attribute) in enumerate(zip(op.operands, constants, strict=True)):
        if operand.type == type_of_nothing:
            inputs.append("")
            continue
        proto = proto_of_type(operand.type)
        if proto is None:
            return None
        constant = None if attribute is None else array_of(attribute)
        if op.op_type in _OF_SCALARS and constant is not None and constant.size == 1:
            constant = constant.reshape(())
            proto = proto_of_type(type_of_array(constant))
            assert proto is not None
        inputs.append(f"i{i}")
        types[f"i{i}"] = proto
        if constant is not None:
            data[f"i{i}"] = tensor_of_array(constant, f"i{i}")
    outputs = [f"o{i}" for i in range(len(op.results))]
    stated = restated(node_of(op, inputs, outputs), declared.since, ruling)
    if stated is None:
        return None
    node, more = stated
    for name, array in more.items():
        types[name] = onnx.helper.make_tensor_type_proto(onnx.TensorProto.INT64, array.shape)
        data[name] = tensor_of_array(array, name)
    version = max(op.opset, ruling.since)
    opset = onnx.helper.make_opsetid(op.domain, version)
    try:
        inferred = shape_inference.infer_node_outputs(
            ruling.source, node, types, data, opset_imports=[opset]
        )
    except (
        checker.ValidationError,
        shape_inference.InferenceError,
        RuntimeError,
        ValueError,
    ) as error:
        raise ShapeError(_first_line(error)) from error
    found = [
        type_of_proto(inferred[o]) if o in inferred else r.type
        for o, r in zip(outputs, op.results, strict=True)
    ]
    return _mended(op, [_completed(op, type) for type in found])


def _declared_types(op: SchemaOperation, declared: Schema) -> list[Attribute]:
    """The types by a schema without shape rules: an element type is the only one that the schema
    allows, or that of an input with the same type variable."""
    bound: dict[str, Attribute] = {}
    for i, operand in enumerate(op.operands):
        formal = declared.inputs[min(i, len(declared.inputs) - 1)]
        element = element_of(operand.type)
        if element is not None and formal.homogeneous:
            bound.setdefault(formal.variable, element)
    types: list[Attribute] = []
    for i, result in enumerate(op.results):
        formal = declared.outputs[min(i, len(declared.outputs) - 1)]
        element = bound.get(formal.variable)
        for row in ELEMENT_TYPES:
            if formal.types == frozenset([f"tensor({row.onnx})"]):
                element = row.ir
        shape = shape_of(op.operands[0].type) if op.op_type in _OF_ITS_INPUTS_SHAPE else None
        types.append(result.type if element is None else tensor_type(element, shape))
    return types


_OF_ITS_INPUTS_SHAPE = frozenset(
    ["ai.onnx.ml::Imputer", "ai.onnx.ml::Normalizer", "ai.onnx.ml::Scaler"]
)
"""Operators without rules whose result has the shape of their input."""


_OF_SCALARS = frozenset(["Range"])
"""Operators of scalars to which runtimes and ONNX's own functions also pass 1-D tensors of one
element."""


# --- ranks that ONNX's rules leave unknown if the value of an input is unknown ---------------

Dims = Sequence[int | None]


def _completed(op: SchemaOperation, type: Attribute) -> Attribute:
    """The type of a result, with the rank and dimensions by `_DIMS` if ONNX's rule found none."""
    element = element_of(type)
    if element is None or shape_of(type) is not None or op.op_type not in _DIMS:
        return type
    return tensor_type(element, _DIMS[op.op_type](op))


def _length(op: SchemaOperation, i: int) -> int | None:
    """The length of input i if it is 1-D and its shape is known."""
    shape = static_shape_of(op.operands[i].type) if i < len(op.operands) else None
    return shape[0] if shape is not None and len(shape) == 1 else None


def _any(rank: int | None) -> Dims | None:
    return None if rank is None else [None] * rank


def _rank(op: SchemaOperation, more: int | None = 0) -> int | None:
    """The rank of the first input plus `more`, at least 0; None if either is unknown."""
    shape = shape_of(op.operands[0].type)
    return None if shape is None or more is None else max(0, len(shape) + more)


def _same_rank(op: SchemaOperation) -> Dims | None:
    return _any(_rank(op))


def _split(op: SchemaOperation) -> Dims | None:
    shape, axis = shape_of(op.operands[0].type), op.attribute("axis", 0)
    if shape is None or not isinstance(axis, int) or not -len(shape) <= axis < len(shape):
        return None
    return [None if i == axis % len(shape) else dim for i, dim in enumerate(shape)]


def _mended(op: SchemaOperation, types: list[Attribute]) -> list[Attribute]:
    """The types, with the shapes of results corrected where ONNX's rules are wrong."""
    mend = _MENDED.get(op.op_type)
    dims = mend(op) if mend is not None else None
    element = element_of(op.operands[0].type) if op.operands else None
    if dims is None or element is None or len(dims) != len(types):
        return types
    return [tensor_type(element, d) for d in dims]


def _parts_of_split(op: SchemaOperation) -> list[Dims] | None:
    """Equal parts, of which the last ones may be smaller or empty: ONNX's rule shortens only the
    very last."""
    shape, count = shape_of(op.operands[0].type), op.attribute("num_outputs")
    axis = op.attribute("axis", 0)
    if shape is None or not isinstance(axis, int) or not -len(shape) <= axis < len(shape):
        return None
    whole = shape[axis]
    if whole is None or not isinstance(count, int) or count < 1:
        return None
    part = -(-whole // count)
    lengths = [max(0, min(part, whole - i * part)) for i in range(count)]
    return [[n if d == axis % len(shape) else s for d, s in enumerate(shape)] for n in lengths]


def _same_transposed(op: SchemaOperation) -> list[Dims] | None:
    """With auto_pad SAME, a ConvTranspose's output size is size * stride by its specification;
    ONNX's rule wrongly adds output_padding."""
    shape, weight = (shape_of(v.type) for v in op.operands[:2])
    strides, group = op.attribute("strides"), op.attribute("group", 1)
    same = str(op.attribute("auto_pad", "")).startswith("SAME")
    if not same or op.attribute("output_shape") is not None or not op.attribute("output_padding"):
        return None
    if shape is None or weight is None or not isinstance(group, int):
        return None
    steps = list(strides) if isinstance(strides, list | tuple) else [1] * (len(shape) - 2)
    if len(steps) != len(shape) - 2 or len(weight) != len(shape):
        return None
    channels = None if weight[1] is None else weight[1] * group
    spatial = [None if d is None else d * int(s) for d, s in zip(shape[2:], steps, strict=True)]
    return [[shape[0], channels, *spatial]]


def _squeezed(op: SchemaOperation) -> Dims | None:
    length = _length(op, 1)
    return None if length is None else _any(_rank(op, -length))


def _reduced(op: SchemaOperation) -> Dims | None:
    if op.attribute("keepdims", 1):
        return _same_rank(op)
    return _squeezed(op) if _length(op, 1) else None  # no axes may mean all axes, or none


def _convolved(op: SchemaOperation) -> Dims | None:
    weight = shape_of(op.operands[1].type)
    return None if weight is None else _any(len(weight))


_MENDED: Mapping[str, Callable[[SchemaOperation], list[Dims] | None]] = {
    "ConvTranspose": _same_transposed,
    "Split": _parts_of_split,
}

_REDUCTIONS = "L1 L2 LogSum LogSumExp Max Mean Min Prod Sum SumSquare"
_WINDOWS = "BlackmanWindow HammingWindow HannWindow"

_DIMS: Mapping[str, Callable[[SchemaOperation], Dims | None]] = {
    "CenterCropPad": _same_rank,
    "ConstantOfShape": lambda op: _any(_length(op, 0)),
    "Conv": _convolved,
    "ConvTranspose": _convolved,
    "MaxUnpool": _same_rank,
    "MelWeightMatrix": lambda op: [None, None],
    "Pad": _same_rank,
    "Reshape": lambda op: _any(_length(op, 1)),
    "STFT": lambda op: [None] * 4,
    "Split": _split,
    "Squeeze": _squeezed,
    "Unsqueeze": lambda op: _any(_rank(op, _length(op, 1))),
    **{f"Reduce{name}": _reduced for name in _REDUCTIONS.split()},
    **{name: lambda op: [None] for name in _WINDOWS.split()},
}


# --- types ---------------------------------------------------------------------------------


def shape_data(value: SSAValue) -> Attribute | None:
    """The attribute of a constant that may be a shape, a list of axes or the like, else None."""
    attribute, shape = constant_attribute_of(value), static_shape_of(value.type)
    dtype = numpy_dtype_of(value.type)
    if attribute is None or shape is None or len(shape) > 1 or dtype is None or dtype.itemsize < 4:
        return None
    if sum(shape) > _MOST_SHAPE_DATA.get(dtype.kind, -1):
        return None
    if isinstance(attribute, WeightAttr) and attribute.data.load is None:
        return None
    return attribute


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    line = text[0] if text else type(error).__name__
    # Of "[ShapeInferenceError] (op_type:Add): Incompatible dimensions" only the reason is kept.
    if line.startswith("[") and "] " in line:
        line = line.partition("] ")[2]
    if line.startswith("(op_type:") and "): " in line:
        line = line.partition("): ")[2]
    return line


UNTYPED = tensor_type(UnknownType(), None)
"""The type of a value about which nothing is known."""


def join(declared: Attribute, inferred: Attribute) -> Attribute:
    """Combines what two types say about one value; `inferred` wins where they conflict.

    Shapes that a model declares for its intermediate values are often stale (exported for
    another batch size), and ONNX Runtime trusts the inferred ones as well.
    """
    if declared == inferred:
        return inferred
    if type(declared) is type(inferred) and isinstance(declared, SequenceType | OptionalType):
        assert isinstance(inferred, SequenceType | OptionalType)
        return type(declared)(join(declared.element, inferred.element))
    element = element_of(inferred)
    if element_of(declared) is None and inferred == UNTYPED:
        return declared
    if element is None or element_of(declared) is None:
        return inferred
    if isinstance(element, UnknownType):
        element = cast(Attribute, element_of(declared))
    known, found = shape_of(declared), shape_of(inferred)
    if found is None:
        return tensor_type(element, known)
    if known is None or len(known) != len(found):
        return tensor_type(element, found)
    return tensor_type(
        element, [f if f is not None else k for k, f in zip(known, found, strict=True)]
    )


def meet(one: Attribute, other: Attribute) -> Attribute:
    """The most precise type that covers both, such as those that two branches yield."""
    if one == other:
        return one
    if isinstance(one, SequenceType | OptionalType) and isinstance(other, type(one)):
        return type(one)(meet(one.element, other.element))
    element = element_of(one)
    if element is None or element != element_of(other):
        return UNTYPED
    a, b = shape_of(one), shape_of(other)
    if a is None or b is None or len(a) != len(b):
        return tensor_type(element, None)
    return tensor_type(element, [x if x == y else None for x, y in zip(a, b, strict=True)])
