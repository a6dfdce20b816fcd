"""What a hand-over between ranks costs, beside a bare isend and irecv of as many bytes.

    torchrun --nnodes 1 --nproc-per-node 2 benchmarks/hand_over.py [--turns 200] [--out FILE]

A value goes there and back: as bytes that are there already, by gloo, and by the channels of
programs with their headers, in a replay, which computes it where the message lies, and in Python,
which copies it. These use the memory that the ranks share, or gloo with RAMIEL_SHARED_MEMORY=0. All
take turns; half of the median time of a trip counts.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import torch

from ramiel.runtime.distributed.channels import Port
from ramiel.runtime.distributed.group import Group, Place, Wire, time_limit
from ramiel.runtime.distributed.links import half_trip, measured
from ramiel.runtime.distributed.links import slots_of as slots_of_links
from ramiel.runtime.distributed.messages import Remote, slots_of

SIZES = (256, 1 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20)
"""Bytes."""
ROUNDS = 5
CALLS = count(1)
"""The numbers of trips, each of which is a call to a channel."""
COLUMNS = ("bytes", "bare_us", "hand_over_us", "in_python_us")


def remotes() -> list[Remote]:
    """The channels: for each size and form, there and back. Each has messages of its own, as the
    last receive of one stays posted."""
    return [
        Remote(f"{size} {form} {sender}", torch.float32, (size // 4,), sender, (1 - sender,))
        for size in SIZES
        for form in (True, False)
        for sender in (0, 1)
    ]


def bare(group: Group, size: int) -> Callable[[], None]:
    other, tag = 1 - group.rank, 5
    out, back = (torch.zeros(size, dtype=torch.uint8) for _ in range(2))

    def trip() -> None:
        received = group.receive(back, other, tag)
        if group.rank:
            group.wait(received, other, "waits")
        group.wait(group.send(out, other, tag), other, "sends")
        if not group.rank:
            group.wait(received, other, "waits")

    return trip


def handed_over(group: Group, size: int, is_replayed: bool) -> Callable[[], None]:
    ports = [
        Port(remote, number, Wire(group))
        for number, remote in enumerate(remotes())
        if remote.name.startswith(f"{size} {is_replayed} ")
    ]
    out, back = ports[group.rank], ports[1 - group.rank]
    value = torch.zeros(size // 4)
    if is_replayed and out.body is not None:
        value = out.body.view(torch.float32)
    back.post()

    def trip() -> None:
        group.neighbours.calls[0].value = call = next(CALLS)
        if group.rank:
            back.receive(call)
        out.send(call, value)
        out.flush()
        if not group.rank:
            back.receive(call)
        back.post()

    return trip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    place = Place.of(os.environ)
    assert place is not None and place.ranks == 2, "start this by torchrun, with two ranks"
    torch.set_num_threads(1)
    pairs = zip(slots_of(remotes(), 2), slots_of_links(2), strict=True)
    slots = [{**channels, **links} for channels, links in pairs]
    group = Group("hand_over", place, time_limit(os.environ), {}, slots)
    link = str(measured(group, 1 - group.rank))
    way = "shared memory" if group.neighbours.ranks else "gloo"
    rows: list[dict[str, float]] = []
    for size in SIZES:
        forms = [bare(group, size), *(handed_over(group, size, form) for form in (True, False))]
        times = [[half_trip(form, options.turns) for form in forms] for _ in range(ROUNDS)]
        best = [min(row) * 1e6 for row in zip(*times, strict=True)]
        rows.append(dict(zip(COLUMNS, [size, *best], strict=True)))
    if group.rank == 0:
        print(f"{way}: --link {link}")
        for row in rows:
            ratio = row["hand_over_us"] / row["bare_us"]
            print(
                f"{row['bytes']:8.0f} bytes: bare {row['bare_us']:8.1f} µs, hand-over "
                f"{row['hand_over_us']:8.1f} µs, {ratio:.2f} times; in Python "
                f"{row['in_python_us']:8.1f} µs"
            )
        if options.out is not None:
            options.out.write_text(
                json.dumps({"link": link, "way": way, "rows": rows}, indent=1) + "\n"
            )


if __name__ == "__main__":
    main()
