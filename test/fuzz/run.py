"""Draws random models and compares, for some minutes: python test/fuzz/run.py --minutes 60.

Each failure is printed, made smaller: the model as ONNX text, its inputs, the options and what
went wrong. With --out, the models are written there as well.
"""

from __future__ import annotations

import argparse
import itertools
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import onnx
from case import Case
from chooser import RandomChooser
from compare import NothingToCompareError, check
from models import NAMES, case_of
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


def attempt(seed: int, kind: str, out: Path | None) -> str | None:
    """What goes wrong with the model of a seed, made smaller; None if nothing does."""
    case = case_of(RandomChooser(seed), kind)
    error = error_of(case)
    if error is None:
        return None
    cls = type(error)
    case = reduced(case, lambda c: type(error_of(c)) is cls)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        onnx.save(case.model, out / f"{kind}_{seed}.onnx")
    trace = traceback.format_exception(error_of(case) or error, limit=-3)
    return f"{case!r}\n{''.join(trace)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the first model")
    parser.add_argument("--out", type=Path, help="folder for the models that fail")
    parser.add_argument("--kind", choices=NAMES, action="append", help="may be given repeatedly")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    drawn, failed, ended = Counter[str](), Counter[str](), Counter[str]()
    kinds = itertools.cycle(options.kind or NAMES)
    pool = ProcessPoolExecutor(1)
    for seed, kind in zip(itertools.count(options.seed), kinds, strict=False):
        if time.monotonic() > end:
            break
        drawn[kind] += 1
        try:
            report = pool.submit(attempt, seed, kind, options.out).result()
        except BrokenProcessPool:
            # ONNX Runtime has a fault or two that no exception tells of.
            print(f"seed {seed}, kind {kind}: the process ended", flush=True)
            ended[kind] += 1
            pool = ProcessPoolExecutor(1)
            continue
        if report is not None:
            failed[kind] += 1
            print(f"seed {seed}, kind {kind}:\n{report}", flush=True)
    pool.shutdown()
    for kind in drawn:
        numbers = f"{failed[kind]:5} failed, {ended[kind]:3} ended the process"
        print(f"{kind:10} {drawn[kind]:6} models, {numbers}")
    raise SystemExit(min(failed.total(), 1))


if __name__ == "__main__":
    main()
