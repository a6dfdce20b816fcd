"""What a replayed program costs beyond its kernels, beside the same in Python.

    python benchmarks/overheads.py [--threads 2] [--rounds 20] [--json FILE]

Each overhead is a slope, the difference of a long and a short program over that of their lengths,
so that what a call costs is not in it: the least of rounds in which all take turns. A step's is
that of an operation on 16 elements, whose kernel takes a few ns; that of a fork and join is how
much longer an operation on several threads takes than its share of the time on one; that of handing
over a value of some size how much longer a step takes whose operand another worker has made. What
processes do in Python is done by threads. Then graphs of 16 chains of 200 operations on as many
workers show how much of the ideal speed-up is left, beside that of as many programs of a part of
the chains each, which run side by side and hand nothing over: the most that the machine gives.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from machine import machine
from synthetic import FEATURES, chains_model
from torch import Tensor
from turns import side_by_side

import ramiel
from ramiel.cores import cores
from ramiel.runtime import Channels, Input, Linear, ProcessProgram, Program, Weights
from ramiel.runtime.measure import interleaved, random_inputs
from ramiel.runtime.replay.native import native, why_not

LENGTHS = 100, 1100
"""Operations of the short and the long program."""
SMALL = 16
"""Elements of an operation that is nearly all overhead."""
ROWS = 128
"""Rows of a value, for each thread, that several threads share."""
CHAINS, LENGTH = 16, 200
TARGETS_US = 5.0, 40.0
"""How long an operation of the chains takes."""

Step = Callable[["Base", Tensor], Tensor]


class Base(Program):
    """A program of one input and output of any shape, with one layer."""

    inputs = (Input("x", torch.float32, None),)
    outputs = ("y",)

    def __init__(self, workers: int = 1) -> None:
        weight = torch.nn.init.orthogonal_(torch.empty(FEATURES, FEATURES))
        weights = Weights.from_tensors({"fc.weight": weight})
        super().__init__(weights, workers)
        self.fc = Linear(weights, "fc")


def repeated(length: int, step: Step, threads: int = 1) -> Base:
    """One worker, which makes a step so often."""

    class Repeated(Base):
        def worker_0(self, ch: Channels) -> None:
            torch.set_num_threads(threads)
            y = ch.x.recv()
            for _ in range(length):
                y = step(self, y)
            ch.y.send(y)

    return Repeated()


class InProcesses(Base, ProcessProgram):
    """Such a program, whose workers are processes."""


def unchanged(_: Base, y: Tensor) -> Tensor:
    return y


def ping_pong(length: int, step: Step = unchanged, base: type[Base] = Base) -> Base:
    """Two workers that hand a value over so often, to and fro, each after a step."""

    class PingPong(base):
        channels = tuple(f"c{i}" for i in range(length))

        def worker_0(self, ch: Channels) -> None:
            y = ch.x.recv()
            for i in range(0, length, 2):
                getattr(ch, f"c{i}").send(step(self, y))
                y = getattr(ch, f"c{i + 1}").recv()
            ch.y.send(y)

        def worker_1(self, ch: Channels) -> None:
            for i in range(0, length, 2):
                getattr(ch, f"c{i + 1}").send(step(self, getattr(ch, f"c{i}").recv()))

    return PingPong(2)


class Overhead(NamedTuple):
    """Microseconds, replayed and in Python."""

    replayed: float
    python: float


def slopes(make: Callable[[int], Base], x: Tensor, rounds: int) -> Overhead:
    """What a program takes longer for each operation more."""
    programs: list[Base] = []
    for length in LENGTHS:
        for captures in (True, False):
            program = make(length)
            program.captures = captures
            if captures:
                program.capture(x)
            programs.append(program)
    calls = [partial(program, x) for program in programs]
    interleaved(calls, 3)
    times = [min(taken) for taken in interleaved(calls, rounds)]
    for program in programs:
        program.close()
    steps = (LENGTHS[1] - LENGTHS[0]) * 1e-6
    return Overhead((times[2] - times[0]) / steps, (times[3] - times[1]) / steps)


def overheads(threads: int, rounds: int) -> dict[str, Overhead]:
    small, large = torch.ones(SMALL), torch.ones(ROWS * threads, FEATURES)

    def step(name: str, step: Step, x: Tensor) -> None:
        found[name] = slopes(partial(repeated, step=step), x, rounds)

    def fork_and_join(name: str, step: Step) -> None:
        one, several = (
            slopes(partial(repeated, step=step, threads=count), large, rounds)
            for count in (1, threads)
        )
        found[f"fork and join of {name} on {threads} threads"] = Overhead(
            *(after - before / threads for before, after in zip(one, several, strict=True))
        )

    def relu(_: Base, y: Tensor) -> Tensor:
        return torch.relu(y)

    found: dict[str, Overhead] = {}
    step("a step of our own (relu)", relu, small)
    step("a step of PyTorch's (sigmoid)", lambda _, y: torch.sigmoid(y), small)
    step("a step of oneDNN's (product)", lambda p, y: p.fc(y), torch.ones(1, FEATURES))
    found["a hand-over between awake workers"] = slopes(ping_pong, small, rounds)
    for size, x in (("1 KB", torch.ones(1 << 8)), ("1 MB", torch.ones(1 << 18))):
        alone = slopes(partial(repeated, step=relu), x, rounds)
        for what, base in (("threads", Base), ("processes", InProcesses)):
            passed = slopes(partial(ping_pong, step=relu, base=base), x, rounds)
            found[f"a hand-over of {size} between {what}"] = Overhead(
                *(after - before for before, after in zip(alone, passed, strict=True))
            )
    fork_and_join("relu", relu)
    fork_and_join("a product", lambda p, y: p.fc(y))
    return found


class SpeedUp(NamedTuple):
    """Of a graph of chains on several workers over its serial form; ms, replayed and in Python."""

    operation_us: float
    parallel_ms: Overhead
    serial_ms: Overhead
    speed_up: Overhead
    apart_speed_up: float
    """Of the parts of the graph as programs of their own, replayed side by side."""


def speed_up(target_us: float, threads: int, rounds: int) -> SpeedUp:
    rows = ROWS
    for _ in range(3):  # rows for which a product takes as long as it should
        taken = slopes(
            partial(repeated, step=lambda p, y: p.fc(y)), torch.ones(rows, FEATURES), rounds
        )
        rows = max(1, round(rows * target_us / taken.replayed))
    model = chains_model(CHAINS, LENGTH, rows)
    programs = [
        ramiel.compile(model, workers=threads, schedule="linear", capture=capture)
        for capture in (True, False)
    ]
    parts = [
        ramiel.compile(chains_model(CHAINS // threads, LENGTH, rows), workers=1)
        for _ in range(threads)
    ]
    inputs = random_inputs(programs[0].inputs, {}, 0)
    calls = [partial(call, *inputs) for p in programs for call in (p, p.serial)]
    pool = ThreadPoolExecutor(threads)
    calls.append(partial(side_by_side, pool, [partial(part, *inputs) for part in parts]))
    interleaved(calls, 3)
    for status in (programs[0].capture_status, programs[0].serial_capture_status):
        if status(*inputs) != "captured":
            raise SystemExit(f"the chains are not captured: {status(*inputs)}")
    parallel, serial, in_python, serial_in_python, apart = interleaved(calls, rounds)
    pool.shutdown()

    def ms(seconds: Sequence[float]) -> float:
        return statistics.median(seconds) * 1e3

    def ratio(before: Sequence[float], after: Sequence[float]) -> float:
        return statistics.median(b / a for b, a in zip(before, after, strict=True))

    for program in programs + parts:
        program.close()
    return SpeedUp(
        ms(serial) * 1e3 / (CHAINS * LENGTH),
        Overhead(ms(parallel), ms(in_python)),
        Overhead(ms(serial), ms(serial_in_python)),
        Overhead(ratio(serial, parallel), ratio(serial_in_python, in_python)),
        ratio(serial, apart),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=min(2, cores()))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if native() is None:
        raise SystemExit(why_not())
    found = overheads(options.threads, options.rounds)
    print(f"{'µs':46}{'replayed':>10}{'in Python':>11}")
    for name, row in found.items():
        print(f"{name:46}{row.replayed:10.3f}{row.python:11.3f}")
    print(
        f"\n{f'{CHAINS} chains of {LENGTH} on {options.threads} workers':46}{'replayed':>10}"
        f"{'in Python':>11}"
    )
    chains = [speed_up(target, options.threads, options.rounds) for target in TARGETS_US]
    for row in chains:
        title = f"operations of {row.operation_us:.1f} µs"
        for name, pair in (
            ("serial, ms", row.serial_ms),
            ("parallel, ms", row.parallel_ms),
            ("speed-up", row.speed_up),
        ):
            print(f"{f'{title}: {name}':46}{pair.replayed:10.2f}{pair.python:11.2f}")
        print(f"{f'{title}: speed-up of parts':46}{row.apart_speed_up:10.2f}")
    if options.json:
        document = {
            "machine": machine(),
            "threads": options.threads,
            "overheads_us": {name: row._asdict() for name, row in found.items()},
            "chains": [row._asdict() for row in chains],
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
