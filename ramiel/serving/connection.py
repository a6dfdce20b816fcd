"""A client's connection, with the bounds that uvicorn leaves to a proxy."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEADERS = 65_536
"""Bytes of a request's headers, path included; those of one read may be more."""
_REASON = b'{"error":"the headers of a request may have %d bytes"}' % MOST_HEADERS
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_REASON)
) + _REASON


class Connection(HttpToolsProtocol):
    """Closes when headers are endless, or have not come after the time for which a connection may
    be idle: the parser keeps them in memory, and the application sees only whole ones."""

    _within_headers = False
    _received = 0
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # pyright: ignore[reportArgumentType]
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._received = self._received + len(data) if self._within_headers else 0
        if self._received > MOST_HEADERS and not self.transport.is_closing():
            if not (self.cycle and not self.cycle.response_complete):
                self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._within_headers = True
        self._wait()

    def on_headers_complete(self) -> None:
        self._within_headers = False
        self._wait_no_more()
        super().on_headers_complete()

    def _wait(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(self.timeout_keep_alive, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
