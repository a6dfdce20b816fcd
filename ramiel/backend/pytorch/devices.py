"""How a program is written for threads and processes of the CPU, and for the streams of a GPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ramiel.dialects.cluster.attributes import Executor


@dataclass(frozen=True)
class Form:
    """The names in which programs for the executors differ, and what their headers say."""

    base: str
    channels: str
    decorator: str
    """That of `serial`."""
    define: str
    """What a worker's method begins with."""
    within: str
    """The statement that a worker's operations are under, with its number; may be empty."""
    receive: str
    """How the value of a channel is received."""
    take: str
    """How it is, if nobody else receives it."""
    wait: str
    """How a turn is waited for."""
    time: Callable[[float], str]
    """How the time of a cluster, µs, is written."""
    place: str
    """A line of `__init__` that places the weights; empty if they are in place."""
    about: tuple[str, ...]
    """Lines of the header, in which `{ranks}` is the number of ranks."""
    of_ranks: bool = False
    """Whether workers have ranks, and some channels cross them."""


def milliseconds(us: float) -> str:
    """A readable time: `0.61 ms`, `28.9 ms`."""
    return f"{us / 1000:.2f} ms" if us < 10_000 else f"{us / 1000:.1f} ms"


def idle_told(idle: int, ranks: int) -> str:
    """In words, that a schedule has no worker for some of the ranks that were asked for."""
    return f"{idle} of {idle + ranks} ranks: the program is of {ranks}"


def microseconds(us: float) -> str:
    """A readable time: `3.1 µs`, or that of milliseconds() from 0.1 ms on."""
    return f"{us:.1f} µs" if us < 100 else milliseconds(us)


def stream_told(way: str, at_a_time: float, interval_us: float, latency_us: float) -> str:
    """In words, how requests are streamed and what is expected of it."""
    rate = f"{1e6 / interval_us:.4g} requests/s, " if interval_us else ""
    return f"{way}, {at_a_time:.0f} at a time: {rate}latency {milliseconds(latency_us)}"


_THREADS = Form(
    base="Program",
    channels="Channels",
    decorator="one_thread",
    define="def",
    within="",
    receive="ch.{}.recv()",
    take="ch.{}.take()",
    wait="ch.{}.recv()",
    time=milliseconds,
    place="",
    about=(
        "The workers run at the same time and hand values over through the channels `ch`:",
        "`send` fills one, `recv` waits for its value. `take` is the only `recv` of a channel,",
        "which then lets go of the value. The weights are in the .safetensors file beside this",
        "one. Run it to check the parallel program against the serial one and to time both.",
    ),
)

FORMS: Mapping[str, Form] = {
    Executor.THREADS: _THREADS,
    Executor.PROCESSES: replace(
        _THREADS,
        base="ProcessProgram",
        about=(
            "The workers are processes that run at the same time and hand values over through the",
            "channels `ch`, in memory that they share: `send` fills one, `recv` waits for a value,",
            "`take` is the only `recv` of a channel. They are forked once a call was captured;",
            "until then threads run them. The weights are in the .safetensors file beside this",
            "one. Run it to check the parallel program against the serial one and to time both.",
        ),
    ),
    Executor.DISTRIBUTED: replace(
        _THREADS,
        base="DistributedProgram",
        of_ranks=True,
        about=(
            "The workers are threads of processes, the ranks, that may be on several machines:",
            "`ranks` has that of each. They run at the same time and hand values over through",
            "the channels `ch`: `send` fills one, `recv` waits for its value, `take` is the only",
            "`recv` of a channel. Those in `remote` cross ranks, by torch.distributed. Rank 0 is",
            "called, and the others serve it. The weights are in the .safetensors file beside",
            "this one. To check the parallel program against the serial one and to time both:",
            "",
            "    torchrun --nnodes 1 --nproc-per-node {ranks} FILE.py  # this file",
        ),
    ),
    Executor.STREAMS: Form(
        base="StreamProgram",
        channels="Events",
        decorator="one_stream",
        define="async def",
        within="with ch.stream({}):",
        receive="await ch.{}",
        take="await ch.{}.take()",
        wait="await ch.{}",
        time=microseconds,
        place="weights = weights.to(self.device)",
        about=(
            "A worker issues its operations to a stream of its own, and the channels `ch` are",
            "events: `send` records one, `await` makes the stream wait for it, not Python. The",
            "first call for some shapes is captured as one CUDA graph, which later calls replay.",
            "Convolutions in float32 use TF32, of 11 bits, unless",
            "torch.backends.cudnn.allow_tf32 is False at the first call. The weights are in the",
            ".safetensors file beside this one. Run it to check the streams against one stream and",
            "to time both.",
        ),
    ),
}
"""By executor."""
