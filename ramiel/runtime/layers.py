"""Layers that call PyTorch's operators as they are; `prepared.py` has the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from ramiel.runtime.kernels.activations import Spec
from ramiel.runtime.kernels.activations import activation as find_activation
from ramiel.runtime.kernels.plain import finished
from ramiel.runtime.layer import Ints, Layer
from ramiel.runtime.weights import Weights


class _Conv(Layer):
    """weight [out, in / groups, kernel...], bias [out]; x [N, in, size...].

    A second tensor, of the shape of the result, is added before the activation.
    """

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
        activation: Spec = None,
    ) -> None:
        """ValueError for an unknown activation."""
        super().__init__(weights, name, (stride, padding, dilation, groups))
        self._activation = find_activation(activation)

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        tensors = self._buffers
        y = self.convolve(x, tensors["weight"], tensors["bias"], *self._config)
        return finished(y, other, self._activation)


class Conv1d(_Conv):
    convolve = staticmethod(torch.conv1d)


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

    def forward(self, x: Tensor) -> Tensor:
        tensors = self._buffers
        return self.convolve(x, tensors["weight"], tensors["bias"], *self._config)


class ConvTranspose1d(_ConvTranspose):
    convolve = staticmethod(torch.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    convolve = staticmethod(torch.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    convolve = staticmethod(torch.conv_transpose3d)


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
