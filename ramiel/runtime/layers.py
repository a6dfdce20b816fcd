"""The layers of emitted programs: operators that own weights.

A layer is made from the weights under its name, `Conv2d(weights, "conv1", stride=2)` from
`conv1.weight` and, if there is one, `conv1.bias`. Weights are buffers: an emitted program
infers, it does not train.

A layer is called as any nn.Module is, hooks included: that costs half a microsecond, and a
profiler or quantizer finds what it expects. What forward() does not do is `self.weight`, which
nn.Module looks up twice in vain before it finds a buffer. It reads the dict of buffers, which is
always up to date, whatever to() or load_state_dict() or functional_call() has done to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ramiel.runtime.weights import Weights

Ints = int | tuple[int, ...]


class Layer(nn.Module):
    """Base of the layers: its weights as buffers, its configuration as the operator takes it."""

    required: ClassVar[tuple[str, ...]] = ("weight",)
    optional: ClassVar[tuple[str, ...]] = ("bias",)

    def __init__(self, weights: Weights, name: str, config: tuple[Any, ...] = ()) -> None:
        """KeyError if a required weight is missing."""
        super().__init__()
        for part in self.required:
            self.register_buffer(part, weights[f"{name}.{part}"])
        for part in self.optional:
            self.register_buffer(part, weights.get(f"{name}.{part}"))
        self._config = config

    def extra_repr(self) -> str:
        shapes = [f"{name}={list(t.shape)}" for name, t in self.named_buffers()]
        return ", ".join(shapes + [str(value) for value in self._config])


class _Conv(Layer):
    """weight [out, in / groups, kernel...], bias [out]; x [N, in, size...]."""

    convolve: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        weights: Weights,
        name: str,
        *,
        stride: Ints = 1,
        padding: Ints = 0,
        dilation: Ints = 1,
        groups: int = 1,
    ) -> None:
        super().__init__(weights, name, (stride, padding, dilation, groups))

    def forward(self, x: Tensor) -> Tensor:
        tensors = self._buffers
        return self.convolve(x, tensors["weight"], tensors["bias"], *self._config)


class Conv1d(_Conv):
    convolve = staticmethod(torch.conv1d)


class Conv2d(_Conv):
    convolve = staticmethod(torch.conv2d)


class Conv3d(_Conv):
    convolve = staticmethod(torch.conv3d)


class _ConvTranspose(Layer):
    """weight [in, out / groups, kernel...], bias [out]; x [N, in, size...]."""

    convolve: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        weights: Weights,
        name: str,
        *,
        stride: Ints = 1,
        padding: Ints = 0,
        output_padding: Ints = 0,
        dilation: Ints = 1,
        groups: int = 1,
    ) -> None:
        super().__init__(weights, name, (stride, padding, output_padding, groups, dilation))

    forward = _Conv.forward


class ConvTranspose1d(_ConvTranspose):
    convolve = staticmethod(torch.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    convolve = staticmethod(torch.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    convolve = staticmethod(torch.conv_transpose3d)


class Linear(Layer):
    """weight [out, in], bias [out]; x [..., in]."""

    def forward(self, x: Tensor) -> Tensor:
        tensors = self._buffers
        return nn.functional.linear(x, tensors["weight"], tensors["bias"])  # pyright: ignore


class BatchNorm(Layer):
    """weight, bias, running_mean, running_var, all [C]; x [N, C, ...], of any rank from 2 on."""

    required = ("weight", "bias", "running_mean", "running_var")
    optional = ()

    def __init__(self, weights: Weights, name: str, *, eps: float = 1e-5) -> None:
        # not training, with a momentum that is not used, and cuDNN where there is one
        super().__init__(weights, name, (False, 0.0, eps, True))

    def forward(self, x: Tensor) -> Tensor:
        weight, bias, mean, variance = self._buffers.values()
        return torch.batch_norm(x, weight, bias, mean, variance, *self._config)


class LayerNorm(Layer):
    """weight and bias [d, ...], the dimensions that are normalized; x [..., d, ...]."""

    def __init__(self, weights: Weights, name: str, *, eps: float = 1e-5) -> None:
        super().__init__(weights, name, (eps,))
        self._shape = tuple(weights[f"{name}.weight"].shape)

    def forward(self, x: Tensor) -> Tensor:
        tensors = self._buffers
        return torch.layer_norm(x, self._shape, tensors["weight"], tensors["bias"], *self._config)


class Embedding(Layer):
    """weight [ids, d]; x int32 or int64 [...] -> [..., d]. Negative ids count from the end.

    IndexError if an id is out of range.
    """

    optional = ()

    def forward(self, x: Tensor) -> Tensor:
        weight = self._buffers["weight"]
        assert weight is not None
        # Negative ids are rare and wrapping them takes longer than most lookups, so let the
        # lookup find them: it checks each id anyway, and an error is raised on the CPU at once.
        if x.is_cpu:
            try:
                return nn.functional.embedding(x, weight)
            except IndexError:
                pass
        return nn.functional.embedding(torch.where(x < 0, x + weight.shape[0], x), weight)


class PReLU(Layer):
    """weight [1] or [C], or as ONNX has it [C, 1, ...]; x [N, C, ...].

    ValueError if the weight has more than one dimension that is not 1.
    """

    optional = ()

    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__(weights, name)
        weight = weights[f"{name}.weight"]
        if weight.numel() not in (1, *weight.shape):
            raise ValueError(f"{name}.weight: a slope per channel expected, got {weight.shape}")
        self.register_buffer("weight", weight.reshape(-1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.prelu(x, self._buffers["weight"])  # pyright: ignore
