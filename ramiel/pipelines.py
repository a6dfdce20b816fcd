"""Which passes the compiler runs, in which order, for which schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ramiel.cores import cores
from ramiel.errors import CompileError

PassOptions = Mapping[str, int | float | str | bool]
Pipeline = list[tuple[str, PassOptions]]


@dataclass(frozen=True)
class Options:
    """What can be asked of the compiler."""

    workers: int | None = None
    """None is the number of cores that this process may use."""
    schedule: str = "auto"
    """One of SCHEDULES."""
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    """Shapes for inputs whose dimensions the model leaves open."""
    batch: int = 1
    """Samples that run at the same time, each through a model of batch 1."""
    switched: bool = False
    """Whether each sample's clusters stand on other workers than those of the one before."""
    profile: bool = False
    """Whether costs are measured on this machine."""
    clone: bool = False
    """Whether cheap producers are cloned for their consumers."""
    memory_limit: int | None = None
    """The most bytes that values may occupy at one time, as simulated."""
    refine_s: float | None = None
    """Seconds that `refine` may search; None is its default."""

    @property
    def most_workers(self) -> int:
        return cores() if self.workers is None else self.workers


SIMPLIFY = (
    "onnx-remove-identity",
    "onnx-constant-fold",
    "onnx-common-subexpressions",
    "onnx-fold-batch-norm",
    "onnx-dead-code",
)
LOWER = ("onnx-to-torch", "torch-assign-names")
PRINTABLE = ("cluster-channels", "cluster-free-values")

SCHEDULES: Mapping[str, tuple[str, ...]] = {
    "serial": ("cluster-serial",),
    "intra-op": ("cluster-serial",),
    "linear": ("cluster-place",),
    "hyper": ("cluster-place", "cluster-hyper"),
}
"""The passes that schedule, by the name of the schedule."""

BATCHED = ("auto", "hyper")
"""The schedules for more than one sample."""


def pipeline(options: Options) -> Pipeline:
    """The passes from an imported module, whose shapes are known, to one that can be printed.

    Raises CompileError for options that do not go together.
    """
    if options.schedule not in SCHEDULES:
        raise CompileError(
            f"there is no schedule {options.schedule!r}; there are {', '.join(SCHEDULES)}"
        )
    if options.batch != 1 and options.schedule not in BATCHED:
        raise CompileError(
            f"the schedule {options.schedule!r} is for one sample; for a batch there are "
            f"{', '.join(BATCHED)}"
        )
    if options.switched and options.batch == 1:
        raise CompileError("switched hyperclusters need a batch of 2 or more")
    workers = options.most_workers
    given: dict[str, PassOptions] = {
        "cluster-costs": {
            "threads": workers,
            "source": "profile" if options.profile else "static",
        },
        "cluster-place": {"workers": workers},
        "cluster-serial": {"workers": 1 if options.schedule == "serial" else workers},
        "cluster-hyper": {"batch": options.batch, "switched": options.switched},
    }
    names = (
        *SIMPLIFY,
        *LOWER,
        "cluster-costs",
        "cluster-linear",
        "cluster-merge",
        *SCHEDULES[options.schedule],
        *PRINTABLE,
    )
    return [(name, given.get(name, {})) for name in names]
