"""The overheads of parallelism: handing a value over, switching the number of threads."""

from __future__ import annotations

import mmap
import statistics
import time
from collections.abc import Generator
from contextlib import contextmanager
from threading import Thread

import torch

from ramiel.runtime.channels import Channel
from ramiel.runtime.distributed.messages import HEADER
from ramiel.runtime.distributed.neighbours import segment_bytes, slots_in
from ramiel.runtime.replay.native import Kind, Native, Step
from ramiel.runtime.replay.plan import SPINS

_CALL, _ANSWER = -1, -2
_ENDS = {_CALL: HEADER, _ANSWER: HEADER}
"""The messages of measure_call()."""
_ASLEEP_S = 0.005
"""More than a thread spins before it sleeps."""
_LONG_MS = 1000


def measure_hand_over(times: int = 200) -> float:
    """The median µs from a send on one thread to the return of recv() on another that waits.

    Operators run before and after it, as in a program.
    """
    small, work = torch.ones(1 << 14), torch.ones(1 << 18)
    samples: list[float] = []
    with _threads_restored():
        torch.set_num_threads(1)
        for _ in range(times):
            go, back = Channel("go"), Channel("back")

            def answer(go: Channel = go, back: Channel = back) -> None:
                sent = go.recv()
                back.send(time.perf_counter_ns() - sent)

            thread = Thread(target=answer)
            thread.start()
            waiting = time.perf_counter() + 0.0005
            while time.perf_counter() < waiting:
                torch.relu(work)
            go.send(time.perf_counter_ns())
            for _ in range(5):
                torch.relu(small)
            samples.append(back.recv() / 1e3)
            thread.join()
    return statistics.median(samples)


def measure_replayed_hand_over(native: Native, times: int = 50) -> float:
    """The least mean µs from a send of one worker to the return of another that waits, in replay,
    where workers that wait are awake."""
    workers = [(Step * (2 * times))() for _ in range(2)]
    for i in range(2 * times):  # a channel is used once
        for k, worker in enumerate(workers):
            kind = Kind.SEND if i % 2 == k else Kind.RECEIVE
            worker[i] = Step(kind, 1, None, None, None, i)
    plan = native.new_plan(workers, len(workers), 2 * times)
    try:
        samples: list[float] = []
        for _ in range(100):
            start = time.perf_counter_ns()
            native.run(plan, SPINS)
            samples.append((time.perf_counter_ns() - start) / 1e3 / (2 * times))
    finally:
        native.delete(plan)
    return min(samples)


def measure_call(native: Native, times: int = 30) -> float:
    """The median µs from a message until the answer of a thread that has fallen asleep since the
    last one, while the caller was at work: how late workers of other processes begin."""
    memory = mmap.mmap(-1, segment_bytes(_ENDS))
    ours, theirs = slots_in(memory, _ENDS), slots_in(memory, _ENDS)
    work = torch.ones(512, 512)

    def answer() -> None:
        for _ in range(times):
            while not theirs[_CALL].receive(SPINS, _LONG_MS):
                pass
            theirs[_ANSWER].send()

    samples: list[float] = []
    other = Thread(target=answer, daemon=True)
    other.start()
    with _threads_restored():
        torch.set_num_threads(1)
        for _ in range(times):
            until = time.perf_counter() + _ASLEEP_S
            while time.perf_counter() < until:
                torch.mm(work, work)
            start = time.perf_counter_ns()
            ours[_CALL].send()
            while not ours[_ANSWER].receive(SPINS, _LONG_MS):
                pass
            samples.append((time.perf_counter_ns() - start) / 1e3)
    other.join()
    return statistics.median(samples)


def measure_switch(threads: int) -> float:
    """The mean µs that going from one thread to several, or back, costs a worker."""
    return (_measure_waking(threads) + _measure_spinning(threads)) / 2


def _measure_waking(threads: int, times: int = 100) -> float:
    """The median µs that an operation on several threads takes longer after one on a single
    thread than after one on as many: its team has fallen asleep."""
    small, work = torch.ones(1 << 16), torch.ones(640, 640)  # some µs, and some ms
    samples: dict[int, list[float]] = {1: [], threads: []}
    with _threads_restored():
        for _ in range(times):
            for count, taken in samples.items():
                torch.set_num_threads(count)
                torch.mm(work, work)
                torch.set_num_threads(threads)
                start = time.perf_counter_ns()
                torch.relu(small)
                taken.append((time.perf_counter_ns() - start) / 1e3)
    return max(0.0, statistics.median(samples[1]) - statistics.median(samples[threads]))


def _measure_spinning(threads: int, times: int = 15) -> float:
    """The median µs that workers on the other cores need longer for their own operations after
    one that ran on all cores: its team still spins on the cores that were lent."""
    work = torch.ones(640, 640)  # some ms, longer than OpenMP spins by default
    samples: dict[int, list[float]] = {1: [], threads: []}

    def after(go: Channel, taken: list[float]) -> None:
        torch.get_num_threads()
        torch.set_num_threads(1)
        go.recv()
        start = time.perf_counter_ns()
        torch.mm(work, work)
        taken.append((time.perf_counter_ns() - start) / 1e3)

    with _threads_restored():
        for _ in range(times):
            for count, taken in samples.items():
                go = Channel("go")
                others = [Thread(target=after, args=(go, taken)) for _ in range(threads - 1)]
                for thread in others:
                    thread.start()
                torch.set_num_threads(count)
                torch.mm(work, work)
                torch.set_num_threads(1)
                go.send()
                torch.mm(work, work)
                for thread in others:
                    thread.join()
    return max(0.0, statistics.median(samples[threads]) - statistics.median(samples[1]))


@contextmanager
def _threads_restored() -> Generator[None]:
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
