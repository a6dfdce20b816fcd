"""torch-fuse-pointwise: calls on each element that become one kernel."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from ramiel.dialects.torch import FusedOp, YieldOp
from ramiel.dialects.torch.control import is_pointwise
from ramiel.dialects.torch.ops import CallOp
from ramiel.torch_level.patterns import copy_origin


@dataclass(frozen=True)
class TorchFusePointwisePass(ModulePass):
    """Replaces calls on each element by one operation that holds them, where all that is read of
    them elsewhere is the value of the last one. A group is as large as it can be, and is one task
    of a schedule, so it is computed by one worker.

    %1 = torch.call operator.add(%x, %b) : ...
    %2 = torch.call torch.sigmoid(%1) : ...
    %3 = torch.call operator.mul(%1, %2) : ...
    // becomes
    %3 = torch.fused(%x, %b) ({
    ^bb0(%x_1 : ..., %b_1 : ...):
      %1 = torch.call operator.add(%x_1, %b_1) : ...
      %2 = torch.call torch.sigmoid(%1) : ...
      %3 = torch.call operator.mul(%1, %2) : ...
      torch.yield %3 : ...
    }) : ...
    """

    name = "torch-fuse-pointwise"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in op.ops:
            if isinstance(function, func.FuncOp):
                for root, members in _groups(function.body.block).items():
                    if len(members) > 1:
                        _fuse(root, members)


def _groups(block: Block) -> dict[CallOp, list[CallOp]]:
    """Calls in order, by the last one of their group: the group of all that use them, if that is
    one, else a group of their own."""
    root: dict[Operation, CallOp] = {}
    groups: dict[CallOp, list[CallOp]] = {}
    for op in reversed(list(block.ops)):
        if isinstance(op, CallOp) and is_pointwise(op):
            users = {root.get(use.operation) for use in op.results[0].uses}
            (only,) = users if len(users) == 1 else (None,)
            root[op] = only or op
            groups.setdefault(root[op], []).append(op)
    return {last: members[::-1] for last, members in groups.items()}


def _fuse(root: CallOp, members: list[CallOp]) -> None:
    made = {member.results[0] for member in members}
    given = dict.fromkeys(v for member in members for v in member.operands if v not in made)
    body = Block(arg_types=[value.type for value in given])
    inner: dict[SSAValue, SSAValue] = dict(zip(given, body.args, strict=True))
    for value, argument in zip(given, body.args, strict=True):
        argument.name_hint = value.name_hint
    for member in members:
        body.add_op(member.clone(inner))
    last = body.last_op
    assert last is not None
    body.add_op(YieldOp.of(last.results))
    fused = FusedOp.of(list(given), Region(body), root.results[0].type)
    copy_origin(root, fused)
    Rewriter.insert_op(fused, InsertPoint.before(root))
    fused.results[0].name_hint = root.results[0].name_hint
    root.results[0].replace_all_uses_with(fused.results[0])
    for member in reversed(members):
        member.detach()
        member.erase()
