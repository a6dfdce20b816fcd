"""Compares a compiled program with a reference: what `ramiel check` does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ramiel.api import CompiledProgram, load
from ramiel.compiler import Compilation
from ramiel.errors import CompileError, shorten
from ramiel.execution.tensors import array_of_tensor, array_of_value
from ramiel.runtime import OpError
from ramiel.runtime.measure import agree, random_inputs
from ramiel.runtime.outputs import as_tuple
from ramiel.torch_level.tasks import main_function

TOLERANCES = {"f32": 1e-3, "bf16": 0.1, "f16": 0.1}
"""By dtype: the difference, relative to an output's largest value, above which the program is
wrong. For bf16 and f16 it does not bound the loss, which depends on the model (0.05% to 2.2% where
measured): anything above is an overflow, or a value that must stay f32."""

Arrays = Sequence[npt.NDArray[Any]]


@dataclass(frozen=True)
class Inputs:
    """How to make inputs: the shapes of open ones, the seed, and the range of integers."""

    shapes: Mapping[str, tuple[int, ...]]
    seed: int = 0
    integers: tuple[int, int] = (0, 2)


@dataclass(frozen=True)
class Row:
    """One output: its largest difference from the reference, absolute and relative to the
    reference's largest value, and whether the parallel and the serial program agree."""

    name: str
    shape: tuple[int, ...]
    difference: float
    relative: float
    same_bits: bool


@dataclass(frozen=True)
class Comparison:
    reference: str
    rows: list[Row]


def compare(
    model: Path, compilation: Compilation, how: Inputs, calls: int = 1, threads: int = 1
) -> Comparison:
    """Runs a program, parallel and serial, on seeded inputs, and a reference on the same ones.

    The parallel program is called `calls` times from each of `threads` threads at once, and
    every result is compared with the serial one. Raises CompileError if an input's shape is
    open, or if one of them fails.
    """
    with load(compilation) as program:
        inputs = inputs_of(program, how)
        try:
            serial = as_tuple(program.serial(*inputs))
            parallel = as_tuple(program(*inputs))
            differing = _differing(program, inputs, serial, calls, threads)
        except OpError as error:
            raise CompileError(f"the program fails: {error}", file=str(model)) from error
    names = [declared.onnx_name or declared.name for declared in program.inputs]
    signature = main_function(compilation.module).function_type
    arrays = [array_of_tensor(t, type) for t, type in zip(inputs, signature.inputs, strict=True)]
    reference, expected = _reference(model, names, arrays, program.batch)
    outputs = zip(program.outputs, parallel, expected, signature.outputs, strict=True)
    rows: list[Row] = []
    for i, (name, result, wanted, type) in enumerate(outputs):
        got, reference_parts = _parts(name, array_of_value(result, type)), _parts(name, wanted)
        if got.keys() != reference_parts.keys():
            raise CompileError(
                f'output "{name}" has {len(got)} parts, the reference {len(reference_parts)}'
            )
        rows += (_row(n, a, reference_parts[n], i not in differing) for n, a in got.items())
    return Comparison(reference, rows)


def _differing(
    program: CompiledProgram,
    inputs: Sequence[Tensor],
    serial: Sequence[Tensor],
    calls: int,
    threads: int,
) -> set[int]:
    """The outputs that differ from the serial ones in any parallel call: in a bit, or by more than
    the program's tolerance."""

    def call(_: int) -> set[int]:
        results = as_tuple(program(*inputs))
        pairs = enumerate(zip(results, serial, strict=True))
        return {i for i, (a, b) in pairs if not agree(a, b, program.tolerance)}

    with ThreadPoolExecutor(threads) as pool:
        return set[int]().union(*pool.map(call, range(calls * threads)))


def inputs_of(program: CompiledProgram, how: Inputs) -> list[Tensor]:
    """Seeded inputs. Raises CompileError if a shape is open, or an input is not of numbers."""
    for declared in program.inputs:
        name = shorten(declared.onnx_name or declared.name)
        if declared.default is not None:
            continue
        if declared.kind != "tensor" or not isinstance(declared.dtype, torch.dtype):
            raise CompileError(f'input "{name}" ({declared}) can only be given from Python')
        # A batch of 1 is a safe guess for the first dimension; there is none for the others.
        shape = declared.shape
        settled = shape is not None and all(isinstance(dim, int) for dim in shape[1:])
        if not settled and (declared.onnx_name or declared.name) not in how.shapes:
            raise CompileError(
                f'input "{name}" has open dimensions ({declared}): give --shape {name}=...'
            )
    return random_inputs(program.inputs, how.shapes, how.seed, how.integers, program.batch)


def _reference(model: Path, names: Sequence[str], arrays: Arrays, batch: int) -> tuple[str, Arrays]:
    """The reference's name and results: those of each sample of a batch, put together."""
    samples = [arrays] if batch == 1 else zip(*(np.split(a, batch) for a in arrays), strict=True)
    reference, results = "", list[Arrays]()
    for sample in samples:
        reference, outputs = _reference_run(model, dict(zip(names, sample, strict=True)))
        results.append(outputs)
    if batch == 1:
        return reference, results[0]
    return reference, [np.concatenate(parts) for parts in zip(*results, strict=True)]


def _reference_run(model: Path, feeds: dict[str, npt.NDArray[Any]]) -> tuple[str, Arrays]:
    """onnxruntime's results if it is installed and can run the model, else onnx's reference's."""
    try:
        import onnxruntime
    except ImportError:
        return _onnx_reference(model, feeds)
    onnxruntime.set_default_logger_severity(4)
    try:
        session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        return "onnxruntime", cast(Arrays, session.run(None, feeds))
    except Exception as error:  # onnxruntime has no common base class for its errors
        reason = shorten(str(error).splitlines()[0])
        try:
            name, results = _onnx_reference(model, feeds)
        except Exception:
            raise CompileError(f"onnxruntime cannot run it: {reason}", file=str(model)) from error
        return f"{name} (onnxruntime cannot run it: {reason})", results


def _onnx_reference(model: Path, feeds: dict[str, npt.NDArray[Any]]) -> tuple[str, Arrays]:
    from onnx.reference import ReferenceEvaluator

    return "onnx's reference", cast(Arrays, ReferenceEvaluator(str(model)).run(None, feeds))


def _parts(name: str, value: Any) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an output by name, such as `probability[0]["yes"]` for a list of maps."""
    if value is None:
        return {}
    if not isinstance(value, list | dict):
        return {name: np.asarray(value)}
    items = cast("dict[Any, Any]", value) if isinstance(value, dict) else dict(enumerate(value))
    parts: dict[str, npt.NDArray[Any]] = {}
    for key, item in items.items():
        parts |= _parts(f"{name}[{json.dumps(key)}]", item)
    return parts


def _row(name: str, got: npt.NDArray[Any], expected: npt.NDArray[Any], same: bool) -> Row:
    if got.shape != expected.shape or got.dtype != expected.dtype:
        raise CompileError(
            f'output "{name}" is {got.dtype}{list(got.shape)}, the reference has '
            f"{expected.dtype}{list(expected.shape)}"
        )
    largest, scale = _difference(got, expected)
    relative = largest / scale if scale else largest
    return Row(name, got.shape, largest, relative, same)


def _difference(got: npt.NDArray[Any], expected: npt.NDArray[Any]) -> tuple[float, float]:
    """The largest difference and the largest expected value. Equal infinities, and NaNs, do not
    differ; the difference is NaN if only one of the two is. Of strings, the number that differ."""
    if not got.size:
        return 0.0, 0.0
    if got.dtype.kind == "O":
        return float((got != expected).sum()), 0.0
    kind = np.complex128 if got.dtype.kind == "c" else np.float64
    a, b = got.astype(kind), expected.astype(kind)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    difference = np.where(same, 0.0, np.abs(np.where(same, 0.0, a) - np.where(same, 0.0, b)))
    finite = np.abs(b[np.isfinite(b)])
    return float(difference.max()), float(finite.max()) if finite.size else 0.0
