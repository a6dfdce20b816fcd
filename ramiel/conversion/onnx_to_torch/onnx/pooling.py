"""Pools."""

from __future__ import annotations

from xdsl.ir import Attribute, SSAValue

from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.conversion.onnx_to_torch.windows import Window, padded, window
from ramiel.dialects.torch.literals import scalar


def _config(n: Node, w: Window) -> dict[str, object]:
    config: dict[str, object] = {"kernel_size": scalar(w.kernel)}
    # The stride defaults to the kernel's size in PyTorch, and to 1 in ONNX.
    config["stride"] = scalar(w.strides)
    config |= {k: v for k, v in w.config().items() if k != "stride"}
    if n.integer("ceil_mode", 0):
        config["ceil_mode"] = True
    return config


def own_config(n: Node, w: Window) -> dict[str, object]:
    """The keyword arguments of a pool of `ops`."""
    ceil = {"ceil_mode": True} if n.integer("ceil_mode", 0) else {}
    return {"kernel_size": w.kernel, **w.options(), **ceil}


def _fits(w: Window) -> bool:
    """Whether PyTorch's pools accept the window's paddings."""
    return w.symmetric and all(2 * b <= k for b, k in zip(w.begin, w.kernel, strict=True))


def _covers(n: Node, w: Window) -> bool:
    """Whether the unpadded input is known to be at least as large as a window, which
    F.avg_pool3d requires."""
    shape = n.shape(0)
    sizes = [None] * w.dims if shape is None else shape[2:]
    return all(s is not None and s >= k for s, k in zip(sizes, w.kernel, strict=True))


@lowers("MaxPool")
def max_pool(n: Node) -> Lowered:
    w = window(n, n.integer_list("kernel_shape"))
    if w.dims not in (1, 2, 3):
        n.fail(f"PyTorch has no pool over {w.dims} spatial dimensions")
    # With explicit padding, PyTorch counts the padding as input, which matters for ceil_mode.
    padded_ceil = bool(n.integer("ceil_mode", 0)) and not _fits(w)
    if len(n.op.results) > 1 or not n.is_float() or (padded_ceil and not w.at_run_time):
        return _max_pool_by_window(n, w)
    x = n[0]
    if not _fits(w):
        x, w = padded(n, x, w, float("-inf"))
    return n.call(f"F.max_pool{w.dims}d", x, **_config(n, w))


def _max_pool_by_window(n: Node, w: Window) -> Lowered:
    options = own_config(n, w)
    if len(n.op.results) == 1:
        return n.call("ops.max_pool", n[0], **options)
    if n.integer("storage_order", 0):
        options["column_major"] = True
    return n.calls("ops.max_pool", n[0], **options, with_indices=True)


@lowers("AveragePool")
def average_pool(n: Node) -> Lowered:
    return averages(n, n[0], n.result_type())


def averages(n: Node, x: SSAValue, type: Attribute) -> SSAValue:
    """The average pool of x, which replaces the node's first input, with a result type."""
    w = window(n, n.integer_list("kernel_shape"))
    include = bool(n.integer("count_include_pad", 0))
    if w.at_run_time and include and w.dims in (1, 2, 3) and set(w.dilations) == {1}:
        x, w = padded(n, x, w)
        return n.call(f"F.avg_pool{w.dims}d", x, type=type, **_config(n, w))
    plain = w.dims in (1, 2, 3) and _fits(w) and set(w.dilations) == {1}
    plain = plain and (w.dims < 3 or not any(w.begin) or _covers(n, w))
    if not plain:
        options = own_config(n, w) | ({"count_include_pad": True} if include else {})
        return n.call("ops.avg_pool", x, **options, type=type)
    config = _config(n, w)
    if any(w.begin) and not include:
        config["count_include_pad"] = False
    return n.call(f"F.avg_pool{w.dims}d", x, type=type, **config)


@lowers("GlobalAveragePool")
def global_average_pool(n: Node) -> Lowered:
    return global_averages(n, n[0], n.result_type())


def global_averages(n: Node, x: SSAValue, type: Attribute) -> SSAValue:
    """The global averages of x, which replaces the node's first input, with a result type."""
    rank = n.known_rank()
    if rank in (3, 4, 5):
        return n.call(f"F.adaptive_avg_pool{rank - 2}d", x, 1, type=type)
    return n.call("torch.mean", x, dim=list(range(2, rank)), keepdim=True, type=type)


@lowers("GlobalMaxPool")
def global_max_pool(n: Node) -> Lowered:
    return n.call("torch.amax", n[0], dim=list(range(2, n.known_rank())), keepdim=True)
