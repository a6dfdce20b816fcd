"""Draws random models and compares, for some minutes: python test/fuzz/run.py --minutes 60.

Each failure is printed, made smaller: the model as ONNX text, its inputs, the options and what
went wrong. With --out, the models are written there as well.
"""

from __future__ import annotations

import argparse
import itertools
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import onnx
from builder import RandomChooser
from compare import NothingToCompareError, check
from models import Case, case_of
from reduce import reduced


def error_of(case: Case) -> Exception | None:
    """What goes wrong with a case; None if nothing does, or there is nothing to compare with."""
    try:
        check(case)
    except NothingToCompareError:
        return None
    except Exception as error:
        return error
    return None


def attempt(seed: int, out: Path | None) -> str | None:
    """What goes wrong with the model of a seed, made smaller; None if nothing does."""
    case = case_of(RandomChooser(seed))
    error = error_of(case)
    if error is None:
        return None
    kind = type(error)
    case = reduced(case, lambda c: type(error_of(c)) is kind)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        onnx.save(case.model, out / f"{seed}.onnx")
    trace = traceback.format_exception(error_of(case) or error, limit=-3)
    return f"{case!r}\n{''.join(trace)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the first model")
    parser.add_argument("--out", type=Path, help="folder for the models that fail")
    options = parser.parse_args()
    end, failures, ended = time.monotonic() + 60 * options.minutes, 0, 0
    pool = ProcessPoolExecutor(1)
    for seed in itertools.count(options.seed):
        if time.monotonic() > end:
            break
        try:
            report = pool.submit(attempt, seed, options.out).result()
        except BrokenProcessPool:
            # ONNX Runtime has a fault or two that no exception tells of.
            print(f"seed {seed}: the process ended", flush=True)
            ended += 1
            pool = ProcessPoolExecutor(1)
            continue
        if report is not None:
            failures += 1
            print(f"seed {seed}:\n{report}", flush=True)
    print(f"{seed - options.seed} models, {failures} failed, {ended} ended the process")
    raise SystemExit(min(failures, 1))


if __name__ == "__main__":
    main()
