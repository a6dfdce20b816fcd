"""Costs that are measured: what is timed, what is kept, and what a schedule makes of it."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import onnx
import pytest
from made_up_costs import make_up_costs, make_up_overheads, usual
from onnx import helper, parser
from small_models import BRANCHES, branches
from xdsl.dialects import func

import ramiel
from ramiel.compiler import compile_model, run_passes
from ramiel.cores import cores
from ramiel.dialects.torch import LayerOp, TorchOperation
from ramiel.errors import CompileError
from ramiel.execution import measured_costs as module_under_test
from ramiel.execution import overheads, profiler
from ramiel.execution.cost_cache import CostCache, cache_path
from ramiel.execution.measured_costs import MeasuredCosts, fastest_kernels, measured_costs
from ramiel.execution.profiler import ALONE, BURST, FEWEST, Profile, Progress, key_of, profile
from ramiel.frontend.importer import import_model
from ramiel.pipelines import Options, pipeline
from ramiel.runtime.replay.native import native
from ramiel.torch_level.candidates import Kernel, candidates
from ramiel.torch_level.tasks import main_function, tasks_of


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAMIEL_CACHE_DIR", str(tmp_path / "cache"))
    make_up_overheads(monkeypatch)
    return cache_path()


def function_of(model: onnx.ModelProto) -> func.FuncOp:
    """The function of `torch` operations, before costs."""
    module = import_model(model)
    steps = pipeline(Options(2, "serial"))
    run_passes(module, steps[: [name for name, _ in steps].index("cluster-costs")])
    return main_function(module)


class Calls(list[tuple[int, ...]]):
    """The thread counts of each time that something was really timed."""


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls()

    def counted(function: func.FuncOp, threads: Sequence[int], progress: Progress) -> Profile:
        calls.append(tuple(threads))
        return profile(function, threads, progress)

    monkeypatch.setattr(module_under_test, "profile", counted)
    return calls


def no_progress(what: str, done: int, total: int) -> None:
    pass


def test_every_operation_is_timed_once_on_each_number_of_threads() -> None:
    function = function_of(branches())
    seen: list[tuple[int, int]] = []
    costs, runs, _ = profile(function, [1, 2], lambda done, total: seen.append((done, total)))
    keys = {key_of(op) for op in tasks_of_any(function)}
    alone = {(key + ALONE, 1) for key in keys} if cores() > 1 else set[tuple[str, int]]()
    assert set(costs) == {(key, n) for key in keys for n in (1, 2)} | alone
    assert all(cost >= 0 for cost in costs.values())
    rounds = runs // BURST
    assert rounds >= FEWEST
    assert seen == [(i + 1, rounds) for i in range(rounds)]


@pytest.mark.parametrize(("quiet", "cost"), [([True, False], 7.0), ([False], 1.0)])
def test_runs_that_other_programs_disturb(
    quiet: list[bool], cost: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They count only if there are no others."""
    function = function_of(branches())
    count = len(tasks_of_any(function))
    runs = itertools.cycle(quiet)
    now: list[bool] = []

    def times(*_: object) -> list[float]:
        now[:] = [next(runs)]
        return [7.0 if now[0] else 1.0] * count

    monkeypatch.setattr(profiler, "are_replayed", lambda: False)
    monkeypatch.setattr(profiler, "_times", times)
    monkeypatch.setattr(profiler.Watch, "disturbed", lambda _: int(not now[0]))
    found = profile(function, [1], lambda done, total: None)
    assert set(found.costs.values()) == {cost}
    assert found.disturbed == (quiet == [False])


class Runs:
    """Runs of operations that take 10, 12, 14, ... µs each, of which some are disturbed."""

    def __init__(self, quiet: Callable[[int], bool], monkeypatch: pytest.MonkeyPatch) -> None:
        self.done = 0
        self.function = function_of(branches())
        operations = len(tasks_of_any(self.function))

        def times(*_: object) -> list[float]:
            self.done += 1
            return [8.0 + 2 * self.done] * operations

        monkeypatch.setattr(profiler, "are_replayed", lambda: False)
        monkeypatch.setattr(profiler, "cores", lambda: 1)
        monkeypatch.setattr(profiler, "_times", times)
        monkeypatch.setattr(profiler.Watch, "disturbed", lambda _: int(not quiet(self.done)))

    def profile(self, patience_s: float) -> Profile:
        return profile(
            self.function,
            [1],
            lambda done, total: None,
            fewest=1,
            budget_s=0.0,
            part=10,
            quiet=9,
            patience_s=patience_s,
        )


@pytest.mark.parametrize("first", [1, 50])
def test_more_runs_until_enough_are_undisturbed(
    first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(lambda run: run >= first, monkeypatch)
    found = runs.profile(patience_s=1e6)
    assert not found.disturbed
    assert runs.done <= first + 9 * 2 + BURST
    assert min(found.costs.values()) >= 8 + 2 * first


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is never quiet. A second passes whenever somebody asks for the time."""
    seconds = itertools.count()
    monkeypatch.setattr(profiler.time, "perf_counter", lambda: float(next(seconds)))
    runs = Runs(lambda run: False, monkeypatch)
    assert runs.profile(patience_s=40.0).disturbed
    assert 2 * (BURST + 1) <= runs.done < 40 * (BURST + 1)


def test_few_undisturbed_runs_are_not_extrapolated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of three times is no less than the least of them."""
    runs = Runs(lambda run: run <= 5, monkeypatch)  # the first two warm up
    found = runs.profile(patience_s=0.0)
    assert set(found.costs.values()) == {14.0} and not found.disturbed


def tasks_of_any(function: func.FuncOp) -> Sequence[TorchOperation]:
    return tasks_of(function, lambda _: 1.0).ops


def test_operations_of_one_key_cost_the_same() -> None:
    """Equal callee, arguments and types, and different weights: as good as the same."""
    function = function_of(parser.parse_model(BRANCHES.replace("Relu", "Neg")))  # not fused
    keys = [key_of(op) for op in tasks_of(function, lambda _: 1.0).ops]
    left, right = (key for key in keys if key.startswith("Conv2d("))
    assert left == right
    assert len(set(keys)) == len(keys) - 1
    assert all("f32" in key for key in keys)


def test_what_was_measured_is_not_measured_again(timed: Calls, cache: Path) -> None:
    """One run for each candidate of the operation that has most of them. The costs of those that
    were chosen are among what that measured, and nothing is left for a second compilation."""
    ops = tasks_of(function_of(branches()), lambda _: 1.0).ops
    runs = max(len(candidates(op, "auto")) for op in ops)
    for _ in range(3):
        compile_model(branches(), Options(1, "serial", profile=True))
        assert timed == [(1,)] * runs
    with CostCache.open() as costs:
        (machine,) = costs.machines()
    assert machine.entries > 3 and cache.is_file()


@pytest.mark.parametrize(
    ("microseconds", "chosen"), [(98.0, None), (96.0, "plain"), (50.0, "plain")]
)
def test_a_kernel_has_to_be_faster_by_some_percent(
    monkeypatch: pytest.MonkeyPatch, microseconds: float, chosen: str | None
) -> None:
    """Than the usual one, which takes 100 µs here; the others take more."""
    function = function_of(branches())
    times = {'kernel="plain"': microseconds, "kernel=": 120.0, "": 100.0}

    def timed(function: func.FuncOp, threads: Sequence[int], progress: object) -> Profile:
        keys = [key_of(op) for op in tasks_of(function, lambda _: 1.0).ops]
        costs = {
            (key, count): next(us for text, us in times.items() if text in key)
            for key in keys
            for count in threads
        }
        return Profile(costs, FEWEST)

    monkeypatch.setattr(module_under_test, "profile", timed)
    convolutions = [op for op in function.walk() if isinstance(op, LayerOp)]
    allowed: dict[TorchOperation, Sequence[Kernel]]
    allowed = {op: candidates(op, "auto") for op in convolutions}
    assert len(allowed) == 2
    kernels = fastest_kernels(function, allowed, [1], no_progress)
    assert [kernels[op] for op in convolutions] == [{1: chosen}, {1: chosen}]


@pytest.mark.skipif(cores() < 2, reason="on more threads than cores nothing is measured")
def test_only_what_is_missing_is_measured(timed: Calls) -> None:
    function = function_of(branches())
    measured_costs(function, [1], no_progress)
    measured_costs(function, [1, 2], no_progress)
    assert timed == [(1,), (2,)]


def test_the_schedule_has_the_costs_that_were_measured() -> None:
    compilation = compile_model(branches(), Options(1, "serial", profile=True))
    with CostCache.open() as costs:
        (machine,) = costs.machines()
        entries = {(e.operation, e.threads): e.microseconds for e in costs.entries(machine.machine)}
    function = main_function(compilation.module)
    tasks = tasks_of(function)
    expected = sum(round(entries[key_of(op), 1], 1) for op in tasks.ops)
    assert tasks.graph.work == pytest.approx(expected, abs=0.11)
    alone = expected / tasks.graph.crowding
    assert compilation.report.serial_us == pytest.approx(alone, abs=0.11)
    assert tasks.graph.hand_over == pytest.approx(entries[module_under_test.HAND_OVER], abs=0.1)


def test_more_threads_than_cores_are_extrapolated() -> None:
    """Unless they gained nothing, or there is but one core."""
    function = function_of(branches())
    op = tasks_of(function, lambda _: 1.0).ops[0]
    costs = MeasuredCosts({(key_of(op), 1): 1000.0, (key_of(op), 2): 600.0}, (1, 2), 20.0, 1.0)
    one, two, four, eight = (costs.of(op, n) for n in (1, 2, 4, 8))
    assert (one, two) == (1000, 600) and 300 < four < 400 and 150 < eight < four
    worse = MeasuredCosts({(key_of(op), 1): 100.0, (key_of(op), 2): 130.0}, (1, 2), 20.0, 1.0)
    assert worse.of(op, 8) == 130.0
    alone = MeasuredCosts({(key_of(op), 1): 100.0}, (1,), 20.0, 1.0)
    assert alone.of(op, 8) == 100.0


def test_results_do_not_depend_on_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for their last digits: another kernel may be the fastest one, as here."""
    import torch

    make_up_costs(monkeypatch, lambda key: 1.0 if 'kernel="plain"' in key else usual(key))
    x = torch.randn(1, 8, 16, 16)
    with (
        ramiel.compile(branches(), workers=2, schedule="linear", profile=True) as measured,
        ramiel.compile(branches(), workers=2, schedule="linear") as estimated,
    ):
        for a, b in zip(measured(x), estimated(x), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
        assert measured.source.count('kernel="plain"') == 2
        assert 'kernel="plain"' not in estimated.source


def test_profiling_leaves_the_number_of_threads_alone() -> None:
    import torch

    before = torch.get_num_threads()
    profile(function_of(branches()), [1, 2], lambda done, total: None)
    assert torch.get_num_threads() == before


def test_overheads() -> None:
    """However long they take, they are times, and measuring leaves the number of threads alone."""
    import torch

    before = torch.get_num_threads()
    assert 0 < overheads.measure_hand_over(3) < float("inf")
    if (lib := native()) is not None:
        assert 0 < overheads.measure_call(lib, 3) < float("inf")
    assert 0 <= overheads._measure_waking(2, 3) < float("inf")
    assert 0 <= overheads._measure_spinning(2, 3) < float("inf")
    assert torch.get_num_threads() == before


def test_an_open_shape_is_refused() -> None:
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "open", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(CompileError, match="give it one"):
        compile_model(model, Options(1, "serial", profile=True))
    compile_model(model, Options(1, "serial", profile=True, shapes={"x": (4, 3)}))


def test_an_operation_that_fails_is_named() -> None:
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [4])
    shape = helper.make_tensor_value_info("shape", onnx.TensorProto.INT64, [2])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, None])
    node = helper.make_node("Reshape", ["x", "shape"], ["y"], name="the reshape")
    graph = helper.make_graph([node], "fails", [x, shape], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(CompileError, match='"the reshape" cannot be profiled'):
        # Random ids, 0 or 1, are no shape of 4 numbers.
        compile_model(model, Options(1, "serial", profile=True))


def test_a_damaged_cache_is_refused(cache: Path) -> None:
    compile_model(branches(), Options(1, "serial", profile=True))
    data = bytearray(cache.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    cache.write_bytes(data)
    with pytest.raises(CompileError, match="ramiel cache clear"):
        compile_model(branches(), Options(1, "serial", profile=True))
    compile_model(branches(), Options(1, "serial"))  # who does not ask for it does not need it


def test_a_foreign_file_is_refused_and_kept(cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("my diary")
    with pytest.raises(CompileError, match=str(cache)):
        compile_model(branches(), Options(1, "serial", profile=True))
    assert cache.read_text() == "my diary"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_without_write_access_costs_are_measured_and_not_kept(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.parent.mkdir()
    cache.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
    compile_model(branches(), Options(1, "serial", profile=True))
    assert "are not kept" in capsys.readouterr().err


def test_a_folder_in_its_place(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache.mkdir(parents=True)
    compile_model(branches(), Options(1, "serial", profile=True))
    note = capsys.readouterr().err.strip()
    assert note.startswith("note: measured costs are not kept") and "\n" not in note
