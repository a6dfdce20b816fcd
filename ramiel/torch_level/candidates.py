"""The kernels of ramiel.runtime that can compute an operation."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from xdsl.dialects.builtin import DictionaryAttr, IntegerAttr, StringAttr
from xdsl.ir import Attribute

from ramiel.dialects.onnx.types import numpy_dtype_of, shape_of
from ramiel.dialects.text import text_of
from ramiel.dialects.torch import CallOp, LayerOp, TorchOperation
from ramiel.errors import CompileError

Kernel = str | None
"""The option `kernel` of a layer of ramiel.runtime; None is the best available direct kernel."""

KERNELS = "torch.kernels"
"""Attribute: the best kernel by number of threads, if it differs between them."""

_WINOGRAD = ("winograd", "winograd-2")
_CANDIDATES: Mapping[str, Mapping[str, tuple[Kernel, ...]]] = {
    "auto": {"layer": (None, "plain"), "product": ("mkl",), "winograd": _WINOGRAD},
    "torch": {
        "layer": ("mkldnn", "plain"),
        "winograd": tuple(f"mkldnn-{name}" for name in _WINOGRAD),
    },
}
"""By provider: kernels for all layers, and further ones for products and where Winograd's algorithm
applies."""

_WINDOWS = ((3, 3), (5, 5), (1, 7), (7, 1), (1, 3), (3, 1))
"""The kernel sizes for which Winograd's algorithm is a candidate."""

FEWEST_ROWS = 8
"""A product of fewer takes any kernel as long as reading the weights."""

_FUNCTIONS = frozenset(
    ["max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "scaled_dot_product_attention"]
)
"""The functions that both `kernels.` and torch.nn.functional have."""
_ONLY_PYTORCH = frozenset(["enable_gqa", "is_causal"])
"""Options that the functions of `kernels.` lack."""
_OTHERS = "onednn"
"""The kernel of a call of `kernels.`, whose functions call another provider than PyTorch's."""


def candidates(op: TorchOperation, provider: str) -> tuple[Kernel, ...]:
    """The kernels for an operation, the default first; empty if there is no choice.

    Raises CompileError for an unknown provider.
    """
    if provider not in _CANDIDATES:
        raise CompileError(f"there is no provider {provider!r}; there are {', '.join(_CANDIDATES)}")
    if isinstance(op, CallOp):
        prefix, _, name = op.callee.partition(".")
        free = prefix in ("F", "kernels") and name in _FUNCTIONS and provider == "auto"
        free = free and not _ONLY_PYTORCH & op.kwargs.keys()
        return (_OTHERS, None) if free else ()
    if not isinstance(op, LayerOp) or op.layer not in ("Conv2d", "Linear"):
        return ()
    kernels = _CANDIDATES[provider]
    return (*kernels["layer"], *kernels.get(_kind(op), ()))


def set_kernel(op: TorchOperation, kernel: Kernel) -> None:
    """Sets the kernel of an operation: the option of a layer, or the prefix of a callee."""
    if isinstance(op, CallOp):
        op.properties["callee"] = StringAttr(callee_of(op, kernel))
        return
    assert isinstance(op, LayerOp)
    config = {key: value for key, value in op.config.items() if key != "kernel"}
    if kernel is not None:
        config["kernel"] = StringAttr(kernel)
    op.properties["config"] = DictionaryAttr(config)


def callee_of(op: CallOp, kernel: Kernel) -> str:
    """The callee of a call for a kernel."""
    prefix = "F" if kernel is None else "kernels"
    return f"{prefix}.{op.callee.partition('.')[2]}"


def kernel_of(op: TorchOperation, threads: int) -> Kernel:
    """The kernel that computes an operation on `threads` threads: see write_kernels()."""
    listed = op.attributes.get(KERNELS)
    if isinstance(listed, DictionaryAttr):
        counts = sorted(int(count) for count in listed.data)
        nearest = max((c for c in counts if c <= threads), default=counts[0])
        return text_of(listed.data[str(nearest)]) or None
    if isinstance(op, CallOp):
        return _OTHERS if op.callee.startswith("kernels.") else None
    return text_of(op.config.get("kernel")) if isinstance(op, LayerOp) else None


def write_kernels(op: TorchOperation, kernels: Mapping[int, Kernel]) -> None:
    """Sets the kernels of an operation by number of threads.

    If they differ, the attribute KERNELS lists them until the operation is placed; meanwhile, it
    has the kernel for the most threads.
    """
    op.attributes.pop(KERNELS, None)
    if len(set(kernels.values())) > 1:
        listed = {str(count): StringAttr(kernel or "") for count, kernel in kernels.items()}
        op.attributes[KERNELS] = DictionaryAttr(listed)
    set_kernel(op, kernels[max(kernels)])


def _kind(op: LayerOp) -> str:
    """What further kernels a layer may have."""
    dtype = numpy_dtype_of(op.results[0].type)
    if dtype is None or dtype.name != "float32":
        return ""
    if op.layer == "Linear":
        rows = prod(size or 1 for size in (shape_of(op.results[0].type) or ())[:-1])
        return "product" if rows >= FEWEST_ROWS else ""
    is_dense = all(_is_one(op.config.get(key)) for key in ("stride", "dilation", "groups"))
    return "winograd" if is_dense and op.weight_shape[2:] in _WINDOWS else ""


def _is_one(value: Attribute | None) -> bool:
    return value is None or (isinstance(value, IntegerAttr) and value.value.data == 1)
