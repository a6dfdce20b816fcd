"""torch-settle-kernels: one kernel for each operation, for the threads that it was placed on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp
from xdsl.ir import Attribute
from xdsl.passes import ModulePass

from ramiel.dialects.cluster.attributes import WORKERS, integers_of
from ramiel.dialects.torch import TorchOperation
from ramiel.torch_level.candidates import KERNELS, Kernel, kernel_of, set_kernel
from ramiel.torch_level.tasks import main_function


@dataclass(frozen=True)
class TorchSettleKernelsPass(ModulePass):
    """Takes the kernel for the number of threads of an operation from `torch.kernels`.

        %y = torch.layer Conv2d(%x) {kernel = "winograd"} weights {...}
          attributes {torch.kernels = {"1" = "", "2" = "winograd"},
                      cluster.workers = [array<i64: 0>]} : ...
        // becomes
        %y = torch.layer Conv2d(%x) weights {...}
          attributes {cluster.workers = [array<i64: 0>]} : ...

    Calls of one layer have one kernel, that of the first.
    """

    name = "torch-settle-kernels"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        settled: dict[str, Kernel] = {}
        for task in main_function(op).body.block.ops:
            if isinstance(task, TorchOperation) and KERNELS in task.attributes:
                kernel = kernel_of(task, _threads(task))
                if task.layer_name is not None:
                    kernel = settled.setdefault(task.layer_name, kernel)
                del task.attributes[KERNELS]
                set_kernel(task, kernel)


def _threads(op: TorchOperation) -> int:
    """How many threads an operation runs on: the most, over the samples of a batch."""
    placed = op.attributes.get(WORKERS)
    if not isinstance(placed, ArrayAttr):
        return 1
    slots = cast("ArrayAttr[Attribute]", placed)
    return max((len(integers_of(slot)) for slot in slots), default=1)
