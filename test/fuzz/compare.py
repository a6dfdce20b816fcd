"""Runs a random model compiled, and in ONNX Runtime or ONNX's reference, and compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from case import Case
from contents import Array
from oracles import Answers, Tolerance, is_close, largest_error

import ramiel
from ramiel.api import CompiledProgram
from ramiel.errors import CompileError
from ramiel.execution.tensors import array_of_tensor

Outputs = torch.Tensor | tuple[torch.Tensor, ...]


class OwnershipError(AssertionError):
    """An output is not the caller's own: it is a part of another tensor, or held elsewhere."""


class NothingToCompareError(Exception):
    """Nobody else runs the model."""


def check(case: Case) -> None:
    """Fails if outputs of a compiled model are not those of an oracle, or a run in parallel differs
    from a serial one, or if inputs are changed, or outputs are not the caller's own.

    Raises NothingToCompareError if no oracle runs the model.
    """
    answers = [Answers(case.model, feed) for feed in case.feeds]
    if not any(answers):
        raise NothingToCompareError("nobody else runs the model")
    runs = [(feed, wanted) for feed, wanted in zip(case.feeds, answers, strict=True) if wanted]
    with compiled(case) as program:
        for feed, wanted in runs:
            _check_run(case, program, feed, wanted)
        for feed, _ in runs:
            _check_ownership(case, program, feed)


def _check_run(
    case: Case, program: CompiledProgram, feed: Mapping[str, Array], wanted: Answers
) -> None:
    given = {name: torch.tensor(a) for name, a in feed.items()}
    args, kwargs = _arguments(case, program, given)
    serial = _arrays(program.serial(*args, **kwargs))
    parallel = _arrays(program(*args, **kwargs))
    _check_inputs(given, feed, "a run")
    _check_bits(case, "the parallel run", parallel, serial)
    _check_answers(case, serial, wanted)


def _check_ownership(case: Case, program: CompiledProgram, feed: Mapping[str, Array]) -> None:
    """Writes into outputs: neither inputs nor later results may change."""
    given = {name: torch.tensor(a) for name, a in feed.items()}
    args, kwargs = _arguments(case, program, given)
    try:
        for title, run in (("serial", program.serial), ("parallel", program)):
            results = _tuple(run(*args, **kwargs))
            arrays = _arrays(results)
            for name, tensor in zip(case.outputs, results, strict=True):
                assert tensor.is_contiguous(), f"{name}: it has the strides {tensor.stride()}"
                tensor.fill_(7)
            _check_inputs(given, feed, "writing into an output")
            again = _arrays(run(*args, **kwargs))
            _check_bits(case, f"a {title} run after writing into outputs", again, arrays)
    except Exception as error:  # a 7 may be an index that is out of range
        raise OwnershipError(str(error)) from error


def _check_inputs(given: Mapping[str, torch.Tensor], feed: Mapping[str, Array], title: str) -> None:
    for name, array in feed.items():
        text = f"input {name} was changed by {title}"
        np.testing.assert_array_equal(given[name].numpy(), array, text)


def _arguments(
    case: Case, program: CompiledProgram, given: Mapping[str, torch.Tensor]
) -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
    """The inputs in the program's order, as long as none is left out, and the others by name."""
    names = [] if case.by_name else [i.onnx_name or i.name for i in program.inputs]
    lacking = [i for i, name in enumerate(names) if name not in given]
    names = names[: lacking[0]] if lacking else names
    return [given[n] for n in names], {n: t for n, t in given.items() if n not in names}


def _check_bits(case: Case, title: str, outputs: Sequence[Array], wanted: Sequence[Array]) -> None:
    """Fails if arrays differ in a bit, but for those of NaN."""
    for name, one, other in zip(case.outputs, outputs, wanted, strict=True):
        text = f"{name}: {title} differs from an earlier one"
        np.testing.assert_array_equal(one, other, text)
        if one.dtype.kind == "f":
            sign, wanted_sign = (np.signbit(a[~np.isnan(a)]) for a in (one, other))
            np.testing.assert_array_equal(sign, wanted_sign, f"{text} in a sign")


def _check_answers(case: Case, outputs: Sequence[Array], wanted: Answers) -> None:
    """Fails if an output is not what an oracle says; the error is about the first oracle that
    says something."""
    left = dict(zip(case.outputs, outputs, strict=True))
    for answer in wanted:
        said = dict(zip(case.outputs, answer, strict=True))
        left = {n: a for n, a in left.items() if not is_close(a, said[n], case.tolerance)}
        if not left:
            return
    for name, array in zip(case.outputs, next(iter(wanted)), strict=True):
        if name in left:
            same(name, left[name], array, case.tolerance)


def same(name: str, output: Array, array: Array, tolerance: Tolerance) -> None:
    assert output.dtype == array.dtype, f"{name}: {output.dtype}, not {array.dtype}"
    assert output.shape == array.shape, f"{name}: {output.shape}, not {array.shape}"
    np.testing.assert_allclose(output, array, 0, largest_error(array, tolerance), err_msg=name)


def compiled(case: Case) -> CompiledProgram:
    try:
        return ramiel.compile(case.model, **case.options)
    except CompileError as error:
        if "the rank of its input is not known" in error.message:  # branches of two ranks
            raise NothingToCompareError(error.message) from error
        raise


def _tuple(results: Outputs) -> tuple[torch.Tensor, ...]:
    return results if isinstance(results, tuple) else (results,)


def _arrays(results: Outputs) -> list[Array]:
    """Copies: what a tensor holds now."""
    return [array_of_tensor(t).copy() for t in _tuple(results)]
