"""Lp pools, MaxUnpool, Col2Im and ImageDecoder."""

from __future__ import annotations

from functools import partial

from ramiel.conversion.onnx_to_torch.onnx.pooling import own_config
from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.conversion.onnx_to_torch.windows import window
from ramiel.dialects.torch.literals import scalar


def _order(n: Node, integral: bool) -> int | float:
    """The p of a norm, an integer from opset 2 on."""
    p = n.integer("p", 2) if integral else n.number("p", 2.0)
    return n.fail("its p must be positive") if p <= 0 else p


def _lp_pool(integral: bool, n: Node) -> Lowered:
    w = window(n, n.integer_list("kernel_shape"))
    return n.call("ops.lp_pool", n[0], _order(n, integral), **own_config(n, w))


def _global_lp_pool(integral: bool, n: Node) -> Lowered:
    return n.call("ops.global_lp_pool", n[0], _order(n, integral))


for _since in (1, 2):
    lowers("LpPool", _since)(partial(_lp_pool, _since > 1))
    lowers("GlobalLpPool", _since)(partial(_global_lp_pool, _since > 1))


@lowers("MaxUnpool", 9)
def max_unpool(n: Node) -> Lowered:
    w = window(n, n.integer_list("kernel_shape"))
    options = {"kernel_size": w.kernel, **w.options()}
    if n.given(2):
        known = n.integers(2)
        options["output_size"] = n[2] if known is None else known
    return n.call("ops.max_unpool", n[0], n[1], **options)


@lowers("Col2Im", 18)
def col2im(n: Node) -> Lowered:
    image, block = n.integers(1), n.integers(2)
    names = ("dilations", "pads", "strides")
    if image is None or block is None:
        given = {k: n.integer_list(k) for k in names if n.integer_list(k) is not None}
        return n.call(
            "ops.col2im",
            n[0],
            n[1] if image is None else image,
            n[2] if block is None else block,
            **given,
        )
    if len(image) != len(block):
        n.fail("its image and its blocks have different ranks")
    w = window(n, block)
    if w.dims == 2 and w.symmetric and n.rank(0) == 3:
        return n.call("F.fold", n[0], image, scalar(block), **w.config())
    config = {"dilations": w.dilations, "pads": [*w.begin, *w.end], "strides": w.strides}
    return n.call("ops.col2im", n[0], image, block, **config)


@lowers("ImageDecoder", 20)
def image_decoder(n: Node) -> Lowered:
    pixels = n.text("pixel_format", "RGB")
    if pixels not in ("RGB", "BGR", "Grayscale"):
        n.fail(f"unknown pixel format {pixels!r}")
    return n.call("ops.decode_image", n[0], pixels)
