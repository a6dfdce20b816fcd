"""MKL's products with a packed matrix, from PyTorch's library where that was built with MKL.

PyTorch itself packs the matrix anew at each call, as oneDNN does without AVX-512. Sums are in one
order for any number of threads, but of fewer than FEWEST_ROWS rows, for which this has no kernel.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from ctypes import c_float, c_int, c_size_t, c_void_p

import torch
from torch import Tensor

from ramiel.runtime.kernels.geometry import Kernel, Packed, Product
from ramiel.runtime.libtorch import libtorch
from ramiel.runtime.replay import native as replay
from ramiel.runtime.replay.tape import Execution, Run, here

FEWEST_ROWS = 8

_ROW_MAJOR, _AS_IT_IS, _TRANSPOSED, _PACKED, _RIGHT = 101, 111, 112, 151, 162
"""Of cblas.h."""
_LINE = 64
"""Bytes to which MKL wants the packed matrix aligned."""


class Terms(ctypes.Structure):
    """A product, as native/dispatcher.h declares it: [rows, inner] by a packed [inner, columns]."""

    _fields_ = (
        ("rows", c_int),
        ("columns", c_int),
        ("inner", c_int),
        ("adds", c_float),
        ("packed", c_void_p),
    )


class PackedProduct:
    """A product with a constant, which runs and is captured as a primitive of oneDNN's does: called
    with what is on the left, and the result, to which it is added if `adds`."""

    scratch_bytes = 0

    def __init__(self, rows: int, weight: Tensor, adds: bool, packed: Packed) -> None:
        """The weight is [columns, inner]. AssertionError without MKL."""
        lib, (columns, inner) = _library(), weight.shape
        assert lib is not None
        self._compute = lib.cblas_sgemm_compute
        self._packed = _packed(lib, rows, weight, packed)
        self._terms = Terms(rows, columns, inner, float(adds), self._packed.data_ptr())

    def __call__(self, x: Tensor, y: Tensor) -> None:
        if (tape := here.tape) is not None:
            tape.note(Run(self, (x, y)))
        t = self._terms
        self._compute(
            *(_ROW_MAJOR, _AS_IT_IS, _PACKED, t.rows, t.columns, t.inner, x.data_ptr(), t.inner),
            *(t.packed, t.inner, t.adds, y.data_ptr(), t.columns),
        )

    def bound_to(self, addresses: Sequence[int]) -> Execution:
        x, y = addresses
        terms = ctypes.addressof(self._terms)
        return Execution("PRODUCT", x, y, terms, 0, (), self)


def product(spec: Product) -> Kernel | None:
    """A kernel for a linear layer; None for few rows, or without MKL."""
    weight, bias, activation = spec.weight, spec.bias, spec.activation
    is_f32 = weight.dtype is torch.float32
    if not is_f32 or spec.rows < FEWEST_ROWS or not weight.numel() or not _is_available():
        return None
    run = PackedProduct(spec.rows, weight, spec.adds or bias is not None, spec.packed)

    def kernel(x: Tensor, other: Tensor | None) -> Tensor:
        x = x.contiguous()
        y = x.new_empty((*x.shape[:-1], weight.shape[0]))
        if other is not None:
            y.copy_(other)
            if bias is not None:
                y += bias
        elif bias is not None:
            y.copy_(bias)
        run(x, y)
        return y if activation is None else activation.apply(y)

    return kernel


def _packed(lib: ctypes.CDLL, rows: int, weight: Tensor, known: Packed) -> Tensor:
    """The weight as MKL packs it for so many rows and the threads of now, aligned."""
    key = "mkl", rows, torch.get_num_threads()
    if key not in known:
        columns, inner = weight.shape
        weight = weight.contiguous()
        size = lib.cblas_sgemm_pack_get_size(_RIGHT, rows, columns, inner)
        memory = torch.empty(size + _LINE, dtype=torch.uint8)
        memory = memory[-memory.data_ptr() % _LINE :]
        lib.cblas_sgemm_pack(
            *(_ROW_MAJOR, _RIGHT, _TRANSPOSED, rows, columns, inner, 1.0, weight.data_ptr()),
            *(inner, memory.data_ptr()),
        )
        known[key] = memory
    return known[key]


def _is_available() -> bool:
    """Whether products can be computed, on as many threads as they are to have in a replay, too."""
    native = replay.native()
    return _library() is not None and (native is None or native.dispatcher is not None)


@functools.cache
def _library() -> ctypes.CDLL | None:
    """PyTorch's library with MKL's functions declared; None if it was built without."""
    lib = libtorch()
    if lib is None or not hasattr(lib, "cblas_sgemm_compute"):
        return None
    lib.cblas_sgemm_pack_get_size.argtypes = (c_int,) * 4
    lib.cblas_sgemm_pack_get_size.restype = c_size_t
    lib.cblas_sgemm_pack.argtypes = (*(c_int,) * 6, c_float, c_void_p, c_int, c_void_p)
    lib.cblas_sgemm_pack.restype = None
    lib.cblas_sgemm_compute.argtypes = (
        *(*(c_int,) * 6, c_void_p, c_int, c_void_p, c_int),
        *(c_float, c_void_p, c_int),
    )
    lib.cblas_sgemm_compute.restype = None
    return lib
