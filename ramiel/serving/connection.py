"""A client's connection, with the bounds that uvicorn leaves to a proxy."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from ramiel.serving.limits import Limits
from ramiel.serving.protocol import HEADER_LENGTH, Body

MOST_HEADERS = 65_536
"""Bytes of a request's headers, path included; those of one read may be more."""
BODY = "ramiel.body"
"""Under this name a request's scope has its Body, if its headers say how large it is."""
_GRACE_S = 5.0
"""How long a client may take for the last bytes before its connection is cut."""


def _refusal(status: str, reason: str, headers: str = "") -> bytes:
    body = f'{{"error":"{reason}"}}'
    return (
        f"HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n{body}"
    ).encode()


_TOO_LARGE = _refusal(
    "431 Request Header Fields Too Large",
    f"the headers of a request may have {MOST_HEADERS} bytes",
)
_TOO_MANY = _refusal("503 Service Unavailable", "too many connections", "retry-after: 1\r\n")


class Connection(HttpToolsProtocol):
    """Closes when headers are endless, or have not come after the time for which a connection may
    be idle: the parser keeps them in memory, and the application sees only whole ones. Also closes
    when its client does not take a response in the time of a request, and at once if there are too
    many of them."""

    _within_headers = False
    _received = 0
    _patience: asyncio.TimerHandle | None = None
    _taken: asyncio.TimerHandle | None = None
    _body: Body | None = None

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: Limits,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # pyright: ignore[reportArgumentType]
        if len(self.connections) > self._limits.most_connections:
            self.transport.write(_TOO_MANY)
            self._close()
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        self._unset_keepalive_if_required()
        self.resume_writing()
        self._body = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._received = self._received + len(data) if self._within_headers else 0
        if self._received > MOST_HEADERS and not self.transport.is_closing():
            if not (self.cycle and not self.cycle.response_complete):
                self.transport.write(_TOO_LARGE)
            self._close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._within_headers = True
        self._wait()

    def on_headers_complete(self) -> None:
        self._within_headers = False
        self._wait_no_more()
        super().on_headers_complete()
        headers = dict(self.headers)
        size = headers.get(b"content-length", b"")
        if size.isdigit() and 0 < int(size[:19]) <= self._limits.most_bytes:
            header = headers.get(HEADER_LENGTH.lower().encode())
            self._body = Body(int(size), None if header is None else header.decode("latin-1"))
            self.scope[BODY] = self._body  # pyright: ignore

    def on_body(self, body: bytes) -> None:
        if self._body is None or self.cycle.response_complete:
            super().on_body(body)
        else:
            self._body.add(body)

    def on_message_complete(self) -> None:
        self._body = None
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._taken is None:
            self._taken = self.loop.call_later(self._limits.timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._taken is not None:
            self._taken.cancel()
            self._taken = None

    def timeout_keep_alive_handler(self) -> None:
        self._close()

    def _close(self) -> None:
        """Closes the connection once the client has what was written, if that is soon."""
        self.transport.close()
        self.loop.call_later(_GRACE_S, self.transport.abort)

    def _wait(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(self.timeout_keep_alive, self._close)

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
