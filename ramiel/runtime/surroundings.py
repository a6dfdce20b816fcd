"""The state of the thread and the process around a call of a program.

A program computes the same whatever its caller has set: torch keeps some settings for each thread
(thread count, gradients, autocast, default device), which are set aside for a call. A call in a
forked child needs a thread of its own, and no call may be inside an operator when Python exits:
see has_lost_its_team() and at_exit().
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch._C import _len_torch_function_stack, _set_grad_enabled  # pyright: ignore

from ramiel.runtime.memory import keep_memory

Result = TypeVar("Result")


def with_one_thread(function: Callable[..., Result], *args: object) -> Result:
    """Call a function with one intra-op thread, without gradients, autocast, a default device or
    inference mode.

    torch keeps these settings for each thread, so other threads' stay as they are. A thread
    that uses torch for the first time starts with the count that was set last in any thread:
    that is why the caller's is restored even if it was 1.

    RuntimeError while Python exits, except in its main thread.
    """
    keep_memory()
    threads, grad = torch.get_num_threads(), torch.is_grad_enabled()
    call = _Call()
    try:
        _calls.add(call)
        if _ending and threading.current_thread() is not threading.main_thread():
            raise RuntimeError("Python is shutting down: programs can no longer be called")
        torch.set_num_threads(1)
        _set_grad_enabled(False)
        if _is_disturbed():
            with undisturbed():
                return function(*args)
        return function(*args)
    finally:
        # An interrupt may come after each of these, but not within: none is written in Python.
        try:
            torch.set_num_threads(threads)
        finally:
            try:
                _set_grad_enabled(grad)
            finally:
                _calls.discard(call)


@contextmanager
def undisturbed() -> Generator[None]:
    """Sets autocast, the default device and inference mode aside."""
    if not _is_disturbed():
        yield
        return
    if torch.is_inference_mode_enabled():
        # What is kept from call to call must not be of the kind that only this mode may change.
        with torch.inference_mode(False), torch.no_grad(), undisturbed():
            yield
        return
    with torch.autocast("cpu", enabled=False), torch.device("cpu"):
        yield


def _is_disturbed() -> bool:
    return (
        bool(_len_torch_function_stack())
        or torch.is_autocast_enabled("cpu")
        or torch.is_inference_mode_enabled()
    )


# --- forked children ---

_forking_thread: int | None = None


def has_lost_its_team() -> bool:
    """Whether this is the thread of a forked child that was copied by the fork.

    OpenMP believes that the other threads of its team still exist, and would wait for them
    forever. Any other thread starts with a new team.
    """
    return _forking_thread is not None and _forking_thread == threading.get_ident()


def _after_fork() -> None:
    global _forking_thread
    _forking_thread = threading.get_ident()
    _calls.clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


# --- Python's exit ---


class _Call:
    """A call that is under way."""

    __slots__ = ()


_calls: set[_Call] = set()
_ending = False
_at_exit: list[Callable[[], None]] = []
PATIENCE_S = 5.0
"""How long Python's exit waits for calls of other threads to stop."""
_GRACE_S = 0.05
"""How long it then waits for these threads to free what the calls returned."""


def at_exit(function: Callable[[], None]) -> None:
    """Register a function to be called when Python exits; it must stop running calls."""
    _at_exit.append(function)


def is_ending() -> bool:
    return _ending


def _end() -> None:
    """Stops the calls of other threads and waits until they have left torch.

    Python ends a daemon thread when it next acquires the GIL. Inside an operator of torch that
    unwinds C++ frames that must not be, which aborts the process: "terminate called without an
    active exception". To free a tensor is such an operator: torch releases the GIL for it.
    """
    global _ending
    _ending = True
    _stop()
    end = time.monotonic() + PATIENCE_S
    while _calls and time.monotonic() < end:
        time.sleep(0.001)
    _stop()  # what a call that was under way has started since
    if any(thread.daemon for thread in threading.enumerate()):
        time.sleep(_GRACE_S)


def _stop() -> None:
    for function in _at_exit:
        function()


atexit.register(_end)
