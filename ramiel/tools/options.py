"""The options that all commands that compile a model share."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import typer

from ramiel.errors import CompileError
from ramiel.pipelines import (
    DTYPES,
    EXECUTORS,
    OBJECTIVES,
    ON_STREAMS,
    PROVIDERS,
    SCHEDULES,
    Options,
)

Result = TypeVar("Result")

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}
_RATE = re.compile(r"(\d+(?:\.\d+)?)([KMG])bit(?:/s)?", re.IGNORECASE)
_TIME = re.compile(r"(\d+(?:\.\d+)?)(us|µs|ms)", re.IGNORECASE)
_UNITS_OF_LINKS = {"k": 1e3 / 8e6, "m": 1e6 / 8e6, "g": 1e9 / 8e6, "us": 1, "µs": 1, "ms": 1e3}
"""In bytes a µs, and µs."""
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMG]I?|)B?", re.IGNORECASE)

_OPTIONS: Mapping[str, tuple[Any, Any]] = {
    "workers": (
        Annotated[
            int | None,
            typer.Option(
                "--workers", "-w", help="Threads, or streams. By default one for each core."
            ),
        ],
        None,
    ),
    "schedule": (
        Annotated[
            str,
            typer.Option(
                "--schedule",
                help=f"{', '.join(SCHEDULES)}; on a GPU {', '.join(ON_STREAMS)}.",
            ),
        ],
        "auto",
    ),
    "shape": (
        Annotated[
            list[str] | None,
            typer.Option("--shape", metavar="NAME=1x3x224x224", help="The shape of an open input."),
        ],
        None,
    ),
    "batch": (
        Annotated[int, typer.Option("--batch", help="Samples at a time, for a model of batch 1.")],
        1,
    ),
    "switched": (
        Annotated[bool, typer.Option("--switched", help="Use switched hyperclusters for a batch.")],
        False,
    ),
    "profile": (
        Annotated[bool, typer.Option(help="Measure the costs of operations here, once.")],
        False,
    ),
    "tune": (
        Annotated[bool, typer.Option("--tune", help="Measure whole programs, take the fastest.")],
        False,
    ),
    "clone": (
        Annotated[bool, typer.Option("--clone", help="Clone cheap producers.")],
        False,
    ),
    "memory_limit": (
        Annotated[
            str | None,
            typer.Option("--memory-limit", metavar="SIZE", help="For values, e.g. 200MB, 1.5G."),
        ],
        None,
    ),
    "dtype": (
        Annotated[str, typer.Option("--dtype", help=f"Compute in: {', '.join(DTYPES)}.")],
        "f32",
    ),
    "freeze": (
        Annotated[
            bool,
            typer.Option("--freeze", help="Initializers listed as inputs are constants."),
        ],
        False,
    ),
    "provider": (
        Annotated[str, typer.Option("--provider", help=f"Kernels: {', '.join(PROVIDERS)}.")],
        "auto",
    ),
    "device": (
        Annotated[
            str,
            typer.Option("--device", help="cpu, cuda, or cuda:MODEL as cuda:h100 for its costs."),
        ],
        "cpu",
    ),
    "fuse_pointwise": (
        Annotated[
            bool,
            typer.Option("--fuse-pointwise", help="Compile chains of pointwise kernels (GPU)."),
        ],
        False,
    ),
    "executor": (
        Annotated[str, typer.Option("--executor", help=f"Workers: {', '.join(EXECUTORS)}.")],
        "threads",
    ),
    "objective": (
        Annotated[
            str, typer.Option("--objective", help=f"Of auto: {', '.join(OBJECTIVES)} (streams).")
        ],
        "latency",
    ),
    "latency_limit": (
        Annotated[
            float | None,
            typer.Option("--latency-limit", metavar="MS", help="For a request, with throughput."),
        ],
        None,
    ),
    "ranks": (
        Annotated[
            int,
            typer.Option(
                "--ranks", help="Machines of --workers threads, for --executor distributed."
            ),
        ],
        1,
    ),
    "link": (
        Annotated[
            str | None,
            typer.Option(
                "--link",
                metavar="10Gbit,30us[,100us[,16Gbit]]",
                help="What connects the machines, and what a message takes of a worker.",
            ),
        ],
        None,
    ),
    "configuration": (
        Annotated[
            str | None,
            typer.Option(
                "--configuration", metavar="NAME", help="The model's, for the schedule placed."
            ),
        ],
        None,
    ),
    "seconds": (
        Annotated[float, typer.Option("--seconds", help="Search time of the schedule refine.")],
        2.0,
    ),
}
"""Name -> type and default."""


def compiling(
    *names: str, **defaults: object
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Gives the compiler's options to a command that has a parameter `options: Options`.

    `names` are those that it takes, by default all; `defaults` those that differ for this command.
    """
    return lambda command: _with_options(command, names or tuple(_OPTIONS), defaults)


def _with_options(
    command: Callable[..., Result], names: Sequence[str], defaults: Mapping[str, object]
) -> Callable[..., Result]:
    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.name != "options":
            parameters.append(parameter)
            continue
        parameters += [
            inspect.Parameter(
                name,
                parameter.kind,
                default=defaults.get(name, default),
                annotation=annotation,
            )
            for name, (annotation, default) in _OPTIONS.items()
            if name in names
        ]

    @functools.wraps(command)
    def run(**given: Any) -> Result:
        common = {name: given.pop(name, default) for name, (_, default) in _OPTIONS.items()}
        return command(options=_options(**common), **given)

    run.__signature__ = signature.replace(parameters=parameters)  # pyright: ignore
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _options(
    shape: list[str] | None,
    memory_limit: str | None,
    seconds: float,
    link: str | None,
    **others: Any,
) -> Options:
    return Options(
        shapes=shapes_of(shape or []),
        memory_limit=None if memory_limit is None else size_of(memory_limit),
        refine_s=seconds,
        link=None if link is None else link_of(link),
        probe=True,
        **others,
    )


def shapes_of(given: list[str]) -> dict[str, tuple[int, ...]]:
    """The shapes by input name. Raises CompileError for a malformed one."""
    shapes: dict[str, tuple[int, ...]] = {}
    for option in given:
        name, equals, dims = option.rpartition("=")
        sizes = dims.split("x") if dims else []
        if not equals or not all(s.isdecimal() for s in sizes):
            raise CompileError(f"--shape {option}: expected NAME=1x3x224x224")
        shapes[name] = tuple(map(int, sizes))
    return shapes


def size_of(text: str, option: str = "--memory-limit") -> int:
    """A size in bytes: `300000000`, `300MB`, `0.3G`, `256MiB`. CompileError if malformed."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise CompileError(f"{option} {text}: expected a size such as 200MB or 1.5G")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def link_of(text: str) -> tuple[float, ...]:
    """Latency, µs, and bytes a µs of a link, and, if they are given, the µs that a message takes of
    a worker, and the bytes a µs that its sender copies: `10Gbit,30us,100us,16Gbit`. CompileError if
    malformed."""
    parts = text.replace(" ", "").split(",")
    forms = (_RATE, _TIME, _TIME, _RATE)
    found = [form.fullmatch(part) for form, part in zip(forms, parts, strict=False)]
    values = [float(m[1]) * _UNITS_OF_LINKS[m[2].lower()] for m in found if m is not None]
    rates = values[::3]
    if not 2 <= len(values) == len(parts) or not all(rates):
        raise CompileError(
            f"--link {text}: expected bandwidth and latency, such as 10Gbit,30us, and, if they are "
            "known, what a message takes of a worker: 10Gbit,30us,100us,16Gbit"
        )
    rate, latency, *own = values
    return latency, rate, *own
