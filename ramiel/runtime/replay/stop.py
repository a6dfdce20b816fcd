"""Where the taping of a worker has to stop, and what is needed to go on from there in Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

import torch

from ramiel.runtime.channels import Channels
from ramiel.runtime.replay.continuation import NoRest, Rest, rest_of
from ramiel.runtime.replay.meeting import NotSent
from ramiel.runtime.replay.tape import NotCapturable, Send, Tape


@dataclass(frozen=True)
class Stop:
    """Where a worker, or the serial form, has stopped."""

    rest: Rest
    values: Mapping[str, Any]
    """The rest's names, and what they stood for."""
    threads: int
    reason: str
    waits: bool
    """Whether it waits for a worker that has stopped, and could go on otherwise."""


def stop_at(reason: NotCapturable, told: str, function: Any, code: CodeType, tape: Tape) -> Stop:
    """Where a function has raised a reason, `told` in words, while `code` was taped: its own, if it
    is no wrapper. The tape is cut there.

    Raises NotCapturable if the function cannot go on from there.
    """
    threads = torch.get_num_threads()
    function = getattr(function, "__func__", function)
    frame, line = _frame(reason, code)
    if frame is None or getattr(function, "__code__", None) is not code:
        raise NotCapturable(told) from reason
    live = dict(frame.f_locals)
    channels = next((name for name, value in live.items() if isinstance(value, Channels)), None)
    try:
        rest = rest_of(function, line, live, channels)
    except NoRest as error:
        raise NotCapturable(f"{told} ({error})") from reason
    end = next((i for i, e in enumerate(tape.events) if e.line >= rest.line), len(tape.events))
    if any(isinstance(noted.event, Send) for noted in tape.events[end:]):
        raise NotCapturable(f"{told} (a part of the statement has run)") from reason
    del tape.events[end:]
    values = {name: live[name] for name in rest.names}
    return Stop(rest, values, threads, told, isinstance(reason, NotSent))


def _frame(error: BaseException, code: CodeType) -> tuple[FrameType | None, int]:
    """The frame of a function that an error has left, and the line at which it did."""
    found: tuple[FrameType | None, int] = None, 0
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code is code:
            found = step.tb_frame, step.tb_lineno
        step = step.tb_next
    return found
