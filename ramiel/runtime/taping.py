"""Workers and serial forms of programs, run once while they are taped."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from ramiel.runtime.errors import op_error, place_of
from ramiel.runtime.replay.stop import stop_at
from ramiel.runtime.replay.tape import NotCapturable, Tape, line_in, running


def taped(
    function: Callable[..., Any], tape: Tape, nodes: Mapping[str, tuple[str, str]], *args: Any
) -> Any:
    """What a worker or the serial form returns, while it is taped; a Stop if it cannot be
    taped to its end."""
    code = inspect.unwrap(function).__code__
    tape.line = partial(line_in, code)
    try:
        with running(tape):
            result = function(*args)
        if tape.refused:
            raise NotCapturable(f"{tape.refused}, which the program has caught")
        return result
    except NotCapturable as reason:
        place = place_of(reason, {code})
        told = str(op_error(reason, place, nodes) if place else reason)
        return stop_at(reason, told, function, code, tape)


def copies_of(inputs: Sequence[Any]) -> list[Any]:
    """Copies, so that no two inputs share memory, and none is a part of a larger tensor."""
    return [x.clone() if isinstance(x, Tensor) else x for x in inputs]
