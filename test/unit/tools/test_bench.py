"""`ramiel bench`: what it says of a program adds up, and nothing in it is markup."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
import torch
from commands import run, run_here
from made_up_costs import make_up_costs
from onnx import parser
from rich.console import Console
from small_models import branches

from ramiel.compiler import compile_model
from ramiel.errors import CompileError
from ramiel.pipelines import Options
from ramiel.runtime import Conv2d, Layer, Linear, Weights
from ramiel.runtime.kernels import KERNELS
from ramiel.runtime.replay.native import native
from ramiel.tools import bench as tool
from ramiel.tools.bench import Bench, bench
from ramiel.tools.bench_tables import show
from ramiel.tools.check import Inputs

OPTIONS = {
    "serial": Options(schedule="serial"),
    "two workers": Options(2, "linear"),
    "two threads an operation": Options(2, "intra-op"),
    "a batch": Options(2, "hyper", batch=3),
    "PyTorch's kernels": Options(2, "linear", provider="torch"),
}


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMIEL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(tool, "TRACED", 3)


def measured(options: Options) -> Bench:
    compilation = compile_model(branches(), options)
    return bench(Path("branches.onnx"), compilation, False, Inputs({}), 3, 1.0)


def shown(found: Bench, top: int = 10, width: int = 200) -> str:
    text = StringIO()
    show(found, Console(file=text, highlight=False, soft_wrap=True, width=width), top)
    return text.getvalue()


def test_whether_each_form_was_replayed() -> None:
    found = measured(Options(2, "linear"))
    told = "replayed" if native() is not None else "in Python"
    lines = [line for line in shown(found).splitlines() if told in line]
    assert [line.split()[0] for line in lines] == ["parallel", "serial", "traced"]
    chance = parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[4, 4] x) => (y) { [dice] a = RandomNormalLike (x)  y = Add (a, x) }
    """)
    found = bench(Path("x.onnx"), compile_model(chance), False, Inputs({}), 3, 1.0)
    if native() is not None:
        assert shown(found).count('in Python (dice (ONNX node "dice", ') == 3
    part = parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[4, 4] x) => (y)
        {
          a = Relu (x)  b = Sigmoid (a)  c = Tanh (b)  d = Exp (c)  e = Mul (d, a)  f = Sub (e, c)
          [where] y = NonZero (f)
        }
    """)
    found = bench(Path("x.onnx"), compile_model(part), False, Inputs({}), 3, 1.0)
    if native() is not None:
        assert shown(found).count("replayed in part (captured up to ") == 3
        assert {op.name for op in found.operations} >= {"exp", "where"}


def test_streams_of_requests_are_named() -> None:
    found = measured(Options(2, "pipeline"))
    assert found.report.streaming
    assert f"streams   {found.report.stream}\n" in shown(found)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_it_adds_up(options: Options) -> None:
    found = measured(options)
    assert found.runs == 3
    for times in (found.serial_ms, found.parallel_ms):
        low, high = times.quartiles
        assert 0 < low <= times.median <= high
    assert len(found.operations) == 5 * options.batch
    assert len({op.name for op in found.operations}) == len(found.operations)
    assert sum(group.count for group in found.groups) == len(found.operations)
    assert sum(group.share for group in found.groups) == pytest.approx(1)
    total = sum(op.measured_us for op in found.operations)
    assert sum(group.measured_us for group in found.groups) == pytest.approx(total)
    for ranked in (found.operations, found.groups):
        times = [row.measured_us for row in ranked]
        assert times == sorted(times, reverse=True) and min(times) > 0
    assert len(found.workers) == found.report.workers
    for worker in found.workers:
        assert worker.busy > 0 and min(worker.waiting, worker.done, worker.overhead) >= 0
    assert {op.worker for op in found.operations} == set(range(found.report.workers))
    assert {op.threads for op in found.operations} == {2 if options.schedule == "intra-op" else 1}
    assert found.of_bound == pytest.approx(found.report.bound_us / found.parallel_ms.median / 1e3)


def test_operations_are_described() -> None:
    found = measured(Options(2, "linear", provider="torch"))
    convolutions = [op for op in found.operations if op.operator == "Conv2d"]
    assert len(convolutions) == 2
    for op in convolutions:
        assert (op.onnx, op.weight) == ("Conv", (8, 8, 3, 3))
        assert op.inputs[0] == op.output == "float32[1, 8, 16, 16]"
        assert op.flops == 2 * 8 * 8 * 3 * 3 * 16 * 16
        assert op.kernel in KERNELS and op.kernel != "onednn"
    (group,) = [group for group in found.groups if group.operator == "Conv2d"]
    flops = sum(op.flops for op in convolutions)
    assert group.gflop_per_s == pytest.approx(flops / group.measured_us / 1e3)
    (concat,) = [group for group in found.groups if group.operator == "cat"]
    assert (concat.kernel, concat.count, concat.gflop_per_s) == ("torch.cat", 1, None)


def test_the_kernel_that_a_layer_uses() -> None:
    """It is the one that was made, not the one that was asked for; none for PyTorch's call."""
    weights = Weights.from_tensors(
        {"c.weight": torch.ones(4, 4, 3, 3), "l.weight": torch.ones(4, 4)}
    )
    image, threads = torch.ones(1, 4, 8, 8), torch.get_num_threads()

    def kernel(layer: Layer, x: torch.Tensor, other: torch.Tensor | None = None) -> str | None:
        with torch.no_grad():
            layer(x, other)
        shape = None if other is None else tuple(other.shape)
        return layer.kernel_for(tuple(x.shape), shape, threads)

    assert kernel(Conv2d(weights, "c", padding=1, kernel="plain"), image) == "plain"
    assert kernel(Conv2d(weights, "c", padding=1, kernel="plain"), image, image) == "plain"
    assert kernel(Linear(weights, "l", kernel="plain"), torch.ones(2, 4)) == "plain"
    # Winograd's algorithm is for steps of 1.
    strided = Conv2d(weights, "c", stride=2, kernel="winograd")
    assert strided.kernel_for((1, 4, 8, 8), None, threads) is None
    assert kernel(strided, image) in {"onednn", "mkldnn", "plain"}
    assert kernel(Conv2d(weights, "c", kernel="plain"), image.requires_grad_()) is None


def test_everything_is_shown() -> None:
    found = measured(Options(2, "linear"))
    text = shown(found)
    around = found.surroundings
    for part in ("linear", around.machine, around.onednn, "2 workers on 2 cores", "by the shapes"):
        assert part in text
    for group in found.groups:
        assert group.kernel in text
    assert text.count(" -> ") == len(found.operations)
    assert shown(found, 2).count(" -> ") == 2
    assert shown(found, 0).count(" -> ") == 0


def test_names_are_no_markup(tmp_path: Path) -> None:
    model = branches()
    model.graph.node[3].name = "[red]left[/red][/]"
    compilation = compile_model(model, Options(1, "serial"))
    found = bench(Path("[bold]x.onnx"), compilation, True, Inputs({}), 1, 1.0)
    assert "[red]left[/red][/]" in shown(found)


def test_a_failing_program() -> None:
    compilation = compile_model(branches(), Options(1, "serial"))
    source = compilation.emitted.source.replace("torch.cat(", "torch.no_such(")
    object.__setattr__(compilation.emitted, "source", source)
    with pytest.raises(CompileError, match="the program fails"):
        bench(Path("x.onnx"), compilation, True, Inputs({}), 1, 1.0)


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "branches.onnx").write_bytes(branches().SerializeToString())
    monkeypatch.chdir(tmp_path)
    make_up_costs(monkeypatch)
    arguments = ["branches.onnx", "--schedule", "linear", "--workers", 2, "--provider", "torch"]
    assert run_here("bench", *arguments, "--runs", 2, "--json", "b.json") == 0
    told = capsys.readouterr().out
    assert "by the profile" in told and "Conv2d" in told
    assert told.endswith("wrote b.json\n")
    numbers = json.loads((tmp_path / "b.json").read_text())
    assert numbers["runs"] == 2 and numbers["profiled"] and len(numbers["operations"]) == 5
    piped = ["--no-profile", "--measure-seconds", 0.01, "--json", "-"]
    result = run("bench", *arguments, *piped, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout).keys() == numbers.keys()
    assert not json.loads(result.stdout)["profiled"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.onnx"], "error: missing.onnx: cannot be read"),
        (["branches.onnx", "--measure-seconds", "0"], "error: --measure-seconds 0: it must be"),
        (["branches.onnx", "--measure-seconds", "nan"], "error: --measure-seconds nan: it must"),
        (["branches.onnx", "--integers", "1"], "error: --integers 1: expected LOW,HIGH"),
        (["branches.onnx", "--no-profile", "--runs", "1", "--json", "no/b.json"], "cannot be"),
        (["branches.onnx", "--provider", "best"], "there is no provider 'best'"),
    ],
)
def test_mistakes(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "branches.onnx").write_bytes(branches().SerializeToString())
    result = run("bench", *arguments, cwd=tmp_path)
    assert result.returncode == 1
    assert message in result.stderr and len(result.stderr.strip().splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir() if p.name != "cache"] == ["branches.onnx"]
