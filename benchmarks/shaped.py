"""Ranks in network namespaces of this machine, joined by a link whose rate is shaped.

    python benchmarks/shaped.py 1gbit COMMAND ...

runs a command as each of two ranks, which do not share memory, and prints what they print. It needs
the rights to make namespaces, iproute2, and the kernel's token bucket filter; what a link delays is
left as it is, as few kernels have netem.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager

RANKS = 2
PORT = 29500
LIMIT_S = 600


def _address(rank: int) -> str:
    return f"10.77.0.{rank + 1}"


@contextmanager
def namespaces(rate: str) -> Generator[list[str]]:
    """Their names, by rank: each end of the link sends at a rate, as tc takes it (`1gbit`)."""
    names = [f"ramiel-{os.getpid()}-{rank}" for rank in range(RANKS)]
    made: list[str] = []
    try:
        for name in names:
            _do("ip", "netns", "add", name)
            made.append(name)
        ends = ["ip", "link", "add", "end", "netns", names[0]]
        _do(*ends, "type", "veth", "peer", "name", "end", "netns", names[1])
        for rank, name in enumerate(names):
            _do("ip", "-n", name, "addr", "add", f"{_address(rank)}/24", "dev", "end")
            for device in ("lo", "end"):
                _do("ip", "-n", name, "link", "set", device, "up")
            shape = ["tc", "-n", name, "qdisc", "add", "dev", "end", "root", "tbf"]
            _do(*shape, "rate", rate, "burst", "256kb", "latency", "100ms")
        yield names
    finally:
        for name in made:
            _do("ip", "netns", "del", name)


def _do(*command: str) -> None:
    subprocess.run(command, check=True)


def run(rate: str, command: Sequence[str]) -> list[str]:
    """What each rank prints. CalledProcessError if one fails."""
    with namespaces(rate) as names:
        ranks = [
            subprocess.Popen(
                ["ip", "netns", "exec", name, *command],
                env={
                    **os.environ,
                    "RANK": str(rank),
                    "WORLD_SIZE": str(RANKS),
                    "MASTER_ADDR": _address(0),
                    "MASTER_PORT": str(PORT),
                    "RAMIEL_SHARED_MEMORY": "0",
                },
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank, name in enumerate(names)
        ]
        try:
            told = [rank.communicate(timeout=LIMIT_S)[0] for rank in ranks]
        finally:
            for rank in ranks:
                rank.kill()
                rank.wait()
    for rank in ranks:
        if rank.returncode:
            raise subprocess.CalledProcessError(rank.returncode, command)
    return told


if __name__ == "__main__":
    print("".join(run(sys.argv[1], sys.argv[2:])), end="")
