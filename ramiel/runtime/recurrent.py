"""Recurrent layers with PyTorch's own activations, by its fused kernels.

Each is one direction of an ONNX operator. With G gates, T steps, a batch of B, I inputs and H
hidden units it holds `weight` [G*H, I], `recurrent` [G*H, H] and optionally their biases, `bias`
and `recurrent_bias` [G*H], with the gates in PyTorch's order.

    x     [T, B, I]     the sequences                         [B, T, I] if batch_first
    y     [T, 1, B, H]  the hidden state after each step      [B, T, 1, H] if batch_first
    h, c  [1, B, H]     the states before (or 0) and after    [B, 1, H] if batch_first

`reverse` begins with the last step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ramiel.runtime.layer import Layer
from ramiel.runtime.weights import Weights


class _Recurrent(Layer):
    required = ("weight", "recurrent")
    optional = ("bias", "recurrent_bias")

    def __init__(
        self,
        weights: Weights,
        name: str,
        *,
        reverse: bool = False,
        batch_first: bool = False,
    ) -> None:
        super().__init__(weights, name, (reverse, batch_first))

    def _all_steps(
        self, x: Tensor, states: list[Tensor], weights: list[Tensor], *options: Any
    ) -> tuple[Tensor, ...]:
        """y [T, B, H] or [B, T, H], and the states after it, by PyTorch's function."""
        raise NotImplementedError

    def _forward(self, x: Tensor, *given: Tensor | None) -> tuple[Tensor, ...]:
        reverse, batch_first = self._config
        steps, batch = (1, 0) if batch_first else (0, 1)
        weights = [t for t in self._buffers.values() if t is not None]
        states = [
            x.new_zeros(1, x.shape[batch], weights[1].shape[1])
            if state is None
            else _swapped(state, batch_first).contiguous()
            for state in given
        ]
        if not x.shape[steps]:  # PyTorch's functions need a step
            y = x.new_empty(*x.shape[:2], 1, weights[1].shape[1])
            return y.transpose(2, steps + 1), *(_swapped(state, batch_first) for state in states)
        # one layer, no dropout, not in training, not bidirectional
        options = (len(weights) == 4, 1, 0.0, False, False, batch_first)
        x = x.flip(steps) if reverse else x
        y, *after = self._all_steps(x, states, weights, *options)
        y = y.flip(steps) if reverse else y
        return y.unsqueeze(steps + 1), *(_swapped(state, batch_first) for state in after)


def _swapped(state: Tensor, batch_first: bool) -> Tensor:
    return state.transpose(0, 1) if batch_first else state


class RNN(_Recurrent):
    """H = tanh(x weight^T + bias + H recurrent^T + recurrent_bias), or relu instead of tanh."""

    def __init__(
        self,
        weights: Weights,
        name: str,
        *,
        activation: str = "tanh",
        reverse: bool = False,
        batch_first: bool = False,
    ) -> None:
        """ValueError for an unknown activation."""
        super().__init__(weights, name, reverse=reverse, batch_first=batch_first)
        kernels = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}
        if activation not in kernels:
            raise ValueError(f"unknown activation {activation!r}; known are {[*kernels]}")
        self._kernel = kernels[activation]

    def _all_steps(
        self, x: Tensor, states: list[Tensor], weights: list[Tensor], *options: Any
    ) -> tuple[Tensor, ...]:
        return self._kernel(x, states[0], weights, *options)

    def forward(self, x: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, h = self._forward(x, h)
        return y, h


class GRU(_Recurrent):
    """The gates are reset, update and new; the reset gate is applied after the product with the
    hidden state, which is ONNX's linear_before_reset."""

    def _all_steps(
        self, x: Tensor, states: list[Tensor], weights: list[Tensor], *options: Any
    ) -> tuple[Tensor, ...]:
        return torch.gru(x, states[0], weights, *options)

    def forward(self, x: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, h = self._forward(x, h)
        return y, h


class LSTM(_Recurrent):
    """The gates are input, forget, cell and output."""

    def _all_steps(
        self, x: Tensor, states: list[Tensor], weights: list[Tensor], *options: Any
    ) -> tuple[Tensor, ...]:
        steps = 1 if options[-1] else 0
        if x.shape[steps] != 1:
            return torch.lstm(x, states, weights, *options)
        # For a single step the fused kernel takes longer to pack its weights than to compute.
        h, c = torch.lstm_cell(x.select(steps, 0), [s[0] for s in states], *weights)
        return h.unsqueeze(steps), h.unsqueeze(0), c.unsqueeze(0)

    def forward(
        self, x: Tensor, h: Tensor | None = None, c: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        y, h, c = self._forward(x, h, c)
        return y, h, c
