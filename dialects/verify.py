"""Verifies a whole module, with messages for users.

xDSL's own `verify` puts the printed module into its message and does not check that values are
defined before they are used. This prints no module, and checks that.
"""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.traits import IsolatedFromAbove
from xdsl.utils.exceptions import VerifyException

from ramiel.dialects.onnx.operation import OnnxOperation
from ramiel.dialects.torch import FreeOp
from ramiel.errors import CompileError


def verify_module(module: ModuleOp) -> None:
    """Raises CompileError, which names the operation, for the first invalid one."""
    # Nested operations come first, so that the rules of their parent can rely on them.
    for op in module.walk(region_first=True):
        try:
            op.verify_()
        except VerifyException as error:
            raise CompileError(f"{title_of(op)}: {_first_line(error)}") from error
    verify_dominance(module)


def verify_dominance(module: ModuleOp) -> None:
    """Raises CompileError if an operation uses a value that is not defined before it."""
    _check(module, set())


def _check(op: Operation, visible: set[SSAValue]) -> None:
    if op.has_trait(IsolatedFromAbove):
        visible = set()
    for region in op.regions:
        for block in region.blocks:
            _check_block(block, visible)


def _check_block(block: Block, visible: set[SSAValue]) -> None:
    added: list[SSAValue] = list(block.args)
    visible.update(added)
    for op in block.ops:
        for value in op.operands:
            if value not in visible:
                name = f"%{value.name_hint}" if value.name_hint else "a value"
                raise CompileError(
                    f"{title_of(op)}: it uses {name} before its definition or after it is freed"
                )
        if op.regions:
            _check(op, visible)
        visible.update(op.results)
        if isinstance(op, FreeOp):
            visible.difference_update(op.operands)
        added += op.results
    visible.difference_update(added)


def title_of(op: Operation) -> str:
    return op.title if isinstance(op, OnnxOperation) else op.name


def _first_line(error: Exception) -> str:
    """The first line, joined with the next for as long as it ends with a colon."""
    first, *rest = str(error).strip().splitlines()
    while rest and first.endswith(":"):
        first = f"{first} {rest.pop(0)}"
    return first
