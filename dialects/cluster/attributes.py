"""The attributes that carry a schedule before it is a `cluster.program`.

The passes set these on each operation of the function, in this order:

    {cluster.cost = 95.0 : f64, cluster.wide_cost = array<f64: 51.0>,     // µs on 1 and 2 threads
     cluster.id = 3 : i64, cluster.lane = 1 : i64,                        // clustering
     cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 17>}     // placement

The last two have one entry per sample of the batch. Attributes of the function apply to all.
"""

from __future__ import annotations

from enum import StrEnum

from xdsl.dialects.builtin import DenseArrayBase, IntegerType, StringAttr
from xdsl.ir import Attribute, Operation

CPU, CUDA = "cpu", "cuda"
"""The kinds of devices: workers are threads or processes on the one, and streams of the other."""


class Executor(StrEnum):
    """What the workers of a program are."""

    THREADS = "threads"
    PROCESSES = "processes"
    STREAMS = "streams"
    DISTRIBUTED = "distributed"


COST = "cluster.cost"
"""Attribute of an operation: its time on one thread, µs."""
WIDE_COST = "cluster.wide_cost"
"""Its times on several threads, µs, for the thread counts listed in THREADS."""
CLUSTER = "cluster.id"
"""The number of its cluster."""
LANE = "cluster.lane"
"""The number of the merged cluster that its cluster is in."""
MERGE = "cluster.merge"
"""A number shared by the convolutions that are to be merged into one."""
WORKERS = "cluster.workers"
"""The workers that it occupies, for each sample: several if it runs on several threads."""
POSITION = "cluster.position"
"""Its position, for each sample, in a total order of operations that every worker follows."""

THREADS = "cluster.threads"
"""Attribute of the function: the thread counts of WIDE_COST, each at least 2."""
DEVICE = "cluster.device"
"""Attribute of the function, if it is not the CPU: the kind of device whose streams the workers
are. A program has it as `device`."""
SHARE = "cluster.share"
"""Attribute of an operation: the part of the device that it fills."""
RANKS = "cluster.ranks"
"""Attribute of the function, if there are several machines: the rank of each worker."""
LINK = "cluster.link"
"""What a message between ranks takes: its latency, µs, and the bytes a µs after that."""
HAND_OVER = "cluster.hand_over"
"""The time to hand a value over to another worker, µs."""
CALL = "cluster.call"
"""The time from the begin of a call until a worker has heard of it that is a process, or of another
rank than 0, µs; there if workers may be."""
SWITCH = "cluster.switch"
"""The time that a worker takes to change its thread count, µs."""
CROWDING = "cluster.crowding"
"""How much longer operations take on one thread while other cores are busy, at least 1."""
CLUSTERING = "cluster.clustering"
"""The name of the clustering that CLUSTER refers to."""
SCHEDULE = "cluster.schedule"
"""The name of the schedule."""
PLACED_ON = "cluster.placed_on"
"""The number of workers that the schedule was made for."""

STREAMING, AT_A_TIME, IN_FLIGHT = "cluster.streaming", "cluster.at_a_time", "cluster.in_flight"
"""Attributes of the function, which a program has without the prefix: how requests that follow each
other are computed (streaming.py), how many at a time, and how many are taken ahead."""

SEARCH = "cluster.search"
"""A description, in words, of what a search-based scheduler did."""

TAKES = "cluster.takes"
"""Attribute of `cluster.recv`: the only receive from its channel, which then drops the value."""
RESERVES = "cluster.reserves"
"""Attribute of `torch.threads` in a worker: the workers whose cores are lent to it until the next
`torch.threads`; a number that is no worker's denotes a core without a worker."""


def device_of(op: Operation, name: str = DEVICE) -> str:
    """The kind of device that a function, or by the attribute `device` a program, is for."""
    device = op.attributes.get(name)
    return device.data if isinstance(device, StringAttr) else CPU


def executor_of(device: str, executor: Attribute | None) -> str:
    """What the workers are, by the attribute `executor` of a program for a kind of device."""
    if isinstance(executor, StringAttr):
        return executor.data
    return Executor.THREADS if device == CPU else Executor.STREAMS


def integers(op: Operation, name: str) -> tuple[int, ...]:
    """The integers of an array attribute; empty if it is absent or holds something else."""
    return integers_of(op.attributes.get(name))


def integers_of(array: Attribute | None) -> tuple[int, ...]:
    """The integers of an array attribute; empty for any other attribute."""
    if not isinstance(array, DenseArrayBase) or not isinstance(array.elt_type, IntegerType):
        return ()
    return array.get_values()


def reserved_by(op: Operation) -> tuple[int, ...]:
    """The workers that lend their cores to the operations after a `torch.threads`."""
    return integers(op, RESERVES)
