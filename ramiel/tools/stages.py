"""`ramiel export-stages`: a schedule as a device configuration of the ONNX model itself.

IR version 11 has `ModelProto.configuration` and, on each node, `device_configurations` with a
`pipeline_stage`. Only these and the IR version change; weights in a file of their own stay there.
(A model of IR version 3 lists its weights as inputs, which in a newer one would let calls replace
them; there the inputs of that name go.)

A node has the stage of the operation that computes its value, or else of the one that has its name.
One that is neither, as it was fused into others or folded, has that of its first reader that has
one: the readers of what is inside a fused operation are inside it too. What no such node reads has
that of its producer. Nodes of subgraphs and functions have none; that of the node around them holds
for them. An operation on several workers is on the first of them, and a node that was split into
several operations has the stage of the one that ends it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from xdsl.dialects.builtin import ModuleOp

from ramiel.compiler import program_of
from ramiel.dialects.onnx.structure import hint
from ramiel.dialects.torch import Task
from ramiel.errors import CompileError
from ramiel.frontend.model_file import read_model
from ramiel.pipelines import Options
from ramiel.programs.build import build
from ramiel.weights.store import replacing

IR_VERSION = 11
"""The version of ONNX's IR that has device configurations."""
DEFAULTS_SINCE = 4
"""The version from which on an initializer that is also an input is the default of one."""
LARGEST = 2**31 - 1
"""The most bytes that a protobuf can have."""


@dataclass(frozen=True)
class Stages:
    """The stage of each node of a model, and what a stage is: a worker or a rank."""

    stages: list[int]
    kind: str
    count: int


def export_stages(model: Path, output: Path, name: str, options: Options) -> Stages:
    """Writes a model with its schedule: a stage is a rank if there are several, else a worker.

    A configuration of the same name is replaced, others are kept. Raises CompileError if the model
    cannot be compiled, for a batch of several samples, if external data would no longer be found
    from the output's folder, or if the file cannot be written.
    """
    if not name:
        raise CompileError("a device configuration needs a name")
    if options.batch > 1:
        raise CompileError(
            f"a stage is for one sample, and the schedule of a batch of {options.batch} gives each "
            "node to several workers: leave --batch out",
            file=str(model),
        )
    try:
        proto, _ = read_model(model)
    except CompileError as error:
        error.file = error.file or str(model)
        raise
    if output.parent.resolve() != model.parent.resolve() and any(
        map(_is_external, _weights(proto))
    ):
        raise CompileError(
            f"its weights are in a file beside it: write {output.name} into its folder",
            file=str(model),
        )
    found = stages_of(proto.graph, build(model, options).module)
    annotate(proto, name, found)
    if proto.ByteSize() > LARGEST:
        raise CompileError("is too large for one protobuf", file=str(model))
    with replacing(output) as temporary:
        temporary.write_bytes(proto.SerializeToString())
    return found


def annotate(proto: onnx.ModelProto, name: str, found: Stages) -> None:
    """Adds a device configuration to a model, with a device for each stage, and to its nodes."""
    if proto.ir_version < DEFAULTS_SINCE:
        constants = {tensor.name for tensor in proto.graph.initializer}
        kept_inputs = [i for i in proto.graph.input if i.name not in constants]
        del proto.graph.input[:]
        proto.graph.input.extend(kept_inputs)
    proto.ir_version = max(proto.ir_version, IR_VERSION)
    kept = [c for c in proto.configuration if c.name != name]
    del proto.configuration[:]
    proto.configuration.extend(kept)
    devices = [f"{found.kind}{i}" for i in range(found.count)]
    proto.configuration.add(name=name, num_devices=found.count, device=devices)
    for node, stage in zip(proto.graph.node, found.stages, strict=True):
        others = [c for c in node.device_configurations if c.configuration_id != name]
        del node.device_configurations[:]
        node.device_configurations.extend(others)
        node.device_configurations.add(configuration_id=name, pipeline_stage=stage)


def stages_of(graph: onnx.GraphProto, module: ModuleOp) -> Stages:
    """The stage of each node of a graph in a compiled module. O(nodes + edges)."""
    program = program_of(module)
    by_value: dict[str, int] = {}
    by_name: dict[str, int] = {}
    ranked = program.ranks > 1
    for worker in program.workers:
        stage = (worker.rank or 0) if ranked else worker.number.value.data
        for op in worker.body.block.ops:
            if isinstance(op, Task):
                by_name.setdefault(op.origin[0], stage)
                for result in op.results:
                    if result.name_hint:
                        by_value.setdefault(result.name_hint, stage)
    places = [_place(node, by_value, by_name) for node in graph.node]
    _from_readers(graph.node, places)
    _from_producers(graph.node, places)
    kind = "rank" if ranked else "worker"
    count = program.ranks if ranked else len(list(program.workers))
    return Stages([place or 0 for place in places], kind, count)


def _place(node: onnx.NodeProto, by_value: dict[str, int], by_name: dict[str, int]) -> int | None:
    for output in node.output:
        if (stage := by_value.get(hint(output) or "")) is not None:
            return stage
    return by_name.get(node.name) if node.name else None


def _from_readers(nodes: Sequence[onnx.NodeProto], places: list[int | None]) -> None:
    """Gives nodes without a place that of their first reader that has one, from the last on."""
    reader: dict[str, int] = {}
    for i in reversed(range(len(nodes))):
        if places[i] is None:
            places[i] = next((reader[v] for v in nodes[i].output if v in reader), None)
        place = places[i]
        if place is not None:
            reader |= dict.fromkeys(_read_by(nodes[i]), place)


def _from_producers(nodes: Sequence[onnx.NodeProto], places: list[int | None]) -> None:
    producer: dict[str, int] = {}
    for i, node in enumerate(nodes):
        if places[i] is None:
            places[i] = next((producer[v] for v in _read_by(node) if v in producer), None)
        place = places[i]
        if place is not None:
            producer |= dict.fromkeys(node.output, place)


def _read_by(node: onnx.NodeProto) -> Iterator[str]:
    """The values that a node or one of its subgraphs reads."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            for inner in graph.node:
                yield from _read_by(inner)


def _weights(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """The tensors of a model that may be stored elsewhere."""
    stack = [proto.graph]
    while stack:
        graph = stack.pop()
        yield from graph.initializer
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors
                stack += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def _is_external(tensor: onnx.TensorProto) -> bool:
    return tensor.data_location == onnx.TensorProto.EXTERNAL


def described(found: Stages) -> str:
    """The stages and their nodes in a few words, for people."""
    counts = [found.stages.count(stage) for stage in range(found.count)]
    return f"{found.count}, one a {found.kind}, of {', '.join(map(str, counts))} nodes"
