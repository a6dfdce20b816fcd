"""Serves programs: from when its port is bound to when the last accepted request is answered."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import torch
import uvicorn

from ramiel.api import CompiledProgram
from ramiel.errors import CompileError
from ramiel.runtime.memory import give_back_surplus
from ramiel.serving.app import application
from ramiel.serving.connection import Connection
from ramiel.serving.engine import Engine, Gathering
from ramiel.serving.limits import Limits
from ramiel.serving.metrics import Metrics, Observed
from ramiel.serving.models import Model, Models, Source
from ramiel.serving.signature import Signature

KEEP_ALIVE_S = 75
"""How long a connection without a request, or with a part of its headers, stays open."""
_BACKLOG = 2048
_GRACE_S = 5.0
"""How much longer than a request may take the server waits for the last when it stops."""
_SWITCH_S = 0.0002
"""How long a thread that computes may wait for Python's lock while HTTP has it; by default 5 ms."""
_SURPLUS_S = 10
"""How often the server looks whether much free memory is to be given back."""
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
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CompileError(f"cannot listen on {host}, port {port}: {reason.lower()}") from error
    # Such a socket knows that it is of TCP, for which asyncio sets TCP_NODELAY: else a response,
    # which is written in two pieces, takes 40 ms more.
    return socket.socket(fileno=listening.detach())


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

    def __init__(self, served: Sequence[Served], settings: Settings | None = None) -> None:
        settings = settings or Settings()
        self._engine, self._programs = Engine(settings.gathering), [s.program for s in served]
        metrics, models = Metrics(), list[Model]()
        for source, signature, program in served:
            observed = Observed(metrics, source.name, source.version)
            queue = self._engine.queue(program, observed)
            models.append(Model(source.name, source.version, signature, queue))
            metrics.watch(models[-1])
        self._http = uvicorn.Server(
            uvicorn.Config(
                application(Models(models), metrics, settings.limits),
                http=partial(Connection, limits=settings.limits),  # pyright: ignore
                access_log=settings.access_log,
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                callback_notify=partial(asyncio.to_thread, give_back_surplus),
                timeout_notify=_SURPLUS_S,
                timeout_graceful_shutdown=int(settings.limits.timeout_s + _GRACE_S),
            )
        )

    def run(self, listening: socket.socket) -> None:
        """Serves until a signal or stop(), and answers what was accepted.

        This thread computes, another one talks to the clients.
        """
        talking = threading.Thread(target=self._talk, args=(listening,), name="ramiel-http")
        before = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_S)
        try:
            with self._signals():
                talking.start()
                self._engine.run()
                talking.join()
        finally:
            sys.setswitchinterval(before)
        for program in self._programs:
            program.close()

    def _talk(self, listening: socket.socket) -> None:
        torch.set_num_threads(1)  # to copy a tensor needs no team
        try:
            self._http.run([listening])
        finally:
            self._engine.close()

    @property
    def is_up(self) -> bool:
        return self._http.started

    def stop(self) -> None:
        """Makes run() return once it has answered, from any thread."""
        self._http.should_exit = True

    @contextmanager
    def _signals(self) -> Generator[None]:
        """SIGTERM and SIGINT stop the server; a second SIGINT does not wait for answers."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, _: object) -> None:
            self._http.force_exit = number == signal.SIGINT and self._http.should_exit
            self.stop()

        before = {number: signal.signal(number, stop) for number in _STOPS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
