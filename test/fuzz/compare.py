"""Runs a random model compiled, and in ONNX Runtime or ONNX's reference, and compares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import torch
from builder import Array, run_model
from models import Case
from onnx.reference import ReferenceEvaluator

import ramiel
from ramiel.api import CompiledProgram
from ramiel.backend.pytorch.tensors import array_of_tensor
from ramiel.errors import CompileError

TOLERANCE = {"float32": 2e-4, "float64": 2e-4, "float16": 2e-2}
"""The largest difference, relative to the largest value of the output or to 1: rounding adds up
over the nodes, and a float64 may have been a float32."""


class NothingToCompareError(Exception):
    """Neither ONNX Runtime nor ONNX's reference runs the model."""


def check(case: Case) -> None:
    """Fails if a compiled model differs from ONNX Runtime, or a run in parallel from a serial one,
    or if inputs are changed."""
    wanted = run_model(case.model, case.feed)
    if wanted is None:
        if has_loops(case.model.graph):
            raise NothingToCompareError("the reference stacks the parts of a loop in its own way")
        wanted = _reference(case)
    given = {name: torch.tensor(a) for name, a in case.feed.items()}
    with compiled(case) as program:
        serial = _outputs(program.serial(*given.values()))
        parallel = _outputs(program(*given.values()))
        again = _outputs(program(*given.values()))
    for name, array in case.feed.items():
        np.testing.assert_array_equal(given[name].numpy(), array, f"input {name} was changed")
    names = [o.name for o in case.model.graph.output]
    for name, one, *others in zip(names, serial, parallel, again, strict=True):
        for other in others:
            np.testing.assert_array_equal(one, other, f"{name}: it differs from the serial run")
    try:
        same(names, serial, wanted)
    except AssertionError:
        # ONNX Runtime errs at times; who agrees with the reference does not.
        try:
            same(names, serial, _reference(case))
        except NothingToCompareError:
            pass
        else:
            return
        raise


def same(names: Sequence[str], outputs: Sequence[Array], wanted: Sequence[Array]) -> None:
    for name, output, array in zip(names, outputs, wanted, strict=True):
        assert output.dtype == array.dtype, f"{name}: {output.dtype}, not {array.dtype}"
        assert output.shape == array.shape, f"{name}: {output.shape}, not {array.shape}"
        tolerance = TOLERANCE.get(array.dtype.name, 0)
        scale = max(1.0, np.abs(array).max(initial=0.0)) if tolerance else 0
        np.testing.assert_allclose(output, array, 0, tolerance * scale, err_msg=name)


def compiled(case: Case) -> CompiledProgram:
    try:
        return ramiel.compile(case.model, **case.options)
    except CompileError as error:
        if "the rank of its input is not known" in error.message:  # branches of two ranks
            raise NothingToCompareError(error.message) from error
        raise


def has_loops(graph: onnx.GraphProto) -> bool:
    """Whether there is a Loop or Scan in a graph, at any depth."""
    return any(
        node.op_type in ("Loop", "Scan") or any(has_loops(a.g) for a in node.attribute)
        for node in graph.node
    )


def _outputs(results: torch.Tensor | tuple[torch.Tensor, ...]) -> Sequence[Array]:
    return [array_of_tensor(t) for t in (results if isinstance(results, tuple) else (results,))]


def _reference(case: Case) -> list[Array]:
    try:
        return [np.asarray(a) for a in ReferenceEvaluator(case.model).run(None, dict(case.feed))]
    except Exception as error:
        raise NothingToCompareError(str(error)) from error
