"""The base of layers.

A layer is made from the weights under its name, `Conv2d(weights, "conv1", stride=2)` from
`conv1.weight` and, if there is one, `conv1.bias`. Weights are buffers: an emitted program
infers, it does not train.

A layer is called like any nn.Module, hooks included: that costs half a microsecond, but profilers
and quantizers work as usual. forward() avoids `self.weight`, which nn.Module looks up in two other
places first, and reads the dict of buffers, which is always up to date, whatever to(),
load_state_dict() or functional_call() has done to it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

from ramiel.runtime.replay.tape import changes
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

    def kernel_for(
        self, shape: tuple[int, ...], other: tuple[int, ...] | None, threads: int
    ) -> str | None:
        """The name of the kernel for the shapes of input and added tensor; None for PyTorch's own
        call, or if the layer has not been called with them."""
        return None

    def register_forward_hook(self, *args: Any, **kwargs: Any) -> Any:
        changes.note()
        return super().register_forward_hook(*args, **kwargs)

    def register_forward_pre_hook(self, *args: Any, **kwargs: Any) -> Any:
        changes.note()
        return super().register_forward_pre_hook(*args, **kwargs)

    def extra_repr(self) -> str:
        shapes = [f"{name}={list(t.shape)}" for name, t in self.named_buffers()]
        return ", ".join(shapes + [str(value) for value in self._config])
