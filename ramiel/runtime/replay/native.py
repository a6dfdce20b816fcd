"""The native part: steps, and who replays them."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable, Sequence
from ctypes import POINTER, c_double, c_float, c_int, c_int32, c_int64, c_uint32, c_void_p
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

from ramiel.runtime.kernels.onednn_library import Library, library
from ramiel.runtime.kernels.onednn_library import why_not as why_no_onednn
from ramiel.runtime.libtorch import libtorch
from ramiel.runtime.once import once

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class Kind(IntEnum):
    """What a step does, as native/step.h says it."""

    EXECUTE = 0
    RECEIVE = 1
    SEND = 2
    FINITE = 3
    CLAMP = 4
    BINARY = 5
    COPY = 6
    TILES = 7
    IMAGE = 8
    OPERATOR = 9
    CALL = 10
    PRODUCT = 11
    SEND_MESSAGE = 12
    RECEIVE_MESSAGE = 13
    ENTER = 14
    LEAVE = 15


LOST, DROPPED = -3, -4
"""What a run ends with if the process of a worker has ended, or a pipeline was closed, as
native/plan.cpp says it."""
SAID_OTHERWISE = -5
"""What a call of ranks ends with if no message has come that says what was known, as
native/ranks.cpp says it."""


class Step(ctypes.Structure):
    """One step of a worker, as native/step.h declares it."""

    _fields_ = (
        ("kind", c_int32),
        ("threads", c_int32),
        ("first", c_void_p),
        ("second", c_void_p),
        ("third", c_void_p),
        ("size", c_int64),
        ("number", c_double),
    )


MOST_DIMS = 8
_Dims = c_int64 * MOST_DIMS


class Copy(ctypes.Structure):
    """A copy of a box of elements, as native/kernels.h declares it."""

    _fields_ = (
        ("dims", c_int32),
        ("itemsize", c_int32),
        ("sizes", _Dims),
        ("source", _Dims),
        ("target", _Dims),
    )


class Clamp(ctypes.Structure):
    """A copy with bounds, as native/kernels.h declares it."""

    _fields_ = (("box", Copy), ("low", c_float), ("high", c_float))


class Arithmetic(IntEnum):
    """As native/kernels.h says it."""

    ADD = 0
    SUBTRACT = 1
    MULTIPLY = 2
    DIVIDE = 3


class Binary(ctypes.Structure):
    """Arithmetic on boxes of elements, as native/kernels.h declares it."""

    _fields_ = (
        ("operation", c_int32),
        ("type", c_int32),
        ("dims", c_int32),
        ("sizes", _Dims),
        ("a", _Dims),
        ("b", _Dims),
        ("y", _Dims),
    )


class Mailbox(ctypes.Structure):
    """One process's end of the messages that lie in one place, as native/messages.h declares it."""

    _fields_ = (
        ("count", c_void_p),
        ("header", c_void_p),
        ("call", POINTER(c_int64)),
        ("done", c_int64),
        ("received", c_uint32),
    )


class Said(ctypes.Structure):
    """A message that says what is known but for its call, as native/messages.h declares it."""

    _fields_ = (("box", POINTER(Mailbox)), ("known", c_void_p))


LIBRARY = Path(__file__).with_name("_native.so")


class Regions(IntEnum):
    """What a thread's regions of OpenMP run on, as native/crew.h declares it."""

    OPENMP = 0
    """OpenMP's threads."""
    CREW = 1
    """Threads of our own."""
    ALONE = 2
    """That thread."""


class Native:
    """The loaded library, led to oneDNN and to the functions that steps may call."""

    def __init__(self, path: str, onednn: Library) -> None:
        """OSError if it does not load or does not fit this oneDNN."""
        self.functions = ctypes.CDLL(path)
        self.functions.ramiel_attach.argtypes = (c_void_p, c_void_p)
        self.functions.ramiel_attach.restype = None
        self.functions.ramiel_attach_dispatcher.argtypes = (c_void_p,)
        self.functions.ramiel_answer_openmp_of.argtypes = (c_void_p,)
        self.functions.ramiel_plan_new.argtypes = (
            *(c_int, c_int, c_int),
            *(POINTER(POINTER(Step)), POINTER(c_int64), c_void_p),
        )
        self.functions.ramiel_plan_new.restype = c_void_p
        self.functions.ramiel_plan_memory_bytes.restype = c_int64
        self.functions.ramiel_plan_entrust.argtypes = (c_void_p, c_int, c_int)
        self.functions.ramiel_plan_entrust.restype = None
        self.functions.ramiel_plan_on_failure.argtypes = (c_void_p, c_int64)
        self.functions.ramiel_plan_on_failure.restype = None
        self.functions.ramiel_plan_lost.argtypes = (c_void_p,)
        self.functions.ramiel_plan_serve.argtypes = (c_void_p, c_int, c_int)
        self.functions.ramiel_plan_serve.restype = None
        self.functions.ramiel_plan_run.argtypes = (c_void_p, c_int, c_void_p)
        self.functions.ramiel_plan_delete.argtypes = (c_void_p,)
        self.functions.ramiel_plan_delete.restype = None
        self.functions.ramiel_pipeline_new.argtypes = (POINTER(c_void_p), c_int, c_void_p)
        self.functions.ramiel_pipeline_new.restype = c_void_p
        self.functions.ramiel_pipeline_memory_bytes.restype = c_int64
        for name, *arguments in (
            ("start", c_int),
            ("serve", c_int, c_int),
            ("submit", c_int),
            ("close",),
            ("delete",),
        ):
            function = getattr(self.functions, f"ramiel_pipeline_{name}")
            function.argtypes, function.restype = (c_void_p, *arguments), None
        self.functions.ramiel_regions.argtypes = ()
        self.functions.ramiel_forget_pressure.argtypes = ()
        self.functions.ramiel_forget_pressure.restype = None
        self.functions.ramiel_set_regions.argtypes = (c_int,)
        self.functions.ramiel_set_regions.restype = None
        self.functions.ramiel_pipeline_wait.argtypes = (c_void_p, c_int64)
        mailbox = POINTER(Mailbox)
        self.functions.ramiel_message_say.argtypes = (mailbox,)
        self.functions.ramiel_message_say.restype = None
        self.functions.ramiel_message_claim.argtypes = (mailbox,)
        self.functions.ramiel_message_wait.argtypes = (mailbox, c_uint32, c_int, c_int)
        self.functions.ramiel_gate_may_enter.argtypes = (c_void_p, c_int64, c_int, c_int)
        self.functions.ramiel_gate_leave.argtypes = (c_void_p, c_int64)
        self.functions.ramiel_gate_leave.restype = None
        said, number = POINTER(Said), POINTER(c_int64)
        self.functions.ramiel_ranks_call.argtypes = (
            *(c_void_p, c_int64, said, said, c_int, said, c_int, c_int, POINTER(c_int)),
        )
        self.functions.ramiel_ranks_serve.argtypes = (c_void_p, number, said, c_int, c_int)
        self.functions.ramiel_ranks_report.argtypes = (said, c_int64)
        self.functions.ramiel_ranks_report.restype = None
        self.transforms = {
            Kind.TILES.name: self.functions.ramiel_tiles_of,
            Kind.IMAGE.name: self.functions.ramiel_image_of,
        }
        """Of convolutions by Winograd's algorithm, for what runs in Python; whether what they read
        is finite."""
        for transform in self.transforms.values():
            transform.argtypes = (c_void_p, c_void_p, c_void_p, c_int)
        self._call = ctypes.CFUNCTYPE(c_int, c_int64)(_call)
        execute = ctypes.cast(onednn.functions.dnnl_primitive_execute, c_void_p)
        self.functions.ramiel_attach(execute, ctypes.cast(self._call, c_void_p))
        if not self._answers(onednn.functions):
            raise OSError(f"{onednn.path} calls functions of OpenMP that are not known here")
        pytorch = libtorch()
        self.answers_pytorch = self._answers(pytorch)
        """Whether PyTorch's operators run on the threads of a plan, too."""
        self.dispatcher = pytorch if pytorch and self._dispatches(pytorch) else None
        """PyTorch's library, if its operators can be called without Python."""

    def _answers(self, library: ctypes.CDLL | None) -> bool:
        if library is None:
            return False
        return self.functions.ramiel_answer_openmp_of(_handle(library)) > 0

    def _dispatches(self, pytorch: ctypes.CDLL) -> bool:
        """Whether steps can call PyTorch's operators, on the threads of a plan."""
        if not self.answers_pytorch:
            return False
        return bool(self.functions.ramiel_attach_dispatcher(_handle(pytorch)))

    def new_plan(
        self,
        workers: Sequence[ctypes.Array[Step]],
        seats: int,
        channels: int,
        memory: int | None = None,
    ) -> c_void_p:
        """A plan of each worker's steps, for so many threads; delete() it. With the address of
        `memory`, of plan_memory_bytes(), which processes share, they are processes."""
        steps = (POINTER(Step) * len(workers))(*(ctypes.cast(w, POINTER(Step)) for w in workers))
        counts = (c_int64 * len(workers))(*map(len, workers))
        return self.functions.ramiel_plan_new(len(workers), seats, channels, steps, counts, memory)

    def plan_memory_bytes(self, workers: int, channels: int) -> int:
        return self.functions.ramiel_plan_memory_bytes(workers, channels)

    def run(self, plan: c_void_p, spins: int, times: ctypes.Array[c_int64] | None = None) -> int:
        """0, or what made the run stop: LOST, or what Python says more about when the run is made
        again there. `times` gets ns before the first and after each step, worker by worker."""
        return self.functions.ramiel_plan_run(plan, spins, times)

    def serve(self, plan: c_void_p, worker: int, parent: int) -> None:
        """Do a worker's part in every run, in a process forked from `parent`, until that ends."""
        self.functions.ramiel_plan_serve(plan, worker, parent)

    def entrust(self, plan: c_void_p, worker: int, pid: int) -> None:
        """Say which process serves for a worker."""
        self.functions.ramiel_plan_entrust(plan, worker, pid)

    def on_failure(self, plan: c_void_p, function: int) -> None:
        """Have a function of add_function() called as soon as a run fails."""
        self.functions.ramiel_plan_on_failure(plan, function)

    def lost(self, plan: c_void_p) -> int:
        """A worker whose process has ended; 0 if there is none."""
        return self.functions.ramiel_plan_lost(plan)

    def delete(self, plan: c_void_p) -> None:
        self.functions.ramiel_plan_delete(plan)

    def regions(self) -> Regions:
        """What regions of OpenMP run on that this thread enters."""
        return Regions(self.functions.ramiel_regions())

    def forget_pressure(self) -> None:
        """Have threads that wait spin again, though others have wanted their cores."""
        self.functions.ramiel_forget_pressure()

    def new_pipeline(self, plans: Sequence[c_void_p], memory: int | None = None) -> c_void_p:
        """A pipeline (native/pipeline.cpp) of copies of a plan. With the address of `memory`, of
        pipeline_memory_bytes(), which processes share, workers may be processes."""
        handles = (c_void_p * len(plans))(*plans)
        return self.functions.ramiel_pipeline_new(handles, len(plans), memory)

    def pipeline_memory_bytes(self, workers: int) -> int:
        return self.functions.ramiel_pipeline_memory_bytes(workers)

    def work_in(self, pipeline: c_void_p, worker: int) -> None:
        """Have a thread work as a worker, until the pipeline is closed."""
        self.functions.ramiel_pipeline_start(pipeline, worker)

    def serve_in(self, pipeline: c_void_p, worker: int, parent: int) -> None:
        """Work as a worker, in a process forked from `parent`, until that ends."""
        self.functions.ramiel_pipeline_serve(pipeline, worker, parent)

    def submit(self, pipeline: c_void_p, spins: int) -> None:
        """Begin the next run: that of copy i modulo their number, which waited for its last one."""
        self.functions.ramiel_pipeline_submit(pipeline, spins)

    def wait(self, pipeline: c_void_p, run: int) -> int:
        """What a run ends with, as for run(), or DROPPED. Runs are waited for in their order."""
        return self.functions.ramiel_pipeline_wait(pipeline, run)

    def close(self, pipeline: c_void_p) -> None:
        """Drop the runs under way and end the threads. Idempotent."""
        self.functions.ramiel_pipeline_close(pipeline)

    def delete_pipeline(self, pipeline: c_void_p) -> None:
        self.functions.ramiel_pipeline_delete(pipeline)


def _handle(library: Any) -> int:
    return library._handle


def native() -> Native | None:
    """The native part, loaded once; None if programs have to run in Python."""
    loaded = _loaded()
    return None if isinstance(loaded, str) else loaded


def why_not() -> str:
    """Why there is no native part, in one line; empty if there is one."""
    loaded = _loaded()
    return loaded if isinstance(loaded, str) else ""


@once
def _loaded() -> Native | str:
    """The native part, or why there is none. It calls Python by a function that this one made."""
    onednn = library()
    if not LIBRARY.exists():
        return "Ramiel was installed without its native part, which takes a C++ compiler"
    if onednn is None:
        return why_no_onednn()
    try:
        return Native(str(LIBRARY), onednn)
    except OSError as reason:
        return str(reason)


def on_crew(function: Callable[[Argument], Result]) -> Callable[[Argument], Result]:
    """A function whose operators run on threads of our own (native/crew.h), if there is the native
    part, and unless the thread that calls it does them alone. Their number is what
    torch.set_num_threads() sets, as it is with OpenMP's."""

    def run(argument: Argument) -> Result:
        lib = native()
        if lib is None or (before := lib.regions()) is not Regions.OPENMP:
            return function(argument)
        use = lib.functions.ramiel_set_regions
        try:
            use(Regions.CREW)
            return function(argument)
        finally:
            use(before)  # no interrupt comes before it does so: it is not written in Python

    return run


def work_alone(alone: bool = True) -> None:
    """Have this thread do operators on several threads by itself from now on, part after part, with
    the bits that they have on several; or no longer. For as many requests at a time as there are
    cores."""
    if (lib := native()) is not None:
        lib.functions.ramiel_set_regions(Regions.ALONE if alone else Regions.OPENMP)


# --- functions of Python that steps call ---

_functions: dict[int, Callable[[], object]] = {}
_numbers = itertools.count()
_FAILED = 1


def add_function(function: Callable[[], object]) -> int:
    """A number that a step calls a function by."""
    number = next(_numbers)
    _functions[number] = function
    return number


def remove_function(number: int) -> None:
    _functions.pop(number, None)


def _call(number: int) -> int:
    try:
        _functions[number]()
    except BaseException:  # the run is made again in Python, which raises it
        return _FAILED
    return 0
