"""Kernels for tensors on a CUDA device: cuDNN's and cuBLAS's fused calls, or PyTorch's plain ones.

PyTorch computes a convolution with a bias and a ReLU by three kernels. cuDNN has one for that, and
for a sum before the ReLU, but not of all algorithms, so it may be slower. Each candidate is timed
within a CUDA graph, where launches cost little, as they do in a captured program. Half precision
runs in channels_last, which tensor cores need; float32 keeps the layout it has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from ramiel.runtime.kernels import plain
from ramiel.runtime.kernels.activations import activation
from ramiel.runtime.kernels.geometry import Convolution, Kernel, Product, channels_last
from ramiel.runtime.locks import Lock

Spec = TypeVar("Spec", Convolution, Product)

REPEATS = 10
"""How often a candidate runs in a graph that is timed."""
HALF = (torch.float16, torch.bfloat16)

_RELU, _GELU = activation("relu"), activation("gelu_tanh")


def _fused_convolution(spec: Convolution) -> Kernel | None:
    """With a ReLU, and perhaps a sum before it, by one kernel of cuDNN."""
    if spec.activation is not _RELU or not torch.backends.cudnn.is_available():
        return None
    weight, bias = spec.weight, spec.bias
    if bias is None:  # PyTorch would make zeros at each call
        bias = spec.packed.get("zeros")
        if bias is None:
            bias = spec.packed["zeros"] = weight.new_zeros(weight.shape[0])
    geometry = (spec.stride, spec.padding, spec.dilation, spec.groups)
    weight, placed = _in_layout(spec)

    def kernel(x: Tensor, other: Tensor | None) -> Tensor:
        if other is None:
            return torch.cudnn_convolution_relu(placed(x), weight, bias, *geometry)
        return torch.cudnn_convolution_add_relu(
            placed(x), weight, placed(other), 1.0, bias, *geometry
        )

    return kernel


def _plain_convolution(spec: Convolution) -> Kernel:
    geometry = (spec.stride, spec.padding, spec.dilation, spec.groups)
    weight, placed = _in_layout(spec)

    def kernel(x: Tensor, other: Tensor | None) -> Tensor:
        y = torch.conv2d(placed(x), weight, spec.bias, *geometry)
        return _finished(y, other, spec)

    return kernel


def _finished(y: Tensor, other: Tensor | None, spec: Convolution | Product) -> Tensor:
    """The result plus `other`, activated, in the memory of the result where that is possible."""
    if other is not None:
        y = y.add_(other)
    return y if spec.activation is None else spec.activation.apply(y)


def _in_layout(spec: Convolution) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """The weight, and a function that gives values, the layout that suits their type."""
    if spec.weight.dtype not in HALF:
        return spec.weight, _as_it_is
    weight = spec.packed.get("channels_last")
    if weight is None:
        weight = spec.packed["channels_last"] = channels_last(spec.weight)
    return weight, channels_last


def _as_it_is(x: Tensor) -> Tensor:
    return x


def _fused_product(spec: Product) -> Kernel | None:
    """With a bias and a ReLU or GELU by one kernel of cuBLAS."""
    gelu = spec.activation is _GELU
    if spec.adds or spec.bias is None or not (gelu or spec.activation is _RELU):
        return None
    turned, bias = spec.weight.t(), spec.bias

    def kernel(x: Tensor, other: Tensor | None) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        y = torch._addmm_activation(bias, rows, turned, use_gelu=gelu)  # pyright: ignore
        return y.view(*x.shape[:-1], -1)

    return kernel


CONVOLUTIONS: Sequence[Callable[[Convolution], Kernel | None]] = (
    _plain_convolution,
    _fused_convolution,
)
PRODUCTS: Sequence[Callable[[Product], Kernel | None]] = (plain.product, _fused_product)

_chosen: dict[object, int] = {}
"""The number of the fastest candidate, by what was timed. Layers that are alike share it."""
_timing = Lock()


def prepare(
    makers: Sequence[Callable[[Spec], Kernel | None]],
    spec: Spec,
    key: object,
    x: Tensor,
    other: Tensor | None,
    is_right: Callable[[Tensor], bool],
) -> Kernel | None:
    """The fastest candidate whose result is right for these operands; None if there is none.

    `key` says all that the choice depends on. Nothing may be captured meanwhile.
    """
    candidates: list[tuple[int, Kernel]] = []
    for number, make in enumerate(makers):
        try:
            kernel = make(spec)
            if kernel is not None and is_right(kernel(x, other)):
                candidates.append((number, kernel))
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:  # no engine of cuDNN's for this case
            continue
    if len(candidates) < 2:
        return candidates[0][1] if candidates else None
    with _timing:
        if key not in _chosen:
            times = [(time_of(kernel, x, other), number) for number, kernel in candidates]
            _chosen[key] = min(times)[1]
    return next((k for number, k in candidates if number == _chosen[key]), candidates[0][1])


def time_of(kernel: Kernel, x: Tensor, other: Tensor | None) -> float:
    """ms that a kernel takes within a CUDA graph; infinite if it cannot be captured."""
    device = x.device
    graph: Any = torch.cuda.CUDAGraph()
    stream: Any = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        kernel(x, other)  # such as libraries that are loaded at the first call on a stream
        torch.cuda.synchronize(device)
        try:
            graph.capture_begin(capture_error_mode="thread_local")
            try:
                for _ in range(REPEATS):
                    kernel(x, other)
            finally:
                graph.capture_end()
        except RuntimeError:
            return float("inf")
        times: list[float] = []
        for _ in range(4):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record(stream)
            graph.replay()
            end.record(stream)
            end.synchronize()
            times.append(start.elapsed_time(end) / REPEATS)
    return min(times[1:])
