"""The operators of a run for which a device has no kernel: all of them, not only the first."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from types import CodeType
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import (
    _disable_current_modes,  # pyright: ignore[reportPrivateUsage]
)
from torch.utils._pytree import tree_map

from ramiel.runtime.errors import assigned
from ramiel.runtime.replay.tape import DispatchMode
from ramiel.runtime.streams.device import Device

Nodes = Mapping[str, tuple[str, str]]


def is_lacking(error: BaseException | None) -> bool:
    """Whether an error, or what it comes from, says that a kernel is missing."""
    while error is not None:
        if isinstance(error, NotImplementedError) or "not implemented for" in str(error):
            return isinstance(error, RuntimeError)  # as all errors of PyTorch's operators
        error = error.__cause__
    return False


def lacking_of(
    issue: Callable[[], object], device: Device, codes: Collection[CodeType], nodes: Nodes
) -> str:
    """What a run lacks, in words: operators with how often they are called, and by which of the
    program's operations. They are computed on the CPU meanwhile, so that the run goes on."""
    survey = _Survey(device, codes, nodes)
    with survey:
        issue()
    return "; ".join(
        f"{name} ({count} call{'s' if count > 1 else ''}: {', '.join(survey.callers[name])})"
        for name, count in survey.calls.most_common()
    )


class _Survey(DispatchMode):
    def __init__(self, device: Device, codes: Collection[CodeType], nodes: Nodes) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.callers: dict[str, list[str]] = {}
        self._device, self._codes, self._nodes = device, codes, nodes

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        try:
            return func(*args, **(kwargs or {}))
        except RuntimeError as error:
            if not is_lacking(error):
                raise
        name = func._schema.name
        self.calls[name] += 1
        caller = self._caller()
        if caller not in self.callers.setdefault(name, []):
            self.callers[name].append(caller)
        self._device.synchronize()

        with _disable_current_modes():
            given, named = _moved((args, kwargs or {}), torch.device("cpu"))
            return _moved(func(*given, **named), self._device.torch_device)

    def _caller(self) -> str:
        """The value that the program was about to compute, and its ONNX node."""
        frame = inspect.currentframe()
        while frame is not None and frame.f_code not in self._codes:
            frame = frame.f_back
        value = assigned(frame.f_code, frame.f_lasti) if frame is not None else None
        if value is None:
            return "?"
        node, operator = self._nodes.get(value, ("", ""))
        return f'{value} (ONNX node "{node}", {operator})' if operator else value


def _moved(tree: Any, device: torch.device) -> Any:
    """The same arguments or results on a device."""

    def moved(x: Any) -> Any:
        if isinstance(x, Tensor):
            return x.to(device)
        return device if isinstance(x, torch.device) else x

    return tree_map(moved, tree)
