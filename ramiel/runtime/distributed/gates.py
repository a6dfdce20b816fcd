"""The order in which a worker does its parts of calls that overlap: that of their numbers.

All ranks follow it, so that the first of the calls under way waits for no other one: each makes
progress. Without it the cores of a rank would be shared by all calls, of which none was soon ready
for the next rank.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from ctypes import addressof, c_int64, c_uint32

from ramiel.runtime.locks import Lock
from ramiel.runtime.replay.native import Kind, native
from ramiel.runtime.replay.tape import Quick

_MOMENT_MS = 20
_AHEAD = 1 << 30


class Gate:
    """Through which one worker goes with its part of each call, numbered from 1 on without a gap.
    Each call leaves it, whatever it ends with."""

    def __init__(self) -> None:
        self._count = (c_uint32 * 2)()  # native/messages.h
        """How many calls have left, and how many threads sleep."""
        self._is_open, self._opening = False, Lock()
        library = native()
        self._functions = None if library is None else library.functions

    def enter(self, number: int) -> None:
        """Waits until the calls before have left."""
        while not self._may_enter(number):
            pass

    def leave(self, number: int) -> None:
        """Lets the next call enter, once this one might have; nothing if it has left."""
        self.enter(number)
        if self._functions is not None:
            self._functions.ramiel_gate_leave(self._count, number)
        elif self._count[0] == number - 1:
            self._count[0] = number

    def open(self) -> None:
        """Lets all calls enter, for one before may never come: the program ends. Idempotent."""
        with self._opening:
            if not self._is_open:
                self._count[0] += _AHEAD  # whoever sleeps looks again soon
            self._is_open = True

    def _may_enter(self, number: int) -> bool:
        if self._functions is not None:
            return bool(self._functions.ramiel_gate_may_enter(self._count, number, 0, _MOMENT_MS))
        if not (is_free := self._count[0] >= number - 1):
            time.sleep(1e-3)
        return is_free

    def step(self, kind: Kind, call: c_int64) -> Quick:
        """To enter or to leave, with the number of the current call."""
        return Quick(kind.name, addressof(self._count), addressof(call), (self, call))


def through(gate: Gate, number: int, function: Callable[[], None]) -> None:
    """Calls a function between the two."""
    gate.enter(number)
    try:
        function()
    finally:
        gate.leave(number)
