"""Draws random models and compares, for some minutes: python test/fuzz/run.py --minutes 60.

Each failure is printed, made smaller: the model as ONNX text, its inputs, the options and what
went wrong. With --out, the models are written there as well.
"""

from __future__ import annotations

import argparse
import time
import traceback
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the first model")
    parser.add_argument("--out", type=Path, help="folder for the models that fail")
    options = parser.parse_args()
    end, seed, failures = time.monotonic() + 60 * options.minutes, options.seed, 0
    while time.monotonic() < end:
        case = case_of(RandomChooser(seed))
        error = error_of(case)
        if error is not None:
            failures += 1
            kind = type(error)
            case = reduced(case, lambda c, kind=kind: type(error_of(c)) is kind)
            print(f"seed {seed}:\n{case!r}")
            traceback.print_exception(error_of(case) or error, limit=-3)
            if options.out is not None:
                options.out.mkdir(parents=True, exist_ok=True)
                onnx.save(case.model, options.out / f"{seed}.onnx")
        seed += 1
    print(f"{seed - options.seed} models, {failures} failed")
    raise SystemExit(min(failures, 1))


if __name__ == "__main__":
    main()
