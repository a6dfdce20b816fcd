"""Ports for what is started here."""

from __future__ import annotations

import random
import socket
from contextlib import suppress


def free_port() -> int:
    """A port that no connection gets by itself: systems take those from 32768 on."""
    while True:
        port = random.SystemRandom().randrange(10000, 32768)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
