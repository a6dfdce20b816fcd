"""Convolutions."""

from __future__ import annotations

from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.conversion.onnx_to_torch.windows import Window, padded, window
from ramiel.dialects.onnx.attributes import WeightAttr
from ramiel.dialects.torch.literals import scalar


def kernel_of(n: Node, weight: int = 1) -> list[int] | None:
    """The kernel's spatial sizes, from the attribute or the shape of input `weight`; else None."""
    given = n.integer_list("kernel_shape")
    shape = n.shape(weight)
    if given is not None:
        return given
    if shape is None or None in shape[2:]:
        return None
    return [d for d in shape[2:] if d is not None]


def _weights(n: Node) -> dict[str, WeightAttr] | None:
    """The layer's weights; None if they are not constant."""
    if not n.is_constant(1) or (n.given(2) and not n.is_constant(2)):
        return None
    weights = {"weight": n.weight(1)}
    return {**weights, "bias": n.weight(2)} if n.given(2) else weights


def _check_dims(n: Node, w: Window) -> None:
    if w.dims not in (1, 2, 3):
        n.fail(f"PyTorch has no convolution over {w.dims} spatial dimensions")


@lowers("Conv")
def conv(n: Node) -> Lowered:
    w = window(n, kernel_of(n))
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
    w = window(n, kernel_of(n))
    _check_dims(n, w)
    extra = n.integer_list("output_padding") or [0] * w.dims
    crops = _crops(n, w, extra)
    fitting = None if crops is None else _as_pytorch_crops(w, *crops, extra)
    if fitting is None:
        return _conv_transpose_to_size(n, w, extra)
    padding, extra, cuts = fitting
    config = Window(w.kernel, w.strides, w.dilations, padding, padding).config()
    if any(extra):
        config["output_padding"] = scalar(extra)
    if (groups := n.integer("group", 1)) != 1:
        config["groups"] = groups
    weights = _weights(n)
    type = n.result_type() if cuts is None else n.like([None] * (w.dims + 2))
    if weights is not None:
        y = n.layer(f"ConvTranspose{w.dims}d", n[0], weights, type=type, **config)
    else:
        y = n.call(f"F.conv_transpose{w.dims}d", n[0], n[1], n.get(2), type=type, **config)
    return y if cuts is None else n.call("operator.getitem", y, cuts)


def _conv_transpose_to_size(n: Node, w: Window, extra: list[int]) -> Lowered:
    """A transposed convolution to an output size that no padding of PyTorch's gives for all
    inputs."""
    size = n.integer_list("output_shape")
    if size is None:
        n.fail("PyTorch has no transposed convolution with these paddings")
    config = Window(w.kernel, w.strides, w.dilations, [0] * w.dims, [0] * w.dims).config()
    config["groups"] = n.integer("group", 1)
    config["output_padding"] = scalar(extra)
    config["upper"] = n.text("auto_pad", "NOTSET") == "SAME_UPPER"
    defaults = {"groups": 1, "output_padding": 0, "upper": False}
    options = {k: v for k, v in config.items() if k not in defaults or v != defaults[k]}
    return n.call("ops.conv_transpose", n[0], n[1], n.get(2), size[-w.dims :], **options)


def _crops(n: Node, w: Window, extra: list[int]) -> tuple[list[int], list[int]] | None:
    """How many rows ONNX crops from the beginning and end of the full result (negative: adds) in
    each dimension; None if that depends on an unknown dimension.

    The node gives them as pads, or implies them by its output size.
    """
    wanted, auto, shape = n.integer_list("output_shape"), n.text("auto_pad", "NOTSET"), n.shape(0)
    if wanted is None and not auto.startswith("SAME"):
        return w.begin, w.end
    begin: list[int] = []
    end: list[int] = []
    for i in range(w.dims):
        # SAME crops the same for all sizes: the result has `stride` rows for each of the input's.
        total = extra[i] + w.dilations[i] * (w.kernel[i] - 1) + 1 - w.strides[i]
        if wanted:
            size = None if shape is None else shape[2 + i]
            if size is None:
                return None
            total += w.strides[i] * size - wanted[i - w.dims]
        small = max(total, 0) // 2
        begin.append(small if auto == "SAME_UPPER" else max(total, 0) - small)
        end.append(total - begin[i])
    return begin, end


def _as_pytorch_crops(
    w: Window, begin: list[int], end: list[int], extra: list[int]
) -> tuple[list[int], list[int], list[slice[object, object, object]] | None] | None:
    """PyTorch's padding and output_padding, and the index that crops the rest (None if nothing is
    left to crop); None if rows would have to be added.

    PyTorch's padding crops both ends equally; its output_padding adds rows at the end, fewer than
    the larger of stride and dilation.
    """
    limit = [max(s, d) for s, d in zip(w.strides, w.dilations, strict=True)]
    added = [x + b - e for x, b, e in zip(extra, begin, end, strict=True)]
    if min(begin) >= 0 and all(0 <= a < m for a, m in zip(added, limit, strict=True)):
        return begin, added, None
    both = [min(b, max(e, 0)) for b, e in zip(begin, end, strict=True)]
    added = [x + max(-e, 0) for x, e in zip(extra, end, strict=True)]
    if min(both) < 0 or any(a >= m for a, m in zip(added, limit, strict=True)):
        return None
    sides = zip(begin, end, both, strict=True)
    cuts = [slice(b - p or None, p - e if e > p else None) for b, e, p in sides]
    return both, added, [slice(None), slice(None), *cuts]
