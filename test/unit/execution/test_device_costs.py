"""Costs measured on a device with streams: the stand-in, whose clock is made up here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from onnx import parser
from small_models import branches
from stream_programs import TimedStandIn

import ramiel
from ramiel.compiler import compile_model
from ramiel.dialects.cluster.attributes import COST, HAND_OVER, SHARE
from ramiel.dialects.torch import LayerOp, Task
from ramiel.errors import CompileError
from ramiel.execution.device_costs import CROWD
from ramiel.execution.stage_costs import StageCosts
from ramiel.pipelines import Options
from ramiel.runtime.streams.device import programs_on
from ramiel.runtime.streams.stand_in import StandIn
from ramiel.torch_level.tasks import main_function


class Clocked(TimedStandIn):
    """A device on which each operation takes as long as `us` says, by its name, and a graph of
    several streams as long as the device is filled: one operation fills half of it."""

    name = "clocked"
    has_times = False  # so that programs keep the schedule that they have

    def __init__(self, us: dict[str, float], start: float = 5.0) -> None:
        super().__init__()
        self.us, self.start, self.of_stream = us, start, 0.0
        """`of_stream` is what each stream adds to the time of a graph."""
        self.issued: dict[int, float] | None = None
        self.captures = 0

    def operation(self, action: Any, access: Any) -> None:
        super().operation(action, access)

    def called(self, name: str) -> None:
        if self.issued is not None:
            number = self.current().number
            self.issued[number] = self.issued.get(number, 0.0) + self.us.get(name, 0.0)

    def capture(self, issue: Any, streams: int = 1, beside: Any = None) -> Any:
        self.issued, self.captures = {}, self.captures + 1
        graph, result = super().capture(issue, streams, beside)
        times, self.issued = self.issued, None
        taken = max([*times.values(), sum(times.values()) / 2])

        def ms() -> float:
            return (self.start + self.of_stream * len(times) + taken) / 1e3

        return self.taking(graph, ms), result


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clocked:
    monkeypatch.setenv("RAMIEL_CACHE_DIR", str(tmp_path))
    found = Clocked({"aten::convolution": 20.0, "aten::max_pool2d_with_indices": 4.0})
    call = found._deferring.call

    def noted(func: Any, args: Any, kwargs: Any) -> Any:
        found.called(func._schema.name)
        return call(func, args, kwargs)

    monkeypatch.setattr(found._deferring, "call", noted)
    return found


def test_a_repetition_counts_and_not_the_start_of_a_graph(device: Clocked) -> None:
    """Four at a time take twice as long here, so each fills half of the device."""
    with programs_on(device):
        module = compile_model(branches(), Options(device="cuda", profile=True)).module
        first = device.captures
        compile_model(branches(), Options(device="cuda", profile=True))
    assert device.captures == first > 0, "they are measured once"
    function = main_function(module)
    seen: set[tuple[str, float, float]] = set()
    for op in function.body.block.ops:
        if COST in op.attributes:
            cost, share = (op.attributes[name].value.data for name in (COST, SHARE))  # pyright: ignore
            seen.add((op.origin[1], cost, share))  # pyright: ignore
    assert any(row[1:] == (20.0, CROWD / 2 / CROWD) for row in seen if row[0] == "Conv"), seen
    assert HAND_OVER in function.attributes


@pytest.mark.parametrize("of_stream, streams", [(0.0, 2), (500.0, 1)])
def test_tuning_measures_graphs_and_takes_the_fastest(
    device: Clocked, of_stream: float, streams: int
) -> None:
    """Streams that cost more than they gain are not used."""
    device.of_stream = of_stream
    x = torch.randn(1, 8, 16, 16)
    with programs_on(device), ramiel.compile(branches(), device="cuda", tune=True) as model:
        assert model.source.count("async def worker_") == streams
        assert "serial" in model.report.tuned and "linear" in model.report.tuned
        for _ in range(2):
            assert torch.allclose(model(x)[0], model.serial(x)[0], atol=1e-6)


READING = """
<ir_version: 8, opset_import: ["" : 17]>
reading (float[8] x) => (int64[1, n] y) { y = NonZero (x) }
"""


def test_what_cannot_be_captured_is_measured_as_it_is(device: Clocked) -> None:
    with programs_on(device):
        compile_model(parser.parse_model(READING), Options(device="cuda", profile=True))


def test_a_stand_in_measures_and_without_a_device_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAMIEL_CACHE_DIR", str(tmp_path))
    with programs_on(StandIn()), ramiel.compile(branches(), device="cuda", profile=True) as model:
        assert model.report.parallel_us > 0
    if not torch.cuda.is_available():
        with pytest.raises(CompileError, match="nothing can be measured: this program is for CUDA"):
            ramiel.compile(branches(), device="cuda", profile=True)
    with pytest.raises(CompileError, match="measure the device that is here, --device cuda"):
        ramiel.compile(branches(), device="cuda:h100", profile=True)


def test_stages_of_ios_are_measured_and_kept(device: Clocked) -> None:
    """Each set of operations once; a later search asks the cache."""
    options = Options(device="cuda", schedule="ios", profile=True)
    with programs_on(device):
        compile_model(branches(), options)
        first = device.captures
        compile_model(branches(), options)
        assert device.captures == first
        compile_model(branches(), Options(device="cuda", schedule="list", profile=True))
        assert device.captures == first, "single operations were measured before"


def test_a_measured_stage_takes_as_long_as_it_runs_at_the_same_time(device: Clocked) -> None:
    """Two convolutions that each fill half of the device take as long as one."""
    with programs_on(device):
        compilation = compile_model(branches(), Options(device="cuda", schedule="serial"))
        function = main_function(compilation.module)
        tasks = [op for op in function.body.block.ops if isinstance(op, Task)]
        convolutions = [op for op in tasks if is_one(op)]
        costs = StageCosts(function)
        one = costs.of([convolutions[:1]])
        two = costs.of([convolutions[:1], convolutions[1:2]])
        both = costs.of([convolutions[:2]])
    assert one == pytest.approx(20, rel=0.01)
    assert two == pytest.approx(20, rel=0.3) and both == pytest.approx(40, rel=0.01)


def is_one(op: Task) -> bool:
    return isinstance(op, LayerOp) and op.layer == "Conv2d"
