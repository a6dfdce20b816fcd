"""A static model of an operation's cost, from the work that its shapes imply.

The cost is a sum over kinds of work, each with a price (µs): a call; a flop of a dense product, of
a convolution, of one by Winograd's algorithm or of a grouped one; a byte read by the windows of a
pool; a byte of weights; and a byte moved. The kinds are those whose prices differ much: weights
come from memory, values mostly from a cache, and grouped convolutions reach less than half the
speed of dense ones.

The prices are a least-squares fit, in log space, to the times of the operations of the eight
benchmark models on one thread of a 2024 server core (AVX-512, f32), with the kernels that are
guessed for them: benchmarks/calibrate.py. Half of the operations are within a factor of 1.08 of
their estimate, nine of ten within 1.6. The prices serve to rank and to balance operations: ratios
carry over to other machines, absolute times do not.
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
    filtered: float = 0.0
    """Flops that convolutions by Winograd's algorithm would take if computed directly."""
    tiles: float = 0.0
    """Tiles of convolutions by Winograd's algorithm: small products transform each one twice."""
    grouped: float = 0.0
    """Flops of grouped convolutions, mostly depthwise ones."""
    windows: float = 0.0
    """Bytes read by pools, counted once for each window that an element is in."""
    weights: float = 0.0
    """Bytes of weights."""
    moved: float = 0.0
    """Bytes read and written otherwise."""

    def __add__(self, other: Work) -> Work:
        return Work(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __mul__(self, times: float) -> Work:
        return Work(*(amount * times for amount in astuple(self)))


PRICES = Work(
    calls=1.0,
    product=1 / 260_000,
    convolution=1 / 240_000,
    filtered=1 / 740_000,
    tiles=1.2,
    grouped=1 / 111_000,
    windows=1 / 123_000,
    weights=1 / 46_000,
    moved=1 / 71_000,
)
"""µs for one unit of each kind of work."""


SHARED = Work(
    calls=0.3,
    product=0.98,
    convolution=0.95,
    filtered=0.95,
    tiles=0.9,
    grouped=0.98,
    windows=0.9,
    weights=0.6,
    moved=0.6,
)
"""The part of each kind of work that runs in parallel on several threads. A fit to two threads
(benchmarks/calibrate.py) gives up to 0.99 for compute-bound work, 0.6 for memory-bound work, and
TEAM = 0; the compute-bound values are a little lower here, as more threads share one memory."""
TEAM = 3.0
"""µs to start a team of threads on an operation and to wait for all of them."""


def static_cost(work: Work, threads: int = 1) -> float:
    """The cost of an operation in µs on `threads` threads. Raises ValueError if that is below 1.

    An operation too small to gain from several threads runs on one, as in PyTorch's kernels.
    """
    if threads < 1:
        raise ValueError(f"need at least 1 thread, not {threads}")
    alone = together = 0.0
    for amount, price, shared in zip(astuple(work), astuple(PRICES), astuple(SHARED), strict=True):
        alone += amount * price
        together += amount * price * (1 - shared + shared / threads)
    return alone if threads == 1 else min(alone, together + TEAM)
