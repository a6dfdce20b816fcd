"""Memory that stays with the process.

glibc gives a large block back to the system when it is freed, and asks for another one, page by
page, when the next operator allocates: on big activations that takes longer than the operator, and
two workers that do it at the same time wait for each other. With its thresholds raised, blocks up
to 32 MiB are kept for the next operator. Two samples of SqueezeNet at a time, each on a thread of
its own, ran 1.60 times as fast as one after the other without, and 1.88 times with it.

The thresholds belong to the whole process. They are raised by the first call of a program; the
environment variable RAMIEL_KEEP_MEMORY=0 prevents it, and give_back() undoes it. On other C
libraries nothing happens.
"""

from __future__ import annotations

import ctypes
import functools
import os

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_DEFAULT = 128 << 10
_LARGEST = 32 << 20
"""The largest M_MMAP_THRESHOLD that glibc takes on 64 bits: half of a thread's arena."""
_UNTRIMMED = 1 << 30
"""What may stay free at the top of an arena."""


@functools.cache
def keep_memory() -> bool:
    """Raise the thresholds, the first time that it is called. Whether they were raised."""
    libc = _glibc()
    if libc is None or os.environ.get("RAMIEL_KEEP_MEMORY") == "0":
        return False
    trim = libc.mallopt(_M_TRIM_THRESHOLD, _UNTRIMMED)
    return bool(libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST) and trim)


def give_back() -> None:
    """Set the thresholds to glibc's own, and give free memory back to the system."""
    libc = _glibc()
    if libc is not None and keep_memory():
        libc.mallopt(_M_TRIM_THRESHOLD, _DEFAULT)
        libc.mallopt(_M_MMAP_THRESHOLD, _DEFAULT)
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL(None)
    except (OSError, TypeError):  # TypeError: Windows has no library without a name
        return None
    return libc if hasattr(libc, "gnu_get_libc_version") else None
