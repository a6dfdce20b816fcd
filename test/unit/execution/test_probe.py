"""The probe: measured once, kept, found again; and the prices that explain times."""

from __future__ import annotations

import os
import stat
import threading
import time
from dataclasses import astuple, fields, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import branches
from typer.testing import CliRunner

from ramiel.analysis.static_cost import NOMINAL, Prices, Work
from ramiel.compiler import compile_model
from ramiel.console.notes import note
from ramiel.cores import cores
from ramiel.dialects.torch import Task
from ramiel.execution import cost_cache, probing
from ramiel.execution import probe as module_under_test
from ramiel.execution.cost_cache import CacheUnavailable, CostCache, cache_path
from ramiel.execution.fit import Sample, fitted
from ramiel.execution.machine import machine_fingerprint
from ramiel.execution.probe import Probed, probed, probed_counts, probed_machine, rates
from ramiel.execution.probe_program import probe_program
from ramiel.execution.probing import Measured
from ramiel.execution.profiler import ALONE, Profile, key_of
from ramiel.pipelines import Options
from ramiel.tools.cli import app
from ramiel.torch_level.work import work_of

SLOW = NOMINAL.on(1) * 3


class Probes(list[list[int]]):
    """The numbers of threads of each time that the machine was really probed."""

    factor = 1.0
    """How much slower it is found to be, as other programs take the cores."""

    @property
    def disturbed(self) -> bool:
        return self.factor > 1


@pytest.fixture(autouse=True)
def probes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Probes:
    """A machine three times as slow as the nominal one, with a cache of its own."""
    found = Probes()

    def measure(counts: list[int]) -> Measured:
        found.append(counts)
        prices = {n: SLOW * (found.factor / n) for n in counts}
        return Measured(prices, 0.5, 80.0, 1e4 * found.factor, 1.25, 9, found.disturbed)

    monkeypatch.setenv("RAMIEL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("RAMIEL_PROBE")
    monkeypatch.setattr(probing, "measure", measure)
    forget()
    return found


def forget() -> None:
    """As in a new process."""
    module_under_test._measured.cache_clear()
    note.cache_clear()


def ask() -> Probed:
    return probed(lambda what, done, total: None)


def assert_slow(found: Probed, factor: float = 1.0) -> None:
    assert astuple(found.prices.on(1)) == pytest.approx(astuple(SLOW * factor))
    assert (found.hand_over, found.call, found.crowding) == pytest.approx((0.5, 80.0, 1.25))


def test_a_machine_is_probed_once(probes: Probes) -> None:
    for _ in range(3):
        assert_slow(ask())
        forget()
    assert probes == [probed_counts(cores())]


def test_compilations_are_at_its_prices(probes: Probes) -> None:
    nominal = compile_model(branches(), Options(1, "serial")).report.serial_us
    assert probes == []
    slow = compile_model(branches(), Options(1, "serial", probe=True)).report.serial_us
    assert slow == pytest.approx(3 * nominal / 1.25, rel=0.1)  # the other cores are idle
    assert len(probes) == 1


def test_for_a_gpu_the_cpu_is_not_probed(probes: Probes) -> None:
    compile_model(branches(), Options(2, device="cuda:h100", probe=True))
    assert probes == []


def test_it_can_be_switched_off(probes: Probes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMIEL_PROBE", "0")
    assert ask() == Probed(NOMINAL)
    assert probes == [] and not cache_path().exists()


class Clock:
    """A day, in seconds."""

    now = 1.7e9

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(cost_cache, "time", clock)
    return clock


def test_what_was_disturbed_is_probed_again_after_a_while(
    probes: Probes, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the first compilation that comes then, not by others before it, or once it is quiet."""
    probes.factor = 2.0
    for seconds in (0, 1, 58):
        clock.now += seconds
        forget()
        assert_slow(ask(), 2.0)
        assert capsys.readouterr().err.count("other programs took the cores") == 1
        assert len(probes) == 1
    assert "rough" in CliRunner().invoke(app, ["cache"]).output
    probes.factor = 1.0
    for seconds in (1, 60, 1e9):
        clock.now += seconds
        forget()
        assert_slow(ask())
        assert capsys.readouterr().err == ""
        assert len(probes) == 2
    assert "rough" not in CliRunner().invoke(app, ["cache"]).output


def test_a_process_that_lives_on_probes_again_as_well(probes: Probes, clock: Clock) -> None:
    probes.factor = 2.0
    ask()
    probes.factor = 1.0
    clock.now += 61
    assert_slow(ask())


def test_of_probes_that_were_disturbed_the_least_stays(probes: Probes, clock: Clock) -> None:
    for factor, least in [(4.0, 4.0), (5.0, 4.0), (3.0, 3.0), (6.0, 3.0)]:
        probes.factor = factor
        forget()
        assert_slow(ask(), least)
        clock.now += 3600
    assert len(probes) == 4


def test_a_machine_that_is_always_busy(probes: Probes, clock: Clock) -> None:
    """A compilation every minute, for two hours: after 1, 2, 4, ... minutes it is probed."""
    probes.factor = 2.0
    for _ in range(120):
        forget()
        ask()
        clock.now += 60
    assert len(probes) == 7


def test_a_clock_that_was_set_back(probes: Probes, clock: Clock) -> None:
    probes.factor = 2.0
    ask()
    clock.now -= 1e8
    forget()
    ask()
    assert len(probes) == 2


def test_what_was_disturbed_and_cannot_be_replaced_stays(
    probes: Probes, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an image whose folder is read-only: not each process probes."""
    probes.factor = 2.0
    ask()
    clock.now += 3600

    def fill(*_: object) -> None:
        raise CacheUnavailable(cache_path(), "attempt to write a readonly database")

    monkeypatch.setattr(CostCache, "fill", fill)
    forget()
    assert_slow(ask(), 2.0)
    assert len(probes) == 1


@pytest.mark.parametrize(
    ("quiet", "found"),
    [
        ([True], (9.0, False)),
        ([False, True], (8.0, False)),
        ([False] * 3, (5.0, True)),
    ],
    ids=["quiet", "quiet at last", "busy"],
)
@pytest.mark.parametrize("alone", [False, True], ids=["cores", "one core"])
def test_an_overhead_is_measured_until_nobody_disturbs(
    quiet: list[bool], found: tuple[float, bool], alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three times at most. It takes no longer than is usual: 5 µs."""
    answers, times = iter(quiet), iter([9.0, 8.0, 7.0])
    monkeypatch.setattr(probing.Watch, "is_quiet", lambda _: next(answers))
    monkeypatch.setattr(probing, "cores", lambda: 1 if alone else 2)
    expected = (9.0, False) if alone else found
    assert probing.undisturbed(lambda: next(times), 5.0, probing.TRIES) == expected


@pytest.mark.parametrize("change", ["all", "one"])
def test_what_is_missing_is_measured_again(probes: Probes, change: str) -> None:
    ask()
    forget()
    with CostCache.open() as cache:
        known = {(e.operation, e.threads): e.microseconds for e in cache.entries(probed_machine())}
        cache.clear()
        if change == "one":
            known.popitem()
            cache.put_many(probed_machine(), known, 1)
    assert_slow(ask())
    assert len(probes) == 2
    with CostCache.open() as cache:
        found = {(e.operation, e.threads) for e in cache.entries(probed_machine())}
    assert found >= known.keys()


def test_a_damaged_cache_is_left_alone(probes: Probes, capsys: pytest.CaptureFixture[str]) -> None:
    ask()
    forget()
    data = bytearray(cache_path().read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    cache_path().write_bytes(data)
    for _ in range(2):
        assert_slow(ask())
    assert len(probes) == 2  # once in each process
    assert "ramiel cache clear" in capsys.readouterr().err
    assert cache_path().read_bytes() == data


def test_a_folder_in_its_place(probes: Probes, capsys: pytest.CaptureFixture[str]) -> None:
    cache_path().mkdir(parents=True)
    for _ in range(2):
        assert_slow(ask())
    assert len(probes) == 1
    assert "not kept" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_can_only_be_read(probes: Probes) -> None:
    ask()
    forget()
    cache_path().chmod(stat.S_IRUSR)
    cache_path().parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert_slow(ask())
    assert len(probes) == 1


def test_who_comes_while_it_is_probed_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """As several processes would: each thread has a connection of its own."""
    asked: list[int] = []

    def measure(_: object) -> tuple[dict[tuple[str, int], float], int]:
        asked.append(1)
        time.sleep(0.05)
        return {("price", 1): float(len(asked))}, 1

    found: list[dict[tuple[str, int], float]] = []

    def fill() -> None:
        with CostCache.open() as cache:
            found.append(cache.fill("here", [("price", 1)], measure))

    threads = [threading.Thread(target=fill) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{("price", 1): 1.0}] * 4 and len(asked) == 1


def test_limits_of_the_vector_units_are_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY"):
        monkeypatch.delenv(name, raising=False)
    free = machine_fingerprint()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    assert machine_fingerprint() == free + ", AVX2 only"


def test_rates() -> None:
    ask()
    with CostCache.open() as cache:
        found = rates(cache.entries(probed_machine()))
    assert list(found) == probed_counts(cores())
    assert found[1]["product, Gflop/s"] == pytest.approx(260 / 3)
    assert found[1]["calls, µs"] == pytest.approx(3)
    assert rates([]) == {}


def test_the_command_shows_it() -> None:
    ask()
    shown = CliRunner().invoke(app, ["cache"]).output
    assert "was probed" in shown and "product, Gflop/s" in shown and "86.7" in shown


def test_counts_are_few_and_end_with_all_cores() -> None:
    assert [probed_counts(n) for n in (1, 2, 4, 6, 16)] == [
        [1],
        [1, 2],
        [1, 4],
        [1, 4, 6],
        [1, 4, 16],
    ]


def test_the_program_does_each_kind_of_work() -> None:
    function = probe_program()
    function.verify()
    tasks = [op for op in function.body.block.ops if isinstance(op, Task)]
    work = sum((work_of(op) for op in tasks), Work(calls=0))
    assert all(astuple(work)), work


def test_measuring_finds_the_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are made up: those of the nominal machine, but one core is used by others."""
    monkeypatch.undo()
    monkeypatch.setattr(probing.Watch, "is_quiet", lambda _: True)
    real = {op: work_of(op) for op in probe_program().body.block.ops if isinstance(op, Task)}
    assert real

    def profile(function: object, threads: list[int], *_: object, **__: object) -> Profile:
        costs: dict[tuple[str, int], float] = {}
        for op, work in real.items():
            for n in threads:
                prices = NOMINAL.on(1 if n == 4 else n)
                total = zip(astuple(work), astuple(prices), strict=True)
                costs[key_of(op), n] = sum(a * b for a, b in total)
            costs[key_of(op) + ALONE, 1] = costs[key_of(op), 1] / 1.5
        return Profile(costs, 5)

    monkeypatch.setattr(probing, "profile", profile)
    found = probing.measure([1, 2, 4])
    for n in (1, 2):
        assert astuple(found.prices[n]) == pytest.approx(astuple(NOMINAL.on(n)), rel=0.05)
    assert found.prices[4] == Prices({2: found.prices[2]}).on(4)
    assert found.crowding == pytest.approx(1.5) and found.runs == 5
    assert found.disturbed


@pytest.mark.parametrize(("busy", "found"), [(1.02, 1.02), (1.1, 1.1), (1.8, 1.1)])
def test_neighbours_are_told_from_crowding(busy: float, found: float) -> None:
    """Two threads take 1.1 times half of the time: neither can be slower, with the other busy."""
    alone = {"a": 100.0, "b": 10.0}
    costs = {(key, 1): busy * cost for key, cost in alone.items()}
    costs |= {(key, 2): 1.1 * cost / 2 for key, cost in alone.items()}
    expected = {(key, 1): pytest.approx(found * cost) for key, cost in alone.items()}
    assert probing.crowded(costs, alone, 2) == expected
    assert probing.crowded({("a", 1): 4.0}, {"a": 3.0}, 1) == {("a", 1): 4.0}


WORKS = [work_of(op) for op in probe_program().body.block.ops if isinstance(op, Task)]
PRICES = st.builds(
    lambda factors: Work(*(p * f for p, f in zip(astuple(NOMINAL.on(1)), factors, strict=True))),
    st.lists(st.floats(0.2, 5), min_size=len(fields(Work)), max_size=len(fields(Work))),
)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(PRICES)
def test_fitted_prices_explain_times(prices: Work) -> None:
    """Those of all but one operation, which was disturbed."""
    works = [work for work in WORKS if work.calls >= 1]

    def time_of(work: Work, prices: Work) -> float:
        return sum(a * b for a, b in zip(astuple(work), astuple(prices), strict=True))

    samples = [Sample(work, time_of(work, prices)) for work in works]
    disturbed = [*samples[:-1], samples[-1]._replace(time=10 * samples[-1].time)]
    found = fitted(disturbed, NOMINAL.on(1))
    errors = sorted(time_of(s.work, found) / s.time for s in samples)
    assert errors[0] > 0.5 and errors[-1] < 3
    assert errors[len(errors) // 2] == pytest.approx(1, rel=0.05)


def test_a_kind_without_samples_keeps_its_ratio() -> None:
    known = [Sample(Work(calls=1), 2.0), Sample(Work(calls=1, product=1e6), 2 + 2e6 / 260_000)]
    found = fitted(known, NOMINAL.on(1))
    assert found.weights == pytest.approx(2 * NOMINAL.on(1).weights, rel=0.01)
    assert replace(found, calls=0).product == pytest.approx(2 / 260_000, rel=0.01)
