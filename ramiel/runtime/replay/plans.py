"""The plans of a program: when one is made, found, and no longer right."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.module import (
    _has_any_global_hook as has_any_global_hook,  # pyright: ignore[reportPrivateUsage]
)

from ramiel.runtime.replay.native import native, why_not
from ramiel.runtime.replay.plan import Plan
from ramiel.runtime.replay.tape import NotCapturable, Tape, changes

VARIABLE = "RAMIEL_CAPTURE"
"""Set to 0, programs run in Python, but for plans that capture() makes."""
MOST = 8
"""The inputs' shapes that a program keeps plans for: the last ones."""

TapedRun = Callable[[], tuple[list[Tape], list[Any], list[Any]]]
"""Runs a program while its workers are taped; returns tapes, inputs and outputs."""

Watched = tuple[dict[str, Any], str, Tensor, int, int]
"""Where a tensor is found: a dict and its name there; the tensor, its version, and its address."""

_SEEN = "called only once so far"


class Plans:
    """The plans of a program, by the types, shapes and strides of its inputs.

    The first call for some shapes prepares kernels, the second is taped, and the later ones are
    replayed. A plan holds what kernels have made of weights, so all plans are dropped when a tensor
    of the program has been exchanged or changed in place, a hook was registered on a layer, or a
    layer was told to forget().
    """

    def __init__(self) -> None:
        self.are_automatic = os.environ.get(VARIABLE) != "0"
        self._plans: dict[object, Plan | str] = {}
        self._source: list[Watched] | None = None
        self._changes = 0

    def replay(self, inputs: Sequence[Any]) -> list[Tensor] | None:
        """The outputs, if there is a plan for such inputs and it computes them."""
        if not self._plans or has_any_global_hook():
            return None
        plan = self._plans.get(key_of(inputs))
        if not isinstance(plan, Plan):
            return None
        if not self._are_current():
            self.clear()
            return None
        return plan.run(inputs)

    def is_due(self, inputs: Sequence[Any]) -> bool:
        """Whether a call with such inputs, which was not replayed, should be taped."""
        return self._plans.get(key_of(inputs)) == _SEEN

    def ran(self, inputs: Sequence[Any]) -> None:
        """Note a run in Python that went well."""
        if self.are_automatic and not has_any_global_hook() and native() is not None:
            key = key_of(inputs)
            if key not in self._plans:
                self._keep(key, _SEEN)

    def capture(self, program: nn.Module, inputs: Sequence[Any], run: TapedRun) -> list[Any] | None:
        """Tapes a run and makes a plan of it; the run's outputs, None if it failed.

        After it, reason() says why there is no plan.
        """
        key = key_of(inputs)
        if self._source is None or not self._are_current():
            self.clear()
            self._source = list(tensors_of(program))
            self._changes = changes.count
        outputs = None
        try:
            if any(map(has_hooks, program.children())):
                raise NotCapturable("a layer has hooks")
            tapes, taped, outputs = run()
            self._keep(key, _plan(tapes, taped, outputs))
        except NotCapturable as reason:
            self._keep(key, str(reason))
        except Exception as error:  # the run that follows in Python raises it, if it is the model's
            self._keep(key, f"{type(error).__name__}: {error}")
        return outputs

    def reason(self, inputs: Sequence[Any]) -> str | None:
        """Why there is no plan for such inputs; None if there is one."""
        plan = self._plans.get(key_of(inputs), self._why_never())
        return plan if isinstance(plan, str) else None

    def _why_never(self) -> str:
        if native() is None:
            return why_not()
        return "not called so far" if self.are_automatic else f"{VARIABLE} is 0"

    def clear(self) -> None:
        self._plans.clear()
        self._source = None

    def _keep(self, key: object, plan: Plan | str) -> None:
        self._plans.pop(key, None)
        while len(self._plans) >= MOST:
            self._plans.pop(next(iter(self._plans)), None)
        self._plans[key] = plan

    def _are_current(self) -> bool:
        if self._source is None or changes.count != self._changes:
            return False
        return are_unchanged(self._source)


def _plan(tapes: Sequence[Tape], inputs: Sequence[Any], outputs: Sequence[Any]) -> Plan:
    lib = native()
    if lib is None:
        raise NotCapturable(why_not())
    for value in (*inputs, *outputs):
        if type(value) is not Tensor:
            raise NotCapturable(f"an input or output is a {type(value).__name__}")
    return Plan(lib, tapes, inputs, outputs)


def key_of(inputs: Sequence[Any]) -> object:
    return tuple((x.shape, x.dtype, x.stride()) if type(x) is Tensor else type(x) for x in inputs)


def tensors_of(program: nn.Module) -> Iterator[Watched]:
    """All tensors of a program: where they are found, and what changes if they do."""
    for module in program.modules():
        for tensors in (module._buffers, module._parameters):  # pyright: ignore[reportPrivateUsage]
            for name, tensor in tensors.items():
                if tensor is not None:
                    yield tensors, name, tensor, _version(tensor), tensor.data_ptr()


def are_unchanged(watched: Sequence[Watched]) -> bool:
    """Whether all tensors of tensors_of() are the same, and have the same version and address."""
    return all(
        tensors.get(name) is tensor and _version(tensor) == version and tensor.data_ptr() == address
        for tensors, name, tensor, version, address in watched
    )


def has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)  # pyright: ignore[reportPrivateUsage]


def _version(tensor: Tensor) -> int:
    try:
        return tensor._version
    except RuntimeError:  # tensors that were made in inference mode have none
        return 0
