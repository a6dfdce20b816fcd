"""A plan computes what the program computes, for which shapes and values it is made, and where its
values lie."""

from __future__ import annotations

import inspect
import os
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import parser
from replayed import MODEL, check, inputs, plans, replays, serial_replays
from small_programs import Net, X, net_weights

import ramiel
from ramiel.api import CompiledProgram
from ramiel.cores import cores
from ramiel.runtime.replay import memory
from ramiel.runtime.replay.native import native
from ramiel.runtime.replay.plan import MOST_IDLE, Plan
from ramiel.runtime.replay.tape import Call, NotCapturable, Receive, Send, Tape, running

pytestmark = pytest.mark.skipif(native() is None, reason="without the native part or oneDNN")


@pytest.mark.parametrize("schedule", ["serial", "intra-op", "linear", "list", "dsc", "ios"])
@pytest.mark.parametrize("workers", [1, 2, 3, 16])
def test_replays_are_bit_for_bit_the_program(
    model: onnx.ModelProto, schedule: str, workers: int
) -> None:
    with ramiel.compile(model, workers=workers, schedule=schedule) as program:
        expected = [program(*inputs(seed)) for seed in (0, 1)]
        program.capture(*inputs())
        for seed in (0, 1, 0, 1):
            assert replays(program, *inputs(seed))
            for got, want in zip(program(*inputs(seed)), expected[seed], strict=True):
                assert torch.equal(got, want)


def test_weights_that_only_pytorch_can_read(model: onnx.ModelProto) -> None:
    with ramiel.compile(model, workers=2, schedule="linear", provider="torch") as program:
        expected = program(*inputs(1))
        program.capture(*inputs())
        assert replays(program, *inputs(1))
        assert all(map(torch.equal, program(*inputs(1)), expected))


def test_batches(model: onnx.ModelProto) -> None:
    with ramiel.compile(model, workers=2, schedule="hyper", batch=2) as program:
        given = [torch.cat([a, b]) for a, b in zip(inputs(0), inputs(1), strict=True)]
        for _ in range(4):
            check(program, *given)
        assert plans(program)
        odd = [torch.cat([x, x[:1]]) for x in given]
        expected = program.serial(*odd)
        assert program.serial_capture_status(*odd) == "captured"
        assert serial_replays(program, *odd)
        for call in (program, program.serial):
            assert all(map(torch.equal, call(*odd), expected))
        with pytest.raises(NotCapturable, match="1 of the 2 samples"):
            program.capture(*inputs())


def test_concatenations_are_divided_among_those_who_make_the_parts(model: onnx.ModelProto) -> None:
    """Each of the two workers copies what it has made, right after it; bits stay as they are."""
    with ramiel.compile(model, workers=2, schedule="linear") as program:
        program.capture(*inputs())
        (plan,) = plans(program)
        called = [
            [n.event.function for n in steps if isinstance(n.event, Call)] for steps in plan.workers
        ]
        copies = [functions.count(torch.ops.aten.copy_.default) for functions in called]
        assert len(copies) == 2 and min(copies) > 0
        assert torch.ops.aten.cat.default not in chain.from_iterable(called)
        for seed in range(50):
            check(program, *inputs(seed))


def test_inputs_that_share_memory(program: CompiledProgram) -> None:
    x, z = inputs()
    program.capture(x, x)
    check(program, x, z)
    check(program, z, x)
    y, _ = program(x, z)
    check(program, y[:, :8], y[:, 8:16])


def test_other_shapes_and_strides(program: CompiledProgram) -> None:
    x, z = inputs()
    program.capture(x, z)
    for image in (x.to(memory_format=torch.channels_last), x.mT, x[:, :1].expand(-1, 8, -1, -1)):
        for _ in range(3):
            check(program, image, z)
    with pytest.raises(ValueError, match="expected float32"):
        program(x[:, :1], z)
    check(program, x, z)


def test_open_dimensions_keep_the_last_plans() -> None:
    text = MODEL.replace("float[1, 8, 48, 48]", "float[N, 8, 48, 48]")
    with ramiel.compile(parser.parse_model(text), workers=2, schedule="linear") as program:
        for size in range(1, 12):
            given = [torch.randn(size, 8, 48, 48) for _ in range(2)]
            for _ in range(3):
                check(program, *given)
        assert 0 < len(plans(program)) <= 8


def test_values_that_are_not_finite(program: CompiledProgram) -> None:
    x, z = inputs()
    program.capture(x, z)
    z[0, 3, 5, 5] = float("nan")
    z[0, 1, 2, 2] = -float("inf")
    for got, want in zip(program(x, z), program.serial(x, z), strict=True):
        assert torch.allclose(got, want, equal_nan=True)
    check(program, *inputs(2))
    assert replays(program, *inputs(2))


REFUSED = {
    "reads values": """
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[4, 4] x, int64[2] shape) => (y) { a = Relu (x)  y = Reshape (a, shape) }
    """,
    "depends on values": """
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[4, 4] x, int64[2] shape) => (y) { a = Relu (x)  y = NonZero (a) }
    """,
    "on chance": """
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[4, 4] x, int64[2] shape) => (y) { a = RandomNormalLike (x)  y = Add (a, x) }
    """,
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_not_captured_says_why(reason: str) -> None:
    with ramiel.compile(parser.parse_model(REFUSED[reason]), workers=2) as program:
        given = torch.randn(4, 4), torch.tensor([2, 8])
        with pytest.raises(NotCapturable, match=rf'^\w+ \(ONNX node ".*", \w+\): .*{reason}'):
            program.capture(*given)
        for _ in range(2):
            program.serial(*given)
        assert program.serial_capture_status(*given) == program.capture_status(*given)
        assert not replays(program, *given)
        program(given[0], torch.tensor([8, 2]))


def test_values_that_are_no_plain_tensors_are_told_by_their_line() -> None:
    with Net(net_weights()) as net:
        net.scale = torch.nn.Parameter(torch.tensor(2.0), requires_grad=False)
        _, first = inspect.getsourcelines(Net.worker_1)
        with pytest.raises(NotCapturable, match=f"^line {first + 3}: a Parameter of cpu"):
            net.capture(X, 1)
        assert all(torch.equal(net(X, 1)[0], net.serial(X, 1)[0]) for _ in range(3))


def test_constants_that_are_changed_in_place_are_refused() -> None:
    """What one replay leaves in them would be there in the next."""
    lib = native()
    assert lib is not None
    x, tape = torch.ones(3), Tape()
    with torch.no_grad(), running(tape):
        total = torch.tensor([1.0, 2.0, 3.0])
        total += x
    with pytest.raises(NotCapturable, match=r"^line 0: .* changed in place"):
        Plan(lib, [tape], [x], [total])


def test_a_run_that_takes_too_much_memory(
    program: CompiledProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sysconf", lambda name: 100)
    with pytest.raises(NotCapturable, match="too much memory"):
        program.capture(*inputs())
    check(program, *inputs())


def test_inputs_that_no_step_reads() -> None:
    text = """
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[2, 3] x, float[2, 3] unused, float[2, 3] z) => (y, x) { y = Relu (z) }
    """
    with ramiel.compile(parser.parse_model(text), workers=2) as program:
        given = [torch.randn(2, 3) for _ in range(3)]
        program.capture(*given)
        assert replays(program, *given)
        y, x = program(*given)
        assert torch.equal(y, given[2].relu()) and torch.equal(x, given[0])


@given(
    st.lists(
        st.tuples(st.integers(1, 500), st.integers(0, 8), st.integers(0, 4)),
        min_size=1,
        max_size=12,
    )
)
def test_values_that_live_at_a_time_do_not_overlap(values: list[tuple[int, int, int]]) -> None:
    lives: list[memory.Life] = []
    for _, first, steps in values:
        life = memory.Life.unused(1)
        for step in (first, first + steps):
            life.use(0, step, np.array([step]))
        lives.append(life)
    starts, total = memory.offsets([size for size, _, _ in values], lives)
    for i, (size, first, steps) in enumerate(values):
        assert starts[i] % memory.ALIGNMENT == 0 and starts[i] + size <= total
        for j in range(i):
            other, begin, more = values[j]
            if first <= begin + more and begin <= first + steps:
                assert starts[i] + size <= starts[j] or starts[j] + other <= starts[i]


def test_clocks_follow_channels() -> None:
    one = [Send("a"), Send("b"), Receive("c")]
    two = [Receive("b"), Send("c")]
    first, second = memory.clocks([one, two])
    assert second.tolist() == [[2, 0], [2, 1]]
    assert first.tolist() == [[0, 0], [1, 0], [2, 2]]
    with pytest.raises(NotCapturable, match="nobody sends"):
        memory.clocks([[Receive("x")]])


def test_inputs_without_memory_of_their_own(program: CompiledProgram) -> None:
    """Their shapes, types and strides are those of a plan."""
    x, z = inputs()
    program.capture(x, z)
    with pytest.raises(ValueError, match="has no values"):
        program(x.to("meta"), z)
    negative = torch._neg_view(x)  # pyright: ignore[reportPrivateImportUsage]
    for got, want in zip(program(negative, z), program(-x, z), strict=True):
        assert torch.equal(got, want)


def test_few_copies_of_a_plan_are_kept(program: CompiledProgram) -> None:
    x, z = inputs()
    program.capture(x, z)
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda _: program(x, z), range(200)))
    assert len(plans(program)[0]._idle) <= max(MOST_IDLE, cores())
