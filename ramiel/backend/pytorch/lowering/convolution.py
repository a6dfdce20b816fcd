"""Convolutions."""

from __future__ import annotations

from ramiel.backend.pytorch.lowering.table import Lowered, Node, lowers
from ramiel.backend.pytorch.lowering.windows import Window, padded, scalar, window
from ramiel.dialects.onnx.attributes import WeightAttr


def _kernel(n: Node) -> list[int] | None:
    given = n.integer_list("kernel_shape")
    shape = n.shape(1)
    if given is not None:
        return given
    if shape is None or None in shape[2:]:
        return None
    return [d for d in shape[2:] if d is not None]


def _weights(n: Node) -> dict[str, WeightAttr] | None:
    """The layer's weights, if they are known at compile time."""
    if not n.is_constant(1) or (n.given(2) and not n.is_constant(2)):
        return None
    weights = {"weight": n.weight(1)}
    return {**weights, "bias": n.weight(2)} if n.given(2) else weights


def _check_dims(n: Node, w: Window) -> None:
    if w.dims not in (1, 2, 3):
        n.fail(f"PyTorch has no convolution over {w.dims} spatial dimensions")


@lowers("Conv")
def conv(n: Node) -> Lowered:
    w = window(n, _kernel(n))
    _check_dims(n, w)
    x = n[0]
    if not w.symmetric:
        x, w = padded(n, x, w)
    config = w.config()
    if (groups := n.integer("group", 1)) != 1:
        config["groups"] = groups
    weights = _weights(n)
    if weights is not None:
        return n.layer(f"Conv{w.dims}d", x, weights, **config)
    return n.call(f"F.conv{w.dims}d", x, n[1], n.get(2), **config)


@lowers("ConvTranspose")
def conv_transpose(n: Node) -> Lowered:
    w = window(n, _kernel(n))
    _check_dims(n, w)
    if w.at_run_time:
        n.fail("its paddings follow from the shape of its input: give it with --shape")
    output_padding = n.integer_list("output_padding") or [0] * w.dims
    w, output_padding = _output_paddings(n, w, output_padding)
    config = w.config()
    if any(output_padding):
        config["output_padding"] = scalar(output_padding)
    if (groups := n.integer("group", 1)) != 1:
        config["groups"] = groups
    weights = _weights(n)
    if weights is not None:
        return n.layer(f"ConvTranspose{w.dims}d", n[0], weights, **config)
    return n.call(f"F.conv_transpose{w.dims}d", n[0], n[1], n.get(2), **config)


def _output_paddings(n: Node, w: Window, extra: list[int]) -> tuple[Window, list[int]]:
    """The paddings as PyTorch takes them: the same on both sides, and rows added at the end.

    ONNX crops `begin` and `end` rows of the full result, or gives the result's size itself.
    """
    begin, end = list(w.begin), list(w.end)
    wanted = n.integer_list("output_shape")
    auto = n.text("auto_pad", "NOTSET")
    shape = n.shape(0)
    if wanted is not None or auto.startswith("SAME"):
        sizes = None if shape is None else shape[2:]
        if sizes is None or None in sizes:
            n.fail("its paddings follow from the shape of its input: give it with --shape")
        goal = (
            wanted[-w.dims :]
            if wanted
            else [(s or 0) * stride for s, stride in zip(sizes, w.strides, strict=True)]
        )
        for i, size in enumerate(sizes):
            full = w.strides[i] * ((size or 0) - 1) + extra[i]
            full += w.dilations[i] * (w.kernel[i] - 1) + 1
            total = full - goal[i]
            small = total // 2
            begin[i], end[i] = (
                (small, total - small) if auto == "SAME_UPPER" else (total - small, small)
            )
    # PyTorch crops `begin` rows at both ends; what was to stay at the end is added again.
    added = [x + b - e for x, b, e in zip(extra, begin, end, strict=True)]
    limit = [max(s, d) for s, d in zip(w.strides, w.dilations, strict=True)]
    if any(a < 0 or a >= m for a, m in zip(added, limit, strict=True)) or min(begin) < 0:
        n.fail("PyTorch has no transposed convolution with these paddings")
    return Window(w.kernel, w.strides, w.dilations, begin, begin), added
