"""What this machine is capable of, measured once: the prices of the static model of costs.

The first compilation on a machine times some operations (`probe_program.py`), all cores busy, on
one thread, on all, and on some numbers between, and finds the prices that explain their times. They
are kept in the cache of measured costs, so that later compilations need neither measure nor import
torch. RAMIEL_PROBE=0 leaves the machine alone: prices are nominal then.

If other programs took the cores all the while, the prices are kept with a mark, and for a time:
then the next compilation probes again. The time doubles with each probe that was disturbed, of
which the one that took the least stays.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ramiel.analysis.static_cost import NOMINAL, Prices, Work
from ramiel.console.notes import note
from ramiel.console.progress import Progress
from ramiel.cores import cores
from ramiel.errors import CompileError
from ramiel.execution.cost_cache import CostCache, Entry, Key
from ramiel.execution.machine import machine_fingerprint
from ramiel.torch_level.tasks import DEFAULT_CALL

VARIABLE = "RAMIEL_PROBE"
"""Set to 0, nothing is measured or read."""
UNIT = 1e6
"""Prices are kept in µs for so many units: for bytes and flops that is 1 / (G/s)."""
PRICE = "probed price of a million "
HAND_OVER = ("probed hand-over between workers", 1)
CALL = ("probed call of workers that sleep", 1)
CROWDING = ("probed µs, while all cores are busy, of what takes one alone", 1)
TOTAL = ("probed operations, all of them", 1)
LASTS = ("disturbed by other programs: probed again after", 1)
"""The mark: how many µs a probe lasts that was disturbed. Others last."""
LASTS_US = 60e6
"""For the first that is disturbed."""
_SINGLE = ("calls",)
_FLOPS = ("product", "packed", "convolution", "winograd", "grouped")
_ELEMENTS = ("curves",)
_KINDS = tuple(field.name for field in fields(Work))


@dataclass(frozen=True)
class Probed:
    """A machine's prices; µs of a hand-over between workers and until one that sleeps has heard of
    a call, if they are known; and how much longer operations take on one thread while the other
    cores are busy, too."""

    prices: Prices
    hand_over: float | None = None
    call: float = DEFAULT_CALL
    crowding: float = 1.0


def probed(progress: Progress) -> Probed:
    """What work costs here: from the cache, or measured now, which takes up to two seconds, and a
    few more if other programs disturb.

    Without write access, it is measured by each process that asks. A cache that cannot be trusted
    is left alone, with a note.
    """
    if os.environ.get(VARIABLE) == "0":
        return Probed(NOMINAL)
    machine = probed_machine()
    counts = probed_counts(cores())
    keys = {(PRICE + kind, count) for kind in _KINDS for count in counts} | {
        *(HAND_OVER, CALL, CROWDING, TOTAL)
    }

    def measure(before: Mapping[Key, float]) -> tuple[Mapping[Key, float], int]:
        progress("probing this machine", 0, 1)
        costs, runs = _measured(tuple(counts), before.get(LASTS))
        progress("probing this machine", 1, 1)
        if LASTS in costs and LASTS in before and before.keys() >= keys:
            least = min(costs, before, key=lambda each: each[TOTAL])
            costs = {**least, LASTS: 2 * before[LASTS]}
        return costs, runs

    known: Mapping[Key, float] = {}
    try:
        with CostCache.open() as cache:
            known = cache.get_many(machine, keys | {LASTS})
            if not known.keys() >= keys or cache.is_over(machine, LASTS):
                known = cache.fill(machine, keys, measure, LASTS)
    except CompileError as error:
        note(f"what this machine is capable of is not kept: {error}")
        if not known.keys() >= keys:
            known, _ = measure({})
    if LASTS in known:
        note(
            "other programs took the cores while this machine was probed, so costs are rough: "
            "later compilations probe it again, and after `ramiel cache clear` the next one does"
        )
    return _probed(known, counts)


def probed_machine() -> str:
    """The name under which prices are kept. It does not take loading any library."""
    try:
        kernels = f"onednn-cpu-gomp {version('onednn-cpu-gomp')}"
    except PackageNotFoundError:
        kernels = "torch"
    given = os.environ.get("RAMIEL_ONEDNN")
    kernels = f"oneDNN {given}" if given else kernels
    native = any(Path(__file__).parents[1].glob("runtime/replay/_native*"))
    if native and os.environ.get("RAMIEL_CAPTURE") != "0":
        kernels += ", replayed"
    return machine_fingerprint(kernels)


def probed_counts(most: int) -> list[int]:
    """The numbers of threads that are probed on a machine with `most` cores."""
    counts = [1]
    while 4 * counts[-1] < most:
        counts.append(4 * counts[-1])
    return [*counts, most] if most > 1 else counts


def probed_again_at(entries: Iterable[Entry]) -> float | None:
    """The Unix time from which on compilations probe a machine again, by its entries; None if its
    probe was not disturbed."""
    lasting = (e for e in entries if (e.operation, e.threads) == LASTS)
    return next((e.measured + e.microseconds / 1e6 for e in lasting), None)


def rates(entries: Iterable[Entry]) -> dict[int, dict[str, float]]:
    """What the probe has kept among the entries of a machine, by number of threads: µs of a call,
    and for other kinds of work how much of it is done in a second."""
    found: dict[int, dict[str, float]] = {}
    known = {(e.operation, e.threads): e.microseconds for e in entries}
    for count in sorted({threads for operation, threads in known if operation.startswith(PRICE)}):
        found[count] = {}
        for kind in _KINDS:
            price = known.get((PRICE + kind, count))
            if price is None:
                continue
            if kind in _SINGLE:
                found[count][f"{kind}, µs"] = price / UNIT
            else:
                unit = "Gflop/s" if kind in _FLOPS else "G/s" if kind in _ELEMENTS else "GB/s"
                found[count][f"{kind}, {unit}"] = 1e3 / price
    return found


def _probed(known: Mapping[Key, float], counts: list[int]) -> Probed:
    prices = {
        count: Work(*(known[PRICE + kind, count] / UNIT for kind in _KINDS)) for count in counts
    }
    return Probed(Prices(prices), known[HAND_OVER], known[CALL], max(1.0, known[CROWDING]))


@functools.cache
def _measured(counts: tuple[int, ...], lasted: float | None) -> tuple[Mapping[Key, float], int]:
    """What is found by one probe, the next one after another that lasts for so many µs."""
    from ramiel.execution.probing import measure  # imports torch

    result = measure(list(counts))
    costs: dict[Key, float] = {
        (PRICE + kind, count): price * UNIT
        for count, prices in result.prices.items()
        for kind, price in zip(_KINDS, prices.amounts, strict=True)
    }
    costs |= {
        HAND_OVER: result.hand_over,
        CALL: result.call,
        CROWDING: result.crowding,
        TOTAL: result.total,
    }
    if result.disturbed:
        costs[LASTS] = LASTS_US
    return costs, result.runs
