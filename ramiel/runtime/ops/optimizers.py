"""Steps of optimizers: each takes a learning rate, the number of steps done, a parameter, its
gradient and the state of the optimizer, and returns the new parameter and state."""

from __future__ import annotations

import torch
from torch import Tensor


def momentum(
    rate: Tensor,
    step: Tensor,
    x: Tensor,
    gradient: Tensor,
    velocity: Tensor,
    alpha: float,
    beta: float,
    decay: float,
    nesterov: bool = False,
) -> tuple[Tensor, Tensor]:
    """Gradient descent with momentum; the first gradient counts in full."""
    gradient = gradient + decay * x
    velocity = alpha * velocity + torch.where(step > 0, beta, 1.0).to(x.dtype) * gradient
    change = gradient + alpha * velocity if nesterov else velocity
    return (x - rate * change).to(x.dtype), velocity


def adagrad(
    rate: Tensor,
    step: Tensor,
    x: Tensor,
    gradient: Tensor,
    squares: Tensor,
    epsilon: float,
    rate_decay: float,
    decay: float,
) -> tuple[Tensor, Tensor]:
    """Steps that shrink with the sum of the squares of all gradients."""
    gradient = gradient + decay * x
    squares = squares + gradient.square()
    shrunk = rate / (1 + step * rate_decay)
    return (x - shrunk * gradient / (squares.sqrt() + epsilon)).to(x.dtype), squares


def adam(
    rate: Tensor,
    step: Tensor,
    x: Tensor,
    gradient: Tensor,
    mean: Tensor,
    squares: Tensor,
    alpha: float,
    beta: float,
    epsilon: float,
    decay: float,
    decay_after: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Steps by the running means of gradients and of their squares; their bias towards their zero
    start is corrected after the first step."""
    gradient = gradient + decay * x
    mean = alpha * mean + (1 - alpha) * gradient
    squares = beta * squares + (1 - beta) * gradient.square()
    count = step.to(torch.float64)
    correction = torch.sqrt(1 - beta**count) / (1 - alpha**count)
    rate = rate * torch.where(step > 0, correction, 1.0).to(rate.dtype)
    new = x - rate * (mean / (squares.sqrt() + epsilon))
    return ((1 - decay_after) * new).to(x.dtype), mean, squares
