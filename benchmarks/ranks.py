"""Programs of two ranks on loopback: what was simulated, and what is measured.

    python benchmarks/ranks.py MODEL.onnx ... --link 20Gbit,60us [--schedule linear] [--out FILE]

Each model is compiled for two ranks of one worker, with costs that are measured just before, as a
machine's speed differs from hour to hour. It is run by torchrun on this machine; rank 0 checks its
results against the serial form, bit for bit, and times both in turns, a burst each: costs are those
of calls that follow each other, too. The ranks share memory, unless RAMIEL_SHARED_MEMORY=0 has gloo
connect them; the link is that of `torchrun ... -m ramiel.runtime.distributed.links` in the same
way.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from ramiel.compiler import compile_model, program_of
from ramiel.pipelines import Options
from ramiel.programs.files import write_program
from ramiel.runtime.distributed.neighbours import VARIABLE
from ramiel.tools.options import link_of

LIMIT_S = 300
BURST = 20
"""Calls."""


def run(model: Path, schedule: str, link: str, folder: Path) -> dict[str, object]:
    options = Options(
        workers=1,
        schedule=schedule,
        executor="distributed",
        ranks=2,
        link=link_of(link),
        profile=True,
    )
    made = compile_model(model, options)
    program = program_of(made.module)
    path = folder / f"{model.stem}_{schedule.replace('-', '_')}.py"
    write_program(made.emitted, path)
    command = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "1"]
    command += ["--nproc-per-node", str(program.ranks), str(path), "--burst", str(BURST)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    times = dict(re.findall(r"^(workers|serial) +([\d.]+) ms$", done.stdout, re.MULTILINE))
    assert "agree bit for bit" in done.stdout, done.stdout + done.stderr
    return {
        "model": model.stem,
        "schedule": made.report.schedule,
        "messages": len(program.crossings),
        "simulated": made.report.parallel_us / 1e3,
        "serial_simulated": made.report.serial_us / 1e3,
        "measured": float(times["workers"]),
        "serial": float(times["serial"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--link", required=True)
    parser.add_argument("--schedule", default="linear")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RAMIEL_CACHE_DIR"] = folder
        for model in options.models:
            rows.append(run(model, options.schedule, options.link, Path(folder)))
            print(rows[-1], flush=True)
    if options.out is not None:
        way = "gloo" if os.environ.get(VARIABLE) == "0" else "shared memory"
        document = {"link": options.link, "way": way, "programs": rows}
        options.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
