"""`python <program>.py`: check a program against its serial form, and time both."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from ramiel.runtime.measure import agree, interleaved, parse_shapes, random_inputs
from ramiel.runtime.outputs import as_tuple
from ramiel.runtime.program import Program
from ramiel.runtime.weights import Weights


def main(program_class: Callable[[Weights], Program], file: str) -> None:
    """Run a program on random inputs, from the weights beside its source file; on a rank other
    than 0, serve that.

    Exits with one line and status 1 if it cannot run, or if its workers and its serial form do
    not agree: on every bit, or for a GPU within its tolerance.
    """
    options = _parse()
    try:
        model = program_class(Weights.open(Path(file).with_suffix(".safetensors")))
        if model.connect() != 0:
            model.serve()
            return
        inputs = random_inputs(
            model.inputs, parse_shapes(options.shape), options.seed, batch=model.batch
        )
        with model:
            _check_and_time(model, inputs, options.runs, options.burst)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise SystemExit(str(error.args[0] if isinstance(error, KeyError) else error)) from None


def _check_and_time(model: Program, inputs: Sequence[Tensor], runs: int | None, burst: int) -> None:
    parallel, serial = model(*inputs), _serial(model)(*inputs)
    for name, left, right in zip(model.outputs, as_tuple(parallel), as_tuple(serial), strict=True):
        if not agree(left, right, model.tolerance):
            raise SystemExit(f'the workers and the serial form differ in output "{name}"')
    print(model)
    exactly = "bit for bit" if not model.tolerance else f"within {model.tolerance:g}"
    print(f"the workers and the serial form agree {exactly}")

    def timed(form: Callable[..., object]) -> Callable[[], None]:
        def run() -> None:
            form(*inputs)
            model.synchronize()

        return run

    times = interleaved([timed(model), timed(_serial(model))], runs, burst=burst)
    in_parallel, in_series = map(statistics.median, times)
    print(f"workers {in_parallel * 1e3:10.3f} ms")
    print(f"serial  {in_series * 1e3:10.3f} ms")
    print(f"speedup {in_series / in_parallel:10.2f}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check and time this model on random inputs.")
    parser.add_argument("--runs", type=int, help="timed runs of each form (default: for 1 s)")
    parser.add_argument(
        "--burst", type=int, default=1, help="how often a form runs in its turn (default: once)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random inputs")
    parser.add_argument(
        "--shape",
        action="append",
        default=[],
        metavar="NAME=1x3x224x224",
        help="shape of an input; without it, dynamic dimensions are 1",
    )
    options = parser.parse_args()
    if options.runs is not None and options.runs < 1:
        parser.error("--runs must be at least 1")
    if options.burst < 1:
        parser.error("--burst must be at least 1")
    return options


def _serial(model: Program) -> Callable[..., Tensor | tuple[Tensor, ...]]:
    return getattr(model, "serial")  # noqa: B009  (each program has its own signature)
