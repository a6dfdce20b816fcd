"""Convolutions."""

from __future__ import annotations

from ramiel.conversion.aten_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.torch.literals import scalar

_DEFAULTS = {"stride": 1, "padding": 0, "output_padding": 0, "dilation": 1, "groups": 1}


@lowers("convolution.default")
def convolution(n: Node) -> Lowered:
    stride, padding, dilation, transposed, extra, groups = (n.args[i] for i in range(3, 9))
    dims = len(n.shape(n.value(1))) - 2
    if dims not in (1, 2, 3):
        return None
    given: dict[str, object] = {"stride": stride, "padding": padding}
    if transposed:
        given["output_padding"] = extra
    given |= {"dilation": dilation, "groups": groups}
    whole = {k: scalar(_all(v, dims)) if isinstance(v, list) else v for k, v in given.items()}
    config = {k: v for k, v in whole.items() if v != _DEFAULTS[k]}
    weights = n.weights(weight=1, bias=2)
    if weights is not None:
        return n.layer(f"Conv{'Transpose' * bool(transposed)}{dims}d", n.x, weights, **config)
    name = f"F.conv{'_transpose' * bool(transposed)}{dims}d"
    return n.call(name, n.x, n.value(1), n.arg(2, None), **config)


def _all(sizes: list[int], dims: int) -> list[int]:
    """One number for each dimension: PyTorch lets one stand for all."""
    return sizes * dims if len(sizes) == 1 else sizes
