"""Compiled programs in this process: made from their source, without a file."""

from __future__ import annotations

import builtins
import itertools
import linecache
import types
from collections.abc import Callable, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from ramiel.backend.pytorch.printer import Emitted
from ramiel.compiler import Compilation, Report
from ramiel.dialects.onnx.attributes import TensorRef, WeightAttr
from ramiel.errors import CompileError
from ramiel.execution.tensors import array_of_tensor, tensor_of
from ramiel.programs.files import tied, write_program
from ramiel.programs.results import Result, results_of
from ramiel.runtime import Program, Weights
from ramiel.runtime.errors import DeviceUnavailable

_numbers = itertools.count()


class CompiledProgram(Program):
    """A compiled model, ready to be called. Its source can be read and saved."""

    serial: Callable[..., Any]
    source: str
    report: Report
    results: tuple[Result, ...]
    """The outputs, with their names and types in the model."""
    _emitted: Emitted

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the program to a .py file and its weights to the .safetensors beside it.

        Raises CompileError if they cannot be written.
        """
        write_program(self._emitted, Path(path))

    def __reduce__(self) -> Any:
        """Copies and pickles carry the source, since the class is in no module."""
        emitted, state = self._emitted, self.__getstate__()
        del state["_emitted"]
        held = dict(self.named_buffers(remove_duplicate=False))
        weights = {
            name: (weight.data.name, None if name in held else weight.array())
            for name, weight in emitted.weights.items()
        }
        return _restored, (emitted.class_name, emitted.source, dict(emitted.nodes), weights), state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        held = dict(self.named_buffers(remove_duplicate=False))
        weights: dict[str, WeightAttr] = {}
        for name, (stored, array) in cast("dict[str, Any]", self._emitted.weights).items():
            array = array_of_tensor(held[name]) if array is None else array
            weights[name] = WeightAttr(TensorRef.of(stored, array))
        self._emitted = replace(self._emitted, weights=weights)


def _restored(
    class_name: str, source: str, nodes: dict[str, tuple[str, str]], weights: dict[str, Any]
) -> CompiledProgram:
    """A program without its state; its weights by name, None for those in the state."""
    emitted = Emitted(class_name, source, weights, nodes)
    kind = _class_of(emitted)
    program = kind.__new__(kind)
    program.__dict__["_emitted"] = emitted
    return program


def load(
    compilation: Compilation, capture: bool = True, tensors: Mapping[str, Tensor] | None = None
) -> CompiledProgram:
    """Makes the program of a compilation, without a file. Without `capture`, calls and copies of
    it run in Python unless capture() is called. `tensors` are weights that are in memory already,
    by their names in the IR: the program shares them. Raises CompileError if its device is not
    here."""
    emitted = compilation.emitted
    try:
        program = _class_of(emitted)(_weights(emitted, tensors or {}))
    except DeviceUnavailable as error:
        raise CompileError(str(error)) from error
    program.source = emitted.source
    program.report = compilation.report
    program.results = results_of(compilation.module)
    program._emitted = emitted  # pyright: ignore[reportPrivateUsage]
    program.captures &= capture
    return program


def _class_of(emitted: Emitted) -> Any:
    """The class of a program, made from its source."""
    # Tracebacks find the source of a program that is in no file through linecache.
    filename = f"<ramiel {emitted.class_name} {next(_numbers)}>"
    lines = emitted.source.splitlines(keepends=True)
    linecache.cache[filename] = (len(emitted.source), None, lines, filename)
    namespace: dict[str, Any] = {"__name__": f"ramiel.compiled.{emitted.class_name}"}
    exec(builtins.compile(emitted.source, filename, "exec"), namespace)
    base: type[Program] = namespace[emitted.class_name]
    return types.new_class(base.__name__, (base, CompiledProgram))


def _weights(emitted: Emitted, held: Mapping[str, Tensor]) -> Weights:
    names, aliases = tied(emitted.weights)
    tensors: dict[str, Tensor] = {}
    try:
        for name, weight in names.items():
            tensor = held.get(weight.data.name)
            tensors[name] = tensor_of(weight.array()) if tensor is None else tensor
    except TypeError as error:
        raise CompileError(f"PyTorch lacks the type of a weight: {error}") from error
    return Weights.from_tensors(tensors, emitted.nodes, aliases)
