"""A static model of what an operation costs, from the work that its shapes imply.

The cost is a sum over kinds of work, each with a price (µs): a call, a flop in a dense product,
in a convolution or in a grouped convolution, a byte seen through the windows of a pool, and a
byte moved. The kinds are those that differ in price by much: PyTorch runs 1x1 convolutions and
products as matrix products, at half the speed of wider convolutions, and pools element by
element.

The prices are a least-squares fit, in log space, to the times of the operations of the eight
benchmark models on one thread of a 2024 server core (AVX-512, eager PyTorch, f32):
benchmarks/calibrate.py. Half of the operations are within 1.25 times of their cost, nine of
ten within 1.8. They are there to rank and to balance; ratios carry over to other machines,
absolute times do not.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass


@dataclass(frozen=True)
class Work:
    """Amounts of each kind of work."""

    calls: float = 1.0
    """Calls from Python into PyTorch."""
    product: float = 0.0
    """Flops (2 for a multiply-add) of matrix products and 1x1 convolutions."""
    convolution: float = 0.0
    """Flops of wider convolutions."""
    grouped: float = 0.0
    """Flops of convolutions in groups, depthwise ones above all."""
    windows: float = 0.0
    """Bytes read by pools, an element once for every window that it is in."""
    moved: float = 0.0
    """Bytes read and written otherwise."""


PRICES = Work(
    calls=22.0,
    product=1 / 105_000,
    convolution=1 / 190_000,
    grouped=1 / 33_000,
    windows=1 / 3_900,
    moved=1 / 73_000,
)
"""µs for one unit of each kind of work."""


SHARED = Work(calls=0.0, product=0.9, convolution=0.95, grouped=0.9, windows=0.95, moved=0.9)
"""The part of each kind of work that threads share out among themselves. A fit to two threads
(benchmarks/calibrate.py) gives 0.93 to 1.0 and no time for a team; more threads share one memory,
and caches add up only once, so these are a little less."""
TEAM = 3.0
"""µs to set a team of threads to an operation and to wait for all of them."""


def static_cost(work: Work, threads: int = 1) -> float:
    """The cost of an operation in µs, on a number of threads. ValueError if that is below 1.

    An operation too small to gain from more threads is left to one, as PyTorch's kernels do.
    """
    if threads < 1:
        raise ValueError(f"need at least 1 thread, not {threads}")
    alone = together = 0.0
    for amount, price, shared in zip(astuple(work), astuple(PRICES), astuple(SHARED), strict=True):
        alone += amount * price
        together += amount * price * (1 - shared + shared / threads)
    return alone if threads == 1 else min(alone, together + TEAM)
