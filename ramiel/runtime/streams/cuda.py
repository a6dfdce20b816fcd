"""CUDA's streams, events and graphs, as PyTorch has them."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import torch

from ramiel.runtime.errors import DeviceUnavailable

Result = TypeVar("Result")

_capturing = threading.Lock()
"""One capture at a time in a process."""


class Cuda:
    """The CUDA device that is current when this is made."""

    def __init__(self) -> None:
        """DeviceUnavailable, in one line, if there is none."""
        require_cuda()
        self.torch_device = torch.device("cuda", torch.cuda.current_device())

    def streams(self, count: int) -> list[Any]:
        return _streams_of(self.torch_device)[1 : count + 1]

    def event(self) -> Any:
        return torch.cuda.Event()

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

    def capture(self, issue: Callable[[], Result]) -> tuple[Any, Result]:
        """See Device.capture().

        Other threads may use CUDA meanwhile: only this one may not do what a capture forbids.
        cuBLAS has a workspace for each stream, which it keeps: dropped before and after, those of
        a graph are in the graph's own memory, and no other graph writes to them at the same time.
        """
        graph, stream = torch.cuda.CUDAGraph(), _streams_of(self.torch_device)[0]
        with _capturing:
            _drop_workspaces()
            try:
                with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                    result = issue()
            finally:
                _drop_workspaces()
        return graph, result

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


def _drop_workspaces() -> None:
    drop = getattr(torch._C, "_cuda_clearCublasWorkspaces", None)  # pyright: ignore
    if drop is not None:
        drop()
