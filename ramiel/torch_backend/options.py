"""The options of `torch.compile(model, backend="ramiel", options={...})`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ramiel.errors import CompileError
from ramiel.pipelines import Options, pipeline
from ramiel.torch_level.placements import check_workers

_OWN = "torch.compile has the example inputs and their shapes from the calls"
_SERVED = "programs of torch.compile are called, one call at a time"
_ONE_PROCESS = "a program of torch.compile shares its weights with the model in this process"

REFUSED: Mapping[str, str] = {
    "example_inputs": _OWN,
    "dynamic_shapes": "that is torch.compile's own argument dynamic",
    "shapes": _OWN,
    "batch": _OWN,
    "switched": _OWN,
    "clone": "it clones operations of ONNX",
    "configuration": "device configurations are those of ONNX models",
    "freeze": "parameters are constants here until they change",
    "device": "programs of torch.compile are for the CPU",
    "fuse_pointwise": "it is for programs of a GPU",
    "executor": _ONE_PROCESS,
    "ranks": _ONE_PROCESS,
    "link": _ONE_PROCESS,
    "objective": _SERVED,
    "latency_limit": _SERVED,
}
"""Options of ramiel.compile() that make no sense here, and why."""

TAKEN = {
    "workers": ("workers", int),
    "schedule": ("schedule", str),
    "seconds": ("refine_s", float),
    "profile": ("profile", bool),
    "tune": ("tune", bool),
    "memory_limit": ("memory_limit", int),
    "provider": ("provider", str),
    "dtype": ("dtype", str),
}
"""Those that are taken, the compiler's names of them, and their types."""
CAPTURE = "capture"
_MAY_BE_NONE = ("workers", "memory_limit")


class Settings(NamedTuple):
    options: Options
    capture: bool


def settings_of(given: Mapping[str, Any] | None) -> Settings:
    """The options of the compiler. Raises CompileError for one that does not exist, that goes with
    no call of torch.compile, or that has a wrong value."""
    taken = dict(given or {})
    for name in taken:
        if name in REFUSED:
            raise CompileError(f"the option {name!r} is not for torch.compile: {REFUSED[name]}")
        if name not in TAKEN and name != CAPTURE:
            known = ", ".join([*TAKEN, CAPTURE])
            raise CompileError(f"the backend ramiel has no option {name!r}; it has {known}")
        _check_type(name, taken[name])
    capture = taken.pop(CAPTURE, True)
    options = Options(
        **{TAKEN[name][0]: value for name, value in taken.items()}, probe=True, level="torch"
    )
    check_workers(options.most_workers)
    pipeline(options)  # refuses values, and options that do not go together
    return Settings(options, capture)


def _check_type(name: str, value: object) -> None:
    if value is None and name in _MAY_BE_NONE:
        return
    kind = bool if name == CAPTURE else TAKEN[name][1]
    allowed = (int, float) if kind is float else kind
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
        raise CompileError(f"the option {name!r} is of type {kind.__name__}, not {value!r}")
