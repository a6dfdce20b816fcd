"""The devices that a program can be compiled for, as users name them: `cpu`, `cuda:h100`."""

from __future__ import annotations

from math import prod

from ramiel.analysis.gpu import GPUS, USUAL, Gpu, Kernel, kernel_cost
from ramiel.dialects.cluster.attributes import CPU, CUDA
from ramiel.dialects.onnx.types import numpy_dtype_of, shape_of
from ramiel.dialects.text import text_of
from ramiel.dialects.torch import LayerOp, TorchOperation
from ramiel.errors import CompileError
from ramiel.torch_level.work import work_of


def kind_of(device: str) -> str:
    """`cpu` or `cuda`. Raises CompileError for a device that is not known."""
    kind, colon, model = device.partition(":")
    if kind not in (CPU, CUDA) or (colon and (kind == CPU or model not in GPUS)):
        models = ", ".join(f"cuda:{name}" for name in GPUS)
        raise CompileError(f"there is no device {device!r}; there are cpu, cuda, {models}")
    return kind


def gpu_of(device: str) -> Gpu:
    """The GPU of a device `cuda` or `cuda:MODEL`; the usual one if it has no model."""
    kind_of(device)
    return GPUS[device.partition(":")[2] or USUAL]


def device_cost(op: TorchOperation, gpu: Gpu) -> Kernel:
    """µs of an operation on a GPU, and the part of it that it fills."""
    if not op.results:
        return Kernel(0.0, 0.0)
    type = op.results[0].type
    shape, dtype = shape_of(type) or (), numpy_dtype_of(type)
    elements = float(prod(dim or 1 for dim in shape))
    half = dtype is not None and dtype.itemsize == 2
    return kernel_cost(work_of(op), elements, gpu, half=half, launches=_launches(op))


_FUSED = {"Conv2d": ("relu",), "Linear": ("relu", "gelu_tanh")}
"""The activations that a library's kernel of a layer applies, after it has added the bias."""


def _launches(op: TorchOperation) -> int:
    """How many kernels an operation is: see ramiel.runtime.kernels.cuda."""
    if not isinstance(op, LayerOp) or op.layer not in _FUSED:
        return 1
    activation, adds = op.config.get("activation"), len(op.operands) > 1
    if text_of(activation) in _FUSED[op.layer] and not (adds and op.layer == "Linear"):
        return 1
    bias = op.layer == "Conv2d" and "bias" in op.weights
    return 1 + bias + adds + (activation is not None)
