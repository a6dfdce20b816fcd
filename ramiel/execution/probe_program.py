"""The operations that the probe times: few, short, and each kind of work among them.

They follow each other as in a model, so that they find their operands where its operations do:
what the last one made is in a cache, and weights and large values come from memory.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Block, Region, SSAValue

from ramiel.dialects.onnx.attributes import TensorRef, WeightAttr
from ramiel.dialects.onnx.types import static_shape_of
from ramiel.dialects.torch import CallOp, LayerOp

_SOME = np.random.default_rng(0).standard_normal(8191).astype(np.float32)


class _Builder:
    """Appends operations to a function. Shapes are [1, channels, size, size] or [rows, columns]."""

    def __init__(self) -> None:
        self.block = Block()
        self._weights = 0

    def input(self, *shape: int) -> SSAValue:
        return self.block.insert_arg(TensorType(f32, shape), len(self.block.args))

    def convolution(
        self,
        x: SSAValue,
        channels: int,
        size: int = 3,
        *,
        kernel: str | None = None,
        groups: int = 1,
        stride: int = 1,
        activation: str = "relu",
    ) -> SSAValue:
        """A convolution that, at stride 1, keeps the image's size."""
        _, given, height, width = _shape(x)
        config: dict[str, object] = {"activation": activation}
        options = {"padding": size // 2, "groups": groups, "stride": stride}
        config |= {name: value for name, value in options.items() if value != _DEFAULTS[name]}
        if kernel is not None:
            config["kernel"] = kernel
        shape = (1, channels, -(-height // stride), -(-width // stride))
        weights = {
            "weight": self._weight(channels, given // groups, size, size),
            "bias": self._weight(channels),
        }
        return self._layer("Conv2d", x, weights, config, shape)

    def linear(
        self, x: SSAValue, columns: int, activation: str | None = None, kernel: str | None = None
    ) -> SSAValue:
        rows, given = _shape(x)
        weights = {"weight": self._weight(columns, given), "bias": self._weight(columns)}
        options = {"activation": activation, "kernel": kernel}
        config = {name: value for name, value in options.items() if value is not None}
        return self._layer("Linear", x, weights, config, (rows, columns))

    def call(
        self, callee: str, *args: object, shape: tuple[int, ...], **kwargs: object
    ) -> SSAValue:
        op = CallOp.of(callee, args, kwargs, [TensorType(f32, shape)])
        self.block.add_op(op)
        return op.results[0]

    def _layer(
        self,
        name: str,
        x: SSAValue,
        weights: Mapping[str, WeightAttr],
        config: Mapping[str, object],
        shape: tuple[int, ...],
    ) -> SSAValue:
        op = LayerOp.of(name, [x], weights, config, [TensorType(f32, shape)])
        self.block.add_op(op)
        return op.results[0]

    def _weight(self, *shape: int) -> WeightAttr:
        self._weights += 1
        values = np.resize(_SOME, shape) * np.float32(np.prod(shape[1:]) ** -0.5)
        return WeightAttr(TensorRef.of(f"w{self._weights}", values))


_DEFAULTS = {"padding": 0, "groups": 1, "stride": 1}


def _shape(x: SSAValue) -> tuple[int, ...]:
    shape = static_shape_of(x.type)
    assert shape is not None
    return shape


def probe_program() -> func.FuncOp:
    """The function whose operations are timed. All but the last have a result that is used."""
    b = _Builder()
    # Large images: a convolution of few channels, values beyond the caches.
    x = b.convolution(b.input(1, 3, 192, 192), 32, stride=2)
    x = b.convolution(x, 24, kernel="winograd")
    y = b.convolution(x, 96, 1)
    x = b.call("operator.add", b.convolution(x, 96, 1), y, shape=(1, 96, 96, 96))
    x = b.call("torch.sigmoid", x, shape=(1, 96, 96, 96))
    x = b.call("kernels.max_pool2d", x, kernel_size=2, stride=2, shape=(1, 96, 48, 48))
    # Images of middle size.
    x = b.convolution(x, 64, 1)
    y = b.convolution(x, 48)
    x = b.convolution(x, 48, kernel="winograd")
    x = b.call("torch.cat", [x, y], dim=1, shape=(1, 96, 48, 48))
    x = b.convolution(x, 96, groups=96)
    x = b.convolution(x, 96, 5, groups=96, stride=2)
    x = b.call("kernels.avg_pool2d", x, kernel_size=3, stride=1, padding=1, shape=(1, 96, 24, 24))
    x = b.convolution(x, 96)
    x = b.convolution(x, 96, kernel="winograd")
    x = b.convolution(x, 192, 1, activation="silu")
    x = b.convolution(x, 192, kernel="winograd")
    x = b.convolution(x, 96, 1)
    x = b.call("kernels.max_pool2d", x, kernel_size=3, stride=2, padding=1, shape=(1, 96, 12, 12))
    # Small images and many channels: weights count.
    x = b.convolution(x, 512, 1)
    x = b.convolution(x, 128, 1)
    x = b.call("F.relu", x, shape=(1, 128, 12, 12))
    y = b.convolution(x, 128)
    x = b.convolution(x, 128, kernel="winograd")
    x = b.call("operator.add", x, y, shape=(1, 128, 12, 12))
    x = b.convolution(x, 256, stride=2)
    x = b.convolution(x, 832, 1)
    x = b.convolution(x, 832, groups=832)
    x = b.call("kernels.adaptive_avg_pool2d", x, 1, shape=(1, 832, 1, 1))
    # A row whose weights all come from memory, and products.
    x = b.call("torch.flatten", x, 1, shape=(1, 832))
    x = b.linear(x, 4096)
    x = b.call("F.relu", x, shape=(1, 4096))
    x = b.linear(x, 1024)
    x = b.call("operator.add", x, b.input(128, 1024), shape=(128, 1024))
    x = b.linear(x, 768)
    for kernel in (None, "mkl"):
        x = b.linear(x, 2048, "gelu", kernel)
        x = b.linear(x, 768, kernel=kernel)
    x = b.call("F.softmax", b.call("F.relu", x, shape=(128, 768)), dim=-1, shape=(128, 768))
    x = b.linear(x, 512)
    b.block.add_op(func.ReturnOp(x))
    types = ([a.type for a in b.block.args], [x.type])
    return func.FuncOp("probe", types, Region(b.block))
