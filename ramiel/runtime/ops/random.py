"""Random numbers. With a seed a call returns the same ones each time, without one it draws from
PyTorch's global generator, which `torch.manual_seed` sets."""

from __future__ import annotations

import torch
from torch import Tensor

from ramiel.runtime.numbers import Integers, integers

Seed = int | None


def _generator(seed: Seed) -> torch.Generator | None:
    return None if seed is None else torch.Generator().manual_seed(seed)


def random_uniform(
    shape: Integers, low: float, high: float, dtype: torch.dtype, seed: Seed = None
) -> Tensor:
    """Numbers in [low, high), each as likely as any other."""
    draw = torch.rand(integers(shape), dtype=_drawn(dtype), generator=_generator(seed))
    return (low + (high - low) * draw).to(dtype)


def random_normal(
    shape: Integers, mean: float, scale: float, dtype: torch.dtype, seed: Seed = None
) -> Tensor:
    """Normally distributed numbers with a standard deviation of `scale`."""
    draw = torch.randn(integers(shape), dtype=_drawn(dtype), generator=_generator(seed))
    return (mean + scale * draw).to(dtype)


def _drawn(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def bernoulli(x: Tensor, dtype: torch.dtype, seed: Seed = None) -> Tensor:
    """Ones with the probabilities x, zeros elsewhere."""
    wide = x.to(_drawn(x.dtype))
    return torch.bernoulli(wide, generator=_generator(seed)).to(dtype)


def multinomial(x: Tensor, samples: int, dtype: torch.dtype, seed: Seed = None) -> Tensor:
    """Indices [batch, samples], drawn with replacement, of classes with unnormalised log
    probabilities x [batch, classes]."""
    shares = torch.softmax(x.to(_drawn(x.dtype)), dim=-1)
    return torch.multinomial(shares, samples, True, generator=_generator(seed)).to(dtype)
