"""The devices that a program can be compiled for, as users name them: `cpu`, `cuda:h100`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import prod

from xdsl.dialects import func

from ramiel.analysis.gpu import GPUS, USUAL, Gpu, Kernel, kernel_cost
from ramiel.dialects.cluster.attributes import CPU, CUDA
from ramiel.dialects.onnx.types import StringType, element_of, numpy_dtype_of, shape_of
from ramiel.dialects.text import text_of
from ramiel.dialects.torch import CallOp, ControlOp, FusedOp, LayerOp, Task, TorchOperation
from ramiel.dialects.torch.callees import CALLEES, LAYERS, Kind
from ramiel.errors import CompileError, shorten
from ramiel.torch_level.work import work_of


def kind_of(device: str) -> str:
    """`cpu` or `cuda`. Raises CompileError for a device that is not known."""
    kind, colon, model = device.partition(":")
    if kind not in (CPU, CUDA) or (colon and (kind == CPU or model not in GPUS)):
        models = ", ".join(f"cuda:{name}" for name in GPUS)
        raise CompileError(
            f"there is no device {device!r}; there are cpu, cuda (the current one), {models}"
        )
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


_READS = frozenset(
    "ops.compress ops.constant_of_shape ops.group_query_attention ops.max_roi_pool ops.non_zero "
    "ops.non_max_suppression ops.one_hot ops.range ops.unique ops.unique_in_order".split()
)
"""Calls whose result has a shape that depends on values, or that read one."""
_READS_SIZES = frozenset(
    "ops.expand ops.pad ops.reshape ops.resize ops.slice ops.split ops.squeeze ops.tile ops.top_k "
    "ops.unsqueeze".split()
)
"""Calls that read all operands but the first, which are sizes."""


def on_host(function: func.FuncOp) -> list[TorchOperation]:
    """The operations that need a value on the host, and so run between captured graphs:
    branches and loops, and calls whose results' shapes depend on values."""
    return [op for op in function.body.block.ops if isinstance(op, Task) and _needs_host(op)]


def _needs_host(op: TorchOperation) -> bool:
    if isinstance(op, CallOp):
        sizes = op.callee in _READS_SIZES and len(op.operands) > 1
        return sizes or op.callee in _READS
    return isinstance(op, ControlOp) and not isinstance(op, FusedOp)


def check_kernels(function: func.FuncOp) -> None:
    """Raises CompileError, with their names and counts, for operations that have no kernel on a
    GPU. Others that PyTorch lacks there are named by the program's first call."""
    missing = [op for op in function.body.block.ops if isinstance(op, Task) and _is_for_cpu(op)]
    if missing:
        raise CompileError(f"there is no kernel for a GPU for {counted(missing)}; use --device cpu")


_PRODUCTS = (
    Kind.CONVOLUTION, Kind.TRANSPOSED, Kind.PRODUCT, Kind.LINEAR, Kind.EINSUM, Kind.SOLVED
)  # fmt: skip


def _is_for_cpu(op: TorchOperation) -> bool:
    if any(element_of(v.type) == StringType() for v in (*op.operands, *op.results)):
        return True
    if isinstance(op, LayerOp):
        return LAYERS[op.layer].kind is Kind.TEXT
    if not isinstance(op, CallOp):
        return False
    kind, dtype = CALLEES[op.callee].kind, numpy_dtype_of(op.results[0].type)
    # Our own functions compute products of integers in floats, PyTorch has none for them.
    integers = dtype is not None and dtype.kind in "iub" and not op.callee.startswith("ops.")
    return kind is Kind.TEXT or (kind in _PRODUCTS and integers)


def counted(ops: Sequence[TorchOperation]) -> str:
    """Operations by their ONNX operators, with counts and their first node."""
    kinds = Counter(op.origin[1] for op in ops)
    return ", ".join(
        f"{count} {kind} ({_nodes(op for op in ops if op.origin[1] == kind)})"
        for kind, count in kinds.most_common()
    )


def _nodes(ops: Iterable[TorchOperation]) -> str:
    first, *rest = [shorten(op.origin[0] or ", ".join(op.python_names), 40) for op in ops]
    return f'"{first}"' + (", ..." if rest else "")
