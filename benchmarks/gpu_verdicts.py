"""What the rows of benchmarks/gpu.py show: a table, and whether each promise holds.

Rows are mappings with `model` and `way`, and `failed` or what was measured: see gpu_model.py.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Row = Mapping[str, Any]

BASE, OWN, COMPILED, CALLED, EXACT = (
    "plain graph",
    "one stream",
    "torch.compile reduce-overhead",
    "as called",
    "without TF32",
)
TRIAL = Path(__file__).parent / "results" / "gpu_trial.json"
"""An earlier trial on an H100, made by hand, whose times are to be reached."""
PROMISED_DEVICE = "H100"
LIMITS = {
    "googlenet": 0.42,
    "inception_v3": 1.0,
    "nasnet": 2.6,
    "randwire": 0.6,
    "hrnet_w18": 2.0,
}
"""The most ms on that device."""
MEAN_OF = ("googlenet", "inception_v3", "randwire", "nasnet", "hrnet_w18", "squeezenet")
MEANS = {BASE: 1.75, COMPILED: 1.3}
"""The least speed-ups over these ways, in the geometric mean of the models of MEAN_OF."""
MOST_MEMORY = 1.5
"""How many times the memory of one stream, weights included, may be taken."""
TOLERANCE = {EXACT: 1e-5, "f32": 1e-3, "f16": 3e-2, "bf16": 2e-1}
"""The largest error, relative to the largest value of a result, by way or by type."""


class Verdict(NamedTuple):
    """Whether a promise holds; None if too little was measured."""

    promise: str
    found: str
    holds: bool | None

    def __str__(self) -> str:
        word = {True: "holds", False: "FAILS", None: "not measured"}[self.holds]
        return f"{word:12}  {self.promise}: {self.found or '–'}"


def trial() -> dict[str, dict[str, Any]]:
    """The rows of the trial, by model."""
    return {row["model"]: row for row in json.loads(TRIAL.read_text(encoding="utf-8"))["rows"]}


def dtype_of(model: str) -> str:
    """The type that a model of this name is computed in."""
    _, _, last = model.rpartition("-")
    return last if last in TOLERANCE else "f32"


def tolerance(model: str, way: str) -> float:
    return TOLERANCE.get(way, TOLERANCE[dtype_of(model)])


def table(rows: Sequence[Row]) -> Iterator[str]:
    """A line for each model: replay times in ms, and the speed-up over the plain graph."""
    found = times_by_model(rows)
    ways = list(dict.fromkeys(way for times in found.values() for way in times))
    yield "| model | " + " | ".join(ways) + " |"
    yield "|---" * (len(ways) + 1) + "|"
    for model, times in found.items():
        cells = [_cell(times.get(way), times.get(BASE)) for way in ways]
        yield f"| {model} | " + " | ".join(cells) + " |"


def _cell(time: float | None, base: float | None) -> str:
    if time is None:
        return ""
    return f"{time:.3f}" if not base else f"{time:.3f} ({base / time:.2f}x)"


def times_by_model(rows: Iterable[Row]) -> dict[str, dict[str, float]]:
    """ms by model and way: of replays, or of calls where nothing is replayed."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        time = row.get("replay", row.get("call"))
        if time is not None and "failed" not in row:
            found.setdefault(row["model"], {})[row["way"]] = time
    return found


def verdicts(rows: Sequence[Row], environment: Mapping[str, object]) -> Iterator[Verdict]:
    """Every promise, in order: results, times on an H100, speed-ups, memory. Times and memory
    of a stand-in say nothing."""
    is_real = environment.get("has_times", True)
    times = times_by_model(rows) if is_real else {}
    yield from _results(rows)
    there = PROMISED_DEVICE in str(environment.get("device"))
    for model, limit in _limits():
        promise = f"{model}, at most {limit:.3f} ms on an {PROMISED_DEVICE}"
        time = times.get(model, {}).get(CALLED)
        if not there or time is None:
            yield Verdict(promise, "" if time is None else f"{time:.3f} ms elsewhere", None)
        else:
            yield Verdict(promise, f"{time:.3f} ms", time <= limit)
    for base in (BASE, OWN):
        yield _never_slower(times, base)
    for base, least in MEANS.items():
        yield _mean(times, base, least)
    yield from _memory(rows if is_real else [])
    for row in rows:
        if "failed" in row:
            yield Verdict(f"{row['model']}, {row['way']}, runs", row["failed"], False)


def _limits() -> Iterator[tuple[str, float]]:
    """The models that are promised a time, and the shorter one if there are two."""
    for model, row in trial().items():
        yield model, min(row["streams"], LIMITS.get(model, row["streams"]))


def _results(rows: Sequence[Row]) -> Iterator[Verdict]:
    """For float32 without TF32 and for each type, the largest error; and calls are repeatable."""
    errors: dict[float, list[tuple[float, str]]] = {}
    for row in rows:
        if "error" in row:
            most = tolerance(row["model"], row["way"])
            errors.setdefault(most, []).append((row["error"], f"{row['model']}, {row['way']}"))
    for most in sorted({*errors, TOLERANCE[EXACT], TOLERANCE["f32"]}):
        promise = f"results equal those of plain calls within {most:g}"
        if most not in errors:
            yield Verdict(promise, "", None)
            continue
        error, where = max(errors[most])
        all_are = all(error <= most for error, _ in errors[most])  # a NaN is not
        yield Verdict(promise, f"{error:.1e} ({where})", all_are)
    repeated = [row for row in rows if "differing" in row]
    differing = [f"{row['model']}, {row['way']}" for row in repeated if row["differing"]]
    told = ", ".join(differing) or (f"{len(repeated)} programs" if repeated else "")
    yield Verdict("calls give the same bits", told, not differing if repeated else None)


def _ratios(times: Mapping[str, Mapping[str, float]], base: str) -> dict[str, float]:
    """How many times as fast as another way calls are, by model."""
    return {
        model: found[base] / found[CALLED]
        for model, found in times.items()
        if base in found and CALLED in found
    }


def _never_slower(times: Mapping[str, Mapping[str, float]], base: str) -> Verdict:
    """Within 2 %, by which two medians of the same graph differ."""
    ratios = _ratios(times, base)
    promise = f"no model is slower than its {base}, within 2 %"
    if not ratios:
        return Verdict(promise, "", None)
    model = min(ratios, key=ratios.__getitem__)
    told = f"{ratios[model]:.2f} times as fast ({model}, the least of {len(ratios)})"
    return Verdict(promise, told, ratios[model] >= 0.98)


def _mean(times: Mapping[str, Mapping[str, float]], base: str, least: float) -> Verdict:
    found = _ratios(times, base)
    ratios = [found[model] for model in MEAN_OF if model in found]
    promise = f"{least:g} times as fast as {base}, in the mean of {', '.join(MEAN_OF)}"
    if not ratios:
        return Verdict(promise, "", None)
    mean = statistics.geometric_mean(ratios)
    if len(ratios) < len(MEAN_OF):
        return Verdict(promise, f"{mean:.2f}, of {len(ratios)} of them only", None)
    return Verdict(promise, f"{mean:.2f}", mean >= least)


def _memory(rows: Sequence[Row]) -> Iterator[Verdict]:
    taken: dict[str, dict[str, float]] = {}
    for row in rows:
        if "weights_mb" in row:
            of_model = taken.setdefault(row["model"], {})
            of_model[row["way"]] = row["reserved_mb"] + row["weights_mb"]
    ratios = {
        model: found[CALLED] / found[OWN]
        for model, found in taken.items()
        if CALLED in found and found.get(OWN)
    }
    promise = f"at most {MOST_MEMORY:g} times the memory of {OWN}, weights included"
    if not ratios:
        yield Verdict(promise, "", None)
        return
    model = max(ratios, key=ratios.__getitem__)
    told = f"{ratios[model]:.2f} ({model}, the most of {len(ratios)})"
    yield Verdict(promise, told, ratios[model] <= MOST_MEMORY)
