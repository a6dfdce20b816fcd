"""When the memory of values comes back: the policy that programs and profiles share."""

from __future__ import annotations

from collections.abc import Container, Sequence

from xdsl.ir import Operation, SSAValue

from ramiel.torch_level.work import bytes_of

ENOUGH = 2 << 20
"""Bytes. Values that are no longer needed are freed as soon as they add up to so many."""
SMALL = 16 << 10
"""Bytes. Values below this are not worth a word."""


def freed_after(
    ops: Sequence[Operation], own: Container[SSAValue], enough: float
) -> dict[Operation, list[SSAValue]]:
    """After which operations which of a block's `own` values are freed.

    A value that is used for the last time waits until the values that wait add up to `enough`
    bytes: a line for each of them would make a program hard to read. What waits at the end of
    the block dies with it.
    """
    last = {value: op for op in ops for value in op.operands}
    freed: dict[Operation, list[SSAValue]] = {}
    waiting: list[SSAValue] = []
    for op in ops[:-1]:
        for value in dict.fromkeys(op.operands):
            if last[value] is op and value in own and bytes_of(value.type) >= min(SMALL, enough):
                waiting.append(value)
        if waiting and sum(bytes_of(value.type) for value in waiting) >= enough:
            freed[op], waiting = waiting, []
    return freed
