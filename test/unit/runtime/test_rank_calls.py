"""What a rank knows of why another one is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest
from torch import Tensor

from ramiel.runtime.distributed import reports
from ramiel.runtime.distributed.follower import Follower
from ramiel.runtime.distributed.group import RankLost
from ramiel.runtime.distributed.messages import Header
from ramiel.runtime.distributed.neighbours import Neighbours
from ramiel.runtime.distributed.reports import END, header_of


class Told:
    """The connections of rank 1 of three, on which rank 0 says some things before it is lost."""

    rank, ranks, limit_s = 1, 3, 10.0
    neighbours = Neighbours(1, ())

    def __init__(self, *said: Header) -> None:
        self._said = list(said)

    def slot(self, rank: int, number: int) -> None:
        return None

    def receive(self, buffer: Tensor, rank: int, tag: int) -> Told:
        self._buffer = buffer
        return self

    def send(self, buffer: Tensor, rank: int, tag: int) -> Told:
        raise RuntimeError("connection closed")

    def wait(self, limit: timedelta) -> None:
        if not self._said:
            raise RuntimeError("connection closed")
        self._said.pop(0).write(self._buffer)

    def lost(self, rank: int, what: str, waited_s: float) -> RankLost:
        return RankLost(f"rank {rank} is lost to rank 1, which {what}", rank)


def reason(lost: int, *said: Header) -> RankLost:
    calls = Follower(cast(Any, Told(*said)), ())
    return calls.reason(RankLost("the connection is lost", lost))


ALIVE = header_of(reports.ALIVE, 0)


def test_rank_0_that_ends_for_a_third_one_is_not_to_blame() -> None:
    """Whatever this rank was doing when the connection to rank 0 ended."""
    error = reason(0, ALIVE, header_of(END, 0, 2))
    assert error.rank == 2 and str(error) == "rank 0 has ended the program: rank 2 is lost"


@pytest.mark.parametrize("said", [(), (ALIVE,), (header_of(END, 0, -1),)])
def test_rank_0_that_says_nothing_of_it_is(said: tuple[Header, ...]) -> None:
    assert str(reason(0, *said)) == "the connection is lost"


def test_another_rank_is_lost_by_itself() -> None:
    error = reason(2, header_of(END, 0, 1))
    assert error.rank == 2 and str(error) == "the connection is lost"
