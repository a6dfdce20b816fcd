"""Workers and ranks that are killed at random times: what ends, how soon, and what is left.

    python benchmarks/killed.py processes [--times 200] [--workers 3] [--out FILE]
    python benchmarks/killed.py ranks|streams [--times 200] [--ranks 3] [--within 1.5]
        [--seconds 120] [--out FILE]

Results are added to those in FILE: runs with other seeds (--seed) go on where one ends. With
--seconds, no program of ranks is started after so long.
`processes` calls one program for ever, and kills any of its workers: the call has to end with an
error, the next one to be right, and no process, no segment of shared memory and no descriptor may
be left. `ranks` starts a program of ranks each time, and kills any of them within some seconds of
its start, so also while the ranks meet or end: all others have to end by themselves, with an
error that names what is lost; `streams` has rank 0 stream requests through stages, so that several
calls are under way. The exit code is 1 if that is not so.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import multiprocessing
import os
import random
import re
import signal
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from machine import machine
from onnx import ModelProto
from opened import opened
from ports import free_port
from synthetic import chains_model

import ramiel
from ramiel.runtime.measure import random_inputs, same_bits
from ramiel.runtime.processes.crew import WorkerLost

ERROR_S = 2.0
"""How soon the loss of a worker has to be an error."""
LIMIT_S = 10.0
"""How long a rank waits for another."""
HANG_S = 60.0
NAMED = r"rank {0} (is lost to rank \d+, which .*: the connection is lost$|.*has not come within)"
"""What the error of a rank says of the one that was killed."""
MEETS = r"rank \d+ (of Chains cannot be connected|of Chains is lost|does not reach rank 0 at)"
"""What it may also say while ranks meet, where gloo does not tell who is lost."""


def model_of(chains: int, rows: int = 64) -> ModelProto:
    return chains_model(chains, 12, rows)


def segments() -> set[str]:
    """What has a name in the memory that processes share."""
    return set(os.listdir("/dev/shm"))


def shared_maps() -> int:
    """The anonymous memory of this process that others may share: mappings of /dev/zero."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return sum(" rw-s " in line for line in lines)


def children() -> set[int]:
    """Those of this process that are there, zombies too."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # the thread has ended
            found |= set(map(int, (task / "children").read_text().split()))
    return found


def processes(options: argparse.Namespace) -> dict[str, Any]:
    rng = random.Random(options.seed)
    before = segments()
    program = ramiel.compile(
        model_of(options.workers), workers=options.workers, schedule="linear", executor="processes"
    )
    (given,) = [random_inputs(program.inputs, {}, 0)]
    expected = program.serial(*given)
    program.capture(*given)
    program(*given)
    problems: list[str] = []
    seconds: list[float] = []
    idle = lost = 0
    workers = children()
    assert len(workers) == options.workers - 1
    maps, descriptors = shared_maps(), len(os.listdir("/proc/self/fd"))
    for turn in range(options.times):
        victims = children()
        victim, killed = rng.choice(sorted(victims)), list[float]()

        def kill(victim: int = victim, killed: list[float] = killed) -> None:
            killed.append(time.monotonic())
            os.kill(victim, signal.SIGKILL)

        killer = threading.Timer(rng.random() * 0.02, kill)
        killer.start()
        pause = rng.random() < 0.2
        try:
            while victim in children():
                if pause and not killed:
                    time.sleep(0.001)
                    continue
                if not same_bits(program(*given), expected):
                    problems.append(f"turn {turn}: a call beside the kill is wrong")
            idle += 1  # noticed before a call
        except WorkerLost as error:
            lost += 1
            seconds.append(time.monotonic() - killed[0])
            if f"process {victim})" not in str(error):
                problems.append(f"turn {turn}: {error}")
        killer.join()
        if not same_bits(program(*given), expected):
            problems.append(f"turn {turn}: the next call is wrong")
        left = victims & children()
        if victim in left or (lost and len(children()) != options.workers - 1):
            problems.append(f"turn {turn}: processes {sorted(left)} are left")
    program.close()
    del program
    gc.collect()
    if left := children():
        problems.append(f"{len(left)} processes are left at the end")
    if left := segments() - before:
        problems.append(f"segments are left: {sorted(left)[:4]}")
    grown = len(os.listdir("/proc/self/fd")) - descriptors
    if grown > 0:
        problems.append(f"{grown} descriptors more than at first")
    if shared_maps() > maps:
        problems.append(f"{shared_maps() - maps} shared mappings more than at first")
    slow = [s for s in seconds if s > ERROR_S]
    problems += [f"an error after {s:.2f} s" for s in slow]
    return {
        "kills": options.times,
        "calls_lost": lost,
        "noticed_before_a_call": idle,
        "error_ms": spread(seconds),
        "problems": problems,
    }


def spread(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    return {
        "median": round(statistics.median(seconds) * 1e3, 1),
        "most": round(max(seconds) * 1e3, 1),
    }


# ranks


def rank_main(
    path: str, rank: int, ranks: int, port: int, out: str, calls: int, streams: bool
) -> None:
    """In the process of a rank: calls or streams until the end, or serves."""
    os.environ.update(
        RANK=str(rank), WORLD_SIZE=str(ranks), MASTER_PORT=str(port), RAMIEL_TIMEOUT=str(LIMIT_S)
    )
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)  # where PyTorch tells of each lost connection at length
    with open(out, "w") as told:
        try:
            with opened(Path(path)) as program:
                if program.connect():
                    program.serve()
                    return
                given = random_inputs(program.inputs, {}, 0)
                expected = program.serial(*given)  # pyright: ignore
                requests = itertools.repeat(tuple(given), calls)
                results = (
                    program.stream(requests) if streams else itertools.starmap(program, requests)
                )
                for result in results:
                    if not same_bits(result, expected):
                        told.write("a call is wrong\n")
                        told.flush()
        except Exception as error:
            told.write(f"{type(error).__name__}: {error}\n")
            told.flush()
            raise SystemExit(1) from error


def streams(options: argparse.Namespace) -> dict[str, Any]:
    return ranks(options, streams=True)


def ranks(options: argparse.Namespace, *, streams: bool = False) -> dict[str, Any]:
    rng = random.Random(options.seed)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ramiel.runtime", "ramiel.runtime.distributed.program"])
    problems: list[str] = []
    seconds: list[float] = []
    outcomes: Counter[str] = Counter()
    before = segments()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chains.py"
        ramiel.compile(
            model_of(options.ranks, 512),  # worth a call of other ranks
            workers=1,
            ranks=options.ranks,
            link=(1.0, 1e5, 0.0, 1e9),  # so fast that all ranks are used
            schedule="pipeline" if streams else "linear",
            executor="distributed",
        ).save(path)
        end = time.monotonic() + options.seconds
        for turn in range(options.times):
            if time.monotonic() > end:
                break
            port, outs = free_port(), [Path(folder) / f"{r}.txt" for r in range(options.ranks)]
            group = [
                context.Process(
                    target=rank_main,
                    args=(str(path), r, options.ranks, port, str(outs[r]), options.calls, streams),
                )
                for r in range(options.ranks)
            ]
            for process in group:
                process.start()
            victim = rng.randrange(options.ranks)
            time.sleep(rng.random() * options.within)
            if not group[victim].is_alive():
                outcomes["ended before the kill"] += 1
            group[victim].kill()
            begin = time.monotonic()
            told = _ends(group, outs, victim, begin)
            seconds.append(time.monotonic() - begin)
            for rank, (code, text) in told.items():
                outcomes[generic(code, text)] += 1
                if not is_right(code, text, victim):
                    problems.append(f"turn {turn}, rank {rank}, {victim} killed: {code} {text}")
                    print(problems[-1], flush=True)
    if left := segments() - before:
        problems.append(f"segments are left: {sorted(left)[:4]}")
    return {
        "kills": len(seconds),
        "ranks": options.ranks,
        "all_ended_ms": spread(seconds),
        "outcomes": dict(outcomes.most_common()),
        "problems": problems,
    }


def _ends(
    group: Sequence[BaseProcess], outs: list[Path], victim: int, begin: float
) -> dict[int, tuple[int | str, str]]:
    """How the ranks end that were not killed: exit codes, and what they told."""
    found: dict[int, tuple[int | str, str]] = {}
    for rank, process in enumerate(group):
        process.join(max(0.0, HANG_S - (time.monotonic() - begin)))
        hangs = process.is_alive()
        if hangs:
            process.kill()
            process.join()
        text = outs[rank].read_text() if outs[rank].exists() else ""
        if rank != victim:
            found[rank] = ("hangs" if hangs else process.exitcode or 0, text.strip())
        outs[rank].unlink(missing_ok=True)
    return found


def is_right(code: int | str, text: str, victim: int) -> bool:
    """Whether a rank has ended as it should: by itself, or with an error that says what is lost."""
    told = f"RankLost: .*({NAMED.format(victim)}|{MEETS}|rank 0 .*: rank {victim} is lost$)"
    return (code == 0 and not text) or (code == 1 and re.match(told, text) is not None)


def generic(code: int | str, text: str) -> str:
    """An outcome without numbers and names, to be counted."""
    return f"{code} " + re.sub(r'"[^"]*"', '"..."', re.sub(r"\d+", "N", text))[:200]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    kinds: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
        "processes": processes,
        "ranks": ranks,
        "streams": streams,
    }
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--ranks", type=int, default=3)
    parser.add_argument("--within", type=float, default=1.5)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    result = kinds[options.kind](options)
    print(json.dumps(result, indent=1))
    if options.out is not None:
        known = json.loads(options.out.read_text()) if options.out.exists() else {}
        runs = [*known.get(options.kind, []), {"seed": options.seed, **result}]
        known |= {"machine": machine(), options.kind: runs}
        options.out.write_text(json.dumps(known, indent=1) + "\n")
    raise SystemExit(bool(result["problems"]))


if __name__ == "__main__":
    main()
