"""Runs all of ONNX's backend tests and writes which pass, and why others do not.

    python test/conformance/table.py [NAME ...]

Without names, the record of those that pass (passing.txt) and docs/conformance.md are written
anew; a case that passed before and fails now is an error. With names, or parts of names, those
cases are run and their failures shown.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version

from rich.console import Console
from rich.progress import track
from suite import PAGE, PASSING, WHY, cases, failure_of, operators, passing


def run(names: list[str]) -> dict[str, str | None]:
    with ProcessPoolExecutor() as pool:
        results = pool.map(failure_of, names, chunksize=8)
        return dict(zip(names, track(results, total=len(names)), strict=True))


def page(failures: Mapping[str, str | None]) -> str:
    """docs/conformance.md."""
    failed = {name: reason for name, reason in failures.items() if reason is not None}
    lines = [
        "# Conformance",
        "",
        f"ONNX's own backend tests (`onnx.backend.test` of onnx {version('onnx')}), run through",
        "`ramiel.onnx_backend`: each model is compiled, scheduled, printed and called, and its",
        f"outputs are compared with the expected ones. **{len(failures) - len(failed)} of "
        f"{len(failures)} pass.**",
        "",
        "`make conformance` writes this page; tests check that it is up to date.",
        "",
        "## Failing cases",
        "",
        "| case | why |",
        "| --- | --- |",
        *(f"| `{name}` | {_cell(_why(name, reason))} |" for name, reason in sorted(failed.items())),
        "",
        "## By operator",
        "",
        "The cases that contain each operator.",
        "",
        "| operator | passed | of |",
        "| --- | --- | --- |",
    ]
    of, passed = Counter[str](), Counter[str]()
    for name in failures:
        used = set(operators().get(name, ()))
        of.update(used)
        if name not in failed:
            passed.update(used)
    by_operator = sorted(of, key=lambda op: (passed[op] == of[op], op))
    lines += [f"| {op} | {passed[op]} | {of[op]} |" for op in by_operator]
    return "\n".join(lines) + "\n"


def _why(name: str, failure: str) -> str:
    """What is known of a case that fails, or else how it fails."""
    return next((why for start, why in WHY.items() if name.startswith(start)), failure)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def main() -> None:
    console = Console()
    wanted = sys.argv[1:]
    names = sorted(n for n in cases() if not wanted or any(w in n for w in wanted))
    failures = run(names)
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, reason in failures.items():
        if reason is not None:
            by_reason[reason].append(name)
    for reason, affected in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        console.print(f"{len(affected):4}  {reason}", markup=False, highlight=False)
        if wanted:
            console.print(f"      {' '.join(affected)}", markup=False, highlight=False)
    good = [name for name, reason in failures.items() if reason is None]
    console.print(f"{len(good)} of {len(names)} pass")
    if wanted:
        return
    lost = sorted((passing() if PASSING.exists() else set()) - set(good))
    if lost:
        sys.exit(f"no longer passing: {', '.join(lost)}")
    PASSING.write_text("".join(f"{name}\n" for name in good), encoding="utf-8")
    PAGE.write_text(page(failures), encoding="utf-8")


if __name__ == "__main__":
    main()
