"""make demo: compiles and runs GoogLeNet from the onnx package.

The model has random weights and comes with an expected output. It is compiled, written to `out/`,
run in parallel and serial, compared with the expected output, and timed.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from rich.console import Console

from ramiel.api import load
from ramiel.compiler import Options, compile_model
from ramiel.errors import CompileError
from ramiel.programs.files import write_program
from ramiel.runtime.measure import interleaved, same_bits
from ramiel.runtime.replay.native import why_not
from ramiel.tools.opt import run_tool
from ramiel.tools.summary import summary

LIGHT_MODELS = Path(onnx.__file__).parent / "backend/test/data/light"
"""Nine image classifiers in the onnx package, each with an expected output."""
TOLERANCE = 1e-3


def light_input(shape: tuple[int, ...]) -> torch.Tensor:
    """The input for the expected outputs: 0 to 1 in equal steps."""
    size = int(np.prod(shape))
    return torch.from_numpy((np.arange(size).reshape(shape) / size).astype(np.float32))


def expected_output(model: Path) -> torch.Tensor:
    """The output that ships with a light model."""
    path = model.with_name(f"{model.stem}_output_0.pb")
    tensor = onnx.TensorProto.FromString(path.read_bytes())
    return torch.from_numpy(numpy_helper.to_array(tensor).copy())


def demo() -> None:
    out = Console(highlight=False, soft_wrap=True)
    model = LIGHT_MODELS / "light_inception_v1.onnx"
    target = Path("out") / "googlenet.py"
    target.parent.mkdir(exist_ok=True)
    with out.status("compiling"):
        compilation = compile_model(model, Options(schedule="linear"))
        weights = write_program(compilation.emitted, target)
    out.print(f"compiled  {model.name}, GoogLeNet from the onnx package", markup=False)
    out.print(summary(compilation.report))
    if reason := why_not():
        out.print(f"native    {reason}: calls run in Python, and take longer", markup=False)
    with load(compilation) as program:
        shape = cast("tuple[int, ...]", program.inputs[0].shape)
        x = light_input(shape)
        serial = program.serial
        parallel_result, serial_result = program(x), serial(x)
        expected = expected_output(model)
        difference = float((parallel_result - expected).abs().max() / expected.abs().max())
        if not same_bits(parallel_result, serial_result):
            raise CompileError("the parallel and the serial program differ")
        if not difference <= TOLERANCE:
            raise CompileError(f"the result differs from the expected one by {difference:.1e}")
        out.print(
            f"checked   parallel = serial bit for bit, expected output within {difference:.1e}"
        )
        with out.status("measuring"):
            times = interleaved([lambda: serial(x), lambda: program(x)], None)
    one, many = (statistics.median(t) * 1e3 for t in times)
    ratio = statistics.median(s / p for s, p in zip(*times, strict=True))
    workers = compilation.report.workers
    out.print(f"measured  serial {one:.1f} ms, on {workers} workers {many:.1f} ms: {ratio:.2f}x")
    out.print(f"source    {target}, weights {weights}; try: {sys.executable} {target}")


if __name__ == "__main__":
    sys.exit(run_tool(demo, "--debug" in sys.argv))
