"""PyTorch's operators as steps that call its dispatcher, without Python.

An operator's arguments are written down once, as native/dispatcher.h declares them. Where there is
a form of it with out=, results are written to where the plan has them, else they are copied there.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Mapping, Sequence
from ctypes import POINTER, c_char_p, c_int32, c_int64, c_uint64, c_void_p
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch._C import (
    _dispatch_has_kernel_for_dispatch_key as _has_kernel,  # pyright: ignore[reportPrivateUsage]
)

from ramiel.runtime.replay.native import Kind, Step
from ramiel.runtime.replay.tape import Move, found_in, is_opaque


class NativeTensor(ctypes.Structure):
    _fields_ = (
        ("data", c_void_p),
        ("data_of_handle", c_void_p),
        ("handle", c_void_p),
        ("sizes", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
        ("dims", c_int32),
        ("dtype", c_int32),
    )


class _Value(ctypes.Union):
    _fields_ = (("bits", c_uint64), ("pointer", c_void_p))


class Argument(ctypes.Structure):
    _anonymous_ = ("value",)
    _fields_ = (("kind", c_int32), ("count", c_int32), ("value", _Value))


FREES_STRINGS = tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 14)
"""Whether the dispatcher frees strings that it is given. Earlier, each call of such an operator, of
gelu for example, would take 48 bytes for good."""

NONE, SOME, BITS, TENSOR, STRING, LIST = range(6)
"""Kinds of arguments."""


class Operation(ctypes.Structure):
    _fields_ = (
        ("name", c_char_p),
        ("overload", c_char_p),
        ("arguments", POINTER(Argument)),
        ("targets", POINTER(POINTER(NativeTensor))),
        ("stack", POINTER(c_uint64)),
        ("argument_count", c_int32),
        ("result_count", c_int32),
    )


class _Unsupported(Exception):
    """A value that an operator cannot be given without Python."""


class Prepared:
    """A step that calls an operator, and what it uses."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._kept: list[object] = []
        self.moves: list[tuple[int, Move]] = []
        """The addresses of tensors, and who is to be told when they move."""
        self.step = Step(Kind.OPERATOR)

    @staticmethod
    def of(
        library: ctypes.CDLL,
        function: Any,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        results: Sequence[Tensor],
        are_read: Sequence[bool],
    ) -> Prepared | None:
        """A step that leaves a call's results in given tensors; None if that takes Python."""
        schema = function._schema
        if any(returned.type.kind() != "TensorType" for returned in schema.returns):
            return None
        prepared = Prepared(library)
        try:
            form = _best_form(function, _bound(schema, args, kwargs), results, are_read)
            prepared._prepare(*form)
        except _Unsupported:
            return None
        return prepared

    def _prepare(
        self, function: Any, given: Mapping[str, Any], targets: Sequence[Tensor | None]
    ) -> None:
        schema = function._schema
        first = next(found_in(list(given.values()), Tensor), None)
        arguments = [self._argument(given[a.name], a.real_type, first) for a in schema.arguments]
        places = [None if y is None else ctypes.pointer(self._tensor(y)) for y in targets]
        operation = Operation(
            schema.name.encode(),
            schema.overload_name.encode(),
            self._array(Argument, arguments),
            self._array(POINTER(NativeTensor), places),
            self._array(c_uint64, [0] * max(len(arguments), len(places))),
            len(arguments),
            len(places),
        )
        self._kept.append(operation)
        self.step.first = ctypes.addressof(operation)

    def _argument(self, value: Any, type_: Any, first: Tensor | None) -> Argument:
        kind = type_.kind()
        if kind == "OptionalType":
            if value is None:
                return Argument(NONE)
            item = self._array(Argument, [self._argument(value, type_.getElementType(), first)])
            return Argument(SOME, 1, _Value(pointer=ctypes.addressof(item)))
        if kind == "ListType" and isinstance(value, list | tuple):
            inner = type_.getElementType()
            items = [self._argument(item, inner, first) for item in value]  # pyright: ignore
            array = self._array(Argument, items)
            return Argument(LIST, len(items), _Value(pointer=ctypes.addressof(array)))
        if kind == "TensorType":
            if not isinstance(value, Tensor):
                value = _as_tensor(value, first)
                self._kept.append(value)
            return Argument(TENSOR, 1, _Value(pointer=ctypes.addressof(self._tensor(value))))
        if kind == "StringType" and isinstance(value, str) and FREES_STRINGS:
            string = ctypes.create_string_buffer(value.encode())
            self._kept.append(string)
            return Argument(STRING, len(string) - 1, _Value(pointer=ctypes.addressof(string)))
        encode = _ENCODED.get(kind)
        if encode is None:
            raise _Unsupported
        return Argument(BITS, 1, _Value(bits=encode(self._library, value)))

    def _tensor(self, tensor: Tensor) -> NativeTensor:
        if is_opaque(tensor):
            made = NativeTensor(handle=_handle_of(tensor))
        else:
            made = NativeTensor(
                data=tensor.data_ptr(),
                sizes=self._array(c_int64, tensor.shape),
                strides=self._array(c_int64, tensor.stride()),
                dims=tensor.dim(),
                dtype=_constant(self._library, tensor.dtype),
            )
            self.moves.append((tensor.data_ptr(), partial(setattr, made, "data")))
        self._kept.append(made)
        return made

    def _array(self, type_: Any, items: Sequence[Any]) -> Any:
        array = (type_ * len(items))(*items)
        self._kept.append(array)
        return array


# --- values as the dispatcher's C interface has them


def _constant(library: ctypes.CDLL, value: Any) -> int:
    """The number of a type, a layout or a format, which PyTorch's library tells."""
    name = f"aoti_torch_{type(value).__name__}_{str(value).removeprefix('torch.')}"
    try:
        return library[name]()
    except AttributeError as missing:
        raise _Unsupported from missing


def _bits(form: str) -> Callable[[ctypes.CDLL, Any], int]:
    def encode(library: ctypes.CDLL, value: Any) -> int:
        return int.from_bytes(struct.pack(form, value).ljust(8, b"\0"), "little")

    return encode


_ENCODED: Mapping[str, Callable[[ctypes.CDLL, Any], int]] = {
    "IntType": _bits("<q"),
    "SymIntType": _bits("<q"),
    "FloatType": _bits("<d"),
    "BoolType": _bits("<?"),
    "ScalarTypeType": _constant,
    "LayoutType": _constant,
    "MemoryFormatType": _constant,
}


def _handle_of(tensor: Tensor) -> int:
    """PyTorch's own handle of a tensor; who gets it frees it."""
    pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
    pointer_of.restype = c_void_p
    pointer_of.argtypes = (ctypes.py_object, c_char_p)
    aoti: Any = getattr(torch._C, "_aoti", None)  # pyright: ignore[reportPrivateUsage]
    if aoti is None:
        raise _Unsupported
    return pointer_of(aoti.unsafe_alloc_void_ptr_from_tensor(tensor), None)


def _as_tensor(value: Any, first: Tensor | None) -> Tensor:
    """A number that is computed with a tensor, as one that changes no type of a result."""
    if first is None or not isinstance(value, int | float):
        raise _Unsupported
    if torch.result_type(first, value) is not first.dtype:
        raise _Unsupported
    if first.dtype in (torch.bfloat16, torch.float16):
        raise _Unsupported  # PyTorch computes with the number itself, in float32
    return torch.tensor(value, dtype=first.dtype)


# --- forms of operators

_OF_NUMBERS = frozenset(
    {
        *("eq", "ne", "lt", "le", "gt", "ge"),
        *("clamp", "clamp_min", "clamp_max", "masked_fill"),
        *("remainder", "fmod", "floor_divide"),
        *("bitwise_and", "bitwise_or", "bitwise_xor"),
    }
)
"""Operators that compute with a number what they compute with a tensor of it, in the same way. The
dispatcher's C interface has no numbers whose type is open."""


def _best_form(
    function: Any, given: dict[str, Any], results: Sequence[Tensor], are_read: Sequence[bool]
) -> tuple[Any, dict[str, Any], Sequence[Tensor | None]]:
    """An operator that computes the same, its arguments by name, and where its results are to be
    copied to. None stands for those that have their place, or need none."""
    copy_to = torch.ops.aten.copy_.default
    if function is torch.ops.aten._to_copy.default:  # to a type and layout that the plan has
        return copy_to, {"self": results[0], "src": given["self"], "non_blocking": False}, [None]
    if function.overloadpacket.__name__.rstrip("_") in _OF_NUMBERS:
        function = _overload(function, lambda type_: type_.replace("number", "Tensor")) or function
    aliases = [returned.alias_info for returned in function._schema.returns]
    if any(aliases):
        if not all(alias is not None and alias.is_write for alias in aliases):
            raise _Unsupported
        return function, given, [None] * len(results)
    if (form := _overload(function, outs=len(results))) is not None:
        outs = (argument.name for argument in form._schema.arguments if argument.is_out)
        return form, given | dict(zip(outs, results, strict=True)), [None] * len(results)
    pairs = zip(results, are_read, strict=True)
    return function, given, [result if is_read else None for result, is_read in pairs]


def _overload(
    function: Any, type_of: Callable[[str], str] = lambda type_: type_, outs: int = 0
) -> Any:
    """Another overload that takes the same, but for types, and `outs` tensors to write to, which
    a kernel for the CPU does without a copy."""
    wanted = [(a.name, type_of(_type(a))) for a in function._schema.arguments]
    for name in function.overloadpacket.overloads():
        form = getattr(function.overloadpacket, name)
        arguments = form._schema.arguments
        if (
            form is not function
            and [(a.name, _type(a)) for a in arguments if not a.is_out] == wanted
            and sum(argument.is_out for argument in arguments) == outs
            and (not outs or _has_kernel(form.name(), "CPU"))
        ):
            return form
    return None


def _type(argument: Any) -> str:
    return str(argument.real_type)


def _bound(schema: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by name."""
    given = {a.name: a.default_value for a in schema.arguments if a.has_default_value()}
    given.update(zip((argument.name for argument in schema.arguments), args, strict=False))
    return given | dict(kwargs)
