"""What a device with streams provides; CUDA by default, a stand-in within `stand_in()`."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeVar

import torch

from ramiel.runtime.errors import DeviceUnavailable

Result = TypeVar("Result")

VARIABLE = "RAMIEL_STREAMS"
"""Set to `stand-in`, programs for CUDA run on the CPU, to check them where there is no GPU."""


class Stream(Protocol):
    """Operations that run one after the other."""

    def wait_event(self, event: Any) -> None:
        """Operations that are issued to this stream later wait for the event's last record."""


class Event(Protocol):
    """A point in the order of a stream's operations."""

    def record(self, stream: Any) -> None: ...


class Timer(Event, Protocol):
    """An event that knows when the device got to it, within a graph as well."""

    def elapsed_time(self, end: Any) -> float:
        """ms until a later one, both of which have happened."""
        ...


class Graph(Protocol):
    """Operations of several streams with their order, replayed as one operation."""

    memory: int
    """The bytes of the device that it holds."""

    def replay(self) -> None:
        """Issues all of them to the current stream."""


class Device(Protocol):
    """A device to whose streams operations are issued, while they run in their own time."""

    torch_device: torch.device
    has_times: bool
    """Whether timers tell how long operations take: a stand-in's do not."""

    @property
    def name(self) -> str:
        """The device and the libraries, as a readable line. Times of devices of one name are
        interchangeable."""
        ...

    def streams(self, count: int) -> Sequence[Stream]:
        """Streams besides the current one, the same at each call: as many, or fewer if there are
        no more that differ."""
        ...

    def event(self) -> Event: ...

    def timer(self) -> Timer: ...

    def current(self) -> Stream:
        """The stream to which this thread issues operations."""
        ...

    def use(self, stream: Any) -> None:
        """Makes a stream this thread's current one."""
        ...

    def issuing(self) -> AbstractContextManager[None]:
        """Operations of this thread go to the device's streams, and new tensors to its memory."""
        ...

    def is_capturing(self) -> bool:
        """Whether what is issued to the current stream becomes part of a graph of the caller's."""
        ...

    def capture(
        self, issue: Callable[[], Result], streams: int = 1, beside: Any = None
    ) -> tuple[Graph, Result]:
        """A graph of what a function issues to so many streams, and its result.

        It may use the memory of the graph that is `beside` it, but for what of that is still held
        now: neither may be replayed while the other runs.

        The function issues to the current stream, and to others that have waited for an event of
        that one and that it waits for in the end. Raises what the function does, and RuntimeError
        if it does something that cannot be captured, as to read a value.
        """
        ...

    def is_lost(self) -> bool:
        """Whether nothing can be done on the device any more, after an error."""
        ...

    def settle(self) -> None:
        """What was issued can be used by the caller's operations on its current stream."""
        ...

    def synchronize(self) -> None:
        """Waits until all that was issued has run."""
        ...


_stand_ins: list[Device] = []


def device_of_programs() -> Device:
    """The device that programs made now run on.

    Raises DeviceUnavailable, in one line, if that is CUDA and it cannot be used, or unknown.
    """
    if _stand_ins:
        return _stand_ins[-1]
    chosen = os.environ.get(VARIABLE, "")
    if chosen not in ("", "stand-in"):
        raise DeviceUnavailable(f"{VARIABLE} is {chosen!r}; it may be stand-in")
    if chosen:
        from ramiel.runtime.streams.stand_in import StandIn

        return StandIn()
    from ramiel.runtime.streams.cuda import Cuda

    return Cuda()


@contextmanager
def programs_on(device: Device) -> Generator[None]:
    """Programs that are made within run on this device."""
    _stand_ins.append(device)
    try:
        yield
    finally:
        _stand_ins.remove(device)
