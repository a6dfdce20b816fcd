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

Earlier passes hold the schedule in attributes of the function's operations (attributes.py).
An operation that runs on several threads (`torch.threads 2 {cluster.reserves = array<i64: 1>}`)
has exclusive use of the cores of the workers that it reserves. A `turn` is a channel without a
value, with which a worker signals that its core is free (`cluster.signal`), or waits for a core.
"""

from __future__ import annotations

from xdsl.ir import Dialect

from ramiel.dialects.cluster.ops import (
    ChannelOp,
    ProgramOp,
    RecvOp,
    SectionOp,
    SendOp,
    SignalOp,
    WaitOp,
    WorkerOp,
)


def cluster_dialect() -> Dialect:
    return Dialect(
        "cluster", [ProgramOp, ChannelOp, WorkerOp, SectionOp, RecvOp, SendOp, SignalOp, WaitOp], []
    )


__all__ = [
    "ChannelOp",
    "ProgramOp",
    "RecvOp",
    "SectionOp",
    "SendOp",
    "SignalOp",
    "WaitOp",
    "WorkerOp",
    "cluster_dialect",
]
