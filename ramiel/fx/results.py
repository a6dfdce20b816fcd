"""Where a graph's results come from, and how they lie in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Result:
    """A result of the graph: one of the program's, an argument, or a constant."""

    of_program: int | None = None
    argument: int | None = None
    constant: Any = None
    strides: tuple[int, ...] | None = None
    """The strides that PyTorch's would have, if it is not contiguous."""
    offset: int = 0
    """Where it begins in its memory, in elements."""
    memory: int = 0
    """The memory that it lies in: results of the same number are views of the same."""
    memory_bytes: int = 0
    fills: bool = False
    """Whether it is contiguous and all of its memory."""

    @staticmethod
    def of_output(place: int, fake: Tensor) -> Result:
        """An output of the program, which lies in memory as PyTorch's result does, of which `fake`
        has no data."""
        storage, contiguous = fake.untyped_storage(), fake.is_contiguous()
        return Result(
            of_program=place,
            strides=None if contiguous else tuple(fake.stride()),
            offset=int(fake.storage_offset()),
            memory=storage._cdata,  # pyright: ignore[reportPrivateUsage]
            memory_bytes=storage.nbytes(),
            fills=contiguous and storage.nbytes() == fake.nbytes,
        )
