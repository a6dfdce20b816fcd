"""Sliding windows: the strides, dilations and paddings of convolutions and pools."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import Attribute, SSAValue

from ramiel.conversion.onnx_to_torch.table import Node
from ramiel.dialects.torch.literals import scalar


@dataclass(frozen=True)
class Window:
    """A window over the spatial dimensions. `begin` and `end` are the paddings."""

    kernel: list[int]
    strides: list[int]
    dilations: list[int]
    begin: list[int]
    end: list[int]
    at_run_time: bool = False
    """Whether the paddings depend on a shape that is known only at run time: see `sides`."""
    upper: bool = True

    @property
    def dims(self) -> int:
        return len(self.kernel)

    @property
    def symmetric(self) -> bool:
        return self.begin == self.end and not self.at_run_time

    def config(self) -> dict[str, object]:
        """The keyword arguments of PyTorch that are not at their defaults."""
        values = {"stride": (self.strides, 1), "padding": (self.begin, 0)}
        values["dilation"] = (self.dilations, 1)
        return {
            key: scalar(value)
            for key, (value, default) in values.items()
            if set(value) != {default}
        }

    def options(self) -> dict[str, object]:
        """The keyword arguments of functions of `ops` that are not at their defaults."""
        values = {"stride": (self.strides, 1), "dilation": (self.dilations, 1)}
        options: dict[str, object] = {
            key: scalar(value)
            for key, (value, default) in values.items()
            if set(value) != {default}
        }
        sides = self.sides()
        if isinstance(sides, str) or any(sides):
            options["padding"] = sides
        return options

    def sides(self) -> list[int] | str:
        """The paddings as functions of `ops` take them: all beginnings, then all ends; or the value
        of auto_pad if they depend on the input's shape at run time."""
        if self.at_run_time:
            return "SAME_UPPER" if self.upper else "SAME_LOWER"
        return [*self.begin, *self.end]

    def torch_pads(self) -> list[int]:
        """The paddings in F.pad's order: last dimension first, begin and end in turn."""
        pairs = zip(reversed(self.begin), reversed(self.end), strict=True)
        return [side for pair in pairs for side in pair]


def window(n: Node, kernel: list[int] | None) -> Window:
    """The window of a node. Refuses the node if its attributes are inconsistent."""
    if kernel is None:
        n.fail("the shape of its kernel is not known")
    dims = len(kernel)
    strides = n.integer_list("strides") or [1] * dims
    dilations = n.integer_list("dilations") or [1] * dims
    pads = n.integer_list("pads") or [0] * (2 * dims)
    if len(strides) != dims or len(dilations) != dims or len(pads) != 2 * dims:
        n.fail(f"strides, dilations and pads do not fit a kernel of {dims} dimension(s)")
    if min(strides) < 1 or min(dilations) < 1:
        n.fail("strides and dilations must be positive")
    begin, end = pads[:dims], pads[dims:]
    auto = n.text("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        sides = _same(n, kernel, strides, dilations, auto == "SAME_UPPER")
        if sides is None:
            none = [0] * dims
            return Window(kernel, strides, dilations, none, none, True, auto == "SAME_UPPER")
        begin, end = sides
    elif auto == "VALID":
        begin, end = [0] * dims, [0] * dims
    return Window(kernel, strides, dilations, begin, end)


def _same(
    n: Node, kernel: list[int], strides: list[int], dilations: list[int], upper: bool
) -> tuple[list[int], list[int]] | None:
    """The paddings of auto_pad SAME; None if they depend on an unknown dimension."""
    shape = n.shape(0)
    begin: list[int] = []
    end: list[int] = []
    for i, (k, s, d) in enumerate(zip(kernel, strides, dilations, strict=True)):
        size = shape[i + 2] if shape is not None else None
        span = d * (k - 1) + 1
        if size is None and s != 1:
            return None
        total = span - 1 if size is None else max(0, (-(-size // s) - 1) * s + span - size)
        begin.append(total // 2 if upper else total - total // 2)
        end.append(total - begin[-1])
    return begin, end


def padded(n: Node, x: SSAValue, w: Window, value: float = 0.0) -> tuple[SSAValue, Window]:
    """The input, padded explicitly as PyTorch's calls cannot, and the window without paddings."""
    none = [0] * w.dims
    kwargs = {"value": value} if value else {}
    if w.at_run_time:
        args = (x, w.kernel, w.strides, w.dilations, w.upper)
        x = n.call("ops.same_pad", *args, type=_grown(n, w), **kwargs)
        return x, Window(w.kernel, w.strides, w.dilations, none, none)
    x = n.call("F.pad", x, w.torch_pads(), type=_grown(n, w), **kwargs)
    return x, Window(w.kernel, w.strides, w.dilations, none, none)


def _grown(n: Node, w: Window) -> Attribute:
    shape = n.shape(0)
    if shape is None:
        return n.like(None)
    if w.at_run_time:
        return n.like([*shape[:2], *(None for _ in w.kernel)])
    sides = zip(shape[2:], w.begin, w.end, strict=True)
    return n.like([*shape[:2], *(None if d is None else d + b + e for d, b, e in sides)])
