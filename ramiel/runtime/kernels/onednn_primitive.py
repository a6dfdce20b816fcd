"""oneDNN's primitives, prepared once: constants packed, the rest given as addresses at each call.

PyTorch calls the same library, but makes descriptors and allocates at each call, which takes
20 µs; a prepared primitive takes one or two. It belongs to a shape and to the number of threads
it was made with, and may be run from several threads at the same time.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ramiel.runtime.kernels.activations import Activation
from ramiel.runtime.kernels.geometry import Packed
from ramiel.runtime.kernels.onednn_library import (
    BIAS,
    DESTINATION,
    IN_ORDER,
    SCRATCHPAD,
    SOURCE,
    WEIGHTS,
    Argument,
    Library,
    dims,
    library,
)
from ramiel.runtime.replay.tape import Execution, Run, here

TYPES = {torch.float32: 3, torch.bfloat16: 2}

_ANY = 1  # a layout that the primitive may choose
_SCRATCHPAD_FROM_USER = 1
_ADD = 0x1FFF0
_QUERY_WEIGHTS, _QUERY_SCRATCHPAD = 131, 136
_QUERY_ARGUMENT = 255
_FIRST_POST_OP = (16384 | 2, 32768 | 2)
"""The argument index of the added tensor, a binary operation that is the first of the post-ops, in
older and in newer versions. A descriptor tells which of them it has."""
_ADDED = -1
_SMALL = 64 << 10
"""Bytes of a scratchpad that a primitive keeps."""


class Operand(NamedTuple):
    """A tensor's geometry, in elements; no strides where the primitive may choose them."""

    shape: Sequence[int]
    strides: Sequence[int] | None = None


class Refused(Exception):
    """oneDNN has no kernel for this, or only its slow reference."""


class Handles:
    """Native objects that live as long as this one."""

    def __init__(self, lib: Library) -> None:
        self._lib = lib
        self._destroy: list[tuple[str, int]] = []
        weakref.finalize(self, _destroy_all, lib, self._destroy).atexit = False

    def make(self, kind: str, function: str, *args: object) -> ctypes.c_void_p:
        made = self._lib.create(function, *args)
        assert made.value is not None
        self._destroy.append((f"dnnl_{kind}_destroy", made.value))
        return made

    def descriptor(self, operand: Operand, dtype: torch.dtype) -> ctypes.c_void_p:
        rank, shape, element = len(operand.shape), dims(operand.shape), TYPES[dtype]
        if operand.strides is None:
            name = "dnnl_memory_desc_create_with_tag"
            return self.make("memory_desc", name, rank, shape, element, _ANY)
        name = "dnnl_memory_desc_create_with_strides"
        return self.make("memory_desc", name, rank, shape, element, dims(operand.strides))

    def attributes(
        self, activation: Activation | None, added: ctypes.c_void_p | None
    ) -> ctypes.c_void_p:
        """The attributes of a primitive: its post-ops, and that we allocate its scratchpad."""
        ours = self.make("primitive_attr", "dnnl_primitive_attr_create")
        self._lib.do("dnnl_primitive_attr_set_scratchpad_mode", ours, _SCRATCHPAD_FROM_USER)
        after = self.make("post_ops", "dnnl_post_ops_create")
        if added is not None:
            self._lib.do("dnnl_post_ops_append_binary", after, _ADD, added)
        if activation is not None and activation.post_op is not None:
            self._lib.do("dnnl_post_ops_append_eltwise", after, *activation.post_op)
        self._lib.do("dnnl_primitive_attr_set_post_ops", ours, after)
        return ours


def _destroy_all(lib: Library, objects: list[tuple[str, int]]) -> None:
    for function, handle in reversed(objects):
        getattr(lib.quick, function)(handle)


Arguments = tuple[ctypes.c_void_p, ctypes.c_void_p, int, ctypes.c_void_p]
"""Of dnnl_primitive_execute: primitive, stream, number of arguments, arguments."""


class Primitive:
    """A primitive and its arguments: some fixed, the others given as addresses at each call."""

    def __init__(
        self,
        lib: Library,
        handles: Handles,
        descriptor: ctypes.c_void_p,
        fixed: Sequence[tuple[int, ctypes.c_void_p, Tensor]],
        given: Sequence[tuple[int, ctypes.c_void_p]],
    ) -> None:
        """Raises Refused for a reference kernel."""
        if "ref" in lib.implementation(descriptor):
            raise Refused(lib.implementation(descriptor))
        self._lib = lib
        self._handles = handles
        self._primitive = handles.make("primitive", "dnnl_primitive_create", descriptor)
        self._tensors = [tensor for _, _, tensor in fixed]
        self._fixed = [(kind, self._memory(d, t.data_ptr())) for kind, d, t in fixed]
        self._given = [(self._argument(descriptor, kind), desc) for kind, desc in given]
        scratchpad = lib.functions.dnnl_primitive_desc_query_md(descriptor, _QUERY_SCRATCHPAD, 0)
        self._scratch = int(lib.functions.dnnl_memory_desc_get_size(scratchpad))
        if self._scratch:
            self._given.append((SCRATCHPAD, ctypes.c_void_p(scratchpad)))
        self._idle: list[Bound] = []
        self._set = lib.quick.dnnl_memory_set_data_handle
        self._execute = lib.functions.dnnl_primitive_execute

    def _argument(self, descriptor: ctypes.c_void_p, kind: int) -> int:
        if kind != _ADDED:
            return kind
        for number in _FIRST_POST_OP:
            query = self._lib.functions.dnnl_primitive_desc_query_md
            desc = query(descriptor, _QUERY_ARGUMENT, number)
            if desc and self._lib.functions.dnnl_memory_desc_get_size(desc):
                return number
        raise Refused("no argument for what is added")

    def _memory(self, descriptor: ctypes.c_void_p, address: int | None) -> ctypes.c_void_p:
        engine = self._lib.engine
        return self._handles.make("memory", "dnnl_memory_create", descriptor, engine, address)

    @property
    def scratch_bytes(self) -> int:
        return self._scratch

    def bound_to(self, addresses: Sequence[int]) -> Execution:
        """What dnnl_primitive_execute takes for addresses: of what is given, in its order, and of
        the scratchpad."""
        handles = Handles(self._lib)
        engine = self._lib.engine
        memories = [
            (kind, handles.make("memory", "dnnl_memory_create", desc, engine, address))
            for (kind, desc), address in zip(self._given, addresses, strict=True)
        ]
        arguments = (Argument * (len(self._fixed) + len(memories)))(*self._fixed, *memories)
        stream = handles.make("stream", "dnnl_stream_create", engine, IN_ORDER)
        address = ctypes.c_void_p(ctypes.addressof(arguments))
        moves = [
            (at, partial(self._set, memory))
            for at, (_, memory) in zip(addresses, memories, strict=True)
        ]
        kept = (self, handles, arguments)
        given = (self._primitive, stream, address, len(arguments))
        return Execution("EXECUTE", *given, moves, kept)

    def _bind(self) -> Bound:
        memories = [(kind, self._memory(desc, None)) for kind, desc in self._given]
        arguments = (Argument * (len(self._fixed) + len(memories)))(*self._fixed, *memories)
        engine = self._lib.engine
        stream = self._handles.make("stream", "dnnl_stream_create", engine, IN_ORDER)
        address = ctypes.c_void_p(ctypes.addressof(arguments))
        scratch = None
        if self._scratch <= _SMALL:
            scratch = torch.empty(self._scratch, dtype=torch.uint8)
            if self._scratch:
                self._set(memories[-1][1], scratch.data_ptr())
        return Bound(
            tuple(memory for _, memory in memories),
            arguments,
            (self._primitive, stream, len(arguments), address),
            scratch,
        )

    def __call__(self, first: Tensor, second: Tensor, third: Tensor | None = None) -> None:
        """Run on what is given, in its order, the result last. RuntimeError if oneDNN fails."""
        if (tape := here.tape) is not None:
            tape.note(Run(self, (first, second) if third is None else (first, second, third)))
        try:
            bound = self._idle.pop()
        except IndexError:
            bound = self._bind()
        memories, set_address = bound.memories, self._set
        set_address(memories[0], first.data_ptr())
        set_address(memories[1], second.data_ptr())
        if third is not None:
            set_address(memories[2], third.data_ptr())
        if bound.scratch is None:
            scratch = torch.empty(self._scratch, dtype=torch.uint8)
            set_address(memories[-1], scratch.data_ptr())
        status = self._execute(*bound.call)
        self._idle.append(bound)
        if status:
            raise RuntimeError(f"oneDNN failed with status {status}")


class Bound(NamedTuple):
    """The arguments of one call at a time, what dnnl_primitive_execute takes for it, and a small
    scratchpad; a large one is allocated for the call."""

    memories: tuple[ctypes.c_void_p, ...]
    arguments: ctypes.Array[Argument]
    call: Arguments
    scratch: Tensor | None


def matmul(
    left: Operand | Tensor,
    right: Operand | Tensor,
    result: Operand,
    *,
    dtype: torch.dtype = torch.float32,
    bias: Tensor | None = None,
    activation: Activation | None = None,
    adds: bool = False,
    packed: Packed | None = None,
) -> Primitive | None:
    """A product of matrices [..., m, k] and [..., k, n], called with the addresses of those
    that are not tensors: left or right, the addend, the result. A tensor is a constant; on the
    right it is packed, and shared by the products of `packed`, all of them with the same tensor.
    None if oneDNN is not there or has no kernel."""
    lib = library()
    if lib is None or dtype not in TYPES:
        return None
    handles = Handles(lib)
    fixed: list[tuple[int, Tensor, Operand]] = []
    given: list[tuple[int, ctypes.c_void_p]] = []
    descriptors: list[ctypes.c_void_p] = []
    for kind, side in ((SOURCE, left), (WEIGHTS, right)):
        if isinstance(side, Tensor):
            shape = tuple(side.shape)
            fixed.append((kind, side, Operand(shape, side.stride())))
            strides = side.stride() if kind == SOURCE else _packed_strides(lib, left.shape, shape)
            layout = Operand(shape, strides)
        else:
            layout = side
        descriptors.append(handles.descriptor(layout, dtype))
        if not isinstance(side, Tensor):
            given.append((kind, descriptors[-1]))
    destination = handles.descriptor(result, dtype)
    rank = len(result.shape)
    ours = bias_argument(handles, bias, (*(1,) * (rank - 1), result.shape[-1]))
    attributes = handles.attributes(activation, destination if adds else None)
    try:
        descriptor = handles.make(
            "primitive_desc",
            "dnnl_matmul_primitive_desc_create",
            *(lib.engine, *descriptors, ours and ours[1], destination, attributes),
        )
        return primitive(
            lib,
            handles,
            descriptor,
            fixed,
            [ours] if ours else [],
            [*given, *added(adds, destination), (DESTINATION, destination)],
            {} if packed is None else packed,
        )
    except (RuntimeError, Refused):
        return None


def _packed_strides(
    lib: Library, left: Sequence[int], right: Sequence[int]
) -> Sequence[int] | None:
    """The layout of a constant on the right, if the primitive had better not choose. Without
    AVX-512 it would keep rows, with which a single product of several takes up to 1.7 times as long
    as with columns. Batches and one row are faster with rows."""
    if lib.has_avx512 or len(right) != 2 or left[-2] == 1:
        return None
    return 1, right[0]


def primitive(
    lib: Library,
    handles: Handles,
    descriptor: ctypes.c_void_p,
    constants: Sequence[tuple[int, Tensor, Operand]],
    others: Sequence[tuple[int, ctypes.c_void_p, Tensor]],
    given: Sequence[tuple[int, ctypes.c_void_p]],
    packed: Packed,
) -> Primitive:
    """A primitive with its constants; weights get the layout that it asks for."""
    fixed = list(others)
    for kind, tensor, operand in constants:
        desc = handles.descriptor(operand, tensor.dtype)
        if kind == WEIGHTS:
            query = lib.functions.dnnl_primitive_desc_query_md(descriptor, _QUERY_WEIGHTS, 0)
            wanted = ctypes.c_void_p(query)
            tensor = _in_layout(lib, handles, (desc, tensor), wanted, packed)
            desc = wanted
        fixed.append((kind, desc, tensor))
    return Primitive(lib, handles, descriptor, fixed, given)


def _in_layout(
    lib: Library,
    handles: Handles,
    given: tuple[ctypes.c_void_p, Tensor],
    wanted: ctypes.c_void_p,
    packed: Packed,
) -> Tensor:
    """Weights in a layout, which is a descriptor that the handles own: as an earlier primitive
    has packed them, if it asked for the same layout."""
    known: list[tuple[Handles, ctypes.c_void_p, Tensor]] = packed.setdefault("onednn", [])
    for _, layout, tensor in known:
        if lib.quick.dnnl_memory_desc_equal(layout, wanted):
            return tensor
    size = int(lib.functions.dnnl_memory_desc_get_size(wanted))
    tensor = torch.empty(size, dtype=torch.uint8)
    _reorder(lib, given, (wanted, tensor))
    known.append((handles, wanted, tensor))
    return tensor


def _reorder(
    lib: Library, old: tuple[ctypes.c_void_p, Tensor], new: tuple[ctypes.c_void_p, Tensor]
) -> None:
    """Copies a tensor into another layout."""
    handles = Handles(lib)
    descriptor = handles.make(
        "primitive_desc",
        "dnnl_reorder_primitive_desc_create",
        *(old[0], lib.engine, new[0], lib.engine, None),
    )
    primitive = handles.make("primitive", "dnnl_primitive_create", descriptor)
    memories = [
        (kind, handles.make("memory", "dnnl_memory_create", desc, lib.engine, tensor.data_ptr()))
        for kind, (desc, tensor) in ((SOURCE, old), (DESTINATION, new))
    ]
    arguments = (Argument * 2)(*memories)
    address = ctypes.addressof(arguments)
    lib.do("dnnl_primitive_execute", primitive, lib.stream, 2, address)


def bias_argument(
    handles: Handles, bias: Tensor | None, shape: tuple[int, ...]
) -> tuple[int, ctypes.c_void_p, Tensor] | None:
    if bias is None:
        return None
    strides = (*(shape[-1],) * (len(shape) - 1), 1)
    return BIAS, handles.descriptor(Operand(shape, strides), bias.dtype), bias.contiguous()


def added(adds: bool, descriptor: ctypes.c_void_p) -> list[tuple[int, ctypes.c_void_p]]:
    return [(_ADDED, descriptor)] if adds else []
