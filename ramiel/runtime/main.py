"""`python <program>.py`: check a program against its serial form, and time both."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ramiel.runtime.inputs import Input
from ramiel.runtime.program import Program
from ramiel.runtime.weights import Weights

_BUDGET = 1.0  # seconds for each of the two forms
_MIN_ROUNDS = 3
_MAX_ROUNDS = 1000


def main(program_class: Callable[[Weights], Program], file: str) -> None:
    """Run a program on random inputs, from the weights beside its source file.

    Exits with one line and status 1 if it cannot run, or if its workers and its serial form do
    not agree on every bit.
    """
    options = _parse()
    try:
        model = program_class(Weights.open(Path(file).with_suffix(".safetensors")))
        inputs = _random_inputs(model.inputs, _shapes(options.shape), options.seed)
        parallel, serial = model(*inputs), _serial(model)(*inputs)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise SystemExit(str(error.args[0] if isinstance(error, KeyError) else error)) from None

    for name, left, right in zip(model.outputs, _tuple(parallel), _tuple(serial), strict=True):
        if not _same_bits(left, right):
            raise SystemExit(f'the workers and the serial form differ in output "{name}"')
    print(model)
    print("the workers and the serial form agree bit for bit")
    with model:
        in_parallel, in_series = _medians(
            [lambda: model(*inputs), lambda: _serial(model)(*inputs)], options.runs
        )
    print(f"workers {in_parallel * 1e3:10.3f} ms")
    print(f"serial  {in_series * 1e3:10.3f} ms")
    print(f"speedup {in_series / in_parallel:10.2f}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check and time this model on random inputs.")
    parser.add_argument("--runs", type=int, help="timed runs of each form (default: for 1 s)")
    parser.add_argument("--seed", type=int, default=0, help="of the random inputs")
    parser.add_argument(
        "--shape",
        action="append",
        default=[],
        metavar="NAME=1x3x224x224",
        help="shape of an input; without it, dynamic dimensions are 1",
    )
    options = parser.parse_args()
    if options.runs is not None and options.runs < 1:
        parser.error("--runs must be at least 1")
    return options


def _shapes(options: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The shapes by input name. ValueError if an option is malformed."""
    shapes: dict[str, tuple[int, ...]] = {}
    for option in options:
        name, equals, dims = option.rpartition("=")
        if not equals or not all(dim.isdecimal() for dim in dims.split("x") if dims):
            raise ValueError(f"--shape {option}: expected NAME=1x3x224x224")
        shapes[name] = tuple(int(dim) for dim in dims.split("x") if dims)
    return shapes


def _random_inputs(
    inputs: Sequence[Input], shapes: dict[str, tuple[int, ...]], seed: int
) -> list[Tensor]:
    """A tensor per input. ValueError if a shape is for no input, or does not fit one."""
    names = {name for declared in inputs for name in (declared.name, declared.onnx_name)}
    if unknown := shapes.keys() - names:
        raise ValueError(f"--shape: no input {', '.join(sorted(unknown))}")
    generator = torch.Generator().manual_seed(seed)
    tensors: list[Tensor] = []
    for declared in inputs:
        shape = tuple(1 if dim is None else dim for dim in declared.shape)
        shape = shapes.get(declared.name, shapes.get(declared.onnx_name or "", shape))
        if declared.dtype.is_floating_point or declared.dtype.is_complex:
            tensor = torch.randn(shape, generator=generator).to(declared.dtype)
        else:
            # Integers are ids, masks or token types: 0 and 1 are in range for all of them.
            tensor = torch.randint(0, 2, shape, generator=generator).to(declared.dtype)
        tensors.append(declared.tensor(tensor))
    return tensors


def _serial(model: Program) -> Callable[..., Tensor | tuple[Tensor, ...]]:
    return getattr(model, "serial")  # noqa: B009  (each program has its own signature)


def _tuple(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


def _same_bits(left: Tensor, right: Tensor) -> bool:
    """Whether two tensors are the same to the last bit: NaN is itself, 0.0 is not -0.0."""
    if (left.dtype, left.shape) != (right.dtype, right.shape):
        return False
    # by way of one dimension: a 0-d tensor cannot be viewed as bytes
    return torch.equal(
        left.reshape(-1).contiguous().view(torch.uint8),
        right.reshape(-1).contiguous().view(torch.uint8),
    )


def _medians(forms: Sequence[Callable[[], object]], runs: int | None) -> list[float]:
    """Median seconds of each form. They take turns, so that a slow spell slows down both."""
    seconds: list[list[float]] = [[] for _ in forms]
    rounds = 0
    while rounds < (runs or _MIN_ROUNDS) or (
        runs is None and rounds < _MAX_ROUNDS and min(map(sum, seconds)) < _BUDGET
    ):
        for form, times in zip(forms, seconds, strict=True):
            start = time.perf_counter()
            form()
            times.append(time.perf_counter() - start)
        rounds += 1
    return [statistics.median(times) for times in seconds]
