"""ONNX's own backend interface, for any code that tests or uses a backend.

    import ramiel.onnx_backend as backend

    outputs = backend.run_model(onnx.load("model.onnx"), [image])
    onnx.backend.test.BackendTest(backend, __name__)

Values are numpy's, as the interface requires: arrays, lists of them for sequences, None for an
empty optional.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import onnx
from onnx import helper
from onnx.backend.base import Backend, BackendRep, Device, DeviceType, namedtupledict

from ramiel.api import CompiledProgram, compile
from ramiel.dialects.onnx.protos import type_of_proto
from ramiel.execution.tensors import array_of_value, value_of
from ramiel.frontend.inputs import inputs_of_graph

DEVICE = "CPU"


class RamielRep(BackendRep):
    """A compiled model."""

    def __init__(self, program: CompiledProgram, model: onnx.ModelProto) -> None:
        self.program = program
        inputs, _ = inputs_of_graph(model)
        self._inputs = {i.name: type_of_proto(i.type) for i in inputs}
        self._outputs = {o.name: type_of_proto(o.type) for o in model.graph.output}

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The outputs for inputs in order, or by name. Raises what the program raises."""
        given = (
            inputs if isinstance(inputs, Mapping) else dict(zip(self._inputs, inputs, strict=False))
        )
        values = {name: value_of(value, self._inputs[name]) for name, value in given.items()}
        results = self.program(**values)
        results = results if isinstance(results, tuple) else (results,)
        pairs = zip(results, self._outputs.values(), strict=True)
        arrays = [array_of_value(result, type) for result, type in pairs]
        return namedtupledict("Outputs", list(self._outputs))(*arrays)


class RamielBackend(Backend):
    """Compiles models for the CPU. Keyword arguments are those of ramiel.compile()."""

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = DEVICE, **kwargs: Any) -> bool:
        return cls.supports_device(device)

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = DEVICE, **kwargs: Any) -> RamielRep:
        """Raises CompileError if the model cannot be compiled, ValueError for another device."""
        if not cls.supports_device(device):
            raise ValueError(f"unknown device {device!r}; the only one is {DEVICE}")
        return RamielRep(compile(model, **kwargs), model)

    @classmethod
    def run_model(
        cls, model: onnx.ModelProto, inputs: Any, device: str = DEVICE, **kwargs: Any
    ) -> tuple[Any, ...]:
        rep = cls.prepare(model, device, **kwargs)
        with rep.program:
            return rep.run(inputs)

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str = DEVICE,
        outputs_info: Sequence[tuple[Any, tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """The outputs of one node, at the newest opset unless `opset_version` says another."""
        opset = kwargs.pop("opset_version", onnx.defs.onnx_opset_version())
        names = [name for name in node.input if name]
        given = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
            )
            for name, value in zip(names, inputs, strict=True)
        ]
        made = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
        graph = helper.make_graph([node], "node", given, made)
        imports = [helper.make_opsetid(node.domain, opset)]
        model = helper.make_model(graph, opset_imports=imports)
        return cls.run_model(model, inputs, device, **kwargs)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        try:
            return Device(device).type == DeviceType.CPU
        except (AttributeError, ValueError):
            return False


is_compatible = RamielBackend.is_compatible
prepare = RamielBackend.prepare
run_model = RamielBackend.run_model
run_node = RamielBackend.run_node
supports_device = RamielBackend.supports_device
