"""Tuning: the fastest of several programs, and what it says of them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import run, run_here
from made_up_costs import made_up_times, make_up_costs
from small_models import branches
from xdsl.dialects.builtin import ModuleOp

import ramiel
from ramiel.compiler import Compilation, Report, program_of
from ramiel.errors import CompileError
from ramiel.pipelines import Options
from ramiel.programs import tune
from ramiel.programs.build import build
from ramiel.runtime.measure import same_bits


@pytest.fixture(autouse=True)
def nothing_is_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs run, but costs of operations and times of programs are made up."""
    monkeypatch.setenv("RAMIEL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(tune, "BUDGET_S", 0.0)
    monkeypatch.setattr(tune.Watch, "is_quiet", lambda _: True)
    monkeypatch.setattr(tune, "interleaved", made_up_times())
    make_up_costs(monkeypatch)


QUICK = Options(2, provider="torch", refine_s=0.05, tune=True)


@pytest.mark.parametrize("batch", [1, 3])
def test_the_fastest_is_the_program(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The winner is the one of least time, and its header and report list all that ran."""
    seen: list[list[Compilation]] = []

    def measured(
        compilations: list[Compilation], options: Options, progress: object
    ) -> tune.Sitting:
        seen.append(compilations)
        if len(seen) == 2:  # the winner, and the program without tuning
            return tune.Sitting([[1.0] * 5, [2.0] * 5])
        return tune.Sitting([[float(len(compilations) - i)] * 5 for i in range(len(compilations))])

    monkeypatch.setattr(tune, "measure", measured)
    result = build(branches(), replace(QUICK, batch=batch))
    (*_, winner), rivals = seen
    assert 2 <= len(seen[0]) <= tune.MEASURED + 2
    assert len(rivals) == 2 and rivals[0] is winner
    assert result.report == replace(winner.report, tuned=result.report.tuned)
    assert result.report.tuned.count(" ms") == len(seen[0])
    assert result.report.tuned.endswith("(lower quartiles of 5 runs)")
    header = result.emitted.source.split('"""')[1]
    assert " ".join(header.split()).count(" ".join(result.report.tuned.split())) == 1
    lines = [line for line in header.splitlines() if not line.startswith("Schedule")]
    assert all(len(line) <= 100 for line in lines)
    assert result.report.batch == batch


def test_what_wins_has_to_win_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the program without tuning, which is taken otherwise."""
    sittings: list[int] = []

    def measured(
        compilations: list[Compilation], options: Options, progress: object
    ) -> tune.Sitting:
        sittings.append(len(compilations))
        if len(sittings) == 1:
            count = len(compilations)
            return tune.Sitting([[float(count - i)] * 5 for i in range(count)])
        return tune.Sitting([[0.995] * 5, [1.0] * 5])

    monkeypatch.setattr(tune, "measure", measured)
    result = build(branches(), QUICK)
    usual = build(branches(), replace(QUICK, tune=False))
    assert len(sittings) == 2 and sittings[1] == 2
    assert result.report.schedule == usual.report.schedule


@pytest.mark.parametrize("taken", ["all the time", "at times"])
def test_cores_that_others_take(taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is disturbed does not count, and if all is, nothing changes."""
    quiet = itertools.cycle(
        [False] if taken == "all the time" else [False, False, True, True, True]
    )
    monkeypatch.setattr(tune.Watch, "is_quiet", lambda _: next(quiet))
    result = build(branches(), QUICK)
    usual = build(branches(), replace(QUICK, tune=False))
    busy = result.report.tuned.endswith("other programs took the cores, so nothing was changed")
    assert busy == (taken == "all the time")
    if busy:
        assert result.report.schedule == usual.report.schedule


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schedule": "linear"}, "it needs --schedule auto"),
        ({"batch": 2, "switched": True}, "it needs --schedule auto"),
        ({"batch": 0}, "a batch must be 1 to 1024"),
        ({"memory_limit": 10}, "10 bytes is too small"),
        ({"workers": 0}, "workers must be 1 to 1024"),
        ({"provider": "best"}, "there is no provider 'best'"),
        ({"refine_s": 0.0}, "a budget of 0 s"),
    ],
)
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CompileError, match=message):
        build(branches(), replace(QUICK, **options))


@pytest.mark.parametrize("batch", [1, 2])
def test_a_tuned_program_runs(batch: int) -> None:
    image = torch.randn(batch, 8, 16, 16)
    with ramiel.compile(
        branches(), tune=True, workers=2, batch=batch, provider="torch", seconds=0.05
    ) as model:
        assert all(map(same_bits, model(image), model.serial(image)))
        assert "\nTuned     " in model.source
        assert model.report.workers == 2
        # What `auto` chose comes first and is the fastest, as times are made up.
        fastest = model.report.tuned.partition(" 1000.0 ms, ")[0]
        assert fastest == model.report.schedule.replace(", ", " ")


def test_stages() -> None:
    """What all have in common comes first and once, then the candidates, then the result."""
    stages: list[str] = []
    steps: list[tuple[str, int, int]] = []

    def on_stage(name: str, module: ModuleOp) -> None:
        stages.append(name)

    def on_progress(what: str, done: int, total: int) -> None:
        steps.append((what, done, total))

    build(branches(), QUICK, on_stage, on_progress)
    assert stages[0] == "import" and stages[-1] == "tuned"
    assert len(set(stages)) == len(stages)
    assert "candidate-auto" in stages and "candidate-list" in stages
    tuning = [(done, total) for what, done, total in steps if what == "tuning"]
    sitting = [(i, tune.FEWEST) for i in range(tune.FEWEST + 1)]
    assert tuning in (sitting, sitting * 2)


def test_one_core_has_one_schedule() -> None:
    result = build(branches(), replace(QUICK, workers=1))
    assert result.report.tuned.startswith("serial ") and result.report.tuned.count(",") == 0


def test_what_does_not_fit_is_left_out() -> None:
    """A limit that only some schedules keep to: one of them is taken."""
    serial = build(branches(), Options(2, "serial"))
    limit = serial.report.memory_bytes
    result = build(branches(), replace(QUICK, memory_limit=limit))
    assert result.report.memory_bytes <= limit


def test_what_computes_something_else_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def listed(*answers: bool) -> int:
        given = itertools.chain(answers, itertools.repeat(answers[-1]))

        def agrees(program: object, inputs: object) -> bool:
            return next(given)

        monkeypatch.setattr(tune, "_agrees", agrees)
        return build(branches(), QUICK).report.tuned.count(" ms")

    assert listed(True) >= 2
    assert listed(True, False) == 1
    with pytest.raises(CompileError, match="no schedule computes the same"):
        listed(False)


def made(schedule: str, expected: float, channels: int = 0, workers: int = 1) -> Compilation:
    """A compilation of a schedule that nobody has made."""
    real = build(branches(), Options(2, "serial"))
    report = replace(
        real.report, schedule=schedule, parallel_us=expected, channels=channels, workers=workers
    )
    source = f'"""Header of {schedule}"""\nx = {expected}, {channels}'
    return Compilation(real.module, replace(real.emitted, source=source), report)


def test_selection() -> None:
    """What `auto` chose is measured in any case, the others by simulated time, each once."""
    programs = {
        "auto": made("intra-op", 9.0),
        "intra-op": made("intra-op", 9.0),
        "serial": made("serial", 8.0),
        "linear": made("linear, merged", 7.0, 2),
        "list": made("list", 6.0, 2),
        "refine": made("list, refined", 5.0, 2),
        tune.TORCH: made("intra-op", 99.0),
    }
    names = [c.name for c in tune.select(programs)]
    assert names == ["intra-op", "list refined", "list", "linear merged", "intra-op by torch"]
    programs["serial"] = made("intra-op", 1.0)  # on other kernels
    assert [c.name for c in tune.select(programs)][:2] == ["intra-op", "intra-op (serial)"]


@pytest.mark.parametrize(
    ("times", "winner"),
    [
        ([1.0, 2.0, 3.0], "complex"),
        ([1.0, 1.019, 3.0], "simple"),
        ([1.0, 1.021, 3.0], "complex"),
        ([1.0, 1.005, 1.001], "simple"),
        ([1.0, 1.5, 1.001], "between"),
    ],
)
def test_simple_schedules_are_preferred(times: list[float], winner: str) -> None:
    kinds = {"complex": (5, 2), "simple": (0, 1), "between": (1, 2)}
    candidates = [tune.Candidate(n, made(n, 1.0, *size)) for n, size in kinds.items()]
    assert candidates[tune.choose(candidates, times)].name == winner


def test_the_ir_carries_it() -> None:
    """The printer writes what the module says, whatever that is, and it stays a docstring."""
    compilation = build(branches(), QUICK)
    told = program_of(compilation.module).attributes["tuned"]
    assert compilation.report.tuned in str(told)
    assert Report.of(program_of(compilation.module)) == compilation.report


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "branches.onnx").write_bytes(branches().SerializeToString())
    monkeypatch.chdir(tmp_path)
    arguments = ["--tune", "--workers", 2, "--provider", "torch", "--seconds", 0.05]
    assert run_here("compile", "branches.onnx", *arguments, "--dump-ir", "ir") == 0
    assert "tuned     " in capsys.readouterr().out
    source = (tmp_path / "branches.py").read_text()
    (last,) = (tmp_path / "ir").glob("*_tuned.mlir")
    again = run(last, "-t", "pytorch", cwd=tmp_path, tool="opt")
    assert again.returncode == 0, again.stderr
    assert again.stdout == source
    wrong = run("compile", "branches.onnx", *arguments, "--schedule", "list", cwd=tmp_path)
    assert wrong.returncode == 1
    assert wrong.stderr == "error: tuning tries the schedules itself: it needs --schedule auto\n"
