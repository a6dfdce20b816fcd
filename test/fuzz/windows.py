"""The families of convolutions, pools and normalisations, and of what is put before them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from builder import Graph, Value
from families import fits, ranked, spreads


def _windows(g: Graph, x: Value, kernel: Sequence[int]) -> dict[str, object]:
    n = x.rank - 2
    attributes: dict[str, object] = {"kernel_shape": kernel}
    padding = g.choose.integer(0, 3)
    steps = [2] * n
    if padding == 1:
        attributes["auto_pad"] = g.choose.pick(["SAME_UPPER", "SAME_LOWER", "VALID"])
        steps = [min(2, k) for k in kernel]  # see same()
    elif padding == 2:
        attributes["pads"] = [g.choose.integer(0, k - 1) for k in kernel] * 2
    elif padding == 3:
        attributes["pads"] = [g.choose.integer(0, k - 1) for k in [*kernel, *kernel]]
    if g.choose.flag():
        attributes["strides"] = [g.choose.integer(1, most) for most in steps]
    return attributes


def _kernel(g: Graph, x: Value) -> list[int]:
    return [g.choose.integer(1, min(3, d)) for d in x.shape[2:]]


def windowed(g: Graph) -> Value | None:
    """A value that windows may slide over: its batch may be empty."""
    return g.find(lambda v: v.dtype == g.floats and ranked(v, 3) and min(v.shape[1:]) > 0)


def conv(g: Graph) -> object:
    x = windowed(g)
    return x and conv_of(g, x)


def conv_of(g: Graph, x: Value) -> object:
    channels, kernel = x.shape[1], _kernel(g, x)
    transposed = g.choose.chance(5)
    group = g.choose.pick([1, 1, channels])
    attributes = _windows(g, x, kernel)
    if group > 1:
        attributes["group"] = group
    out = group * g.choose.integer(1, 3)
    shape = [channels, out // group] if transposed else [out, channels // group]
    if transposed:
        attributes.pop("auto_pad", None)
    elif g.choose.chance(3):
        spans = zip(kernel, x.shape[2:], strict=True)
        attributes["dilations"] = [
            g.choose.integer(1, 2 if 2 * k - 1 <= d else 1) for k, d in spans
        ]
    weight = g.constant(g.parameters([*shape, *kernel]))
    bias = g.constant(g.parameters([out])) if g.choose.flag() else None
    op = "ConvTranspose" if transposed else "Conv"
    made = g.add(op, [x, weight, bias], attributes, rounds=True)
    if made and g.choose.chance(3):
        return batch_norm_of(g, made[0])
    return activation_of(g, made[0]) if made and g.choose.flag() else made


def activation_of(g: Graph, x: Value) -> object:
    """What compilers fuse with a layer."""
    op = g.choose.pick(["Relu", "Clip", "LeakyRelu", "Sigmoid", "Tanh", "Elu", "HardSigmoid"])
    if op != "Clip":
        return g.add(op, [x], rounds=op not in ("Relu", "LeakyRelu"))
    ends = g.choose.pick([(0, 6), (-1, 1), (0, None), (None, 1)])
    return g.add(op, [x, *(None if e is None else g.constant(np.array(e, x.dtype)) for e in ends)])


def batch_norm(g: Graph) -> object:
    x = windowed(g)
    return x and batch_norm_of(g, x)


def batch_norm_of(g: Graph, x: Value) -> object:
    c = [x.shape[1]]
    scale, bias, mean = (g.constant(g.parameters(c, x.dtype)) for _ in range(3))
    variance = g.constant(g.parameters(c, x.dtype, low=1))
    return g.add("BatchNormalization", [x, scale, bias, mean, variance], rounds=True)


def pool(g: Graph) -> object:
    x = windowed(g)
    return x and pool_of(g, x)


def pool_of(g: Graph, x: Value) -> object:
    op = g.choose.pick(["MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"])
    if op.startswith("Global"):
        return g.add(op, [x], rounds=op == "GlobalAveragePool")
    attributes = _windows(g, x, _kernel(g, x))
    if g.choose.chance(4):
        attributes["ceil_mode"] = 1
    if op == "AveragePool" and g.choose.flag():
        attributes["count_include_pad"] = 1
    return g.add(op, [x], attributes, rounds=op == "AveragePool")


def padded(g: Graph) -> object:
    """A Pad, of any mode and value, before a window: compilers make one of the two."""
    x = windowed(g)
    if x is None:
        return None
    modes = ["constant", "constant", "constant", "edge", "reflect"] + ["wrap"] * (g.opset >= 19)
    mode = g.choose.pick(modes)
    spatial = x.shape[2:]
    low = 0 if g.choose.flag() or mode != "constant" else -1
    amounts = [g.choose.integer(low if d > 2 else 0, min(2, d - 1)) for d in (*spatial, *spatial)]
    n = len(spatial)
    pads = [0, 0, *amounts[:n], 0, 0, *amounts[n:]]
    if g.choose.chance(8) and mode == "constant":
        pads[g.choose.pick([0, 1])] = 1
    fill = g.choose.pick([None, 0.0, 0.5, -1.0, -100.0, -np.inf])
    value = None if fill is None or mode != "constant" else g.constant(np.array(fill, x.dtype))
    made = g.add("Pad", [x, g.i64(*pads), value], {"mode": mode})
    if not made:
        return None
    return g.choose.pick([conv_of, pool_of, pool_of, lp_pool_of])(g, made[0])


def lp_pool_of(g: Graph, x: Value) -> object:
    attributes = _windows(g, x, _kernel(g, x))
    return g.add("LpPool", [x], attributes | {"p": g.choose.pick([1, 2])}, rounds=True)


def same(g: Graph) -> object:
    """Windows that pad themselves, where sides may be open.

    Only Conv has steps that are longer than the kernel, or dilations. What then are negative
    paddings is 0 for Conv in all runtimes, and for pools -1 before the first element in ONNX
    Runtime (SAME_UPPER) and its reference; for ConvTranspose ONNX Runtime makes the output
    smaller than input * stride, which the standard says. It leaves dilations of pools out.
    """
    x = windowed(g)
    if x is None:
        return None
    op = g.choose.pick(["Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"])
    kernel = [g.choose.integer(1, 3) for _ in x.shape[2:]]
    steps = [g.choose.integer(1, 3 if op == "Conv" else k) for k in kernel]
    attributes: dict[str, object] = {
        "kernel_shape": kernel,
        "auto_pad": g.choose.pick(["SAME_UPPER", "SAME_LOWER"]),
        "strides": steps,
    }
    if op == "Conv" and g.choose.chance(3):
        attributes["dilations"] = [g.choose.integer(1, 2) for _ in kernel]
    if op == "ConvTranspose" and g.choose.flag():
        attributes["output_padding"] = [g.choose.integer(0, step - 1) for step in steps]
    if op == "AveragePool" and g.choose.flag():
        attributes["count_include_pad"] = 1
    if op.endswith("Pool"):
        return g.add(op, [x], attributes, rounds=op != "MaxPool")
    out = g.choose.integer(1, 3)
    shape = [x.shape[1], out] if op == "ConvTranspose" else [out, x.shape[1]]
    bias = g.constant(g.parameters([out])) if g.choose.flag() else None
    weight = g.constant(g.parameters([*shape, *kernel]))
    made = g.add(op, [x, weight, bias], attributes, rounds=True)
    return activation_of(g, made[0]) if made and g.choose.flag() else made


def normalization(g: Graph) -> object:
    x = g.find(lambda v: v.dtype == g.floats and fits(v, 2))
    if x is None:
        return None
    op = g.choose.pick(["BatchNormalization", "InstanceNormalization", "LayerNormalization", "LRN"])
    if op == "BatchNormalization":
        return batch_norm_of(g, x)
    if op == "LRN":
        return g.add(op, [x], {"size": g.choose.pick([1, 3])}, rounds=True) if x.rank > 2 else None
    if op == "InstanceNormalization" and x.rank > 2 and spreads(x, 2):
        return instance_norm_of(g, x)
    axis = g.choose.integer(0, x.rank - 1)
    if op == "LayerNormalization" and g.opset >= 17 and spreads(x, axis):
        return layer_norm_of(g, x, axis)
    return None


def instance_norm_of(g: Graph, x: Value) -> object:
    scale, bias = (g.constant(g.parameters([x.shape[1]])) for _ in range(2))
    return g.add("InstanceNormalization", [x, scale, bias], rounds=True)


def layer_norm_of(g: Graph, x: Value, axis: int) -> object:
    scale, bias = (g.constant(g.parameters(x.shape[axis:])) for _ in range(2))
    axis -= g.choose.pick([0, x.rank])
    given = bias if g.choose.flag() else None
    return g.add("LayerNormalization", [x, scale, given], {"axis": axis}, rounds=True)


def lone_norm(g: Graph) -> object:
    """Normalisations over one exact value, which is its own mean: what is left is the bias."""
    x = g.find(lambda v: v.dtype == g.floats and ranked(v, 3) and v.exact)
    if x is None:
        return None
    op = g.choose.pick(["InstanceNormalization", "LayerNormalization", "GroupNormalization"])
    if op == "LayerNormalization" and g.opset == 17:
        row = g.add("ReduceMax", [x], {"keepdims": 1, "axes": [-1]})
        return row and layer_norm_of(g, row[0], x.rank - 1)
    pixel = g.add("GlobalMaxPool", [x])
    if not pixel:
        return None
    if op == "InstanceNormalization":
        return instance_norm_of(g, pixel[0])
    if g.opset < 18:
        return None
    if op == "LayerNormalization":
        return layer_norm_of(g, pixel[0], 2)
    groups = x.shape[1]
    scale, bias = (g.constant(g.parameters([groups])) for _ in range(2))
    return g.add(op, [pixel[0], scale, bias], {"num_groups": groups}, rounds=True)


def small_norm(g: Graph) -> object:
    """Normalisations of groups, rows and vectors that are small, or nothing but zeros."""
    x = g.find(lambda v: v.dtype == g.floats and ranked(v) and v.exact)
    if x is None:
        return None
    op = g.choose.pick(
        ["LpNormalization", "MeanVarianceNormalization", "GroupNormalization", "RMS"]
    )
    axis = g.choose.integer(0, x.rank - 1)
    if op == "LpNormalization":
        tiny = g.constant(np.array(g.choose.pick([0, 1e-6, 1e-12, 1e-20]), x.dtype))
        shrunk = g.add("Mul", [x, tiny], rounds=True)
        attributes = {"axis": axis, "p": g.choose.integer(1, 2)}
        return shrunk and g.add(op, shrunk, attributes, rounds=True)
    if op == "MeanVarianceNormalization" and x.rank == 4 and spreads(x, 2):
        return g.add(op, [x], {"axes": [2, 3]}, rounds=True)
    if op == "GroupNormalization" and g.opset >= 18 and x.rank > 2 and spreads(x, 2):
        groups = g.choose.pick([d for d in range(1, x.shape[1] + 1) if x.shape[1] % d == 0])
        rows = [groups if g.opset < 21 else x.shape[1]]
        scale, bias = (g.constant(g.parameters(rows)) for _ in range(2))
        return g.add(op, [x, scale, bias], {"num_groups": groups}, rounds=True)
    if op == "RMS" and g.opset >= 23:
        scale = g.constant(g.parameters(x.shape[axis:]))
        return g.add("RMSNormalization", [x, scale], {"axis": axis}, rounds=True)
    return None
