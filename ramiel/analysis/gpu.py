"""A static model of kernels on a GPU: what one takes alone, and how much of the device it fills.

A kernel takes at least its launch within a graph. Beyond that, it is bound by arithmetic or by
memory, both on the multiprocessors that its blocks fill: a kernel of 20 blocks uses 20 of the 132
of an H100, and others can run on the rest. That share is why streams gain anything at batch 1
(Ding and others, "IOS", MLSys 2021, section 1; Chen and others, "Opara", arXiv 2312.10351,
section 2). Peaks are those of the makers' data sheets; what of them is reached, and the elements of
a block, are guesses that put the models of benchmarks/gpu.py in the right order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ramiel.analysis.static_cost import Work


@dataclass(frozen=True)
class Gpu:
    """A device. Rates are for one µs."""

    multiprocessors: int
    flops: float
    """In float32, without tensor cores."""
    half_flops: float
    """In float16 or bfloat16, by tensor cores."""
    bytes: float
    """From memory."""


def _gpu(multiprocessors: int, tflops: float, half_tflops: float, gb_s: float) -> Gpu:
    return Gpu(multiprocessors, tflops * 1e6, half_tflops * 1e6, gb_s * 1e3)


GPUS: Mapping[str, Gpu] = {
    "h100": _gpu(132, 67, 989, 3350),
    "h200": _gpu(132, 67, 989, 4800),
    "a100": _gpu(108, 19.5, 312, 1935),
    "v100": _gpu(80, 15.7, 125, 900),
    "t4": _gpu(40, 8.1, 65, 320),
    "l4": _gpu(58, 30.3, 121, 300),
    "l40s": _gpu(142, 91.6, 362, 864),
    "a10g": _gpu(80, 31.2, 70, 600),
    "rtx3090": _gpu(82, 35.6, 71, 936),
    "rtx4090": _gpu(128, 82.6, 165, 1008),
}
"""The devices that costs are known for without measurement."""

USUAL = "h100"
"""The one that is assumed if none is named."""

LAUNCH = 2.2
"""µs from the start of a kernel to that of one that depends on it, if it does no work."""
EDGE = 1.0
"""µs more if the two are on different streams of a graph."""
REACHED = 0.5
"""The part of the peaks that kernels reach on the multiprocessors that they fill."""
BLOCK = 1024
"""Elements of a result that a block of threads computes."""
CACHED = 3.0
"""How many times as fast values are read as weights: they come from the last cache."""
BANDWIDTH_SHARE = 4.0
"""How many times its share of the multiprocessors a kernel has of the bandwidth, at most all."""


class Kernel(NamedTuple):
    """µs alone, and the part of the multiprocessors that it fills in that time on average."""

    cost: float
    share: float


def kernel_cost(
    work: Work, elements: float, gpu: Gpu, *, half: bool = False, launches: int = 1
) -> Kernel:
    """The cost of an operation whose result has so many elements, as so many kernels.

    One that moves no data is free. While a kernel is launched, it leaves the device to others.
    """
    flops = work.dense + work.winograd + work.grouped
    moved = work.weights + (work.moved + work.far + work.windows) / CACHED
    if not flops and not moved:
        return Kernel(0.0, 0.0)
    share = min(1.0, max(1.0, elements / BLOCK) / gpu.multiprocessors)
    dense = (gpu.half_flops if half else gpu.flops) * REACHED * share
    bandwidth = gpu.bytes * REACHED * min(1.0, BANDWIDTH_SHARE * share)
    # Grouped convolutions have no use for tensor cores.
    time = (flops - work.grouped) / dense + work.grouped / (gpu.flops * REACHED * share)
    time, launching = max(time, moved / bandwidth), LAUNCH * launches
    return Kernel(launching + time, share * time / (launching + time))
