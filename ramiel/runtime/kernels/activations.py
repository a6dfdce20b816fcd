"""Activations that a convolution's or product's kernel may apply, as each provider spells them.

An activation is a name, or a list of a name and its numbers: `"relu"`, `["clip", 0.0, 6.0]`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor

Spec = str | Sequence[str | float] | None
"""An activation as a layer is given it."""


class PostOp(NamedTuple):
    """oneDNN's element-wise algorithm and its two parameters."""

    algorithm: int
    alpha: float = 0.0
    beta: float = 0.0


@dataclass(frozen=True)
class Activation:
    """One activation.

    `attribute`, `scalars` and `algorithm` are those of torch.ops.mkldnn, `post_op` is oneDNN's.
    Where there is none, `in_place` comes after either kernel: oneDNN computes relu, clip and
    hardsigmoid by minima and maxima that drop NaN, which must be kept.
    """

    function: Callable[[Tensor], Tensor]
    attribute: str = "none"
    post_op: PostOp | None = None
    scalars: tuple[float, ...] = ()
    algorithm: str = ""
    in_place: Callable[[Tensor], Tensor] | None = None
    bounds: tuple[float, float] | None = None
    """The least and the most, if it is nothing else: NaN stays."""
    wants_avx512: bool = False
    """Whether oneDNN takes ten times as long as PyTorch without it."""

    def best(self, has_avx512: bool) -> Activation:
        """The same, after oneDNN's kernel where that is faster than in it."""
        if has_avx512 or not self.wants_avx512:
            return self
        return replace(self, post_op=None, in_place=self.function)

    def apply(self, y: Tensor) -> Tensor:
        """The activation of a tensor that nothing else uses, since it may be changed in place."""
        return self.function(y) if self.in_place is None else self.in_place(y)


_SIMPLE: Mapping[str, Activation] = {
    "relu": Activation(torch.relu, in_place=torch.relu_, bounds=(0.0, math.inf)),
    "sigmoid": Activation(torch.sigmoid, "sigmoid", PostOp(0x29)),
    "tanh": Activation(torch.tanh, "tanh", PostOp(0x21)),
    # oneDNN 3.2 takes 0.7 ns an element for it in a convolution, PyTorch 0.2 ns after one.
    "silu": Activation(F.silu, "swish", None, in_place=partial(F.silu, inplace=True)),
    "hardswish": Activation(F.hardswish, "hardswish", PostOp(0x34, 1 / 6, 0.5)),
    "hardsigmoid": Activation(F.hardsigmoid, in_place=partial(F.hardsigmoid, inplace=True)),
    "gelu": Activation(F.gelu, "gelu", PostOp(0x31), algorithm="none", wants_avx512=True),
    "gelu_tanh": Activation(
        partial(F.gelu, approximate="tanh"), "gelu", PostOp(0x2B), algorithm="tanh"
    ),
}


def _clip(low: float, high: float) -> Activation:
    options = {"min": low, "max": high}
    clamp, clamp_in_place = partial(torch.clamp, **options), partial(torch.clamp_, **options)
    bounds = None if math.isnan(low + high) else (low, high)
    return Activation(clamp, in_place=clamp_in_place, bounds=bounds)


def _leaky_relu(slope: float) -> Activation:
    post_op = PostOp(0x20, slope)
    return Activation(partial(F.leaky_relu, negative_slope=slope), "leaky_relu", post_op, (slope,))


_WITH_NUMBERS: Mapping[str, tuple[int, Callable[..., Activation]]] = {
    "clip": (2, _clip),
    "leaky_relu": (1, _leaky_relu),
}

ACTIVATIONS = frozenset(_SIMPLE.keys() | _WITH_NUMBERS.keys())


def activation(spec: Spec) -> Activation | None:
    """The activation of a spec; None if there is none. ValueError for an unknown one."""
    if spec is None:
        return None
    name, *numbers = (spec,) if isinstance(spec, str) else spec
    if name in _SIMPLE and not numbers:
        return _SIMPLE[cast(str, name)]
    count, make = _WITH_NUMBERS.get(cast(str, name), (None, None))
    if make is None or count != len(numbers):
        raise ValueError(f"unknown activation {spec!r}")
    return make(*numbers)
