"""The effect of our node partition on ONNX Runtime's latency.

    python benchmarks/ort_partition.py MODEL.onnx ... [--workers 2] [--runs 10] [--rounds 8]
                                       [--write]

Each contestant is a session in a process of its own and takes turns with the others, a few runs a
turn, with a pause after it, as the threads of a session spin for a while after a run. Results are
medians over all timed runs, with quartiles. The last contestants use the partition: with as many
inter-op threads as streams, and with one more, since the calling thread runs no stream.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import statistics
import tempfile
import time
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from machine import machine
from rich.console import Console
from rich.table import Table

from ramiel.compiler import Options
from ramiel.tools.partition import CONFIG, export_partition

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "ort_partition.json"
PAGE = ROOT / "docs" / "interchange.md"
PAUSE_S = 0.1
WARM_UP = 3


class Contestant(NamedTuple):
    intra: int
    inter: int
    parallel: bool = False
    partition: bool = False
    spinning: bool = True


def contestants(workers: int) -> dict[str, Contestant]:
    return {
        "1 thread": Contestant(1, 1),
        f"{workers} threads": Contestant(workers, 1),
        "ORT_PARALLEL": Contestant(1, workers, parallel=True),
        f"partition, inter-op {workers}": Contestant(1, workers, True, True),
        f"partition, inter-op {workers + 1}": Contestant(1, workers + 1, True, True),
        f"partition, inter-op {workers + 1}, idle threads sleep": Contestant(
            1, workers + 1, True, True, spinning=False
        ),
    }


def session_of(model: Path, config: Path, how: Contestant) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 2  # it warns if it rejects the config
    options.intra_op_num_threads = how.intra
    options.inter_op_num_threads = how.inter
    if how.parallel:
        options.execution_mode = ort.ExecutionMode.ORT_PARALLEL
    if how.partition:
        options.add_session_config_entry(CONFIG, str(config))
    options.add_session_config_entry("session.inter_op.allow_spinning", str(int(how.spinning)))
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def run_turns(pipe: Connection, model: Path, config: Path, how: Contestant) -> None:
    """A process: for each number received, sends the outputs' bytes and the times of that many
    runs in ms. A zero ends it."""
    import numpy as np

    session = session_of(model, config, how)
    values = np.random.default_rng(0)
    feeds = {
        i.name: values.standard_normal(i.shape).astype(np.float32)
        if i.type == "tensor(float)"
        else np.ones(i.shape, np.int64)
        for i in session.get_inputs()
    }
    while runs := pipe.recv():
        outputs: list[Any] = []
        for _ in range(WARM_UP):
            outputs = session.run(None, feeds)
        times: list[float] = []
        for _ in range(runs):
            start = time.perf_counter()
            outputs = session.run(None, feeds)
            times.append((time.perf_counter() - start) * 1e3)
        pipe.send((b"".join(o.tobytes() for o in outputs), times))


def bench(model: Path, workers: int, runs: int, rounds: int) -> dict[str, Any]:
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "partition.json")
        partition = export_partition(model, config, Options(workers=workers, schedule="linear"))
        racers: dict[str, tuple[Connection, Any]] = {}
        for name, how in contestants(workers).items():
            here, there = spawn.Pipe()
            process = spawn.Process(target=run_turns, args=(there, model, config, how))
            process.start()
            there.close()
            racers[name] = here, process
        times: dict[str, list[float]] = {name: [] for name in racers}
        results: set[bytes] = set()
        for _ in range(rounds):
            for name, (pipe, _) in racers.items():
                pipe.send(runs)
                result, measured = pipe.recv()
                results.add(result)
                times[name] += measured
                time.sleep(PAUSE_S)
        for pipe, process in racers.values():
            pipe.send(0)
            process.join()
    rows = {}
    for name, measured in times.items():
        low, middle, high = statistics.quantiles(measured, n=4)
        rows[name] = {"median_ms": middle, "quartiles_ms": [low, high]}
    return {
        "model": model.stem,
        "nodes_by_stream": [len(s) for s in partition.streams],
        "matched": partition.matched,
        "same_bits": len(results) == 1,
        "runs": runs * rounds,
        "latency": rows,
    }


def cells(document: dict[str, Any]) -> list[list[str]]:
    """The table with its head: a row a contestant, a column a model."""
    results = document["results"]
    rows = [["ms, median (quartiles)", *(r["model"] for r in results)]]
    for name in results[0]["latency"]:
        row = [name]
        for latency in (r["latency"][name] for r in results):
            low, high = latency["quartiles_ms"]
            row.append(f"{latency['median_ms']:.1f} ({low:.1f} to {high:.1f})")
        rows.append(row)
    return rows


def page(document: dict[str, Any]) -> str:
    """The page with the document's table between its marks."""
    machine = document["machine"]
    head, *rows = (f"| {' | '.join(row)} |" for row in cells(document))
    quiet = machine["load_average"] <= max(
        c.inter for c in contestants(document["workers"]).values()
    )
    same = all(r["same_bits"] for r in document["results"])
    intro = (
        f"Batch 1, f32, onnxruntime {machine['onnxruntime']}, {machine['cpu']}, "
        f"{machine['cores']} cores; load average {machine['load_average']:.1f} at the end"
        f"{'' if quiet else ': it was not idle, and the numbers are preliminary'}. "
        f"The outputs {'are the same bits everywhere' if same else 'differ'}."
    )
    columns = "|---" * (len(document["results"]) + 1) + "|"
    table = "\n".join([intro, "", head, columns, *rows])
    text, count = re.subn(
        "(<!-- results -->\n).*?(<!-- /results -->)",
        lambda m: f"{m[1]}{table}\n{m[2]}",
        PAGE.read_text(),
        flags=re.DOTALL,
    )
    if count != 1:
        raise SystemExit(f"{PAGE} has {count} places for the results")
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=10, help="a turn")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--write", action="store_true", help="the results and the page")
    options = parser.parse_args()
    document: dict[str, Any] = {
        "machine": {**machine(), "onnxruntime": version("onnxruntime")},
        "workers": options.workers,
    }
    document["results"] = [
        bench(model, options.workers, options.runs, options.rounds) for model in options.models
    ]
    document["machine"]["load_average"] = os.getloadavg()[0]
    head, *rows = cells(document)
    table = Table(*head)
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)
    if options.write:
        RESULTS.write_text(json.dumps(document, indent=2) + "\n")
        PAGE.write_text(page(document))


if __name__ == "__main__":
    main()
