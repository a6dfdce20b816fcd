"""The attributes that carry a schedule before it is a `cluster.program`.

On each operation of the function, from the passes in their order:

    {cluster.cost = 95.0 : f64, cluster.wide_cost = array<f64: 51.0>,     // µs on 1 and 2 threads
     cluster.id = 3 : i64, cluster.lane = 1 : i64,                        // clustering
     cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 17>}     // placement

The last two have an entry for each sample of a batch. On the function stands what holds for all.
"""

from __future__ import annotations

from xdsl.dialects.builtin import DenseArrayBase, IntegerType
from xdsl.ir import Attribute, Operation

COST = "cluster.cost"
"""Attribute of an operation: its time on one thread, µs."""
WIDE_COST = "cluster.wide_cost"
"""Its times on more threads, µs, for the counts that THREADS lists."""
CLUSTER = "cluster.id"
"""The number of its cluster."""
LANE = "cluster.lane"
"""The number of the merged cluster that its cluster is in."""
MERGE = "cluster.merge"
"""The number that convolutions have in common which are to become one."""
WORKERS = "cluster.workers"
"""The workers that it holds, for each sample: several if it runs on several threads."""
POSITION = "cluster.position"
"""Its place, for each sample, in an order of all operations that every worker follows."""

THREADS = "cluster.threads"
"""Attribute of the function: the thread counts, from 2 on, of WIDE_COST."""
HAND_OVER = "cluster.hand_over"
"""How long a value needs to reach another worker, µs."""
SWITCH = "cluster.switch"
"""How long a worker needs to go from one number of threads to another, µs."""
CLUSTERING = "cluster.clustering"
"""The name of the clustering that CLUSTER is of."""
SCHEDULE = "cluster.schedule"
"""The name of the schedule that was placed."""
PLACED_ON = "cluster.placed_on"
"""The number of workers that it was made for."""

SEARCH = "cluster.search"
"""What a scheduler that searches did, in words."""

TAKES = "cluster.takes"
"""Attribute of `cluster.recv`: it is the only one of its channel, which then lets go."""
RESERVES = "cluster.reserves"
"""Attribute of `torch.threads` in a worker: the workers that lend their cores until the next,
and beyond them the numbers of cores that have no worker."""


def integers(op: Operation, name: str) -> tuple[int, ...]:
    """The integers of an array attribute; none if it is not there or holds something else."""
    return integers_of(op.attributes.get(name))


def integers_of(array: Attribute | None) -> tuple[int, ...]:
    """The integers of an array; none if it is something else."""
    if not isinstance(array, DenseArrayBase) or not isinstance(array.elt_type, IntegerType):
        return ()
    return array.get_values()


def reserved_by(op: Operation) -> tuple[int, ...]:
    """The workers that lend their cores to what comes after a `torch.threads`."""
    return integers(op, RESERVES)
