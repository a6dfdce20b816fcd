"""The kernels of convolutions and linear layers: one interface, several providers.

A kernel is made for a `Convolution` or `Product` (`geometry.py`): operator, weights, shape of the
input. Everything that can be done once is done then. A provider that cannot make one returns None,
and the next is tried; `plain` always can.

| name         | by                 | what it does                                                 |
|--------------|--------------------|--------------------------------------------------------------|
| `onednn`     | oneDNN's C API     | prepared primitives, packed weights (`onednn.py`)            |
| `mkldnn`     | torch.ops.mkldnn   | the same, prepared at each call (`mkldnn.py`)                |
| `plain`      | torch              | PyTorch's functions, one after the other (`plain.py`)        |
| `mkl`        | MKL, in torch      | linear layers, packed weights (`mkl.py`)                     |
| `winograd`   | oneDNN or torch    | 3x3 and 5x5 convolutions by tiles of 4x4 (`winograd.py`)     |

Pools and attention are functions, as in torch.nn.functional, by oneDNN (`pools.py`,
`attention.py`).

There is also `winograd-2`, by tiles of 2x2, and each with the prefix `mkldnn-`, by torch only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TypeVar

from ramiel.runtime.kernels import mkl, mkldnn, onednn, plain, winograd
from ramiel.runtime.kernels.attention import scaled_dot_product_attention
from ramiel.runtime.kernels.geometry import Convolution, Kernel, Product
from ramiel.runtime.kernels.pools import adaptive_avg_pool2d, avg_pool2d, max_pool2d

__all__ = [
    "CONVOLUTIONS",
    "KERNELS",
    "PRODUCTS",
    "adaptive_avg_pool2d",
    "avg_pool2d",
    "max_pool2d",
    "prepare",
    "scaled_dot_product_attention",
]

Spec = TypeVar("Spec", Convolution, Product)

CONVOLUTIONS: Mapping[str, Callable[[Convolution], Kernel | None]] = {
    "onednn": onednn.convolution,
    "mkldnn": mkldnn.convolution,
    "plain": plain.convolution,
    "winograd": partial(winograd.convolution, tile=4),
    "winograd-2": partial(winograd.convolution, tile=2),
    "mkldnn-winograd": partial(winograd.convolution, tile=4, prepared=False),
    "mkldnn-winograd-2": partial(winograd.convolution, tile=2, prepared=False),
}
PRODUCTS: Mapping[str, Callable[[Product], Kernel | None]] = {
    "onednn": onednn.product,
    "mkldnn": mkldnn.product,
    "plain": plain.product,
    "mkl": mkl.product,
}

PREFERRED = ("onednn", "mkldnn", "plain")
"""The providers to try, in order, if none is named or the named one returns None."""

KERNELS = frozenset(CONVOLUTIONS.keys() | PRODUCTS.keys())


def prepare(
    makers: Mapping[str, Callable[[Spec], Kernel | None]], spec: Spec, name: str | None
) -> Kernel:
    """The named kernel, or the first of PREFERRED; never oneDNN's for names with `mkldnn`."""
    ours = name is not None and name.startswith("mkldnn")
    for candidate in (name, *(PREFERRED[1:] if ours else PREFERRED)):
        make = makers.get(candidate) if candidate is not None else None
        with suppress(RuntimeError):  # PyTorch's, for types that this CPU does not support
            if make is not None and (kernel := make(spec)) is not None:
                kernel.__name__ = candidate or ""  # for tools that show what a layer uses
                return kernel
    raise AssertionError("there is always a plain kernel")
