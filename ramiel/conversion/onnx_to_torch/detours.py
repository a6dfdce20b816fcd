"""Computation in another element type where PyTorch lacks kernels for the operands' type.

PyTorch moves and converts unsigned integers of 16, 32 and 64 bits but has almost no arithmetic for
them. They are computed as int64:

    z = (x.to(torch.int64) + y.to(torch.int64)).to(torch.uint16)

For 16 and 32 bits that is exact for every operation. For 64 bits it is exact if only the result
modulo 2**64 matters, as for a sum; if only the order matters, as for a maximum, `ops.ordered`
maps the numbers to int64 in their order. Division and right shifts have functions of their own,
and all other operations are refused. A few operators lack kernels for 16-bit floats, which are
computed as float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from xdsl.ir import Attribute, SSAValue

from ramiel.dialects.onnx.types import BY_PROTO, numpy_dtype_of, shape_of, tensor_type
from ramiel.dialects.torch.callees import CALLEES, Trait, Unsigned

if TYPE_CHECKING:
    from ramiel.conversion.onnx_to_torch.table import Node


@dataclass(frozen=True)
class _Detour:
    """A conversion of operands of some types to another type, and of results back."""

    types: frozenset[str]
    instead: Attribute
    ordered: bool = False

    def there(self, n: Node, value: object) -> object:
        """An argument, converted if it is of one of the types."""
        if isinstance(value, list | tuple):
            return [self.there(n, item) for item in cast("Sequence[object]", value)]
        if not isinstance(value, SSAValue) or _name(value.type) not in self.types:
            return value
        type = self.type(value.type)
        if self.ordered:
            return n.emit("ops.ordered", [value], {}, [type])[0]
        return n.emit("Tensor.to", [value, n.dtype(type)], {}, [type])[0]

    def back(self, n: Node, value: SSAValue, type: Attribute) -> SSAValue:
        """A result, converted to its declared type."""
        if _name(type) not in self.types:
            return value
        if self.ordered:
            return n.emit("ops.unordered", [value], {}, [type])[0]
        return n.emit("Tensor.to", [value, n.dtype(type)], {}, [type])[0]

    def type(self, type: Attribute) -> Attribute:
        replaced = _name(type) in self.types
        return tensor_type(self.instead, shape_of(type)) if replaced else type


_FLOAT32, _INT64 = BY_PROTO[1].ir, BY_PROTO[7].ir
_WIDE = frozenset(["uint16", "uint32", "uint64"])
_BY_FLOAT32 = _Detour(frozenset(["float16", "bfloat16"]), _FLOAT32)
_BY_INT64 = _Detour(_WIDE, _INT64)
_IN_ORDER = _Detour(_WIDE, _INT64, ordered=True)


def computed(
    n: Node,
    callee: str,
    args: Sequence[object],
    kwargs: Mapping[str, object],
    types: Sequence[Attribute],
) -> Sequence[SSAValue] | None:
    """The results of a call, computed by a detour if PyTorch lacks a kernel for the operands'
    types; None if none is needed. Refuses the node if no detour is exact."""
    values = _values([*args, *kwargs.values()])
    detour = _detour(n, callee, args, {_name(v.type) for v in values})
    if detour is None:
        return None
    if isinstance(detour, str):
        return n.emit(detour, args, {}, types)
    made = n.emit(
        callee,
        [detour.there(n, a) for a in args],
        {key: detour.there(n, value) for key, value in kwargs.items()},
        [detour.type(type) for type in types],
    )
    return [detour.back(n, value, type) for value, type in zip(made, types, strict=True)]


def _detour(
    n: Node, callee: str, args: Sequence[object], names: set[str | None]
) -> _Detour | str | None:
    """The detour, or the name of the other function, for a call on operands of these types."""
    known = CALLEES[callee]
    if known.is_a(Trait.NO_HALVES) and names & _BY_FLOAT32.types:
        return _BY_FLOAT32
    how = known.unsigned
    if how is Unsigned.ITSELF or not names & _WIDE:
        return None
    if "uint64" not in names:
        return _BY_INT64
    if isinstance(how, Mapping):
        how = how.get(next((a for a in args if isinstance(a, str)), ""))
    if isinstance(how, str):
        return how
    if how is Unsigned.ORDERED:
        return _IN_ORDER
    if how is Unsigned.MODULAR:
        return _BY_INT64
    return n.fail(f"PyTorch has no {callee} of uint64: cast to int64 before it")


def _values(args: Sequence[object]) -> list[SSAValue]:
    found: list[SSAValue] = []
    for value in args:
        if isinstance(value, SSAValue):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += _values(cast("Sequence[object]", value))
    return found


def _name(type: Attribute) -> str | None:
    """The name of a tensor type's element type."""
    dtype = numpy_dtype_of(type)
    return None if dtype is None else dtype.name
