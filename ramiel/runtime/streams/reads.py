"""Which statements of a program read values from the device, found by running it once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any, Generic, TypeVar

from torch import Tensor
from torch.utils._pytree import tree_flatten

from ramiel.runtime.replay.tape import DispatchMode
from ramiel.runtime.streams.deferred import reads, schema_of

Owner = TypeVar("Owner")

_COPIES = ("aten::_to_copy", "aten::copy_")


def lines_that_read(
    run: Callable[[], object], codes: Mapping[CodeType, Owner]
) -> dict[tuple[Owner, int], str]:
    """The operator that reads, by the owner of the bytecode and the line.

    A value is read if a result or its shape depends on it, or if it is copied from or to the host.
    What does so without PyTorch's dispatcher is not found.
    """
    survey = _Survey(codes)
    with survey:
        run()
    return survey.found


class _Survey(DispatchMode, Generic[Owner]):
    def __init__(self, codes: Mapping[CodeType, Owner]) -> None:
        super().__init__()
        self.found: dict[tuple[Owner, int], str] = {}
        self._codes = codes

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if reads(func) or _crosses(func, args, result):
            frame = inspect.currentframe()
            while frame is not None and frame.f_code not in self._codes:
                frame = frame.f_back
            if frame is not None:
                place = self._codes[frame.f_code], frame.f_lineno
                self.found.setdefault(place, schema_of(func).name)
        return result


def _crosses(func: Any, args: tuple[Any, ...], result: Any) -> bool:
    """Whether values are copied from one device to another."""
    if schema_of(func).name not in _COPIES:
        return False
    tensors = [x for x in tree_flatten((args, result))[0] if isinstance(x, Tensor)]
    return len({x.device.type for x in tensors}) > 1
