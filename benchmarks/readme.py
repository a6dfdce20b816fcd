"""Writes the README's numbers and its snippet from the benchmarks' results.

    python benchmarks/readme.py GOOGLENET.onnx

Reads benchmarks/results/speedup.json and compile_time.json; what stands between
`<!-- NAME -->` and `<!-- /NAME -->` in the README is replaced.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

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
    document = json.loads((RESULTS / "speedup.json").read_text())
    machine = document["machine"]
    rows = [
        "| model | clusters | merged | serial, ms | parallel, ms | speed-up | simulated | limit |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in document["results"]:
        report = r["report"]
        low, high = r["speedup_quartiles"]
        name = r["model"].removesuffix(".onnx")
        rows.append(
            f"| {name} | {report['clusters_before_merge']} | {report['clusters']} "
            f"| {r['serial_ms']:.1f} | {r['parallel_ms']:.1f} "
            f"| **{r['speedup']:.2f}** ({low:.2f} to {high:.2f}) "
            f"| {report['serial_us'] / report['parallel_us']:.2f} "
            f"| {report['serial_us'] / report['bound_us']:.2f} |"
        )
    intro = (
        f"Parallel on {document['workers']} workers against the same program in one thread, "
        f"batch 1, f32, in turns ({machine['cpu']}, {machine['cores']} cores, "
        f"PyTorch {machine['torch']}). The speed-up is the median of the ratios of neighbouring "
        "runs, with their quartiles; the limit is work over max(critical path, work / workers)."
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
