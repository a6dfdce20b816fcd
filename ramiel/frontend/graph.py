"""Imports the nodes of an ONNX graph, and of the functions that they call, as operations."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace

import onnx
from onnx import AttributeProto
from xdsl.dialects.builtin import ArrayAttr, DenseArrayBase, IntegerAttr, StringAttr, i64
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from ramiel.dialects.onnx import operation_class
from ramiel.dialects.onnx.attributes import WeightAttr, dense
from ramiel.dialects.onnx.custom_shapes import DEFAULT_DOMAIN, is_in_default_domain
from ramiel.dialects.onnx.operation import OPSET, STAGES
from ramiel.dialects.onnx.protos import type_of_proto
from ramiel.dialects.onnx.schemas import first_opset, newest_opsets, schema
from ramiel.dialects.onnx.shapes import UNTYPED
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
from ramiel.dialects.onnx.types import type_of_array
from ramiel.dialects.onnx.weights import FreshNames
from ramiel.errors import CompileError, shorten
from ramiel.frontend.attributes import attribute_of, is_small
from ramiel.frontend.configurations import configuration_names, stages_of
from ramiel.frontend.functions import Functions, Place, name_of
from ramiel.frontend.model_file import check_opsets, opsets_of_model, standard
from ramiel.frontend.order import topological_order
from ramiel.frontend.tensors import Outside, dense_of_sparse, tensor_ref

Values = dict[str, SSAValue]
"""Values by their names in a graph; the empty name is the NoValue's."""
Declared = Mapping[str, Attribute]
"""The types that a model declares for values, by their names."""


@dataclass(frozen=True)
class Bound:
    """An attribute of a node, with the context of a graph: the importer and the values that are in
    scope where the graph is written, even if it is passed to a function."""

    proto: AttributeProto
    importer: GraphImporter
    values: Mapping[str, SSAValue]


class GraphImporter:
    """Imports a model's graph, its subgraphs and the functions that it calls.

    Calls are inlined. An operation of a function records the function's opset in `onnx.opset` if
    its operator differs in the opset that the model imports.
    """

    def __init__(self, model: onnx.ModelProto, outside: Outside) -> None:
        self.outside = outside
        self.opsets = opsets_of_model(model)
        self.names = FreshNames()
        self.functions = Functions(model)
        self.configurations = configuration_names(model)
        self.place = Place(self.opsets)
        self.bound: Mapping[str, Bound] = {}
        """The attributes of the function's call, to which its nodes may refer."""
        self.stages: Mapping[str, Attribute] = {}
        """The attribute of pipeline stages of the function's call, or of the node with the
        subgraph: that of nodes without one of their own."""

    def graph(
        self,
        graph: onnx.GraphProto,
        block: Block,
        values: Values,
        defaults: Collection[str] = (),
    ) -> list[SSAValue]:
        """Adds a graph's constants and nodes to a block; returns its outputs. Initializers in
        `defaults`, those that are defaults of inputs, do not become constants."""
        for tensor in graph.initializer:
            if tensor.name not in defaults:
                self._constant(tensor, tensor.name, block, values)
        for sparse in graph.sparse_initializer:
            array = dense_of_sparse(sparse, self.outside)
            op = make_constant(self._weight_name(sparse.values.name), array)
            block.add_op(op)
            define(values, sparse.values.name, op.results[0])
        declared = {v.name: type_of_proto(v.type) for v in (*graph.value_info, *graph.output)}
        self._nodes(graph.node, block, values, declared)
        return _outputs(values, [o.name for o in graph.output])

    def weight(self, tensor: onnx.TensorProto) -> tuple[WeightAttr, Attribute]:
        """An initializer as a weight, and its type."""
        ref, type = tensor_ref(tensor, self._weight_name(tensor.name), self.outside)
        return WeightAttr(replace(ref, type=type)), type

    def _constant(self, tensor: onnx.TensorProto, name: str, block: Block, values: Values) -> None:
        ref, type = tensor_ref(tensor, self._weight_name(name), self.outside)
        assert ref.load is not None
        inline = dense(ref.load()) if len(tensor.dims) <= 1 and is_small(tensor) else None
        if inline is None:
            op: Operation = Weight.of(ref, type)
        else:
            op = operation_class("Constant").make([], [type], {"value": inline})
        block.add_op(op)
        define(values, name, op.results[0])

    def _weight_name(self, name: str) -> str:
        """A unique name for a weight: subgraphs may reuse the names of others."""
        return self.names.fresh(name or "weight")

    def _nodes(
        self, nodes: Sequence[onnx.NodeProto], block: Block, values: Values, declared: Declared
    ) -> None:
        """Adds the operations of nodes to a block, and their results to the values."""
        for node in topological_order(nodes, values.keys()):
            with self._titled(node):
                operands = [values[n] if n else self._no_value(block, values) for n in node.input]
                while operands and isinstance(operands[-1].owner, NoValue):
                    operands.pop()
                types = [declared.get(n, UNTYPED) for n in node.output]
                function = self.functions.called(node, self.place.opsets)
                if function is None:
                    op = self._operation(node, operands, types, values)
                    block.add_op(op)
                    _define_results(node, values, op.results)
                    continue
                inner, scope = self._call(node, function, operands, block, values)
            # Outside `_titled`, so that messages name the node of the function but not the call.
            types = {v.name: type_of_proto(v.type) for v in function.value_info} | {
                name: type
                for name, type in zip(function.output, types, strict=False)
                if type != UNTYPED
            }
            inner._nodes(function.node, block, scope, types)
            with self._titled(node):
                results = _outputs(scope, function.output[: len(node.output)])
            _define_results(node, values, results, passed_on=operands)

    @contextmanager
    def _titled(self, node: onnx.NodeProto) -> Generator[None]:
        """Prefixes the messages of errors with the node."""
        try:
            yield
        except CompileError as error:
            name = self.place.node_name(node.name or (node.output[0] if node.output else "?"))
            opset = self._opset(standard(node.domain))
            title = f'node "{shorten(name)}" ({shorten(node.op_type)}, opset {opset})'
            raise CompileError(f"{title}: {error.message}") from error

    # --- functions ---

    def _call(
        self,
        node: onnx.NodeProto,
        function: onnx.FunctionProto,
        operands: Sequence[SSAValue],
        block: Block,
        values: Values,
    ) -> tuple[GraphImporter, Values]:
        """The importer for the nodes of a called function, and the values in their scope."""
        for what, given, formals in (
            ("input", operands, function.input),
            ("output", node.output, function.output),
        ):
            if len(given) > len(formals):
                raise CompileError(
                    f"the function has {len(formals)} {what}(s), the call {len(given)}"
                )
        inner = copy(self)
        inner.place = self.place.function(function, self.place.node_name(node.name))
        inner.stages = self._stages(node)
        check_opsets(inner.place.opsets, f"its function {name_of(function)} uses")
        self.functions.expand(len(function.node))
        defaults = {a.name: Bound(a, inner, {}) for a in function.attribute_proto}
        inner.bound = defaults | self._attributes(node, values)
        scope: Values = {}
        missing = [self._no_value(block, values) for _ in function.input[len(operands) :]]
        for name, value in zip(function.input, [*operands, *missing], strict=True):
            if name in scope:
                raise CompileError(f'the function has two inputs "{shorten(name)}"')
            scope[name] = value
        return inner, scope

    def _attributes(self, node: onnx.NodeProto, values: Mapping[str, SSAValue]) -> dict[str, Bound]:
        """A node's attributes by name. A reference to an attribute that the function's call does
        not give counts as not given."""
        names = [a.name for a in node.attribute]
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            raise CompileError(f"attribute {shorten(twice)!r} is given twice")
        found: dict[str, Bound] = {}
        for attribute in node.attribute:
            bound = Bound(attribute, self, values)
            if attribute.ref_attr_name:
                if not self.place.calls:
                    raise CompileError(
                        f"attribute {shorten(attribute.name)!r} refers to one of a function, and "
                        "the node is in none"
                    )
                bound = self.bound.get(attribute.ref_attr_name)
            if bound is None:
                continue
            if attribute.type not in (AttributeProto.UNDEFINED, bound.proto.type):
                kinds = [
                    AttributeProto.AttributeType.Name(t) for t in (attribute.type, bound.proto.type)
                ]
                raise CompileError(
                    f"attribute {shorten(attribute.name)!r} is {kinds[0]}, and "
                    f"{shorten(attribute.ref_attr_name)!r} of the function is {kinds[1]}"
                )
            found[attribute.name] = bound
        return found

    # --- operations ---

    def _operation(
        self,
        node: onnx.NodeProto,
        operands: list[SSAValue],
        types: list[Attribute],
        values: Values,
    ) -> Operation:
        properties: dict[str, Attribute] = {}
        graphs: dict[str, Region] = {}
        stages = self._stages(node)
        for name, bound in self._attributes(node, values).items():
            if bound.proto.type == AttributeProto.GRAPH:
                graphs[name] = self._subgraph(bound, stages)
            else:
                label = node.output[0] if node.op_type == "Constant" and node.output else node.name
                name, value = attribute_of(
                    name, bound.proto, self._weight_name, label, self.outside
                )
                properties[name] = value
        regions = [graphs[name] for name in sorted(graphs)]
        node_name = self.place.node_name(node.name) or None
        domain, is_standard = standard(node.domain), self._is_standard(node)
        if is_standard or (domain and domain in self.place.opsets):
            self._require_schema(node)
        if not is_standard:
            op = Custom.make(operands, types, properties, node_name, regions)
            op.attributes[DOMAIN] = StringAttr(shorten(node.domain or DEFAULT_DOMAIN))
            op.attributes[OP_TYPE] = StringAttr(shorten(node.op_type))
            if graphs:
                names = [StringAttr(shorten(name)) for name in sorted(graphs)]
                op.attributes[GRAPHS] = ArrayAttr(names)
        elif node.op_type == "Constant":
            return _constant_node(node_name, types, properties)
        else:
            op = operation_class(node.op_type).make(operands, types, properties, node_name, regions)
        if self._is_of_another_opset(node):
            op.attributes[OPSET] = IntegerAttr(self._opset(domain), i64)
        op.attributes |= stages
        return op

    def _stages(self, node: onnx.NodeProto) -> Mapping[str, Attribute]:
        stages = stages_of(node, self.configurations)
        return self.stages if stages is None else {STAGES: DenseArrayBase.from_list(i64, stages)}

    def _opset(self, domain: str) -> int:
        return self.place.opsets.get(domain, self.place.opsets[""])

    def _is_of_another_opset(self, node: onnx.NodeProto) -> bool:
        """Whether a node's operator differs between its function's opset and the model's."""
        domain = standard(node.domain)
        versions = (
            self.place.opsets.get(domain),
            self.opsets.get(domain, newest_opsets().get(domain)),
        )
        if versions[0] == versions[1] or versions[0] is None or versions[1] is None:
            return False
        own, module = (schema(node.op_type, version, domain) for version in versions)
        return own is not None and (module is None or own.since != module.since)

    def _is_standard(self, node: onnx.NodeProto) -> bool:
        """Whether a node's operator is one of ai.onnx, and not one that ONNX Runtime adds to it."""
        if standard(node.domain):
            return False
        return not is_in_default_domain(node.op_type) or bool(schema(node.op_type, self._opset("")))

    def _require_schema(self, node: onnx.NodeProto) -> None:
        """Refuses an operator that its domain does not have in the imported opset."""
        domain = standard(node.domain)
        if schema(node.op_type, self._opset(domain), domain) is None:
            first = first_opset(node.op_type, domain)
            reason = f"it came with opset {first}"
            if first is None:
                reason = f"{domain or 'ONNX'} has no such operator"
            of = "function" if self.place.calls else "model"
            raise CompileError(f"is not in the {of}'s opset: {reason}")

    def _subgraph(self, bound: Bound, stages: Mapping[str, Attribute]) -> Region:
        graph, outer = bound.proto.g, bound.values
        importer = copy(bound.importer)
        importer.stages = stages
        importer.place = replace(importer.place, depth=self.place.subgraph().depth)
        if self.place.calls:
            self.functions.expand(len(graph.node))
        block = Block(arg_types=[type_of_proto(i.type) for i in graph.input])
        inner = dict(outer)
        for arg, info in zip(block.args, graph.input, strict=True):
            inner.pop(info.name, None)  # an inner name may hide an outer one
            define(inner, info.name, arg)
        for tensor in graph.initializer:
            inner.pop(tensor.name, None)
        for node in graph.node:
            for name in node.output:
                if name in outer and inner.get(name) is outer[name]:
                    inner.pop(name)
        results = importer.graph(graph, block, inner)
        block.add_op(Yield.make(results, []))
        return Region(block)

    def _no_value(self, block: Block, values: Values) -> SSAValue:
        """The block's NoValue, whose name in ONNX is the empty string."""
        none = values.get("")
        if none is None or none.owner.parent is not block:
            op = NoValue.build_one()
            if block.first_op is None:
                block.add_op(op)
            else:
                block.insert_op_before(op, block.first_op)
            values[""] = none = op.results[0]
        return none


def _constant_node(
    name: str | None, types: list[Attribute], properties: dict[str, Attribute]
) -> Operation:
    """The operation of a Constant node, a weight if its value is large."""
    if len(properties) != 1 or len(types) != 1:
        raise CompileError("a constant must have one value and one output")
    value = properties.get("value")
    if isinstance(value, WeightAttr):
        return Weight.of(value.data, type_of_array(value.array()))
    return operation_class("Constant").make([], types, properties, name)


def _outputs(values: Values, names: Iterable[str]) -> list[SSAValue]:
    names = list(names)
    missing = next((name for name in names if name not in values), None)
    if missing is not None:
        raise CompileError(f'no node computes its output "{shorten(missing)}"')
    return [values[name] for name in names]


def _define_results(
    node: onnx.NodeProto,
    values: Values,
    results: Sequence[SSAValue],
    passed_on: Sequence[SSAValue] = (),
) -> None:
    """Names a node's results. An operand that a function passes through keeps its name hint."""
    for name, result in zip(node.output, results, strict=True):
        if name:
            kept = result.name_hint
            define(values, name, result)
            if result in passed_on:
                result.name_hint = kept


def define(values: Values, name: str, value: SSAValue) -> None:
    """Gives a value its name. Raises CompileError if the name is empty or taken."""
    if not name:
        raise CompileError("a graph input or initializer has no name")
    if name in values:
        raise CompileError(f'the name "{shorten(name)}" is given to two values')
    values[name] = value
    value.name_hint = hint(name)
