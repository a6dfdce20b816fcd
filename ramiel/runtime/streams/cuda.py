"""CUDA's streams, events and graphs, as PyTorch has them."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from ramiel.runtime.errors import DeviceUnavailable
from ramiel.runtime.locks import Lock

Result = TypeVar("Result")

_capturing = Lock()
"""One capture at a time in a process."""


@dataclass(frozen=True)
class CudaGraph:
    """A captured graph of PyTorch's."""

    graph: Any
    memory: int

    def replay(self) -> None:
        self.graph.replay()


class Cuda:
    """The CUDA device that is current when this is made."""

    has_times = True

    def __init__(self) -> None:
        """DeviceUnavailable, in one line, if there is none."""
        require_cuda()
        self.torch_device = torch.device("cuda", torch.cuda.current_device())

    @property
    def name(self) -> str:
        """Whether float32 uses TF32 is a part of it: it changes times."""
        found = torch.cuda.get_device_properties(self.torch_device)
        return (
            f"{found.name} (sm_{found.major}{found.minor}, {found.multi_processor_count} "
            f"multiprocessors), CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}, "
            f"torch {torch.__version__}, TF32 {tf32()}"
        )

    def streams(self, count: int) -> list[Any]:
        return _streams_of(self.torch_device)[1 : count + 1]

    def event(self) -> Any:
        return torch.cuda.Event()

    def timer(self) -> Any:
        """An event that a graph records as a node of its own, so that it has a time."""
        return torch.cuda.Event(enable_timing=True, external=True)

    def current(self) -> Any:
        return torch.cuda.current_stream(self.torch_device)

    def use(self, stream: Any) -> None:
        torch.cuda.set_stream(stream)

    @contextmanager
    def issuing(self) -> Generator[None]:
        """See Device.issuing(). cuDNN measures which algorithm to use for a shape, once."""
        require_cuda()
        with ExitStack() as stack:
            stack.enter_context(torch.cuda.device(self.torch_device))
            stack.enter_context(torch.device(self.torch_device))
            if torch.is_autocast_enabled("cuda"):
                stack.enter_context(torch.autocast("cuda", enabled=False))
            if not torch.backends.cudnn.benchmark and not torch.backends.cudnn.deterministic:
                torch.backends.cudnn.benchmark = True
                stack.callback(setattr, torch.backends.cudnn, "benchmark", False)
            yield

    def is_capturing(self) -> bool:
        return torch.cuda.is_current_stream_capturing()

    def capture(
        self, issue: Callable[[], Result], streams: int = 1, beside: Any = None
    ) -> tuple[Any, Result]:
        """See Device.capture().

        Other threads may use CUDA meanwhile: only this one may not do what a capture forbids.
        cuBLAS has a workspace for each stream, which it keeps: dropped before and after, those of
        a graph are in the graph's own memory, and no other graph writes to them at the same time.
        All of a graph's streams together get as much as one stream has.
        """
        graph: Any = torch.cuda.CUDAGraph()
        pool = None if beside is None else beside.graph.pool()
        stream = _streams_of(self.torch_device)[0]
        failures: list[BaseException] = []

        def issuing() -> Result:
            try:
                return issue()
            except BaseException as error:
                failures.append(error)
                raise

        with _capturing, _workspaces(self.torch_device, streams):
            torch.cuda.empty_cache()  # as a capture does: what is reserved later is the graph's
            before = torch.cuda.memory_reserved(self.torch_device)
            try:
                with torch.cuda.graph(graph, pool, stream, capture_error_mode="thread_local"):
                    result = issuing()
            except Exception as error:
                # Ending a capture that was broken fails as well, without a word about the cause.
                raise failures[0] if failures else error from None
            taken = torch.cuda.memory_reserved(self.torch_device) - before
        return CudaGraph(graph, taken), result

    def is_lost(self) -> bool:
        """After some errors of a kernel each later call fails, until the process ends."""
        try:
            torch.cuda.synchronize(self.torch_device)
        except RuntimeError:
            return True
        return False

    def settle(self) -> None:
        pass

    def synchronize(self) -> None:
        torch.cuda.synchronize(self.torch_device)


_POOL = 32
"""PyTorch has so many streams for a device, and hands them out in turns."""


@functools.cache
def _streams_of(device: torch.device) -> list[Any]:
    """All streams of a device, one of each: the first is where captures begin, others are those of
    workers, so that no two workers of a program share one by chance."""
    streams = {s.cuda_stream: s for s in (torch.cuda.Stream(device) for _ in range(_POOL))}
    return list(streams.values())


def require_cuda() -> None:
    """DeviceUnavailable, in one line, if CUDA cannot be used in this process."""
    if torch.cuda._is_in_bad_fork():  # pyright: ignore[reportPrivateUsage]
        raise DeviceUnavailable(
            "CUDA cannot be used in a process that was forked after its parent had used it: "
            "start it by spawn"
        )
    if not torch.cuda.is_available():
        built = torch.version.cuda
        raise DeviceUnavailable(
            "this program is for CUDA, and "
            + ("there is no CUDA device" if built else "this PyTorch is built without CUDA")
            + "; compile it with --device cpu"
        )


WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
"""How large cuBLAS's workspaces are; if the user has set it, it stays."""


@contextmanager
def _workspaces(device: torch.device, streams: int) -> Generator[None]:
    """Within, each stream gets its share of one stream's workspace, and none survives."""
    usual = _usual_workspace(device)
    restore = None
    _drop_workspaces()
    if streams > 1 and os.environ.get(WORKSPACE, usual) == usual:
        restore = _divide_workspace(usual, streams)
    try:
        yield
    finally:
        _drop_workspaces()
        if restore is not None:
            restore()
            _drop_workspaces()  # small ones that another thread has made since


def _divide_workspace(usual: str, streams: int) -> Callable[[], None]:
    """Makes new workspaces smaller; a function that ends this.

    Older versions of PyTorch ask the environment at each call of cuBLAS. It is set once, to
    PyTorch's default, and from then on only replaced, which does not move what other threads read.
    """
    get = getattr(torch._C, "_cuda_getCublasWorkspaceSize", None)  # pyright: ignore
    if get is not None:
        set_size: Any = torch._C._cuda_setCublasWorkspaceSize  # pyright: ignore
        whole: int = get()
        set_size(whole // streams)
        return lambda: set_size(whole)
    os.environ.setdefault(WORKSPACE, usual)
    os.environ[WORKSPACE] = f":{int(usual.split(':')[1]) // streams}:1"
    return lambda: os.environ.__setitem__(WORKSPACE, usual)


def _usual_workspace(device: torch.device) -> str:
    """PyTorch's default, in KiB. Where a newer version's is larger, this is not used."""
    hopper = torch.cuda.get_device_properties(device).major == 9
    return f":{32 << 10 if hopper else 8320}:1"


def tf32() -> str:
    """Where float32 is computed with 10 bits of mantissa; by default, PyTorch does in cuDNN."""
    try:
        convolutions = bool(torch.backends.cudnn.allow_tf32)
        products = bool(torch.backends.cuda.matmul.allow_tf32)
    except RuntimeError:  # the user has set fp32_precision instead
        return "as fp32_precision says"
    if convolutions == products:
        return "on" if products else "off"
    return "in convolutions" if convolutions else "in products"


def _drop_workspaces() -> None:
    drop = getattr(torch._C, "_cuda_clearCublasWorkspaces", None)  # pyright: ignore
    if drop is not None:
        drop()
