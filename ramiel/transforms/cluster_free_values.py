"""cluster-free-values: memory back as soon as it is worth a line."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.ir import Block, SSAValue
from xdsl.passes import ModulePass

from ramiel.dialects.cluster import ProgramOp, RecvOp, SendOp
from ramiel.dialects.cluster.attributes import TAKES
from ramiel.dialects.torch import FreeOp, Task
from ramiel.torch_level.lifetimes import ENOUGH, SMALL, freed_after
from ramiel.torch_level.tasks import main_function
from ramiel.torch_level.work import bytes_of


@dataclass(frozen=True)
class ClusterFreeValuesPass(ModulePass):
    """Frees values that are no longer used, in the serial program and in each worker.

        %b = torch.call F.relu(%a) : (tensor<1x64x400x400xf32>) -> tensor<1x64x400x400xf32>
        // becomes
        %b = torch.call F.relu(%a) : (tensor<1x64x400x400xf32>) -> tensor<1x64x400x400xf32>
        torch.free %a : tensor<1x64x400x400xf32>

    A Python variable lives until its function ends, and with it all activations of a model. So
    values are freed as soon as those that are no longer used add up to `enough` bytes, in a
    batch of N to a part of that: what comes next finds their memory in the cache. What several
    workers receive lives as long as the call; a channel with one receiver lets go of its value
    (`cluster.takes`).
    """

    name = "cluster-free-values"

    enough: int = ENOUGH

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        _free(main_function(op).body.block, set(), self.enough)
        for program in op.ops:
            if isinstance(program, ProgramOp):
                # As many values of a size are alive as there are samples.
                enough = self.enough / program.batch
                taken = _take(program, min(SMALL, enough))
                for worker in program.workers:
                    _free(worker.body.block, taken, enough)


def _take(program: ProgramOp, least: float) -> set[str]:
    """Marks the receivers of values of `least` bytes that have no other; returns their channels."""
    receivers: dict[str, list[RecvOp]] = {c.sym_name.data: [] for c in program.channels}
    for worker in program.workers:
        for op in worker.body.block.ops:
            if isinstance(op, RecvOp):
                receivers[op.channel.data].append(op)
    taken: set[str] = set()
    for channel in program.channels:
        if channel.kind == "value" and len(receivers[channel.sym_name.data]) == 1:
            (recv,) = receivers[channel.sym_name.data]
            if bytes_of(recv.value.type) >= least:
                recv.attributes[TAKES] = UnitAttr()
                taken.add(channel.sym_name.data)
    return taken


def _free(block: Block, taken: set[str], enough: float) -> None:
    ops = list(block.ops)
    kept = {
        value
        for op in ops
        if isinstance(op, SendOp) and op.channel.data not in taken
        for value in op.operands
    }
    own = {v for op in ops for v in op.results if v not in kept and _is_own(v)}
    for op, dying in freed_after(ops, own, enough).items():
        block.insert_op_after(FreeOp.of(dying), op)


def _is_own(value: SSAValue) -> bool:
    """Whether nothing but a variable of this block holds a value, channels that it was sent to
    aside."""
    owner = value.owner
    return isinstance(owner, Task) or (isinstance(owner, RecvOp) and owner.takes)
