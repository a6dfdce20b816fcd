"""What ranks send to each other: bytes of tensors behind a header of numbers. Nothing of it is
unpickled, and what a header says is checked against what the program declares."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from ramiel.runtime.inputs import Dim
from ramiel.runtime.replay.steps import is_dense

MOST_DIMS = 8
"""The most dimensions of a tensor that crosses ranks."""
HEADER = 192
"""The bytes of a header. PyTorch allocates at multiples of 64, so what follows is aligned, too."""
_FIELDS = struct.Struct(f"<{5 + 2 * MOST_DIMS}q")
_START = struct.Struct("<4q")
"""Of it, what is not the same in each call, behind the format."""
_MAGIC = 0x52414D49454C0001
"""The last part counts the versions of the format."""

VALUE, STOPPED = 0, 1
"""What a message is: a value, or that none will come, since its call has failed."""

MOST_BYTES = 1 << 40
"""The largest tensor that is received, of those whose size only the message tells."""


class BadMessage(RuntimeError):
    """A message that no rank of this program sends."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A channel that crosses ranks: its tensors' type, and who sends to whom. A dimension is None
    if it may have any size, and the shape if it may have any."""

    name: str
    dtype: torch.dtype
    shape: tuple[Dim, ...] | None
    sender: int
    receivers: tuple[int, ...]

    @property
    def bytes(self) -> int | None:
        """The size of a value; None if it is not the same in each call."""
        sizes = [size for size in self.shape or () if isinstance(size, int)]
        if self.shape is None or len(sizes) < len(self.shape):
            return None
        return prod(sizes) * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Header:
    """What a message says of itself."""

    kind: int
    number: int
    """That of the call, or what a message that carries no value says."""
    cause: int
    """The rank at fault, if the call has failed."""
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()

    def write(self, buffer: Tensor) -> None:
        pad = (0,) * (MOST_DIMS - len(self.shape))
        _FIELDS.pack_into(
            buffer.numpy().data,
            0,
            *(_MAGIC, self.kind, self.number, self.cause, len(self.shape)),
            *(*self.shape, *pad, *self.strides, *pad),
        )

    @staticmethod
    def read(buffer: Tensor) -> Header:
        """BadMessage if it is none."""
        magic, kind, number, cause, dims, *rest = _FIELDS.unpack_from(buffer.numpy().data)
        if magic != _MAGIC or not 0 <= dims <= MOST_DIMS:
            raise BadMessage("a message has another format")
        strides = rest[MOST_DIMS : MOST_DIMS + dims]
        return Header(kind, number, cause, tuple(rest[:dims]), tuple(strides))


class Fixed:
    """The messages of a channel whose values have one size, in one buffer. What a header says of
    the tensor is read and written only if it is not what the last one said."""

    def __init__(self, remote: Remote, buffer: Tensor | None = None) -> None:
        """The buffer is its own, or is given, of zeros."""
        if buffer is None:
            buffer = torch.zeros(HEADER + (remote.bytes or 0), dtype=torch.uint8)
        self.buffer = buffer
        self.body = self.buffer[HEADER:]
        self._remote = remote
        self._bytes = self.buffer.numpy().data
        self._last = b""
        self._tensor = torch.empty(0)

    def write(self, number: int, value: Any) -> None:
        """TypeError or ValueError as header_of()."""
        tensor, is_known = self._tensor, bool(self._last) and type(value) is Tensor
        if is_known and (value.dtype, value.shape, value.stride()) == (
            tensor.dtype,
            tensor.shape,
            tensor.stride(),
        ):
            _START.pack_into(self._bytes, 0, _MAGIC, VALUE, number, 0)
        else:
            header = header_of(self._remote, number, value)
            header.write(self.buffer)
            self._keep(header)
        if value.data_ptr() != self._tensor.data_ptr():  # a plan computes it there
            self._tensor.copy_(value)

    def read(self) -> tuple[int, int, int, Tensor | None]:
        """Kind, number and cause of the message that is in the buffer, and its tensor if it has
        one. BadMessage."""
        magic, kind, number, cause = _START.unpack_from(self._bytes)
        if (
            magic == _MAGIC
            and kind == VALUE
            and bytes(self._bytes[_START.size : HEADER]) == self._last
        ):
            return kind, number, cause, self._tensor
        header = Header.read(self.buffer)
        if header.kind == VALUE:
            self._keep(header)
        return kind, number, cause, self._tensor if kind == VALUE else None

    def _keep(self, header: Header) -> None:
        self._tensor = body(self._remote, header, self.body)
        self._last = bytes(self._bytes[_START.size : HEADER])


CALLS = -1
"""The number of the slot that says something of calls: of rank 0 that they begin, and of others how
they have ended."""


def slots_of(remotes: Sequence[Remote], ranks: int) -> list[dict[int, int]]:
    """The bytes of each rank's slots for messages to ranks on its machine, by the number of the
    channel. Those whose size each call has anew have none."""
    slots = [{CALLS: HEADER} for _ in range(ranks)]
    for number, remote in enumerate(remotes):
        if remote.bytes is not None:
            slots[remote.sender][number] = HEADER + remote.bytes
    return slots


def stop(buffer: Tensor, number: int, cause: int) -> None:
    """Have a message say that there is no value. What it says of the tensor stays."""
    _START.pack_into(buffer.numpy().data, 0, _MAGIC, STOPPED, number, cause)


def header_buffer() -> Tensor:
    return torch.zeros(HEADER, dtype=torch.uint8)


def header_of(remote: Remote, number: int, value: Any) -> Header:
    """That of a value. TypeError or ValueError if the channel cannot send it."""
    if type(value) not in (Tensor, Parameter) or value.dtype is not remote.dtype:
        kind = value.dtype if type(value) is Tensor else type(value).__name__
        raise TypeError(f'channel "{remote.name}" sends {remote.dtype}, not {kind}')
    if value.dim() > MOST_DIMS:
        raise ValueError(
            f'channel "{remote.name}": {value.dim()} dimensions, at most {MOST_DIMS} cross ranks'
        )
    if not _fits(remote, value.shape):
        raise ValueError(f'channel "{remote.name}" sends {remote.shape}, not {list(value.shape)}')
    strides = value.stride() if is_dense(value) else value.contiguous().stride()
    return Header(VALUE, number, 0, tuple(value.shape), strides)


def body(remote: Remote, header: Header, buffer: Tensor) -> Tensor:
    """The tensor that a header tells of, on bytes. BadMessage if it does not fit the channel."""
    shape, strides = header.shape, header.strides
    if size_of(remote, header) > buffer.numel() or not _is_dense(shape, strides):
        raise BadMessage(f'channel "{remote.name}": a tensor {list(shape)} that it does not carry')
    whole = buffer[: size_of(remote, header)].view(remote.dtype)
    return whole.as_strided(shape, strides)


def size_of(remote: Remote, header: Header) -> int:
    """The bytes that follow a header. BadMessage if there are too many, or it does not fit."""
    shape, element = header.shape, remote.dtype.itemsize
    extent = prod(max(size, 1) for size in shape) * element  # of an empty tensor, too
    if min(shape, default=0) < 0 or not _fits(remote, shape) or extent > MOST_BYTES:
        raise BadMessage(f'channel "{remote.name}": a tensor {list(shape)}')
    return prod(shape) * element


def _is_dense(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether elements fill their memory, each once. Nothing else is ever sent."""
    step = 1
    for stride, size in sorted(zip(strides, shape, strict=True)):
        if size != 1:
            if stride != step and prod(shape):
                return False
            step *= size
    return min(strides, default=0) >= 0


def _fits(remote: Remote, shape: tuple[int, ...] | torch.Size) -> bool:
    if remote.shape is None:
        return True
    return len(shape) == len(remote.shape) and all(
        size == given or not isinstance(size, int)
        for size, given in zip(remote.shape, shape, strict=True)
    )
