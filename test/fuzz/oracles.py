"""What a model computes according to others: ONNX Runtime, ONNX's reference, or both by nodes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import onnx
import onnxruntime
from contents import Array
from onnx import helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(4)

Answer = list[Array]
Tolerance = Mapping[str, float]

ROUNDED: Tolerance = {"float32": 2e-4, "float64": 2e-4, "float16": 2e-2}
"""The largest difference, relative to the largest value of an output or to 1: rounding adds up
over the nodes, and a float64 may be a float32 that was converted."""
ROUNDED_64: Tolerance = {**ROUNDED, "float64": 1e-10}
"""Where it cannot."""
ONCE_ROUNDED: Tolerance = {"float32": 1e-5, "float64": 1e-5}
"""For one node of moderate numbers."""


def model_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    initializers: Sequence[onnx.TensorProto],
    opsets: Iterable[onnx.OperatorSetIdProto],
    functions: Iterable[onnx.FunctionProto] = (),
) -> onnx.ModelProto:
    """A model of these, with those of the functions that its nodes call."""
    graph = helper.make_graph(nodes, "fuzz", inputs, outputs, initializers)
    called = functions_called(nodes, functions)
    return helper.make_model(graph, opset_imports=list(opsets), functions=called, ir_version=10)


def functions_called(
    nodes: Iterable[onnx.NodeProto], functions: Iterable[onnx.FunctionProto]
) -> list[onnx.FunctionProto]:
    """Those of the functions that nodes call, or functions that are called, in the given order."""
    known = {(f.domain, f.name): f for f in functions}
    called: set[tuple[str, str]] = set()

    def visit(some: Iterable[onnx.NodeProto]) -> None:
        for node in all_nodes(some):
            key = (node.domain, node.op_type)
            if key in known and key not in called:
                called.add(key)
                visit(known[key].node)

    visit(nodes)
    return [f for key, f in known.items() if key in called]


def type_of(array: Array, shape: Sequence[int | str | None] | None = None) -> onnx.TypeProto:
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_type_proto(kind, array.shape if shape is None else shape)


# --- whole models ------------------------------------------------------------------------


def run_model(model: onnx.ModelProto, feed: Mapping[str, Array]) -> Answer | None:
    """What ONNX Runtime computes for a model; None if it refuses it."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return [np.asarray(a) for a in session.run(None, dict(feed))]
    except Exception:  # it has a dozen classes of errors, which share no base of their own
        return None


def run_reference(model: onnx.ModelProto, feed: Mapping[str, Array]) -> Answer | None:
    """What ONNX's reference computes for a model; None if it refuses it, or if there is a loop: it
    stacks the parts of one in its own way."""
    if has_loops(model):
        return None
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            results = ReferenceEvaluator(model).run(None, dict(feed))
        return [np.asarray(a) for a in results]
    except Exception:
        return None


def run_by_node(model: onnx.ModelProto, feed: Mapping[str, Array]) -> Answer | None:
    """The model's nodes one by one, by whoever runs the node: neither may run them all."""
    values = values_by_node(model, feed)
    return [values[o.name] for o in model.graph.output] if values else None


def run_by_reference_node(model: onnx.ModelProto, feed: Mapping[str, Array]) -> Answer | None:
    """The same, but of two answers to a node the reference's is taken."""
    values = values_by_node(model, feed, -1)
    return [values[o.name] for o in model.graph.output] if values else None


ORACLES = (run_model, run_reference, run_by_node, run_by_reference_node)
"""Whose answers are right, each for each output: where one errs, or says nothing, another may
not. The last two alone know that a function's nodes mean what the function's own opset says."""


class Answers:
    """What the oracles say of a model and its inputs, asked one after the other as needed."""

    def __init__(self, model: onnx.ModelProto, feed: Mapping[str, Array]) -> None:
        self._oracles = iter(ORACLES[2:] if _mixes_opsets(model) else ORACLES)
        self._model = model
        self._feed = feed
        self._known: list[Answer] = []

    def __iter__(self) -> Iterator[Answer]:
        yield from self._known
        for oracle in self._oracles:
            answer = oracle(self._model, self._feed)
            if answer is not None:
                self._known.append(answer)
                yield answer

    def __bool__(self) -> bool:
        """Whether there is an answer."""
        return next(iter(self), None) is not None


def _mixes_opsets(model: onnx.ModelProto) -> bool:
    owners = [model, *model.functions]
    return len({o.version for m in owners for o in m.opset_import if o.domain == ""}) > 1


def has_loops(model: onnx.ModelProto) -> bool:
    """Whether there is a Loop or Scan, at any depth."""
    bodies = [model.graph.node, *(f.node for f in model.functions)]
    return any(node.op_type in ("Loop", "Scan") for nodes in bodies for node in all_nodes(nodes))


def all_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterable[onnx.NodeProto]:
    """The nodes, and those in their bodies."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from all_nodes(attribute.g.node)


# --- nodes -------------------------------------------------------------------------------


def node_answers(
    node: onnx.NodeProto, feed: Mapping[str, Array], model: onnx.ModelProto, both: bool
) -> list[Answer]:
    """The different answers to what a node of a model computes, ONNX Runtime's first. With `both`
    ONNX's reference is asked, too."""
    single = _single(node, feed, model)
    first = run_model(single, feed)
    second = run_reference(single, feed) if both else None
    if first is not None:
        return [first] if second is None or agree(first, second) else [first, second]
    if second is None or not _is_valid(single, feed, second):
        return []
    return [second] if _is_so_in_float32(node, feed, model, second) else []


def _single(
    node: onnx.NodeProto, feed: Mapping[str, Array], model: onnx.ModelProto
) -> onnx.ModelProto:
    """The node as a model."""
    inputs = [helper.make_value_info(name, type_of(a)) for name, a in feed.items()]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
    return model_of([node], inputs, outputs, [], model.opset_import, model.functions)


def _is_valid(model: onnx.ModelProto, feed: Mapping[str, Array], answer: Answer) -> bool:
    """Whether operands of a node and an answer are what the standard allows: ONNX's reference does
    not ask, and reduces nothing to shapes of its own."""
    model.graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in feed.items())
    try:
        onnx.checker.check_model(model)
        inferred = shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except Exception:
        return False
    types = (o.type.tensor_type for o in inferred.graph.output)
    return all(_fits(type, array) for type, array in zip(types, answer, strict=True))


def _fits(type: onnx.TypeProto.Tensor, array: Array) -> bool:
    if not type.HasField("shape"):
        return True
    dims = [d.dim_value if d.HasField("dim_value") else None for d in type.shape.dim]
    return len(dims) == array.ndim and all(
        d in (None, n) for d, n in zip(dims, array.shape, strict=True)
    )


def _is_so_in_float32(
    node: onnx.NodeProto, feed: Mapping[str, Array], model: onnx.ModelProto, answer: Answer
) -> bool:
    """Whether ONNX Runtime, which has not all operators for float64, finds the same to seven
    digits, or says nothing: the reference has faults of its own."""
    if all(a.dtype != np.float64 for a in feed.values()):
        return True
    single = {n: a.astype(np.float32) if a.dtype == np.float64 else a for n, a in feed.items()}
    found = run_model(_single(node, single, model), single)
    if found is None:
        return True
    doubles = [a.astype(w.dtype) for a, w in zip(found, answer, strict=True)]
    return agree(doubles, answer, ONCE_ROUNDED)


def agree(one: Answer, other: Answer, tolerance: Tolerance = ROUNDED) -> bool:
    return all(is_close(a, b, tolerance) for a, b in zip(one, other, strict=True))


def is_close(array: Array, wanted: Array, tolerance: Tolerance = ROUNDED) -> bool:
    """Whether two arrays are of one type and shape and differ by nothing but rounding; NaN is equal
    to NaN."""
    if array.dtype != wanted.dtype or array.shape != wanted.shape:
        return False
    if array.dtype.kind != "f":
        return np.array_equal(array, wanted)
    return np.allclose(array, wanted, 0, largest_error(wanted, tolerance), equal_nan=True)


def largest_error(wanted: Array, tolerance: Tolerance) -> float:
    if wanted.dtype.kind != "f":
        return 0
    finite = wanted[np.isfinite(wanted)].astype(np.float64)
    return tolerance.get(wanted.dtype.name, 0) * max(1.0, np.abs(finite).max(initial=0.0))


def values_by_node(
    model: onnx.ModelProto, feed: Mapping[str, Array], choice: int = 0
) -> dict[str, Array] | None:
    """The values of a model's graph by name; None if a node is refused by all. Of two answers to a
    node the first is taken, ONNX Runtime's, or the one of that index."""
    values = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer} | dict(feed)
    return _run_nodes(model.graph.node, values, model, choice)


def _run_nodes(
    nodes: Iterable[onnx.NodeProto],
    values: dict[str, Array],
    model: onnx.ModelProto,
    choice: int,
) -> dict[str, Array] | None:
    functions = {(f.domain, f.name): f for f in model.functions}
    for node in nodes:
        function = functions.get((node.domain, node.op_type))
        if function is not None:
            answer = _call(function, node, values, model, choice)
        else:
            feed = {name: values[name] for name in names_read([node]) if name in values}
            answers = node_answers(node, feed, model, both=choice < 0)
            answers = answers or node_answers(node, feed, model, both=True)
            answer = answers[choice] if answers else None
        if answer is None:
            return None
        values |= zip((name for name in node.output if name), answer, strict=False)
    return values


def _call(
    function: onnx.FunctionProto,
    node: onnx.NodeProto,
    values: Mapping[str, Array],
    model: onnx.ModelProto,
    choice: int,
) -> Answer | None:
    """What a call of a function computes: its nodes mean what the function's opsets say."""
    given = {a.name: a for a in (*function.attribute_proto, *node.attribute)}
    body = [bound(inner, given) for inner in function.node]
    inside = {
        name: values[outer]
        for name, outer in zip(function.input, node.input, strict=False)
        if outer
    }
    # A body may call functions of a domain that the function itself does not import.
    imports = {o.domain: o for o in (*model.opset_import, *function.opset_import)}
    scope = model_of(body, [], [], [], imports.values(), model.functions)
    made = _run_nodes(body, inside, scope, choice)
    return [made[name] for name in function.output] if made else None


def bound(node: onnx.NodeProto, given: Mapping[str, onnx.AttributeProto]) -> onnx.NodeProto:
    """The node with the values of the attributes that it, or a node of its bodies, refers to."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    del copy.attribute[:]
    for attribute in node.attribute:
        if attribute.ref_attr_name:
            value = given.get(attribute.ref_attr_name)
            if value is None:
                continue  # one that is not given, and has no default, is not there
            copy.attribute.append(value)
            copy.attribute[-1].name = attribute.name
            continue
        copy.attribute.append(attribute)
        if attribute.HasField("g"):
            body = copy.attribute[-1].g
            inner = [bound(n, given) for n in body.node]
            del body.node[:]
            body.node.extend(inner)
    return copy


def names_read(nodes: Iterable[onnx.NodeProto]) -> list[str]:
    """The names that nodes read, those in their bodies included, once each and in order."""
    names: dict[str, None] = {}
    for node in nodes:
        names |= dict.fromkeys(name for name in node.input if name)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                names |= dict.fromkeys(names_read(attribute.g.node))
                names |= dict.fromkeys(o.name for o in attribute.g.output)
    return list(names)
