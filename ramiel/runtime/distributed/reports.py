"""What ranks say to each other of calls: rank 0 announces each, and the others report on it."""

from __future__ import annotations

from torch import Tensor

from ramiel.runtime.channels import Stopped
from ramiel.runtime.distributed.channels import Announced, Way
from ramiel.runtime.distributed.group import RankLost
from ramiel.runtime.distributed.messages import BadMessage, Header, header_buffer

ANNOUNCED, REPORTED, REASON, HEARD = range(4)
"""Tags of messages: what rank 0 announces, how a call ended on another rank, and why, and that a
rank has heard of the end."""
CALL, ALIVE, END = range(3)
"""What rank 0 announces."""
FINE, FAILED, FOLLOWED, LOST, AGAIN = range(5)
"""What a rank reports: that it is done, that it failed, that it stopped since another one failed,
that it has lost one, or that the call has to be made again in Python."""
MOST_TOLD = 64 * 1024
"""The most bytes of a reason."""
NOBODY = -1
HEARD_S = 2.0
"""How long rank 0 waits at the end until the others have heard of it."""


class Again(Exception):
    """A call cannot be taped or replayed by a rank, and has to be made in Python; the message says
    why."""


_REPORTS: tuple[tuple[type | tuple[type, ...], int], ...] = (
    (type(None), FINE),
    ((RankLost, BadMessage), LOST),
    (Stopped, FOLLOWED),
    (Again, AGAIN),
)


def report_of(error: BaseException | None) -> int:
    """What a rank reports of a call that ended so."""
    return next((report for kinds, report in _REPORTS if isinstance(error, kinds)), FAILED)


def header_of(kind: int, number: int, cause: int = NOBODY, told: tuple[int, ...] = ()) -> Header:
    """That of a message with some numbers and no value."""
    return Header(kind, number, cause, told, (0,) * len(told))


def message_of(header: Header) -> Tensor:
    """A buffer that begins with it."""
    buffer = header_buffer()
    header.write(buffer)
    return buffer


def announcement(announced: Announced) -> Header:
    """That by which rank 0 announces a call."""
    return header_of(CALL, announced.number, told=(announced.shapes, announced.way))


def fine(rank: int) -> Header:
    """That by which a rank says that it is done with a call, whose number is left open."""
    return header_of(FINE, 0, rank, (0,))


def announced_by(header: Header) -> Announced:
    """BadMessage if the header announces no call."""
    known = [way.value for way in Way]
    if len(header.shape) != 2 or header.shape[1] not in known:
        raise BadMessage("rank 0 announces a call in another way")
    return Announced(header.number, header.shape[0], Way(header.shape[1]))


def ended_for(rank: int) -> RankLost:
    return RankLost(f"rank 0 has ended the program: rank {rank} is lost", rank)


def urgency(error: BaseException) -> int:
    """Which of several errors a call ends with: one that others follow from, the least."""
    return 0 if isinstance(error, Again) else 2 if isinstance(error, Stopped) else 1
