"""Writes the README's numbers and its snippet from the benchmarks' results.

    python benchmarks/readme.py GOOGLENET.onnx

Reads benchmarks/results/papers.json and compile_time.json; what stands between
`<!-- NAME -->` and `<!-- /NAME -->` in the README is replaced.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from ramiel.compiler import Options, compile_model

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def snippet(model: Path) -> str:
    """The first two clusters of the second worker."""
    source = compile_model(model, Options(2, "linear")).emitted.source
    worker = source[source.index("    def worker_1(") :]
    sections = worker.split("\n\n")
    text = "\n\n".join(sections[:3]).rstrip()
    lines = [line.removeprefix("    ") for line in text.splitlines()]
    return "```python\n" + "\n".join(lines) + "\n```"


def speedups() -> str:
    document = json.loads((RESULTS / "papers.json").read_text())
    machine = document["machine"]
    rows = [
        "| model | clusters | merged | serial, ms | linear | auto | auto, batch of 4 | limit |",
        "|---|---|---|---|---|---|---|---|",
    ]

    def ratio(row: dict[str, Any]) -> str:
        low, middle, high = row["speedup"]
        return f"{middle:.2f} ({low:.2f} to {high:.2f})"

    for name, model in document["models"].items():
        if "measured" not in model:
            continue  # only IOS's paper has it
        measured = model["measured"]
        linear = measured["linear"]
        rows.append(
            f"| {name} | {model['graph']['clusters']} | {model['graph']['merged']} "
            f"| {measured['serial']['us'] / 1e3:.1f} | {ratio(linear)} "
            f"| **{ratio(measured['auto'])}** | {ratio(model['batches']['4']['auto'])} "
            f"| {linear['serial_us'] / linear['bound_us']:.2f} |"
        )
    intro = (
        f"Speed-ups of {document['workers']} workers over the same operations in one thread, f32, "
        f"with measured costs, in turns ({machine['cpu']}, {machine['cores']} cores, "
        f"PyTorch {machine['torch']}): medians of the ratios of neighbouring runs, with their "
        "quartiles. `linear` is clustering alone, each operation on one thread; the limit is what "
        "no schedule can exceed: work over max(critical path, work / workers), where operations "
        "may use several threads."
    )
    return "\n".join([intro, "", *rows])


def compile_times() -> str:
    document = json.loads((RESULTS / "compile_time.json").read_text())
    times = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in document["models"].items())
    graphs = document["synthetic"]
    largest = max(graphs, key=int)
    return (
        f"`ramiel compile`, imports and weights included: {times}. A graph of "
        f"{int(largest):,} operations takes {graphs[largest]:.0f} s, and time grows in proportion."
    )


def main() -> None:
    readme = ROOT / "README.md"
    text = readme.read_text()
    parts = {
        "snippet": snippet(Path(sys.argv[1])),
        "results": speedups(),
        "compile-time": compile_times(),
    }
    for name, content in parts.items():
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text, count = pattern.subn(lambda m, c=content: f"{m[1]}{c}\n{m[2]}", text)
        assert count == 1, f"README.md has no place for {name}"
    readme.write_text(text)


if __name__ == "__main__":
    main()
