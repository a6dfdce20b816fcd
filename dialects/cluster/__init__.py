"""The `cluster` dialect: the schedule. Workers, the channels between them, and clusters.

    cluster.program @squeezenet {
      cluster.channel input @x : tensor<1x3x224x224xf32>
      cluster.channel value @pool1 : tensor<1x96x54x54xf32>
      cluster.channel output @logits : tensor<1x1000xf32>
      cluster.worker 0 {
        %x = cluster.recv @x : tensor<1x3x224x224xf32>
        cluster.section 0 "conv1" 812.5
        ...
        cluster.send @pool1 %pool1 : tensor<1x96x54x54xf32>
      }
      cluster.worker 1 {...}
    }

Before placement the schedule is a number on each operation of the function: `cluster.cost`
(µs), `cluster.id` (its linear cluster) and `cluster.lane` (the merged cluster).
"""

from __future__ import annotations

from xdsl.ir import Dialect

from ramiel.dialects.cluster.ops import (
    ChannelOp,
    ProgramOp,
    RecvOp,
    SectionOp,
    SendOp,
    WorkerOp,
)


def cluster_dialect() -> Dialect:
    return Dialect("cluster", [ProgramOp, ChannelOp, WorkerOp, SectionOp, RecvOp, SendOp], [])


__all__ = [
    "ChannelOp",
    "ProgramOp",
    "RecvOp",
    "SectionOp",
    "SendOp",
    "WorkerOp",
    "cluster_dialect",
]
