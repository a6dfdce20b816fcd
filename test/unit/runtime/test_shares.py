"""Ranks on one machine divide its cores, unless somebody has done so already."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import pytest

from ramiel.runtime.distributed.shares import kept_to, offer, share_of


def offers(*told: tuple[str, Sequence[int]]) -> list[bytes]:
    return [json.dumps({"machine": m, "cores": list(cores)}).encode() for m, cores in told]


def test_each_rank_of_a_machine_has_a_part() -> None:
    eight, four = ("a", range(8)), ("b", range(4))
    told = offers(eight, four, eight, four, eight)
    parts = [share_of(rank, told, [2] * 5) for rank in range(5)]
    assert parts == [{0, 1}, {0, 1}, {2, 3, 4}, {2, 3}, {5, 6, 7}]


@pytest.mark.parametrize(
    ("told", "workers"),
    [
        (offers(("a", [0, 1]), ("b", [0, 1])), [1, 1]),  # on machines of their own
        (offers(("a", [0]), ("a", [1])), [1, 1]),  # as taskset has it
        (offers(("a", [0, 1, 2]), ("a", [0, 1, 2])), [2, 1]),  # too few cores for rank 0
        ([b"", *offers(("a", [0, 1]))], [1, 1]),
        ([*offers(("a", [0, 1])), b""], [1, 1]),
        ([*offers(("a", [0, 1])), b"[]"], [1, 1]),
        ([*offers(("a", [0, 1])), b'{"machine": "a", "cores": [0, "x"]}'], [1, 1]),
        ([*offers(("a", [0, 1])), b'{"machine": "a", "cores": 3}'], [1, 1]),
        ([*offers(("a", [0, 1])), b"x" * 100_000], [1, 1]),
    ],
)
def test_or_keeps_what_it_has(told: list[bytes], workers: list[int]) -> None:
    assert share_of(0, told, workers) is None


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")
def test_a_thread_keeps_to_its_part_for_a_while() -> None:
    before = os.sched_getaffinity(0)
    told = [offer().encode()] * 2
    part = share_of(1, told, [0, 0])
    with kept_to(part):
        assert os.sched_getaffinity(0) == (part or before)
    with kept_to(None):
        assert os.sched_getaffinity(0) == before
    assert os.sched_getaffinity(0) == before
    assert part is not None and len(part) == len(before) - len(before) // 2 and part <= before
