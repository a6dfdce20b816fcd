"""Writes the README's numbers and its snippet from the benchmarks' results.

    python benchmarks/readme.py GOOGLENET.onnx

Reads benchmarks/results/performance.json and compile_time.json; the text between `<!-- NAME -->`
and `<!-- /NAME -->` in the README is replaced.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from performance_tables import milliseconds, round_ratios, shown, single, spread, timed

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


PEERS = {
    "eager-1": "PyTorch, 1 thread",
    "compile": "torch.compile",
    "openvino": "OpenVINO",
    "ort": "ONNX Runtime",
}


def latencies() -> str:
    document = json.loads((RESULTS / "performance.json").read_text())
    parts = single(document)
    first = next(iter(parts.values()))
    rows = [
        f"| model | {' | '.join(PEERS.values())} | Ramiel | against ONNX Runtime |",
        f"|---|{'---|' * (len(PEERS) + 2)}",
    ]
    for model, section in parts.items():
        times = timed(section)
        cells = [milliseconds(times.get(name)) for name in PEERS]
        ratio = spread(round_ratios(section, "ort", "ramiel"))
        ours = milliseconds(times.get("ramiel"))
        rows.append(f"| {model} | {' | '.join(cells)} | **{ours}** | {shown(ratio)} |")
    means = [
        f"{geometric_mean(ratios):.2f} times as fast as {label}"
        for name, label in PEERS.items()
        if (ratios := [r[1] for p in parts.values() if (r := _ratio(p, name)) is not None])
    ]
    machine = first["machine"]
    intro = (
        f"ms for one sample, f32, {first['threads']} threads ({machine['cpu']}, "
        f"PyTorch {machine['torch']}, ONNX Runtime {machine['onnxruntime']}, OpenVINO "
        f"{machine['openvino']}), run in turns. In the geometric mean Ramiel is "
        f"{', '.join(means)}; [docs/performance.md](docs/performance.md) has the rest."
    )
    return "\n".join([intro, "", *rows])


def _ratio(section: dict[str, Any], name: str) -> tuple[float, float, float] | None:
    return spread(round_ratios(section, name, "ramiel"))


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
        "results": latencies(),
        "compile-time": compile_times(),
    }
    for name, content in parts.items():
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text, count = pattern.subn(lambda m, c=content: f"{m[1]}{c}\n{m[2]}", text)
        assert count == 1, f"README.md has no place for {name}"
    readme.write_text(text)


if __name__ == "__main__":
    main()
