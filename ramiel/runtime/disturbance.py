"""Whether other programs took the cores while something was timed."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from ramiel.runtime.replay.native import native

try:
    import resource
except ImportError:  # on Windows
    resource = None

PART, LEAST_NS = 0.02, 100_000
"""The part of the time, and the ns, that a thread may have waited for a core: the system itself
takes less, and another program that wants a core has threads wait for ms at a time."""
_THREADS = Path("/proc/self/task")


class Watch:
    """Notices whether other programs take cores from this process, from when it is made.

    What counts is how long a thread was ready to run and had no core, as Linux's schedulers keep
    account of (`schedstat` of each thread); where the system does not tell, how often a core was
    taken from one. If this process has more threads at work than there are cores, they take the
    cores from each other, and nothing can be said.
    """

    def __init__(self) -> None:
        self._waits = _waits()
        self._preemptions = _preemptions()
        self._start = time.perf_counter()

    def is_quiet(self) -> bool:
        """Whether nobody has taken a core from this process so far."""
        return self.disturbed() == 0

    def disturbed(self) -> int:
        """How many of this process's threads have lost a core to others; at most one where the
        system does not tell of each."""
        seconds = time.perf_counter() - self._start
        if waits := _waits():
            most = LEAST_NS + PART * seconds * 1e9
            return sum(wait - self._waits.get(thread, 0) > most for thread, wait in waits.items())
        return int(not are_usual(_preemptions() - self._preemptions, seconds))


def forget() -> None:
    """Has replays behave as if nobody had disturbed them: for a while after others have taken their
    cores, threads that wait sleep at once, and programs of short operations take longer."""
    if lib := native():
        lib.forget_pressure()


def are_usual(preemptions: int, seconds: float) -> bool:
    """Whether so many in so long a time are what the system itself causes: up to 90 a second on an
    idle machine with 2 cores, 170 and more where another program wants one of them."""
    return preemptions <= 2 + 130 * seconds


def _waits() -> dict[str, int]:
    """The ns for which each thread of this process, by its id, was ready to run and had no core;
    empty where the system does not tell."""
    found: dict[str, int] = {}
    with suppress(OSError):
        for thread in _THREADS.iterdir():
            with suppress(OSError, ValueError, IndexError):  # it may have ended
                found[thread.name] = int((thread / "schedstat").read_text().split()[1])
    return found


def _preemptions() -> int:
    """How often a core was taken from this process while it had something to compute; 0 where the
    system does not tell."""
    return 0 if resource is None else resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
