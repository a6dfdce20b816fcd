"""Runs a random model compiled, and in ONNX Runtime or ONNX's reference, and compares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from builder import Array, run_model
from models import Case
from onnx.reference import ReferenceEvaluator

import ramiel
from ramiel.backend.pytorch.tensors import array_of_tensor

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
        wanted = _reference(case)
    given = {name: torch.tensor(a) for name, a in case.feed.items()}
    with ramiel.compile(case.model, **case.options) as program:
        serial = _outputs(program.serial(*given.values()))
        parallel = _outputs(program(*given.values()))
        again = _outputs(program(*given.values()))
    for name, array in case.feed.items():
        np.testing.assert_array_equal(given[name].numpy(), array, f"input {name} was changed")
    names = [o.name for o in case.model.graph.output]
    for name, *rows in zip(names, serial, parallel, again, wanted, strict=True):
        same(name, *rows)


def same(name: str, serial: Array, parallel: Array, again: Array, wanted: Array) -> None:
    np.testing.assert_array_equal(serial, parallel, f"{name}: parallel is not serial")
    np.testing.assert_array_equal(serial, again, f"{name}: a second run differs")
    assert serial.dtype == wanted.dtype, f"{name}: {serial.dtype}, not {wanted.dtype}"
    if wanted.shape == (0,) and serial.ndim and not len(serial):
        return  # what no iteration stacked: ONNX Runtime does not always know the other dimensions
    assert serial.shape == wanted.shape, f"{name}: {serial.shape}, not {wanted.shape}"
    tolerance = TOLERANCE.get(wanted.dtype.name, 0)
    scale = max(1.0, np.abs(wanted).max(initial=0.0)) if tolerance else 0
    np.testing.assert_allclose(serial, wanted, 0, tolerance * scale, err_msg=name)


def _outputs(results: torch.Tensor | tuple[torch.Tensor, ...]) -> Sequence[Array]:
    return [array_of_tensor(t) for t in (results if isinstance(results, tuple) else (results,))]


def _reference(case: Case) -> list[Array]:
    try:
        return [np.asarray(a) for a in ReferenceEvaluator(case.model).run(None, dict(case.feed))]
    except Exception as error:
        raise NothingToCompareError(str(error)) from error
