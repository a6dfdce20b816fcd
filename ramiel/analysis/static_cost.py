"""A static model of an operation's cost, from the work that its shapes imply.

The cost is a sum over kinds of work, each with a price (µs): a call; a flop of a dense product, of
one with packed weights, of a convolution, of one by Winograd's algorithm or of a grouped one; a
byte of the tiles of that algorithm; a byte read by the windows of a pool; a byte of weights; a byte
moved, near or far; an element of a transcendental function. The kinds are those whose prices differ
much, or that kernels are chosen by: weights come from memory, values mostly from a cache, and
grouped convolutions reach less than half the speed of dense ones.

The prices of a machine are measured by `ramiel.execution.probe`. Without it, they are NOMINAL: a
least-squares fit, in log space, to the times of the operations of the eight benchmark models on one
thread of a 2024 server core (AVX-512, f32), with the kernels that are guessed for them. Nominal
prices serve to rank and to balance operations: ratios carry over to other machines, absolute times
do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log2

CACHE = 4e6
"""Bytes; an operation that moves more finds its operands beyond a core's own cache."""
WORKSPACE, SPILLED = 6e6, 3.0
"""Bytes of intermediate results of a convolution by Winograd's algorithm that stay in the caches,
and how many times as long it takes to write and read the others."""


@dataclass(frozen=True)
class Work:
    """Amounts of each kind of work."""

    calls: float = 1.0
    """Calls from Python into PyTorch."""
    product: float = 0.0
    """Flops (2 for a multiply-add) of matrix products and 1x1 convolutions."""
    packed: float = 0.0
    """Flops of products by MKL with packed weights."""
    convolution: float = 0.0
    """Flops of wider convolutions."""
    winograd: float = 0.0
    """Flops of the products of convolutions by Winograd's algorithm."""
    transformed: float = 0.0
    """Bytes that their transforms make and take, those beyond WORKSPACE SPILLED times."""
    grouped: float = 0.0
    """Flops of grouped convolutions, mostly depthwise ones."""
    windows: float = 0.0
    """Bytes read by pools, counted once for each window that an element is in."""
    weights: float = 0.0
    """Bytes of weights."""
    moved: float = 0.0
    """Bytes read and written otherwise."""
    far: float = 0.0
    """Bytes read and written by operations that move more than CACHE."""
    curves: float = 0.0
    """Elements of an exponential function and the like: a sigmoid, GELU, a softmax."""

    @property
    def dense(self) -> float:
        """Flops of products and convolutions that are no grouped ones, nor by Winograd's
        algorithm."""
        return self.product + self.packed + self.convolution

    @property
    def amounts(self) -> tuple[float, ...]:
        """In the order of the kinds above."""
        return tuple(vars(self).values())

    def __add__(self, other: Work) -> Work:
        return Work(*(a + b for a, b in zip(self.amounts, other.amounts, strict=True)))

    def __mul__(self, times: float) -> Work:
        return Work(*(amount * times for amount in self.amounts))


SERIAL = Work(
    calls=1.0,
    product=0.03,
    packed=0.03,
    convolution=0.025,
    winograd=0.035,
    transformed=0.035,
    grouped=0.05,
    windows=0.08,
    weights=0.07,
    moved=0.07,
    far=0.035,
    curves=0.05,
)
"""The part of each kind of work that does not run in parallel on several threads, as fitted with
LOSS and TEAM to operations on up to 16 threads of one machine: benchmarks/calibrate.py."""
LOSS = 1.1
"""How much longer the work takes as soon as it is divided: shares are not equal."""
TEAM = 5.0
"""µs for a call on two threads to start the team and to wait for it, and so for each doubling."""


@dataclass(frozen=True)
class Prices:
    """What work costs on a machine."""

    measured: Mapping[int, Work]
    """µs for one unit of each kind of work on some numbers of threads, 1 among them."""

    def on(self, threads: int) -> Work:
        """µs for one unit of each kind of work on so many threads.

        Where that was not measured, the prices on the next smaller number change as they did on a
        machine with 16 cores (SERIAL, LOSS, TEAM).
        """
        nearest = max(count for count in self.measured if count <= threads)
        prices = self.measured[nearest]
        if nearest == threads:
            return prices
        scaled = [
            price * _scale(serial, threads) / _scale(serial, nearest)
            for price, serial in zip(prices.amounts, SERIAL.amounts, strict=True)
        ]
        return Work(prices.calls + TEAM * log2(threads / nearest), *scaled[1:])


def _scale(serial: float, threads: int) -> float:
    """The time of work on several threads, as a part of that on one."""
    return 1.0 if threads == 1 else LOSS * (serial + (1 - serial) / threads)


NOMINAL = Prices(
    {
        1: Work(
            calls=1.0,
            product=1 / 260_000,
            packed=1 / 260_000,
            convolution=1 / 240_000,
            winograd=1 / 400_000,
            transformed=1 / 10_000,
            grouped=1 / 111_000,
            windows=1 / 123_000,
            weights=1 / 46_000,
            moved=1 / 71_000,
            far=1 / 50_000,
            curves=1 / 5_000,
        )
    }
)
"""The prices of no machine in particular."""


def static_cost(work: Work, threads: int = 1, prices: Prices = NOMINAL) -> float:
    """The cost of an operation in µs on `threads` threads. Raises ValueError if that is below 1.

    An operation too small to gain from several threads runs on one, as in PyTorch's kernels.
    """
    if threads < 1:
        raise ValueError(f"need at least 1 thread, not {threads}")
    return min(_total(work, prices.on(count)) for count in {1, threads})


def extrapolated(cost: float, work: Work, known: int, threads: int) -> float:
    """The cost in µs on `threads` threads of an operation that was measured on fewer (`known`).

    Amdahl's law through one thread and two takes what is lost by dividing at all for work that
    cannot be divided, and predicts too long times.
    """
    parts = [a * price for a, price in zip(work.amounts, NOMINAL.on(1).amounts, strict=True)][1:]
    before, after = (
        sum(part * _scale(s, n) for part, s in zip(parts, SERIAL.amounts[1:], strict=True))
        for n in (known, threads)
    )
    grown = cost * after / before if before else cost
    return min(cost, grown + TEAM * work.calls * log2(threads / known))


def _total(work: Work, prices: Work) -> float:
    return sum(a * price for a, price in zip(work.amounts, prices.amounts, strict=True))
