"""Imports ONNX models as modules of the `onnx` dialect."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import onnx
from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, IntegerAttr, ModuleOp, StringAttr, i64
from xdsl.ir import Attribute, Block, Region

from ramiel.dialects.onnx.attributes import WeightAttr
from ramiel.dialects.onnx.inference import infer_shapes
from ramiel.dialects.onnx.operation import CONFIGURATIONS, MODEL, NAME, OPSET, OPSETS
from ramiel.dialects.verify import verify_module
from ramiel.errors import CompileError, shorten
from ramiel.frontend.graph import GraphImporter, Values, define
from ramiel.frontend.inputs import (
    Shapes,
    argument_attributes,
    argument_type,
    input_types,
    inputs_of_graph,
)
from ramiel.frontend.model_file import ModelSource, open_model, opsets_of_model
from ramiel.frontend.tensors import Outside


def import_model(
    source: ModelSource,
    shapes: Shapes | None = None,
    *,
    batch_of_one: bool = False,
    freeze: bool = False,
) -> ModuleOp:
    """A model as a module of the `onnx` dialect, with shapes inferred and names kept.

    `shapes` gives concrete shapes for inputs with open dimensions; with `batch_of_one`, an open
    first dimension of the other inputs is 1: see input_types(). Initializers that the model also
    lists as inputs are the inputs' defaults, or constants with `freeze`. Raises CompileError,
    which names the file if there is one, for an invalid or unsupported model.
    """
    file = None if isinstance(source, bytes | onnx.ModelProto) else str(source)
    try:
        model, outside = open_model(source)
        module = _module(model, outside, shapes or {}, batch_of_one, freeze)
        module.attributes[MODEL] = StringAttr(Path(file).stem if file else _own_name(model))
        verify_module(module)  # the shape rules expect operations of the right arity
        infer_shapes(module)
        verify_module(module)
    except CompileError as error:
        error.file = error.file or file
        raise
    return module


def _module(
    model: onnx.ModelProto, outside: Outside, shapes: Shapes, one: bool, freeze: bool
) -> ModuleOp:
    graph, opsets = model.graph, opsets_of_model(model)
    # With a batch of samples, initializers are constants: a default is not a sample.
    inputs, given = inputs_of_graph(model, freeze or one)
    types = input_types(inputs, shapes, one)
    importer = GraphImporter(model, outside)
    defaults: dict[str, WeightAttr] = {}
    for i, info in enumerate(inputs):
        if info.name in given:
            weight, type = importer.weight(given[info.name])
            types[i], defaults[info.name] = argument_type(info.name, types[i], type), weight
    block = Block(arg_types=types)
    values: Values = {}
    for arg, info in zip(block.args, inputs, strict=True):
        define(values, info.name, arg)
    results = importer.graph(graph, block, values, defaults)
    block.add_op(func.ReturnOp(*results))
    function = func.FuncOp(
        "main",
        (types, [r.type for r in results]),
        Region(block),
        arg_attrs=argument_attributes(inputs, defaults),
        res_attrs=_names(o.name for o in graph.output),
    )
    attributes: dict[str, Attribute] = {
        OPSET: IntegerAttr(opsets[""], i64),
        "onnx.ir_version": IntegerAttr(model.ir_version, i64),
    }
    others = {domain: IntegerAttr(version, i64) for domain, version in opsets.items() if domain}
    if others:
        attributes[OPSETS] = DictionaryAttr(others)
    if importer.configurations:
        attributes[CONFIGURATIONS] = ArrayAttr(map(StringAttr, importer.configurations))
    return ModuleOp([function], attributes)


def _own_name(model: onnx.ModelProto) -> str:
    return shorten(model.graph.name) or "model"


def _names(names: Iterable[str]) -> ArrayAttr[DictionaryAttr]:
    return ArrayAttr([DictionaryAttr({NAME: StringAttr(n)}) for n in names])
