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
    """The options of the compiler."""

    workers: int | None = None
    """None is the number of cores that this process may use."""
    schedule: str = "auto"
    """One of SCHEDULES."""
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    """Shapes for inputs whose dimensions the model leaves open."""
    batch: int = 1
    """Samples that run at the same time, each through a model of batch 1."""
    switched: bool = False
    """Whether each sample's clusters run on other workers than the previous sample's."""
    profile: bool = False
    """Whether costs are measured on this machine."""
    probe: bool = False
    """Whether costs that are not measured are at the prices of this machine, else nominal."""
    clone: bool = False
    """Whether cheap producers are cloned for their consumers."""
    memory_limit: int | None = None
    """The most bytes that values may occupy at one time, as simulated."""
    provider: str = "auto"
    """One of PROVIDERS."""
    dtype: str = "f32"
    """One of DTYPES."""
    freeze: bool = False
    """Whether initializers that the model lists as inputs are constants."""
    refine_s: float = 2.0
    """Seconds that the schedule `refine` may search."""
    tune: bool = False
    """Whether whole programs are measured here and the fastest is taken; needs `auto`."""
    device: str = "cpu"
    """What it is compiled for: `cpu`, `cuda`, or `cuda:MODEL` for the costs of that GPU."""
    fuse_pointwise: bool = False
    """Whether calls on each element that follow each other are compiled to one kernel, on a GPU."""
    executor: str = "threads"
    """What workers on a CPU are: one of EXECUTORS."""
    objective: str = "latency"
    """What the schedule `auto` is best at: one of OBJECTIVES."""
    latency_limit: float | None = None
    """The most ms that a request of a stream may take, as simulated; for throughput."""
    configuration: str | None = None
    """The device configuration of the model that the schedule `placed` follows, if there are
    several."""
    ranks: int = 1
    """The machines, each of `workers` threads, that the executor `distributed` may use."""
    link: tuple[float, ...] | None = None
    """What a message between ranks takes: its latency, µs, the bytes a µs after that, the µs of its
    sender and of its receiver each, and the bytes a µs that its sender copies; two, three or
    four."""
    level: str = "onnx"
    """The level of the imported module: one of LEVELS."""

    @property
    def most_workers(self) -> int:
        """The threads or streams that may be used."""
        if self.workers is not None:
            return self.workers
        return cores() if self.device == "cpu" else MOST_STREAMS


SIMPLIFY = (
    "onnx-expand-functions",
    "onnx-remove-identity",
    "onnx-constant-fold",
    "onnx-common-subexpressions",
    "onnx-fold-batch-norm",
    "onnx-dead-code",
)
LOWER = ("onnx-to-torch",)
FOLD = ("torch-fold-batch-norm",)
"""What the levels above do for a module that is imported at the torch level."""
LEVELS = ("onnx", "torch")
RECOGNIZE = (
    "torch-recognize-activations",
    "torch-recognize-layer-norm",
    "torch-recognize-attention",
)
FUSE = (
    "torch-cancel-permutes",
    "torch-flatten-concat",
    "torch-fold-pad",
    "torch-fuse-bias",
    "torch-split-concat",
    "torch-fuse-residual",
    "torch-delay-activation",
    "torch-fuse-activation",
)
FOR_CPU = frozenset(["torch-split-concat", "torch-delay-activation"])
"""Those of FUSE that gain nothing on a GPU, where a kernel less counts more than bytes."""
LOWER_PRECISION = ("torch-lower-precision",)
FUSE_POINTWISE = ("torch-fuse-pointwise",)
NAME = ("torch-choose-kernels", "torch-assign-names")
REQUESTS = ("cluster-requests",)
"""The pass that chooses how requests that follow each other are computed, on a CPU."""
PRINTABLE = ("torch-settle-kernels", "cluster-channels", "cluster-free-values")

LINEAR = ("cluster-linear", "cluster-merge")

SCHEDULES: Mapping[str, tuple[str, ...]] = {
    "auto": (*LINEAR, "cluster-auto"),
    "serial": (*LINEAR, "cluster-serial"),
    "intra-op": (*LINEAR, "cluster-serial"),
    "linear": (*LINEAR, "cluster-place"),
    "dsc": ("cluster-dsc", "cluster-merge", "cluster-place"),
    "list": (*LINEAR, "cluster-list"),
    "greedy": (*LINEAR, "cluster-greedy"),
    "ios": (*LINEAR, "cluster-ios", "torch-merge-convolutions"),
    "hyper": (*LINEAR, "cluster-place", "cluster-hyper"),
    "pipeline": (*LINEAR, "cluster-pipeline"),
    "placed": (*LINEAR, "cluster-placed"),
    "refine": (*LINEAR, "cluster-auto", "cluster-refine"),
}
"""The scheduling passes, by the name of the schedule. All of them form clusters, if only to title
the parts of the program."""

OF_ANY_MODEL = tuple(name for name in SCHEDULES if name != "placed")
"""The schedules that need nothing of the model: `placed` follows its device configuration."""

STREAMS = ("cluster-streams",)
"""The scheduling pass for a GPU, which knows the schedules `auto`, `serial`, `linear`, `list` and
`opara`."""

ON_STREAMS: Mapping[str, tuple[str, ...]] = {
    "auto": (*LINEAR, *STREAMS),
    "serial": (*LINEAR, *STREAMS),
    "linear": (*LINEAR, *STREAMS),
    "list": (*LINEAR, *STREAMS),
    "opara": (*LINEAR, *STREAMS),
    **{name: SCHEDULES[name] for name in ("dsc", "greedy", "ios", "hyper")},
}
"""The scheduling passes for a GPU."""

MOST_STREAMS = 32
"""The streams that are used at most if no number is given."""

EXECUTORS = ("threads", "processes", "distributed")
"""What workers on a CPU may be."""

OBJECTIVES = ("latency", "throughput")
"""A call that takes little time, or many requests a second if they follow each other."""

PROVIDERS = ("auto", "torch")
"""Whose kernels may be used: the best available, or those that come with PyTorch."""

DTYPES = ("f32", "bf16", "f16")
"""The types that a float32 model can be computed in."""

BATCHED = ("auto", "hyper", "refine", "serial", "intra-op")
"""The schedules for more than one sample."""
BATCHED_ON_STREAMS = ("auto", "hyper")
"""Those for a GPU."""


def pipeline(options: Options) -> Pipeline:
    """The passes from an imported module, whose shapes are known, to one that can be printed.

    Raises CompileError for incompatible options.
    """
    _check(options)
    threads, limit = options.most_workers, options.memory_limit or 0
    workers = threads * options.ranks
    schedule, on_cpu = options.schedule, options.device == "cpu"
    if options.switched or (not on_cpu and options.batch > 1 and schedule == "auto"):
        schedule = "hyper"
    source = "probe" if options.probe else "static"
    source = "profile" if options.profile or options.tune else source
    given: dict[str, PassOptions] = {
        "torch-lower-precision": {"dtype": options.dtype}
        | ({} if on_cpu else {"device": options.device}),
        "torch-choose-kernels": {
            "source": source,
            "provider": options.provider,
            "threads": threads,
            "device": options.device,
        },
        "cluster-costs": _costs(options, source),
        "cluster-streams": {"schedule": schedule, "streams": workers},
        "cluster-place": {"workers": workers},
        "cluster-serial": {
            "workers": 1 if schedule == "serial" else workers,
            "batch": options.batch,
        },
        "cluster-list": {"workers": workers, "memory-limit": limit},
        "cluster-greedy": {"workers": workers},
        "cluster-ios": {"workers": workers}
        | ({"source": source} if source == "profile" and not on_cpu else {}),
        "cluster-pipeline": {"workers": workers, "memory-limit": limit},
        "cluster-placed": {"workers": workers, "configuration": options.configuration or ""},
        "cluster-requests": {"workers": workers},
        "cluster-hyper": {"batch": options.batch, "switched": options.switched},
        "cluster-auto": {
            "workers": workers,
            "batch": options.batch,
            "memory-limit": limit,
            "thorough": schedule == "refine",
        }
        | (
            {"objective": options.objective, "latency-limit": options.latency_limit or 0.0}
            if options.objective != "latency"
            else {}
        ),
        "cluster-refine": {"seconds": options.refine_s, "memory-limit": limit},
        "cluster-channels": {"memory-limit": limit}
        | ({} if options.executor == "threads" else {"executor": options.executor}),
    }
    fusing = FUSE if on_cpu else tuple(name for name in FUSE if name not in FOR_CPU)
    lowering = () if options.dtype == "f32" else LOWER_PRECISION
    cloning = ("onnx-clone-tasks",) if options.clone else ()
    names = (
        *((*SIMPLIFY, *cloning, *LOWER) if options.level == "onnx" else FOLD),
        *RECOGNIZE,
        *fusing,
        *lowering,
        *(FUSE_POINTWISE if options.fuse_pointwise else ()),
        *NAME,
        "cluster-costs",
        *(SCHEDULES if on_cpu else ON_STREAMS)[schedule],
        *(REQUESTS if on_cpu else ()),
        *PRINTABLE,
    )
    return [(name, given.get(name, {})) for name in names]


def _costs(options: Options, source: str) -> PassOptions:
    """What cluster-costs is told."""
    given: dict[str, int | float | str | bool] = {
        "threads": options.most_workers,
        "source": source,
        "device": options.device,
    }
    if options.executor == "processes":
        given["executor"] = options.executor
    if options.ranks > 1:
        given["ranks"] = options.ranks
        if options.link is not None:
            given |= zip(("latency", "rate", "overhead", "copying"), options.link, strict=False)
    return given


def _check(options: Options) -> None:
    """Raises CompileError for unknown or incompatible options."""
    if options.level not in LEVELS:
        raise CompileError(f"no module is imported at the level {options.level!r}")
    schedule, on_cpu = options.schedule, options.device == "cpu"
    known = SCHEDULES if on_cpu else ON_STREAMS
    if schedule not in known:
        where = "" if on_cpu else " for a GPU"
        raise CompileError(
            f"there is no schedule {schedule!r}{where}; there are {', '.join(known)}"
        )
    if options.executor not in EXECUTORS:
        raise CompileError(
            f"there is no executor {options.executor!r}; there are {', '.join(EXECUTORS)}"
        )
    if options.fuse_pointwise and on_cpu:
        raise CompileError("--fuse-pointwise compiles kernels of a GPU: it needs --device cuda")
    if options.executor != "threads" and not on_cpu:
        raise CompileError(f"on a GPU workers are streams, not {options.executor}")
    if options.ranks < 1:
        raise CompileError(f"{options.ranks} ranks: at least 1")
    if options.executor != "distributed" and (options.ranks > 1 or options.link is not None):
        raise CompileError("several ranks and a link need --executor distributed")
    if options.link is not None and not 2 <= len(options.link) <= 4:
        raise CompileError(f"a link of {len(options.link)} numbers: 2, 3 or 4 are expected")
    if options.executor == "distributed" and options.tune:
        raise CompileError("--tune measures programs of one process, not of several ranks")
    if ":" in options.device and (options.tune or options.profile):
        raise CompileError(
            "--profile and --tune measure the device that is here, --device cuda; costs of "
            f"{options.device} are known"
        )
    if options.configuration is not None and schedule != "placed":
        raise CompileError("a device configuration is for --schedule placed")
    if options.tune and (schedule != "auto" or options.switched):
        raise CompileError("tuning tries the schedules itself: it needs --schedule auto")
    if options.dtype not in DTYPES:
        raise CompileError(
            f"there is no dtype {options.dtype!r} to compute in; there are {', '.join(DTYPES)}"
        )
    if options.provider not in PROVIDERS:
        raise CompileError(
            f"there is no provider {options.provider!r}; there are {', '.join(PROVIDERS)}"
        )
    batched = BATCHED if on_cpu else BATCHED_ON_STREAMS
    if options.batch != 1 and schedule not in batched:
        raise CompileError(
            f"the schedule {schedule!r} is for one sample; for a batch there are "
            f"{', '.join(batched)}"
        )
    if options.switched and (options.batch == 1 or schedule == "refine"):
        raise CompileError("switched hyperclusters need a batch of 2 or more, and --schedule hyper")
    _check_objective(options)
    if options.memory_limit is not None and options.memory_limit < 1:
        raise CompileError(
            f"a memory limit of {options.memory_limit} bytes: it must be more than 0"
        )


def _check_objective(options: Options) -> None:
    """Raises CompileError for an objective that does not go with the other options."""
    objective, limit = options.objective, options.latency_limit
    if objective not in OBJECTIVES:
        raise CompileError(
            f"there is no objective {objective!r}; there are {', '.join(OBJECTIVES)}"
        )
    if limit is not None and not 0 < limit < float("inf"):
        raise CompileError(f"a latency limit of {limit:g} ms: it must be more than 0")
    if objective == "latency":
        if limit is not None:
            raise CompileError("a latency limit is for --objective throughput")
    elif options.device != "cpu":
        raise CompileError("the objective throughput is for CPUs")
    elif options.schedule != "auto" or options.batch != 1 or options.switched or options.tune:
        raise CompileError(
            "the objective throughput chooses schedule and batch itself, by simulation: it needs "
            "--schedule auto, and neither --batch nor --tune"
        )
