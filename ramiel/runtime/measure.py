"""Random inputs, bitwise comparison and fair timing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from ramiel.runtime.inputs import Input, check_names
from ramiel.runtime.strings import Strings

_BUDGET = 1.0  # seconds for each form
_MIN_ROUNDS = 3
_MAX_ROUNDS = 1000


def parse_shapes(options: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The shapes by input name. ValueError if an option is malformed."""
    shapes: dict[str, tuple[int, ...]] = {}
    for option in options:
        name, equals, dims = option.rpartition("=")
        if not equals or not all(dim.isdecimal() for dim in dims.split("x") if dims):
            raise ValueError(f"--shape {option}: expected NAME=1x3x224x224")
        shapes[name] = tuple(int(dim) for dim in dims.split("x") if dims)
    return shapes


def random_inputs(
    inputs: Sequence[Input],
    shapes: Mapping[str, tuple[int, ...]],
    seed: int,
    integers: tuple[int, int] = (0, 2),
    batch: int = 1,
) -> list[Tensor]:
    """A tensor per input, of `batch` samples if that is not 1.

    An open dimension is 1, or as a given shape has it. An input with a default gets that, unless a
    shape is given for it. ValueError if a shape names no input or does not fit it, or if an input
    is not a tensor of numbers.
    """
    names = {name for declared in inputs for name in (declared.name, declared.onnx_name)}
    if unknown := shapes.keys() - names:
        raise ValueError(f"--shape: no input {', '.join(sorted(unknown))}")
    given = [shapes.get(d.name, shapes.get(d.onnx_name or "")) for d in inputs]
    sizes = {
        name: shape[place]
        for declared, shape in zip(inputs, given, strict=True)
        for name, place in declared.named
        if shape is not None and place < len(shape)
    }
    generator = torch.Generator().manual_seed(seed)
    tensors: list[Tensor] = []
    for declared, shape in zip(inputs, given, strict=True):
        dtype = declared.dtype
        if isinstance(declared.default, Tensor) and shape is None:
            tensors.append(declared.default)
            continue
        if declared.kind != "tensor" or not isinstance(dtype, torch.dtype):
            raise ValueError(f"no random input can be made for {declared}")
        if shape is None:
            if declared.shape is None:
                raise ValueError(f'input "{declared.name}" may have any rank: give its --shape')
            dims = (sizes.get(d, 1) if isinstance(d, str) else d for d in declared.shape)
            shape = tuple(1 if dim is None else dim for dim in dims)
        if batch > 1:
            shape = (batch, *shape[1:])
        if dtype.is_floating_point or dtype.is_complex:
            tensor = torch.randn(shape, generator=generator).to(dtype)
        else:
            # Integers are ids, masks or token types: 0 and 1 are in range for all of them.
            tensor = torch.randint(*integers, shape, generator=generator).to(dtype)
        tensors.append(declared.tensor(tensor, batch > 1))
    check_names(inputs, tensors)
    return tensors


def same_bits(left: Any, right: Any) -> bool:
    """Whether two values are the same to the last bit: NaN equals itself, 0.0 is not -0.0."""
    if isinstance(left, list) and isinstance(right, list):
        pairs = zip(cast("list[Any]", left), cast("list[Any]", right), strict=False)
        return len(left) == len(right) and all(same_bits(a, b) for a, b in pairs)
    if not isinstance(left, Tensor) or not isinstance(right, Tensor):
        return left == right
    if isinstance(left, Strings) or isinstance(right, Strings):
        same_kind = isinstance(left, Strings) and isinstance(right, Strings)
        return same_kind and left.tolist() == right.tolist()
    if (left.dtype, left.shape) != (right.dtype, right.shape):
        return False
    # flattened, since a 0-d tensor cannot be viewed as bytes
    return torch.equal(
        left.reshape(-1).contiguous().view(torch.uint8),
        right.reshape(-1).contiguous().view(torch.uint8),
    )


def agree(left: Any, right: Any, tolerance: float) -> bool:
    """Whether two values are the same to the last bit, or, if they are tensors of floats, differ by
    at most `tolerance` of the largest value."""
    if same_bits(left, right):
        return True
    if not tolerance or not isinstance(left, Tensor) or not isinstance(right, Tensor):
        return False
    if left.shape != right.shape or not left.is_floating_point():
        return False
    scale = float(right.abs().max())
    return bool((left - right).abs().max() <= tolerance * scale)


def interleaved(
    forms: Sequence[Callable[[], object]],
    runs: int | None,
    budget: float = _BUDGET,
    burst: int = 1,
) -> list[list[float]]:
    """Seconds of each run of each form; they take turns, so that a slow spell affects all.

    Without `runs`, as many rounds as fit into about `budget` seconds for each form, but at least
    three. With a `burst`, so many runs of a form follow one that does not count, in each round.
    """
    seconds: list[list[float]] = [[] for _ in forms]
    rounds = 0
    while rounds < (runs or _MIN_ROUNDS) or (
        runs is None and rounds < _MAX_ROUNDS and min(map(sum, seconds)) < budget
    ):
        for form, times in zip(forms, seconds, strict=True):
            if burst > 1:
                form()
            for _ in range(burst):
                start = time.perf_counter()
                form()
                times.append(time.perf_counter() - start)
        rounds += 1
    return seconds
