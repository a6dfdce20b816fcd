"""Interrupts leave locks open."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

import pytest

from ramiel.runtime.locks import Lock


class Late(Exception):
    """What a handler of a signal raises."""


def is_open(lock: Lock) -> bool:
    """Whether another thread could take it."""
    took: list[bool] = []
    thread = threading.Thread(target=lambda: took.append(lock.acquire(blocking=False)))
    thread.start()
    thread.join()
    return took == [True]


def enter(lock: Lock) -> None:
    with lock:
        pass


def enter_twice(lock: Lock) -> None:
    with lock, lock:
        pass


@pytest.mark.parametrize("use", [enter, enter_twice])
def test_what_is_raised_after_any_call(use: Callable[[Lock], None]) -> None:
    """Where functions begin and after calls of C, which is where Python handles signals."""
    moment = left = 0

    def raises(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        if event in ("call", "c_return"):
            left -= 1
            if left == 0:
                raise Late

    while left == 0:
        lock = Lock()
        moment += 1
        left = moment
        sys.setprofile(raises)
        try:
            use(lock)
        except Late:
            pass
        finally:
            sys.setprofile(None)
        assert is_open(lock)
    assert moment > 3


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="without timers")
def test_what_is_raised_while_it_waits() -> None:
    """The lock stays with the thread that has it."""

    def late(number: int, frame: object) -> None:
        raise Late

    lock = Lock()
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            done.wait(60)

    holder = threading.Thread(target=hold)
    before = signal.signal(signal.SIGALRM, late)
    try:
        holder.start()
        taken.wait(60)
        with pytest.raises(Late):
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            enter(lock)
        assert not is_open(lock)
    finally:
        signal.signal(signal.SIGALRM, before)
        done.set()
        holder.join()
    assert is_open(lock)


def test_threads_exclude_each_other() -> None:
    lock = Lock()
    count = 0

    def add() -> None:
        nonlocal count
        for _ in range(1000):
            with lock:
                seen = count
                threading.Event().wait(0)
                count = seen + 1

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count == 3000
