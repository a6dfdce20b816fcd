"""ONNX graphs to the `onnx` dialect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import onnx
from onnx import AttributeProto
from xdsl.dialects import func
from xdsl.dialects.builtin import (
    ArrayAttr,
    BytesAttr,
    DictionaryAttr,
    FloatAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    f32,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from ramiel.dialects.onnx import operation_class
from ramiel.dialects.onnx.attributes import TensorRef, WeightAttr, dense, floats, ints
from ramiel.dialects.onnx.custom_shapes import DEFAULT_DOMAIN, is_in_default_domain
from ramiel.dialects.onnx.operation import MODEL, NAME, OPSET, OPSETS
from ramiel.dialects.onnx.protos import type_of_proto
from ramiel.dialects.onnx.schemas import first_opset, schema
from ramiel.dialects.onnx.structure import (
    DOMAIN,
    GRAPHS,
    OP_TYPE,
    Custom,
    NoValue,
    Weight,
    Yield,
    hint,
    make_constant,
)
from ramiel.dialects.onnx.types import (
    UnknownType,
    tensor_type,
    type_of_array,
)
from ramiel.dialects.onnx.weights import FreshNames
from ramiel.errors import CompileError, shorten
from ramiel.frontend.inputs import Shapes, argument_attributes, input_types
from ramiel.frontend.model_file import ModelSource, opset_of_model, opsets_of_model, read_model
from ramiel.frontend.order import topological_order
from ramiel.frontend.tensors import dense_of_sparse, tensor_ref
from ramiel.transforms.onnx_infer_shapes import infer_shapes
from ramiel.verify import verify_module


def import_model(
    source: ModelSource, shapes: Shapes | None = None, *, batch_of_one: bool = False
) -> ModuleOp:
    """A model as a module of the `onnx` dialect, with shapes inferred and names kept.

    `shapes` gives inputs whose dimensions the model leaves open a concrete shape; with
    `batch_of_one`, an open first dimension of the others is 1: see input_types(). Raises
    CompileError, naming the file if there is one, for anything that is wrong with the model.
    """
    file = None if isinstance(source, bytes | onnx.ModelProto) else str(source)
    try:
        model, folder = read_model(source)
        module = GraphImporter(model, folder).module(shapes or {}, batch_of_one)
        module.attributes[MODEL] = StringAttr(Path(file).stem if file else _own_name(model))
        verify_module(module)  # the shape rules expect operations of the right arity
        infer_shapes(module)
        verify_module(module)
    except CompileError as error:
        error.file = error.file or file
        raise
    return module


class GraphImporter:
    """Makes operations of a model's graph and its subgraphs."""

    def __init__(self, model: onnx.ModelProto, folder: Path | None) -> None:
        self.model = model
        self.folder = folder
        self.opset = opset_of_model(model)
        self.opsets = opsets_of_model(model)
        self.names = FreshNames()

    def module(self, shapes: Shapes, batch_of_one: bool) -> ModuleOp:
        graph = self.model.graph
        initialized = {t.name for t in graph.initializer}
        inputs = [i for i in graph.input if i.name not in initialized]
        types = input_types(inputs, shapes, batch_of_one)
        block = Block(arg_types=types)
        values: dict[str, SSAValue] = {}
        for arg, info in zip(block.args, inputs, strict=True):
            _define(values, info.name, arg)
        results = self.graph(graph, block, values)
        block.add_op(func.ReturnOp(*results))
        function = func.FuncOp(
            "main",
            (types, [r.type for r in results]),
            Region(block),
            arg_attrs=argument_attributes(inputs),
            res_attrs=_names(o.name for o in graph.output),
        )
        attributes: dict[str, Attribute] = {
            OPSET: IntegerAttr(self.opset, i64),
            "onnx.ir_version": IntegerAttr(self.model.ir_version, i64),
        }
        opsets = {domain: IntegerAttr(version, i64) for domain, version in self.opsets.items()}
        if opsets:
            attributes[OPSETS] = DictionaryAttr(opsets)
        return ModuleOp([function], attributes)

    def graph(
        self, graph: onnx.GraphProto, block: Block, values: dict[str, SSAValue]
    ) -> list[SSAValue]:
        """Adds a graph's constants and nodes to a block; returns its outputs."""
        for tensor in graph.initializer:
            self._constant(tensor, tensor.name, block, values)
        for sparse in graph.sparse_initializer:
            array = dense_of_sparse(sparse, self.folder)
            op = make_constant(self._weight_name(sparse.values.name), array)
            block.add_op(op)
            _define(values, sparse.values.name, op.results[0])
        declared = {v.name: type_of_proto(v.type) for v in (*graph.value_info, *graph.output)}
        for node in topological_order(graph, values.keys()):
            op = self._node(node, block, values, declared)
            block.add_op(op)
            for name, result in zip(node.output, op.results, strict=True):
                if name:
                    _define(values, name, result)
        for output in graph.output:
            if output.name not in values:
                raise CompileError(f'its output "{shorten(output.name)}" is computed by no node')
        return [values[o.name] for o in graph.output]

    def _constant(
        self, tensor: onnx.TensorProto, name: str, block: Block, values: dict[str, SSAValue]
    ) -> None:
        ref, type = tensor_ref(tensor, self._weight_name(name), self.folder)
        assert ref.load is not None
        inline = dense(ref.load()) if len(tensor.dims) <= 1 and _is_small(tensor) else None
        if inline is None:
            op: Operation = Weight.of(ref, type)
        else:
            op = operation_class("Constant").make([], [type], {"value": inline})
        block.add_op(op)
        _define(values, name, op.results[0])

    def _weight_name(self, name: str) -> str:
        """A name for a weight: its own, made unique where subgraphs reuse it."""
        return self.names.fresh(name or "weight")

    def _node(
        self,
        node: onnx.NodeProto,
        block: Block,
        values: dict[str, SSAValue],
        declared: Mapping[str, Attribute],
    ) -> Operation:
        operands = [values[n] if n else self._no_value(block, values) for n in node.input]
        while operands and isinstance(operands[-1].owner, NoValue):
            operands.pop()
        untyped = tensor_type(UnknownType(), None)
        types = [declared.get(n, untyped) for n in node.output]
        title = f'node "{shorten(node.name or (node.output[0] if node.output else "?"))}"'
        title = f"{title} ({shorten(node.op_type)}, opset {self._opset(node)})"
        try:
            return self._operation(node, operands, types, values)
        except CompileError as error:
            raise CompileError(f"{title}: {error.message}") from error

    def _operation(
        self,
        node: onnx.NodeProto,
        operands: list[SSAValue],
        types: list[Attribute],
        values: dict[str, SSAValue],
    ) -> Operation:
        properties: dict[str, Attribute] = {}
        graphs: dict[str, Region] = {}
        for attribute in node.attribute:
            if attribute.name in properties or attribute.name in graphs:
                raise CompileError(f"attribute {shorten(attribute.name)!r} is given twice")
            if attribute.type == AttributeProto.GRAPH:
                graphs[attribute.name] = self._subgraph(attribute.g, values)
            else:
                name, value = self._attribute(attribute, node)
                properties[name] = value
        regions = [graphs[name] for name in sorted(graphs)]
        node_name = node.name or None
        if node.domain in self.opsets or self._is_standard(node):
            self._require_schema(node)
        if not self._is_standard(node):
            custom = Custom.make(operands, types, properties, node_name, regions)
            custom.attributes[DOMAIN] = StringAttr(shorten(node.domain or DEFAULT_DOMAIN))
            custom.attributes[OP_TYPE] = StringAttr(shorten(node.op_type))
            if graphs:
                names = [StringAttr(shorten(name)) for name in sorted(graphs)]
                custom.attributes[GRAPHS] = ArrayAttr(names)
            return custom
        if node.op_type == "Constant":
            return self._constant_node(node, types, properties)
        return operation_class(node.op_type).make(operands, types, properties, node_name, regions)

    def _opset(self, node: onnx.NodeProto) -> int:
        return self.opsets.get(node.domain, self.opset)

    def _is_standard(self, node: onnx.NodeProto) -> bool:
        """Whether a node's operator is ONNX's own, and none that ONNX Runtime adds to them."""
        if node.domain not in ("", DEFAULT_DOMAIN):
            return False
        return not is_in_default_domain(node.op_type) or bool(schema(node.op_type, self.opset))

    def _require_schema(self, node: onnx.NodeProto) -> None:
        """Refuses an operator that its domain does not have in the model's opset."""
        domain = "" if node.domain == DEFAULT_DOMAIN else node.domain
        if schema(node.op_type, self._opset(node), domain) is None:
            first = first_opset(node.op_type, domain)
            reason = f"it came with opset {first}"
            if first is None:
                reason = f"{domain or 'ONNX'} has no such operator"
            raise CompileError(f"is not in the model's opset: {reason}")

    def _constant_node(
        self, node: onnx.NodeProto, types: list[Attribute], properties: dict[str, Attribute]
    ) -> Operation:
        """A Constant node; one whose value is large is a weight like any other."""
        if len(properties) != 1 or len(types) != 1:
            raise CompileError("a constant has one value and one output")
        value = properties.get("value")
        if isinstance(value, WeightAttr):
            array = value.array()
            return Weight.of(value.data, type_of_array(array))
        return operation_class("Constant").make([], types, properties, node.name or None)

    def _subgraph(self, graph: onnx.GraphProto, outer: Mapping[str, SSAValue]) -> Region:
        block = Block(arg_types=[type_of_proto(i.type) for i in graph.input])
        inner = dict(outer)
        for arg, info in zip(block.args, graph.input, strict=True):
            inner.pop(info.name, None)  # an inner name may hide an outer one
            _define(inner, info.name, arg)
        for tensor in graph.initializer:
            inner.pop(tensor.name, None)
        for node in graph.node:
            for name in node.output:
                if name in outer and inner.get(name) is outer[name]:
                    inner.pop(name)
        results = self.graph(graph, block, inner)
        block.add_op(Yield.make(results, []))
        return Region(block)

    def _attribute(self, attribute: AttributeProto, node: onnx.NodeProto) -> tuple[str, Attribute]:
        """An attribute's name and value in the IR."""
        kind = AttributeProto.AttributeType.Name(attribute.type)
        name = attribute.name
        match kind:
            case "INT":
                return name, IntegerAttr(attribute.i, i64)
            case "FLOAT":
                return name, FloatAttr(attribute.f, f32)
            case "STRING":
                return name, _text(attribute.s)
            case "INTS":
                return name, ints(list(attribute.ints))
            case "FLOATS":
                return name, floats(list(attribute.floats))
            case "STRINGS":
                return name, ArrayAttr([_text(s) for s in attribute.strings])
            case "TENSOR":
                label = node.output[0] if node.op_type == "Constant" and node.output else node.name
                ref, _ = tensor_ref(attribute.t, self._weight_name(label), self.folder)
                weight = WeightAttr(ref)
                return name, (dense(weight.array()) if _is_small(attribute.t) else None) or weight
            case "SPARSE_TENSOR":
                array = dense_of_sparse(attribute.sparse_tensor, self.folder)
                weight = WeightAttr(TensorRef.of(self._weight_name(node.name), array))
                return name.removeprefix("sparse_"), dense(array) or weight
            case "TYPE_PROTO":
                return name, type_of_proto(attribute.tp)
            case _:
                raise CompileError(f"attribute {shorten(name)!r} of kind {kind} is not supported")

    def _no_value(self, block: Block, values: dict[str, SSAValue]) -> SSAValue:
        """The block's NoValue. ONNX's name for it, the empty string, can be no other value's."""
        none = values.get("")
        if none is None or none.owner.parent is not block:
            op = NoValue.build_one()
            if block.first_op is None:
                block.add_op(op)
            else:
                block.insert_op_before(op, block.first_op)
            values[""] = none = op.results[0]
        return none


def _own_name(model: onnx.ModelProto) -> str:
    return shorten(model.graph.name) or "model"


def _text(value: bytes) -> Attribute:
    try:
        return StringAttr(value.decode())
    except UnicodeDecodeError:
        return BytesAttr(value)


def _is_small(tensor: onnx.TensorProto) -> bool:
    return all(d <= 16 for d in tensor.dims)


def _define(values: dict[str, SSAValue], name: str, value: SSAValue) -> None:
    if not name:
        raise CompileError("a graph input or initializer has no name")
    if name in values:
        raise CompileError(f'the name "{shorten(name)}" is given to two values')
    values[name] = value
    value.name_hint = hint(name)


def _names(names: Iterable[str]) -> ArrayAttr[DictionaryAttr]:
    return ArrayAttr([DictionaryAttr({NAME: StringAttr(n)}) for n in names])
