"""What clients may take of a server."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What requests and clients may take."""

    most_bytes: int = 64_000_000
    """Of the body of a request."""
    timeout_s: float = 30.0
    """From a request's headers to its response, and as long again until the client has that."""
    most_held: int = 2_000_000_000
    """Bytes of the bodies of all requests and responses at a time."""
    most_connections: int = 1000


class Held:
    """The bytes of bodies of requests and responses in memory. For one thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.bytes = 0

    @contextmanager
    def share(self) -> Generator[Share]:
        """What one request holds, until it is answered."""
        share = Share(self)
        try:
            yield share
        finally:
            share.give_back()

    @property
    def left(self) -> int:
        return self._most - self.bytes


class Share:
    """What one request holds."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self.bytes = 0

    def take(self, size: int) -> None:
        """Notes that it holds so many more bytes."""
        self._held.bytes += size
        self.bytes += size

    def may_take(self, size: int) -> bool:
        """Takes so many more bytes if they are left."""
        if size > self._held.left:
            return False
        self.take(size)
        return True

    def give_back(self) -> None:
        self._held.bytes -= self.bytes
        self.bytes = 0
