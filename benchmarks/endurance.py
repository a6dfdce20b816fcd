"""Long runs of replayed programs: memory must not grow, and no call may differ from serial.

    python benchmarks/endurance.py [--calls 1000000] [--shared-calls 100000] [--threads 4]
        [--workers 16]

First, calls of a small model on two workers, from one thread: what the process has in memory is
printed ten times. Then calls of one program from several threads at once, on many more workers than
there are cores; each output is compared with that of the serial form, bit for bit. The exit code is
1 if memory grows after the first tenth of the calls, or an output differs.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from onnx import ModelProto
from synthetic import chains_model, layered_model
from torch import Tensor

import ramiel
from ramiel.api import CompiledProgram
from ramiel.runtime.measure import random_inputs, same_bits

GROWTH = 8 << 20
"""Bytes that the process may grow by, for what the allocator keeps: 9 a call of a million."""
INPUTS = 8
"""Different inputs, which the calls take in turns."""


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def program_of(model: ModelProto, workers: int) -> tuple[CompiledProgram, list[list[Tensor]]]:
    """A captured program, and inputs for it."""
    program = ramiel.compile(model, workers=workers, schedule="linear")
    given = [random_inputs(program.inputs, {}, seed) for seed in range(INPUTS)]
    program.capture(*given[0])
    return program, given


def memory_stays(calls: int) -> bool:
    program, given = program_of(layered_model(32), 2)
    print(f"{calls} calls on {program.report.workers} workers, MB in memory:", end="", flush=True)
    sizes: list[int] = []
    start = time.perf_counter()
    with program:
        for _ in range(10):
            for i in range(calls // 10):
                program(*given[i % INPUTS])
            sizes.append(resident())
            print(f" {sizes[-1] / 1e6:.1f}", end="", flush=True)
        assert program.capture_status(*given[0]) == "captured"
    print(f", {(time.perf_counter() - start) / calls * 1e6:.1f} µs a call")
    return max(sizes) - sizes[0] <= GROWTH


def threads_agree(name: str, model: ModelProto, calls: int, threads: int, workers: int) -> bool:
    program, given = program_of(model, workers)
    expected = [program.serial(*inputs) for inputs in given]
    before, start = resident(), time.perf_counter()

    def call(thread: int) -> int:
        torch.set_num_threads(1)
        return sum(
            not same_bits(program(*given[i % INPUTS]), expected[i % INPUTS])
            for i in range(thread, calls, threads)
        )

    with program, ThreadPoolExecutor(threads) as pool:
        wrong = sum(pool.map(call, range(threads)))
        assert program.capture_status(*given[0]) == "captured"
    seconds = time.perf_counter() - start
    print(
        f"{calls} calls of {name} from {threads} threads on {program.report.workers} workers and "
        f"{len(os.sched_getaffinity(0))} cores: {wrong} differ from serial, "
        f"{seconds / calls * 1e6:.0f} µs a call, {(resident() - before) / 1e6:.1f} MB more"
    )
    return not wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--shared-calls", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--workers", type=int, default=16)
    options = parser.parse_args()
    passed = memory_stays(options.calls)
    models = {"random layers": layered_model(144), "chains": chains_model(options.workers, 16, 8)}
    for name, model in models.items():
        calls = options.shared_calls // len(models)
        passed &= threads_agree(name, model, calls, options.threads, options.workers)
    raise SystemExit(not passed)


if __name__ == "__main__":
    main()
