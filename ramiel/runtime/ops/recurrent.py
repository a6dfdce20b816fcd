"""ONNX's recurrent operators, one direction at a time, step by step.

They take ONNX's own tensors and compute one of the directions: `direction` is the index of its
weights and states. With D directions, G gates, T steps, a batch of B, I inputs and H hidden units:

    x        [T, B, I]        the sequences                     [B, T, I] if batch_first
    w        [D, G*H, I]      weights of the inputs
    r        [D, G*H, H]      weights of the last hidden state
    b        [D, 2*G*H]       biases of both
    lengths  [B]              the steps of each sequence, int32; beyond, the result is 0
    h, c     [D, B, H]        the initial states                [B, D, H] if batch_first

The results are those of one direction; concatenated, they are ONNX's:

    y        [T, 1, B, H]     the hidden state after each step  [B, T, 1, H] if batch_first
    h, c     [1, B, H]        the states after the last step    [B, 1, H] if batch_first

`reverse` begins with the last step. An activation is a name, or a list of a name and its numbers:
`"Tanh"`, `["LeakyRelu", 0.01]`. `clip` bounds the inputs of activations to [-clip, clip].
`quantized` rounds the factors of w and r as DynamicQuantizeLinear does.

Layers of ramiel.runtime, where they apply, are many times as fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

Activation = str | Sequence[str | float]
Function = Callable[[Tensor], Tensor]
Step = Callable[..., tuple[Tensor, ...]]


def _affine(x: Tensor, alpha: float, beta: float) -> Tensor:
    return alpha * x + beta


def _hard_sigmoid(x: Tensor, alpha: float, beta: float) -> Tensor:
    return (alpha * x + beta).clamp(0, 1)


def _scaled_tanh(x: Tensor, alpha: float, beta: float) -> Tensor:
    return alpha * torch.tanh(beta * x)


def _thresholded_relu(x: Tensor, alpha: float) -> Tensor:
    return x.where(x >= alpha, 0)


ACTIVATIONS: Mapping[str, Callable[..., Tensor]] = {
    "Affine": _affine,
    "Elu": F.elu,
    "HardSigmoid": _hard_sigmoid,
    "LeakyRelu": F.leaky_relu,
    "Relu": torch.relu,
    "ScaledTanh": _scaled_tanh,
    "Sigmoid": torch.sigmoid,
    "Softplus": partial(F.softplus, threshold=40),
    "Softsign": F.softsign,
    "Tanh": torch.tanh,
    "ThresholdedRelu": _thresholded_relu,
}


def rnn(
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor | None = None,
    lengths: Tensor | None = None,
    h: Tensor | None = None,
    *,
    direction: int = 0,
    reverse: bool = False,
    batch_first: bool = False,
    activations: Sequence[Activation] = ("Tanh",),
    clip: float | None = None,
) -> tuple[Tensor, Tensor]:
    """y, h of H = f(x w^T + H r^T + b)."""
    (f,) = _activations(activations, clip)
    weight, recurrent, bias, recurrent_bias = _weights(direction, w, r, b)
    recurrent = recurrent.t()

    def step(x: Tensor, h: Tensor) -> tuple[Tensor]:
        return (f(torch.addmm(x, h, recurrent)),)

    gates = F.linear(_steps_first(x, batch_first), weight, bias + recurrent_bias)
    state = _state(h, gates, recurrent, direction, batch_first)
    y, h = _run(step, gates, [state], lengths, reverse, batch_first)
    return y, h


def gru(
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor | None = None,
    lengths: Tensor | None = None,
    h: Tensor | None = None,
    *,
    direction: int = 0,
    reverse: bool = False,
    batch_first: bool = False,
    activations: Sequence[Activation] = ("Sigmoid", "Tanh"),
    clip: float | None = None,
    linear_before_reset: bool = False,
) -> tuple[Tensor, Tensor]:
    """y, h; the gates are update, reset and hidden.

    `linear_before_reset` applies the reset gate to the product with the hidden state, not to the
    state.
    """
    f, g = _activations(activations, clip)
    weight, recurrent, bias, recurrent_bias = _weights(direction, w, r, b)
    size = recurrent.shape[1]
    recurrent = recurrent.t()
    sizes = [2 * size, size]
    of_gates, of_hidden = recurrent.split(sizes, 1)
    gate_bias, hidden_bias = recurrent_bias.split(sizes)

    def step(x: Tensor, h: Tensor) -> tuple[Tensor]:
        gates, hidden = x.split(sizes, 1)
        z, reset = f(torch.addmm(gates, h, of_gates)).chunk(2, 1)
        if linear_before_reset:
            hidden = hidden + reset * torch.addmm(hidden_bias, h, of_hidden)
        else:
            hidden = torch.addmm(hidden, reset * h, of_hidden)
        return (torch.lerp(g(hidden), h, z),)

    before = torch.zeros_like(hidden_bias) if linear_before_reset else hidden_bias
    bias = bias + torch.cat([gate_bias, before])
    gates = F.linear(_steps_first(x, batch_first), weight, bias)
    state = _state(h, gates, recurrent, direction, batch_first)
    y, h = _run(step, gates, [state], lengths, reverse, batch_first)
    return y, h


def lstm(
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor | None = None,
    lengths: Tensor | None = None,
    h: Tensor | None = None,
    c: Tensor | None = None,
    p: Tensor | None = None,
    *,
    direction: int = 0,
    reverse: bool = False,
    batch_first: bool = False,
    activations: Sequence[Activation] = ("Sigmoid", "Tanh", "Tanh"),
    clip: float | None = None,
    input_forget: bool = False,
    quantized: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """y, h, c; the gates are input, output, forget and cell.

    `p` [D, 3*H] are peepholes: weights of the cell in the gates input, output and forget.
    `input_forget` couples the forget gate to the input gate. `clip` bounds the gates, not the cell.
    """
    f, g = _activations(activations[:2], clip)
    of_cell = _activation(activations[2], None)
    weight, recurrent, bias, recurrent_bias = _weights(direction, w, r, b)
    recurrent = recurrent.t()
    peepholes = None if p is None else p[direction].chunk(3)

    def step(x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        h = _quantized(h) if quantized else h
        i, o, forget, cell = torch.addmm(x, h, recurrent).chunk(4, 1)
        if peepholes is not None:
            i = torch.addcmul(i, peepholes[0], c)
            forget = torch.addcmul(forget, peepholes[2], c)
        i = f(i)
        forget = 1 - i if input_forget else f(forget)
        c = torch.addcmul(forget * c, i, g(cell))
        if peepholes is not None:
            o = torch.addcmul(o, peepholes[1], c)
        return f(o) * of_cell(c), c

    x = _quantized(x) if quantized else x
    gates = F.linear(_steps_first(x, batch_first), weight, bias + recurrent_bias)
    states = [_state(s, gates, recurrent, direction, batch_first) for s in (h, c)]
    y, h, c = _run(step, gates, states, lengths, reverse, batch_first)
    return y, h, c


def _run(
    step: Step,
    gates: Tensor,
    states: Sequence[Tensor],
    lengths: Tensor | None,
    reverse: bool,
    batch_first: bool,
) -> tuple[Tensor, ...]:
    """The results y, h, ... of all steps, from what the inputs add to the gates [T, B, G*H].

    A state [B, H] stays as it is beyond the end of its sequence, so that a reversed one begins at
    that end.
    """
    outputs: list[Tensor] = []
    each = list(enumerate(gates.unbind()))
    for t, x in reversed(each) if reverse else each:
        new = step(x, *states)
        output = new[0]
        if lengths is not None:
            inside = (t < lengths).unsqueeze(1)
            new = [torch.where(inside, a, b) for a, b in zip(new, states, strict=True)]
            output = output.where(inside, 0)
        states = new
        outputs.append(output)
    if lengths is not None:  # ONNX Runtime returns 0 for a sequence without steps
        some = (lengths > 0).unsqueeze(1)
        states = [state.where(some, 0) for state in states]
    if reverse:
        outputs.reverse()
    steps, place = (1, 1) if batch_first else (0, 0)
    y = torch.stack(outputs or [states[0]], steps).narrow(steps, 0, len(outputs))
    return y.unsqueeze(steps + 1), *(s.unsqueeze(place) for s in states)


def _steps_first(x: Tensor, batch_first: bool) -> Tensor:
    return x.transpose(0, 1) if batch_first else x


def _weights(
    direction: int, w: Tensor, r: Tensor, b: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The weights of one direction: [G*H, I], [G*H, H], [G*H], [G*H]."""
    both = w.new_zeros(2 * w.shape[1]) if b is None else b[direction]
    bias, recurrent_bias = both.chunk(2)
    return w[direction], r[direction], bias, recurrent_bias


def _state(
    given: Tensor | None, gates: Tensor, recurrent: Tensor, direction: int, batch_first: bool
) -> Tensor:
    """The initial state [B, H]."""
    if given is None:
        return gates.new_zeros(gates.shape[1], recurrent.shape[0])
    return given.select(1 if batch_first else 0, direction)


def _activations(given: Sequence[Activation], clip: float | None) -> list[Function]:
    return [_activation(activation, clip) for activation in given]


def _activation(given: Activation, clip: float | None) -> Function:
    name, *numbers = [given] if isinstance(given, str) else given
    function = ACTIVATIONS[str(name)]
    if clip is None:
        return (lambda x: function(x, *numbers)) if numbers else function
    return lambda x: function(x.clamp(-clip, clip), *numbers)


def _quantized(x: Tensor) -> Tensor:
    """Numbers rounded to 256 evenly spaced ones over their range, which includes 0."""
    low, high = x.amin().clamp(max=0), x.amax().clamp(min=0)
    scale = (high - low) / 255
    scale = torch.where(scale == 0, 1, scale)
    zero = (-low / scale).round()
    return ((x / scale).round() + zero).clamp(0, 255).sub(zero) * scale
