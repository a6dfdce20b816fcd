"""A static model of what an operation costs, from the work that its shapes imply.

    cost = calls * CALL + flops / FLOPS_PER_US + bytes / BYTES_PER_US          (µs)

The three constants were fitted, in log space, to the times of all operations of the eight
benchmark models on one thread of a 2024 server core (AVX-512, eager PyTorch, f32, NCHW);
docs/decisions.md has the fit. They are for ranking and balancing: ratios carry over to other
machines, absolute times do not.
"""

from __future__ import annotations

from dataclasses import dataclass

CALL = 3.0
"""µs for one call from Python into PyTorch, without any work."""
FLOPS_PER_US = 90_000.0
"""Floating-point operations a µs in convolutions and matrix products (2 for a multiply-add)."""
BYTES_PER_US = 9_000.0
"""Bytes read or written a µs by everything else."""


@dataclass(frozen=True)
class Work:
    """What an operation does: arithmetic in dense products, bytes moved, calls made."""

    flops: float = 0.0
    bytes: float = 0.0
    calls: int = 1


def static_cost(work: Work) -> float:
    """The cost of an operation in µs, on one thread."""
    return work.calls * CALL + work.flops / FLOPS_PER_US + work.bytes / BYTES_PER_US
