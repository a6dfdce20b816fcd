"""Serves programs: from when its port is bound to when the last accepted request is answered."""

from __future__ import annotations

import signal
import socket
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import uvicorn

from ramiel.api import CompiledProgram
from ramiel.errors import CompileError
from ramiel.serving.app import Limits, application
from ramiel.serving.metrics import Metrics, Observed
from ramiel.serving.models import Model, Models, Source
from ramiel.serving.runner import Gathering, Runner
from ramiel.serving.signature import Signature

KEEP_ALIVE_S = 75
"""How long a connection without a request stays open."""
_BACKLOG = 2048
_GRACE_S = 5.0
"""How much longer than a request may take the server waits for the last when it stops."""
_STOPS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Settings:
    """How requests are served."""

    gathering: Gathering = field(default_factory=Gathering)
    limits: Limits = field(default_factory=Limits)
    access_log: bool = True


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens; clients that connect wait until the models are there. Port 0 is any
    that is free. CompileError if the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CompileError(f"cannot listen on {host}, port {port}: {reason.lower()}") from error


def url_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Served(NamedTuple):
    """A program, and where it is from."""

    source: Source
    signature: Signature
    program: CompiledProgram


class Server:
    """A server of programs, until it is told to stop."""

    def __init__(self, programs: Iterable[Served], settings: Settings | None = None) -> None:
        settings = settings or Settings()
        metrics = Metrics()
        served: list[Model] = []
        for source, signature, program in programs:
            observed = Observed(metrics, source.name, source.version)
            runner = Runner(program, settings.gathering, observed)
            served.append(Model(source.name, source.version, signature, runner))
            metrics.watch(served[-1])
        self.models = Models(served)
        self._server = uvicorn.Server(
            uvicorn.Config(
                application(self.models, metrics, settings.limits),
                access_log=settings.access_log,
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=int(settings.limits.timeout_s + _GRACE_S),
            )
        )

    def run(self, listening: socket.socket) -> None:
        """Serves until SIGTERM, SIGINT or stop(), then answers what was accepted."""
        with _signals_end_the_server():
            try:
                self._server.run([listening])
            finally:
                self.models.close()

    @property
    def is_up(self) -> bool:
        return self._server.started

    def stop(self) -> None:
        """Makes run() return, from another thread."""
        self._server.should_exit = True


@contextmanager
def _signals_end_the_server() -> Generator[None]:
    """uvicorn sends itself the signal that has stopped it once more, after it has set back these
    handlers: it is to be no error."""
    try:
        before = {number: signal.signal(number, lambda *_: None) for number in _STOPS}
    except ValueError:  # signals are for the main thread
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
