"""Memory in large pages, for what is read at every call: packed weights and workspaces.

With pages of 4 KiB a pass over some megabytes of weights spends part of its time on finding the
pages, in a virtual machine twice over. Linux makes pages of 2 MiB where it is asked to; elsewhere,
this is memory like any other.
"""

from __future__ import annotations

import mmap
import threading
from contextlib import suppress

import torch
from torch import Tensor

_PAGE = 2 << 20
_REGION = 4 * _PAGE
_ALIGNMENT = 64
"""Of a cache line, as torch has it."""

_lock = threading.Lock()
_open: tuple[Tensor, int] | None = None
"""The region that is being filled, and how far it is."""


def allocate(size: int) -> Tensor:
    """So many bytes, not initialized; they share a region with others until all of them die."""
    global _open
    if size >= _PAGE:
        return _region(-(-size // _PAGE) * _PAGE)[:size]
    with _lock:
        if _open is None or _open[1] + size > _REGION:
            _open = _region(_REGION), 0
        region, used = _open
        _open = region, used + -(-size // _ALIGNMENT) * _ALIGNMENT
    return region[used : used + size]


def _region(size: int) -> Tensor:
    """Memory that starts at a large page."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.empty(size, dtype=torch.uint8)
    memory = mmap.mmap(-1, size + _PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # of a kernel without large pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    with torch.inference_mode(False):
        whole = torch.frombuffer(memory, dtype=torch.uint8)
    start = -whole.data_ptr() % _PAGE
    return whole[start : start + size]
