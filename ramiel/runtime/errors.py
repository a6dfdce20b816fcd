"""Errors of a running program, in terms of its source and its ONNX model."""

from __future__ import annotations

import dis
from collections.abc import Collection, Mapping
from types import CodeType

# The last instruction of a statement that assigns nothing: `ch.x.send(x)`, `return x`.
_NO_TARGET = {"POP_TOP", "RETURN_VALUE", "RETURN_CONST"}


class OpError(RuntimeError):
    """An operator of a program failed; `__cause__` is the error it raised.

    `value` is the Python name the failing statement assigns, `node` the ONNX node it came from;
    each is None where there is none.
    """

    def __init__(self, message: str, value: str | None = None, node: str | None = None) -> None:
        super().__init__(message)  # alone: pickle calls OpError(message), then sets the rest
        self.value = value
        self.node = node


class ProgramEnded(RuntimeError):
    """A program has ended, and can make no further call."""


class DeviceUnavailable(RuntimeError):
    """The device that a program is for cannot be used here; the message is one line."""


class OpIndexError(OpError, IndexError):
    """An OpError for an index out of range, which is an IndexError as PyTorch's is."""


def place_of(error: Exception, codes: Collection[CodeType]) -> tuple[CodeType, int] | None:
    """Where an error left one of the methods `codes`: the method, and the offset in its bytecode.

    None if it came from elsewhere.
    """
    place: tuple[CodeType, int] | None = None
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code in codes:
            place = step.tb_frame.f_code, step.tb_lasti
        step = step.tb_next
    return place


def op_error(
    error: Exception, place: tuple[CodeType, int], nodes: Mapping[str, tuple[str, str]]
) -> OpError:
    """The OpError for an error that was raised at a place.

    `nodes` maps Python value names to (ONNX node name, operator type).
    """
    reason = str(error) or type(error).__name__
    kind = OpIndexError if isinstance(error, IndexError) else OpError
    code, offset = place
    value = assigned(code, offset)
    if value is None:
        return kind(f"{code.co_qualname}: {reason}")
    if value not in nodes:
        return kind(f"{value}: {reason}", value)
    node, op_type = nodes[value]
    return kind(f'{value} (ONNX node "{node}", {op_type}): {reason}', value, node)


def assigned(code: CodeType, offset: int) -> str | None:
    """The local name that the statement at a bytecode offset assigns (the first, if several).

    An emitted program assigns one operator per statement, and the store comes after the last
    call: no line table is needed, and none would survive reformatting the file.
    """
    for instruction in dis.get_instructions(code):
        if instruction.offset <= offset:
            continue
        if instruction.opname in _NO_TARGET:
            return None
        if instruction.opname.startswith("STORE_FAST"):
            # Python 3.13 fuses a store with the next store or load: argval is then a pair.
            name = instruction.argval
            return name[0] if isinstance(name, tuple) else name
    return None
