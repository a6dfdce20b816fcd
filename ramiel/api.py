"""The Python interface: `ramiel.compile(model)`."""

from __future__ import annotations

import builtins
import itertools
import linecache
import types
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, cast

from torch import nn

from ramiel.artifact import tied, write_program
from ramiel.backend.pytorch.printer import Emitted
from ramiel.backend.pytorch.tensors import array_of_tensor, tensor_of
from ramiel.compiler import Compilation, Report, compile_model
from ramiel.dialects.onnx.attributes import TensorRef, WeightAttr
from ramiel.errors import CompileError
from ramiel.frontend.inputs import Shapes
from ramiel.frontend.model_file import ModelSource
from ramiel.pipelines import Options
from ramiel.runtime import Program, Weights
from ramiel.runtime.surroundings import undisturbed

_numbers = itertools.count()


class CompiledProgram(Program):
    """A compiled model, ready to be called. Its source can be read and saved."""

    source: str
    report: Report
    _emitted: Emitted

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the program to a .py file and its weights to the .safetensors beside it.

        Raises CompileError if they cannot be written.
        """
        write_program(self._emitted, Path(path))

    def __reduce__(self) -> Any:
        """A copy or a pickle has the source with it, since the class is in no module."""
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
    """A program without its state; its weights as names and arrays, None for those in the state."""
    emitted = Emitted(class_name, source, weights, nodes)
    kind = _class_of(emitted)
    program = kind.__new__(kind)
    program.__dict__["_emitted"] = emitted
    return program


def compile(
    model: ModelSource | nn.Module,
    example_inputs: Sequence[Any] | Mapping[str, Any] | None = None,
    *,
    dynamic_shapes: Any = None,
    workers: int | None = None,
    schedule: str = "auto",
    shapes: Shapes | None = None,
    batch: int = 1,
    switched: bool = False,
    profile: bool = False,
    clone: bool = False,
    memory_limit: int | None = None,
    provider: str = "auto",
    dtype: str = "f32",
    freeze: bool = False,
    seconds: float = 2.0,
    tune: bool = False,
) -> CompiledProgram:
    """Compiles an ONNX model, or a torch.nn.Module, to a parallel program.

    `model` is a path, the bytes of a file or a ModelProto. A module is exported to ONNX by
    PyTorch, with `example_inputs` as its arguments, in order or by name, and `dynamic_shapes` as
    torch.export.export() takes them. What is asked for:

    - `workers`: the number of threads, by default that of the cores.
    - `schedule`: one of `ramiel.pipelines.SCHEDULES`; `refine` searches for so many `seconds`.
    - `shapes`: the shapes of inputs whose dimensions are open.
    - `batch`: with N, a model for one sample takes any number of samples and runs N at a time as
      interleaved hyperclusters (`switched`: each sample's on other workers than the last one's).
    - `profile`: measure what operations cost on this machine, once.
    - `tune`: profile, then measure whole programs by the best few schedules; take the fastest.
    - `clone`: cheap producers are cloned for their consumers.
    - `provider`: whose kernels may be used, `auto` (the best at hand) or `torch`.
    - `dtype`: what a float32 model is computed in, `f32`, `bf16` or `f16`. Inputs and outputs keep
      their types; `ramiel check` says how much is lost.
    - `freeze`: initializers that the model lists as inputs are constants, which are folded and
      packed. Otherwise they are inputs with a default from version 4 of ONNX's IR on.
    - `memory_limit`: the most bytes that values may occupy at one time, as simulated.

    The result is a `torch.nn.Module` that takes the model's inputs in order or by name, as torch
    tensors or numpy arrays, and runs in parallel; `serial` is the same work in one thread,
    `close` ends the threads, `source` is the program, `save` writes it, and `report` says what
    is expected of it.

    Raises CompileError.
    """
    options = Options(
        workers=workers,
        schedule=schedule,
        shapes=shapes or {},
        batch=batch,
        switched=switched,
        profile=profile,
        clone=clone,
        memory_limit=memory_limit,
        provider=provider,
        dtype=dtype,
        freeze=freeze,
        refine_s=seconds,
        tune=tune,
    )
    if isinstance(model, nn.Module):
        if example_inputs is None:
            raise TypeError("to compile a torch.nn.Module, give example inputs")
        from ramiel.frontend.torch_module import model_of_module

        model = model_of_module(model, example_inputs, dynamic_shapes)
    elif example_inputs is not None or dynamic_shapes is not None:
        raise TypeError("example inputs and dynamic shapes are for a torch.nn.Module")
    with undisturbed():
        return load(compile_model(model, options))


def load(compilation: Compilation) -> CompiledProgram:
    """Makes the program of a compilation, without a file."""
    emitted = compilation.emitted
    program = _class_of(emitted)(_weights(emitted))
    program.source = emitted.source
    program.report = compilation.report
    program._emitted = emitted  # pyright: ignore[reportPrivateUsage]
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


def _weights(emitted: Emitted) -> Weights:
    names, aliases = tied(emitted.weights)
    try:
        tensors = {name: tensor_of(weight.array()) for name, weight in names.items()}
    except TypeError as error:
        raise CompileError(f"a weight is of a type that PyTorch does not have: {error}") from error
    return Weights.from_tensors(tensors, emitted.nodes, aliases)
