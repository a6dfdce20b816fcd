"""`ramiel export-partition`: a schedule as ONNX Runtime's node partition config.

The config (JSON: `type`, `streams`, `devices`) gives each node to a stream; streams run in
parallel, and each runs its nodes in topological order, whatever the config's order. So any
partition is correct, and how well nodes are matched affects only time. The rules, found in
microsoft/onnxruntime, core/framework/allocation_planner.cc (DeviceBasedPartitioner) and
stream_execution_context.cc, and by experiments on version 1.31.1:

- Nodes are those of the *optimised* graph. ONNX Runtime refuses a config without one of them,
  ignores unknown names, and falls back to one stream, with a warning, if the JSON is malformed.
  A stream without nodes crashes it.
- A node without a name goes by its operator and a number. Nodes of subgraphs are not listed.

ONNX Runtime is therefore asked for its optimised graph and for its own config, which lists that
graph's nodes in the same order, and each node gets the worker of the nodes it was made from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import onnx
from xdsl.dialects.builtin import ModuleOp

from ramiel.dialects.cluster import ProgramOp
from ramiel.dialects.torch import TorchOperation
from ramiel.errors import CompileError, shorten
from ramiel.frontend.model_file import ModelSource, read_model
from ramiel.pipelines import Options
from ramiel.programs.build import build
from ramiel.weights.store import replacing

CONFIG = "session.node_partition_config_file"
"""The session option that names the file."""
CPU = "0"
"""ONNX Runtime's number of the device type."""


@dataclass(frozen=True)
class Partition:
    """The nodes of ONNX Runtime's optimised graph, by stream.

    `matched` of them were matched to a node of the schedule by their name or a result; the others
    are in a neighbour's stream.
    """

    streams: list[list[str]]
    matched: int

    @property
    def nodes(self) -> int:
        return sum(map(len, self.streams))

    def text(self) -> str:
        config = {
            "type": "DeviceBasedPartitioner",
            "streams": self.streams,
            "devices": [CPU] * len(self.streams),
        }
        return json.dumps(config, indent=1) + "\n"


def export_partition(model: Path, output: Path, options: Options) -> Partition:
    """Writes the schedule of a model as a config for ONNX Runtime, one stream a worker.

    Raises CompileError if the model cannot be compiled, if ONNX Runtime is missing or does not
    load it, if the file cannot be written, or for a batch of several samples. O(nodes) on top of
    compilation.
    """
    if options.batch > 1:
        raise CompileError(
            f"a partition is for one sample, and the schedule of a batch of {options.batch} gives "
            "each node to several workers: leave --batch out",
            file=str(model),
        )
    graph, source = _named(model)
    optimized = optimized_nodes(model)
    schedule = schedule_of(build(source, options).module)
    try:
        partition = partition_of(graph, schedule, optimized)
        with replacing(output) as temporary:
            temporary.write_text(partition.text(), encoding="utf-8")
    except CompileError as error:
        error.file = error.file or str(model)
        raise
    return partition


def schedule_of(module: ModuleOp) -> dict[str, int]:
    """The worker of each ONNX node of a compiled module: the first one that runs a part of it."""
    program = next(op for op in module.ops if isinstance(op, ProgramOp))
    workers: dict[str, int] = {}
    for worker in program.workers:
        for op in worker.walk():
            if isinstance(op, TorchOperation):
                workers.setdefault(op.origin[0], worker.number.value.data)
    workers.pop("", None)
    return workers


def optimized_nodes(model: Path) -> list[tuple[str, onnx.NodeProto]]:
    """The nodes of ONNX Runtime's optimised graph of a model, with its defaults on this machine, in
    its order, each with its name in the config. Raises CompileError."""
    try:
        import onnxruntime
    except ImportError as error:
        raise CompileError("onnxruntime is not installed: pip install onnxruntime") from error
    with TemporaryDirectory() as folder:
        graph, config = Path(folder, "optimized.onnx"), Path(folder, "partition.json")
        session = onnxruntime.SessionOptions()
        session.log_severity_level = 4
        session.optimized_model_filepath = str(graph)
        entries = {
            CONFIG: str(config),  # ONNX Runtime writes a file that does not exist
            # The graph without its weights is small enough for protobuf.
            "session.optimized_model_external_initializers_file_name": "weights",
            "session.optimized_model_external_initializers_min_size_in_bytes": "1024",
        }
        for key, value in entries.items():
            session.add_session_config_entry(key, value)
        try:
            onnxruntime.InferenceSession(str(model), session, providers=["CPUExecutionProvider"])
            nodes = onnx.load(str(graph), load_external_data=False).graph.node
            written = cast("dict[str, list[list[str]]]", json.loads(config.read_text("utf-8")))
        except Exception as error:  # onnxruntime has no common base class for its errors
            reason = shorten(" ".join(str(error).split()) or type(error).__name__, 300)
            raise CompileError(f"onnxruntime cannot load it: {reason}", file=str(model)) from error
    # Without any node there are no streams in it either.
    listed = [name for stream in written.get("streams", []) for name in stream]
    if len(listed) != len(nodes) or any(
        n.name not in ("", name) for n, name in zip(nodes, listed, strict=True)
    ):
        raise CompileError(
            f"onnxruntime {onnxruntime.__version__} lists nodes that differ from its graph's",
            file=str(model),
        )
    return list(zip(listed, nodes, strict=True))


def partition_of(
    graph: onnx.GraphProto,
    schedule: Mapping[str, int],
    optimized: Sequence[tuple[str, onnx.NodeProto]],
) -> Partition:
    """Puts each node of an optimised graph into the stream of the nodes it was made from.

    `schedule` has the worker of each node of `graph`, by name; one that it lacks (folded or fused
    away) gets that of its input's producer. A node of the optimised graph that computes a value of
    the model, or is named after one or after a node, goes with that; a new one with a producer, or
    else a consumer. Empty streams are left out. Raises CompileError if there is no node at all.
    O(nodes + edges).
    """
    placed = _beside([schedule.get(n.name) for n in graph.node], _forward(graph.node))
    known = {
        value: place
        for node, place in zip(graph.node, placed, strict=True)
        for value in node.output
        if place is not None
    } | dict(schedule)
    nodes = [node for _, node in optimized]
    places = [_first(known, [*node.output, *_stems(name)]) for name, node in optimized]
    matched = sum(place is not None for place in places)
    places = _beside(places, _forward(nodes))
    places = _beside(places[::-1], [(n.output, n.input) for n in nodes[::-1]])[::-1]
    streams: dict[int, list[str]] = {}
    for (name, _), place in zip(optimized, places, strict=True):
        streams.setdefault(place or 0, []).append(name)
    if not streams:
        raise CompileError("onnxruntime folds all of it when it loads it: there is no node left")
    return Partition([streams[worker] for worker in sorted(streams)], matched)


Values = Sequence[str]


def _forward(nodes: Iterable[onnx.NodeProto]) -> list[tuple[Values, Values]]:
    return [(node.input, node.output) for node in nodes]


def _beside(
    places: Iterable[int | None], nodes: Iterable[tuple[Values, Values]]
) -> list[int | None]:
    """Gives a node without a place that of its first input that has one. A node is its inputs and
    the values that it passes on to later nodes."""
    known: dict[str, int] = {}
    result: list[int | None] = []
    for place, (takes, gives) in zip(places, nodes, strict=True):
        if place is None:
            place = _first(known, takes)
        if place is not None:
            known |= dict.fromkeys(gives, place)
        result.append(place)
    return result


def _first(known: Mapping[str, int], names: Iterable[str]) -> int | None:
    """The first that is known. The empty name is an omitted optional value."""
    return next((known[name] for name in names if name and name in known), None)


def _stems(name: str) -> Iterable[str]:
    """The names that a node may be derived from, the longest first: `/a/Relu_output_0_nchwc` from
    the value `/a/Relu_output_0`, `/a/MatMul/MatMulAddFusion` from the node `/a/MatMul`."""
    ends = [match.start() for match in re.finditer("[^A-Za-z0-9]", name)]
    return [name, *(name[:end] for end in reversed(ends))]


def _named(model: Path) -> tuple[onnx.GraphProto, ModelSource]:
    """A model's graph, each node with a name, and the model to compile with these names.

    The schedule knows operations by the names of their nodes. A node without one is named after
    its first output, and then the model is compiled from memory, weights and all.
    """
    try:
        proto, folder = read_model(model)
    except CompileError as error:
        error.file = error.file or str(model)
        raise
    unnamed = [node for node in proto.graph.node if not node.name and node.output]
    if not unnamed:
        return proto.graph, model
    for node in unnamed:
        node.name = node.output[0]
    try:
        onnx.load_external_data_for_model(proto, str(folder))
    except Exception as error:  # onnx raises various errors for a missing file
        raise CompileError(
            f"its external data cannot be read: {shorten(str(error))}", file=str(model)
        ) from error
    return proto.graph, proto
