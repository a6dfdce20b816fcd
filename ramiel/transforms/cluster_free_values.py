"""cluster-free-values: memory back as soon as it is worth a line."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.ir import Block, SSAValue
from xdsl.passes import ModulePass

from ramiel.backend.pytorch.work import bytes_of
from ramiel.dialects.cluster import ProgramOp, RecvOp, SendOp
from ramiel.dialects.cluster.attributes import TAKES
from ramiel.dialects.torch import CallOp, FreeOp, LayerOp
from ramiel.tasks import main_function

LARGE = 2 << 20
"""Bytes. Values of at least so many are freed after their last use."""
PER_LINE = 2
"""Values freed by one operation, so that it is one line of the program."""


@dataclass(frozen=True)
class ClusterFreeValuesPass(ModulePass):
    """Frees values after their last use, in the serial program and in each worker.

        %b = torch.call F.relu(%a) : (tensor<1x64x400x400xf32>) -> tensor<1x64x400x400xf32>
        // becomes
        %b = torch.call F.relu(%a) : (tensor<1x64x400x400xf32>) -> tensor<1x64x400x400xf32>
        torch.free %a : tensor<1x64x400x400xf32>

    A Python variable lives until its function ends, and with it all activations of a model.
    Values of at least `large` bytes are freed, in a batch of N those of a part of that; a line
    for each of the others would make the program hard to read and win little. What several
    workers receive lives as long as the call; a channel with one receiver lets go of a large
    value (`cluster.takes`).
    """

    name = "cluster-free-values"

    large: int = LARGE

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        _free(main_function(op).body.block, set(), self.large)
        for program in op.ops:
            if isinstance(program, ProgramOp):
                # As many values of a size are alive as there are samples.
                large = self.large / program.batch
                taken = _take(program, large)
                for worker in program.workers:
                    _free(worker.regions[0].block, taken, large)


def _take(program: ProgramOp, large: float) -> set[str]:
    """Marks the receivers of large values that have no other; returns their channels."""
    receivers: dict[str, list[RecvOp]] = {c.sym_name: [] for c in program.channels}
    for worker in program.workers:
        for op in worker.regions[0].block.ops:
            if isinstance(op, RecvOp):
                receivers[op.channel].append(op)
    taken: set[str] = set()
    for channel in program.channels:
        if channel.kind == "value" and len(receivers[channel.sym_name]) == 1:
            (recv,) = receivers[channel.sym_name]
            if bytes_of(recv.value.type) >= large:
                recv.attributes[TAKES] = UnitAttr()
                taken.add(channel.sym_name)
    return taken


def _free(block: Block, taken: set[str], large: float) -> None:
    ops = list(block.ops)
    last = {value: op for op in ops for value in op.operands}
    kept = {
        value
        for op in ops
        if isinstance(op, SendOp) and op.channel not in taken
        for value in op.operands
    }
    for op in ops[:-1]:
        dying = [
            value
            for value in dict.fromkeys(op.operands)
            if last[value] is op
            and _is_own(value)
            and value not in kept
            and bytes_of(value.type) >= large
        ]
        for i in reversed(range(0, len(dying), PER_LINE)):
            block.insert_op_after(FreeOp.of(dying[i : i + PER_LINE]), op)


def _is_own(value: SSAValue) -> bool:
    """Whether nothing but a variable of this block holds a value, channels that it was sent to
    aside."""
    owner = value.owner
    return isinstance(owner, CallOp | LayerOp) or (isinstance(owner, RecvOp) and owner.takes)
