"""Every version of every operator that the installed onnx knows parses, prints and verifies."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from onnx import defs
from xdsl.context import Context
from xdsl.dialects import test
from xdsl.dialects.builtin import (
    ArrayAttr,
    Builtin,
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    TensorType,
    f32,
    i64,
)
from xdsl.ir import Attribute, Block, Region
from xdsl.parser import Parser

from ramiel.dialects.onnx import SchemaOperation, onnx_dialect, operation_class
from ramiel.dialects.onnx.attributes import floats, ints
from ramiel.dialects.onnx.operation import OPSET
from ramiel.dialects.onnx.schemas import Formal, Schema, operator_names, schema
from ramiel.dialects.onnx.structure import Yield
from ramiel.dialects.onnx.types import (
    BY_ONNX,
    MapType,
    OptionalType,
    SequenceType,
    schema_name,
    tensor_type,
)
from ramiel.dialects.verify import verify_module
from ramiel.errors import CompileError

VERSIONS = sorted(
    (s.name, s.since_version) for s in defs.get_all_schemas_with_history() if s.domain == ""
)

VALUES: dict[str, Attribute] = {
    "INT": IntegerAttr(-3, i64),
    "FLOAT": FloatAttr(0.1, f32),
    "STRING": StringAttr('a "quoted" \\ and ünïcode text'),
    "INTS": ints([1, -2]),
    "FLOATS": floats([0.1, -2.5]),
    "STRINGS": ArrayAttr([StringAttr("a"), StringAttr("")]),
    "TENSOR": DenseIntOrFPElementsAttr.from_list(TensorType(f32, [2]), [1.0, 2.0]),
    "TYPE_PROTO": SequenceType(TensorType(f32, [2])),
}


def type_of_schema(text: str) -> Attribute:
    """The IR type that a schema spells `tensor(float)`, `seq(tensor(int64))` and so on."""
    head, _, rest = text.partition("(")
    inner = rest.removesuffix(")")
    match head:
        case "tensor":
            return tensor_type(BY_ONNX[inner].ir, [2, None])
        case "seq":
            return SequenceType(type_of_schema(inner))
        case "optional":
            return OptionalType(type_of_schema(inner))
        case _:
            key, _, value = inner.partition(",")
            return MapType(BY_ONNX[key].ir, type_of_schema(value.strip()))


def types_of(formals: tuple[Formal, ...], count: int, bound: dict[str, str]) -> list[Attribute]:
    """Types for the first `count` values, one for each type variable."""
    chosen = [formals[min(i, len(formals) - 1)] for i in range(count)]
    return [type_of_schema(bound.setdefault(f.variable, min(f.types))) for f in chosen]


def build(name: str, declared: Schema, operands: int | None = None) -> SchemaOperation:
    """The operation of least arity with all attributes."""
    bound: dict[str, str] = {}
    inputs = declared.min_inputs if operands is None else operands
    source = test.TestOp(result_types=types_of(declared.inputs, inputs, bound))
    # A loop's body also yields whether to go on.
    yielded = declared.min_outputs + (name == "Loop")
    op = operation_class(name).make(
        source.results,
        types_of(declared.outputs, declared.min_outputs, bound),
        {k: VALUES[kind] for k, kind in declared.attributes.items() if kind in VALUES},
        "a node",
        [subgraph(yielded) for _ in declared.graphs],
    )
    if name == "Constant":
        op.properties = {"value": VALUES["TENSOR"]}
    Block([source, op])
    return op


def subgraph(yielded: int) -> Region:
    values = test.TestOp(result_types=[tensor_type(BY_ONNX["float"].ir, [2])] * yielded)
    return Region(Block([values, Yield.make(values.results, [])]))


def module_of(op: SchemaOperation, opset: int) -> ModuleOp:
    block = op.parent_block()
    assert block is not None
    return ModuleOp(Region(block), {OPSET: IntegerAttr(opset, i64)})


@cache
def context() -> Context:
    ctx = Context(allow_unregistered=True)
    ctx.load_dialect(Builtin)
    ctx.load_dialect(onnx_dialect())
    return ctx


def versions() -> Iterator[tuple[str, int, Schema]]:
    for name, opset in VERSIONS:
        declared = schema(name, opset)
        assert declared is not None, f"{name} {opset}"
        yield name, opset, declared


def refused(name: str, opset: int, op: SchemaOperation, reason: str) -> None:
    with pytest.raises(CompileError, match=reason):
        verify_module(module_of(op, opset))
        pytest.fail(f"{name}, opset {opset}, verifies")


def test_every_version_goes_through_text():
    for name, opset, declared in versions():
        module = module_of(build(name, declared), opset)
        verify_module(module)
        text = str(module)
        again = Parser(context(), text).parse_module()
        verify_module(again)
        assert str(again) == text, f"{name}, opset {opset}"


def test_every_version_refuses_an_operand_too_many():
    for name, opset, declared in versions():
        if 0 < declared.max_inputs < 1 << 20:
            op = build(name, declared, declared.max_inputs + 1)
            refused(name, opset, op, r"input\(s\), got")


def test_every_version_refuses_an_operand_too_few():
    for name, opset, declared in versions():
        if declared.min_inputs:
            refused(name, opset, build(name, declared, declared.min_inputs - 1), r"input\(s\), got")


def test_every_version_refuses_an_unknown_attribute():
    for name, opset, declared in versions():
        op = build(name, declared)
        op.properties["no_such_attribute"] = VALUES["INT"]
        refused(name, opset, op, "unknown attribute 'no_such_attribute'")


def test_every_version_refuses_an_attribute_of_another_kind():
    for name, opset, declared in versions():
        for key, kind in declared.attributes.items():
            if kind in VALUES and name != "Constant":
                op = build(name, declared)
                op.properties[key] = VALUES["STRINGS" if kind == "INT" else "INT"]
                refused(name, opset, op, f"attribute '{key}' must be {kind}")


def test_every_version_refuses_a_missing_attribute():
    for name, opset, declared in versions():
        for key in declared.required - set(declared.graphs):
            op = build(name, declared)
            del op.properties[key]
            refused(name, opset, op, "is required|expected one value")


def test_no_operator_is_in_an_opset_before_its_first():
    first = {name: min(v for n, v in VERSIONS if n == name) for name in operator_names()}
    for name, opset in first.items():
        declared = schema(name, opset)
        assert declared is not None
        if opset > 1 and name != "Constant":
            op = build(name, declared)
            refused(name, opset - 1, op, f"it came with opset {opset}")


def test_schema_types_are_spelt_as_onnx_spells_them():
    for _, _, declared in versions():
        for formal in (*declared.inputs, *declared.outputs):
            for text in formal.types:
                spelt = schema_name(type_of_schema(text))
                assert spelt is not None and spelt.replace(" ", "") == text.replace(" ", "")
