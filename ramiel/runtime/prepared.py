"""Layers whose kernels are prepared: two-dimensional convolutions and products."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    _has_any_global_hook as has_any_global_hook,  # pyright: ignore[reportPrivateUsage]
)

from ramiel.runtime.kernels import CONVOLUTIONS, KERNELS, PRODUCTS, cuda, prepare
from ramiel.runtime.kernels.activations import Spec
from ramiel.runtime.kernels.activations import activation as find_activation
from ramiel.runtime.kernels.geometry import (
    Convolution,
    Kernel,
    Packed,
    Product,
    is_ordinary,
    is_watched,
    told_apart,
)
from ramiel.runtime.kernels.plain import finished
from ramiel.runtime.layer import Ints, Layer
from ramiel.runtime.memory import give_back_surplus
from ramiel.runtime.replay.tape import changes
from ramiel.runtime.weights import Weights

compared: set[object] = set()
"""The layers' kinds, shapes and threads of which a kernel has computed what PyTorch does. With
Winograd's algorithm that depends on the weights."""
_MOST_COMPARED = 4096


class Prepared(Layer):
    """A layer computed by a kernel that is prepared at the first call with each input shape.

    A kernel belongs to that shape and to the number of threads, for which its weights are
    packed; the most recently prepared kernels are kept. Where a kernel cannot replace PyTorch's
    own call (another type or device, a gradient to be computed, a tracer's tensors) the layer
    makes that call.

    Each call notices replaced or changed weights by their identity, their version, which PyTorch
    increments with each change in place, and their address, which assigning to `weight.data`
    changes. Writes through `weight.data` or numpy go unnoticed: call forget() after them.
    """

    MOST = 16
    """How many kernels a layer keeps."""
    MOST_OF_LARGE, LARGE = 4, 1 << 20
    """How many if the weights, of which each kernel may hold a copy, have more bytes than this."""

    def __init__(
        self, weights: Weights, name: str, config: tuple[Any, ...], spec: Spec, kernel: str | None
    ) -> None:
        """ValueError for an unknown activation or kernel."""
        if kernel is not None and kernel not in KERNELS:
            raise ValueError(f"unknown kernel {kernel!r}; known are {sorted(KERNELS)}")
        super().__init__(weights, name, config)
        self._activation = find_activation(spec)
        self._kernel = kernel
        self._source: tuple[object, ...] = _NO_SOURCE
        self._renew()

    def forget(self) -> None:
        """Drop all kernels: the next call prepares them again from the current weights."""
        self._source = _NO_SOURCE
        self._renew()
        changes.note()

    def _renew(self) -> None:
        self._kernels: dict[object, Kernel] = {}
        self._packed: Packed = {}

    def _is_current(self, weight: Tensor, bias: Tensor | None) -> bool:
        """Whether the kernels were made from the current weights."""
        source = self._source
        try:
            return (
                weight is source[0]
                and weight._version == source[1]
                and weight.data_ptr() == source[2]
                and bias is source[3]
                and (bias is None or (bias._version, bias.data_ptr()) == source[4])
            )
        except RuntimeError:  # tensors that were made in inference mode have no version
            return weight is source[0] and bias is source[3]

    def _make(self, shape: torch.Size, adds: bool) -> Kernel:
        """The kernel for a shape of input."""
        raise NotImplementedError

    def _plainly(self, x: Tensor, other: Tensor | None) -> Tensor:
        """The result by PyTorch's own calls."""
        raise NotImplementedError

    def __call__(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        # With hooks, as nn.Module does it; without, in a quarter of the time.
        if (
            self._forward_hooks
            or self._forward_pre_hooks
            or self._backward_hooks
            or self._backward_pre_hooks
            or has_any_global_hook()
        ):
            return super().__call__(x, other)
        return self.forward(x, other)

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        weight, bias = self._buffers["weight"], self._buffers["bias"]
        if not self._is_current(weight, bias):  # pyright: ignore[reportArgumentType]
            self._source = _source(weight, bias)
            self._renew()
        dtype = weight.dtype  # pyright: ignore[reportOptionalMemberAccess]
        if x.is_cuda:
            return self._on_cuda(x, other)
        shape = None
        if not is_ordinary(x, dtype) or is_watched():
            return self._plainly(x, other)
        if other is not None:
            if not is_ordinary(other, dtype):
                return self._plainly(x, other)
            shape = other.shape
        key = (x.shape, shape, torch.get_num_threads())
        kernel = self._kernels.get(key)
        return self._prepare(key, x, other) if kernel is None else kernel(x, other)

    def _prepare(self, key: object, x: Tensor, other: Tensor | None) -> Tensor:
        """The result, by a kernel that is kept for the next call if it computes what PyTorch's own
        calls do, and else by these. One that differs from a kernel that did in its weights alone is
        not compared again, unless its rounding depends on them."""
        kernels = self._kernels  # for these weights, which another thread may replace
        weight, bias = self._buffers["weight"], self._buffers["bias"]
        assert weight is not None
        if weight.requires_grad or (bias is not None and bias.requires_grad):
            return self._plainly(x, other)
        of_weights = (weight.shape, weight.dtype, bias is None)
        kind = (type(self), of_weights, self._config, self._activation, self._kernel, key)
        expected = None
        if kind not in compared:
            expected = self._plainly(x, other)  # an input or a sum that does not fit raises here
            if expected.numel() == 0 or (other is not None and other.shape != expected.shape):
                return expected
        most = self.MOST if weight.nbytes <= self.LARGE else self.MOST_OF_LARGE
        while len(kernels) >= most:
            kernels.pop(next(iter(kernels)), None)
        with torch.no_grad():
            kernel, y = self._make(x.shape, other is not None), None
            with suppress(RuntimeError):  # such as mkldnn's for types this CPU does not support
                y = kernel(x, other)
        if kernels:
            give_back_surplus()
        if y is None or not (expected is None or _close(y, expected)):
            kernels[key] = self._plainly
            return self._plainly(x, other) if expected is None else expected
        kernels[key] = kernel
        if expected is not None and "winograd" not in kernel.__name__:
            if len(compared) >= _MOST_COMPARED:
                compared.clear()
            compared.add(kind)
        return y

    def _on_cuda(self, x: Tensor, other: Tensor | None) -> Tensor:
        """The result by the kernel that is fastest for operands of these shapes and strides."""
        if type(x) is not Tensor or x.requires_grad or is_watched():
            return self._plainly(x, other)
        of_other = None if other is None else (other.shape, other.stride())
        key = (x.shape, x.stride(), x.dtype, of_other)
        kernel = self._kernels.get(key)
        if kernel is None:
            expected = self._plainly(x, other)  # an input or a sum that does not fit raises here
            if expected.numel() == 0 or torch.cuda.is_current_stream_capturing():
                return expected
            kernel = self._prepare_on_cuda(key, x, other, expected)
            while len(self._kernels) >= self.MOST:
                self._kernels.pop(next(iter(self._kernels)), None)
            self._kernels[key] = kernel
        return kernel(x, other)

    def _prepare_on_cuda(
        self, key: object, x: Tensor, other: Tensor | None, expected: Tensor
    ) -> Kernel:
        weight, bias = self._buffers["weight"], self._buffers["bias"]
        assert weight is not None
        makers, spec = self._cuda_candidates(x, other is not None)
        whole = (weight.shape, bias is None, self._config, spec.activation, x.device, key)
        kernel = cuda.prepare(makers, spec, whole, x, other, lambda y: _close(y, expected))
        return self._plainly if kernel is None else kernel

    def _cuda_candidates(self, x: Tensor, adds: bool) -> tuple[Any, Any]:
        """Makers of kernels for a CUDA device, and what they make one for."""
        raise NotImplementedError

    def kernel_for(
        self, shape: tuple[int, ...], other: tuple[int, ...] | None, threads: int
    ) -> str | None:
        kernel = self._kernels.get((shape, other, threads))
        return None if kernel in (None, self._plainly) else kernel.__name__

    def __getstate__(self) -> dict[str, Any]:
        # A copy makes kernels of its own.
        return {**self.__dict__, "_source": _NO_SOURCE, "_kernels": {}, "_packed": {}}


_NO_SOURCE = (None, 0, 0, None, None)


def _source(weight: Tensor | None, bias: Tensor | None) -> tuple[object, ...]:
    """Identifies the weights of a layer, and differs once they are replaced or changed."""
    assert weight is not None
    if weight.is_inference() or (bias is not None and bias.is_inference()):
        return weight, 0, 0, bias, None
    of_bias = None if bias is None else (bias._version, bias.data_ptr())
    return weight, weight._version, weight.data_ptr(), bias, of_bias


class Conv2d(Prepared):
    """weight [out, in / groups, kh, kw], bias [out]; x [N, in, H, W].

    A second tensor, of the shape of the result, is added before the activation. `kernel` is one
    of ramiel.runtime.kernels; by default, the first of PREFERRED that is available.
    """

    def __init__(
        self,
        weights: Weights,
        name: str,
        *,
        stride: Ints = 1,
        padding: Ints = 0,
        dilation: Ints = 1,
        groups: int = 1,
        activation: Spec = None,
        kernel: str | None = None,
    ) -> None:
        """ValueError for an unknown activation or kernel."""
        geometry = (_pair(stride), _pair(padding), _pair(dilation), groups)
        super().__init__(weights, name, geometry, activation, kernel)

    def _make(self, shape: torch.Size, adds: bool) -> Kernel:
        if len(shape) != 4:  # one image, not in a batch
            return self._plainly
        return prepare(CONVOLUTIONS, self._spec(shape, adds), self._kernel)

    def _spec(self, shape: torch.Size, adds: bool) -> Convolution:
        weight, bias = self._buffers["weight"], self._buffers["bias"]
        assert weight is not None
        stride, padding, dilation, groups = self._config
        geometry = (stride, padding, dilation, groups)
        return Convolution(
            tuple(shape), weight, bias, *geometry, self._activation, adds, self._packed
        )

    def _cuda_candidates(self, x: Tensor, adds: bool) -> tuple[Any, Any]:
        makers = cuda.CONVOLUTIONS if x.dim() == 4 else ()
        return makers, self._spec(x.shape, adds)

    def _plainly(self, x: Tensor, other: Tensor | None) -> Tensor:
        tensors = self._buffers
        y = torch.conv2d(told_apart(x), tensors["weight"], tensors["bias"], *self._config)  # pyright: ignore
        return finished(y, other, self._activation)


class Linear(Prepared):
    """weight [out, in], bias [out]; x [..., in].

    A second tensor, of the shape of the result, is added before the activation. `kernel` is as
    for Conv2d.
    """

    def __init__(
        self,
        weights: Weights,
        name: str,
        *,
        activation: Spec = None,
        kernel: str | None = None,
    ) -> None:
        """ValueError for an unknown activation or kernel."""
        super().__init__(weights, name, (), activation, kernel)

    def _make(self, shape: torch.Size, adds: bool) -> Kernel:
        return prepare(PRODUCTS, self._spec(shape, adds), self._kernel)

    def _spec(self, shape: torch.Size, adds: bool) -> Product:
        weight, bias = self._buffers["weight"], self._buffers["bias"]
        assert weight is not None
        return Product(shape[:-1].numel(), weight, bias, self._activation, adds, self._packed)

    def _cuda_candidates(self, x: Tensor, adds: bool) -> tuple[Any, Any]:
        return cuda.PRODUCTS, self._spec(x.shape, adds)

    def _plainly(self, x: Tensor, other: Tensor | None) -> Tensor:
        tensors = self._buffers
        y = nn.functional.linear(x, tensors["weight"], tensors["bias"])  # pyright: ignore
        return finished(y, other, self._activation)


def _close(y: Tensor, expected: Tensor) -> bool:
    """Whether a kernel's result matches PyTorch's; True if PyTorch's is not finite."""
    scale = _largest(expected)
    if y.shape != expected.shape or not torch.isfinite(scale):
        return y.shape == expected.shape
    tolerance = 1e-3 if y.dtype is torch.float32 else 5e-2
    return bool(_largest(y - expected) <= tolerance * scale + torch.finfo(y.dtype).tiny)


def _largest(values: Tensor) -> Tensor:
    """The largest absolute value, without a copy; NaN if there is one."""
    if values.is_contiguous(memory_format=torch.channels_last):
        values = values.permute(0, 2, 3, 1)  # torch.aminmax copies what is not contiguous
    least, most = torch.aminmax(values)
    return torch.maximum(-least, most)


def _pair(value: Ints) -> tuple[int, ...]:
    return (value, value) if isinstance(value, int) else tuple(value)
