"""Programs of several ranks compute what one process does, and end where a rank is lost."""

from __future__ import annotations

import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st
from ranked import check
from ranked_programs import Ranked, given, weights
from torch import Tensor

from ramiel.runtime.distributed.channels import Port, Way
from ramiel.runtime.distributed.group import Place, RankLost, time_limit
from ramiel.runtime.distributed.messages import (
    HEADER,
    STOPPED,
    BadMessage,
    Header,
    Remote,
    body,
    header_buffer,
    header_of,
)
from ramiel.runtime.distributed.plans import RankPlans
from ramiel.runtime.measure import same_bits

pytestmark = pytest.mark.timeout(240)
LIMIT_S = 120.0
"""What would hang is waited for so long."""
SUPPORT = Path(__file__).parents[1] / "support"
BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
free_port: Callable[[], int] = runpy.run_path(str(BENCHMARKS / "ports.py"))["free_port"]


@dataclass
class Rank:
    process: subprocess.Popen[str]

    def outcome(self) -> tuple[int, str]:
        """Exit code and output; of a process that hangs, with what its threads do."""
        try:
            out, err = self.process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            out, err = self.process.communicate()
        return self.process.returncode, out + err


@contextmanager
def started(
    scenario: str, ranks: int = 2, limit_s: float = LIMIT_S / 2, shares_memory: bool = True
) -> Generator[list[Rank]]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*sys.path, str(SUPPORT)]),
        "WORLD_SIZE": str(ranks),
        "MASTER_PORT": str(free_port()),
        "RAMIEL_TIMEOUT": str(limit_s),
        "RAMIEL_SHARED_MEMORY": str(int(shares_memory)),
        "PYTHONFAULTHANDLER": "1",
    }
    found = [
        Rank(
            subprocess.Popen(
                [sys.executable, str(SUPPORT / "ranked.py"), scenario],
                env={**environment, "RANK": str(rank)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        for rank in range(ranks)
    ]
    try:
        yield found
    finally:
        for rank in found:
            rank.process.kill()
            rank.process.communicate()


@pytest.mark.parametrize("shares_memory", [True, False])
def test_bits_are_those_of_one_process_and_errors_leave_nothing_behind(
    shares_memory: bool,
) -> None:
    with started("calls", shares_memory=shares_memory) as (first, second):
        code, told = first.outcome()
        assert code == 0, told
        assert told.count('rank 1: picked (ONNX node "/pick", Gather): index 99') == 9
        assert second.outcome() == (0, "")


def test_ranks_that_are_replayed_work_with_those_that_are_not() -> None:
    with started("mixed") as (first, second):
        code, told = first.outcome()
        assert code == 0, told
        assert "captured up to rank 1, which runs in Python: capture is off" in told
        assert second.outcome() == (0, "")


def test_a_step_that_fails_frees_who_waits_for_other_ranks() -> None:
    with started("crossed") as ranks:
        assert [rank.outcome() for rank in ranks] == [(0, ""), (0, "")]


def test_ctrl_c_ends_a_call_only() -> None:
    with started("interrupted") as (first, second):
        code, told = first.outcome()
        assert code == 0 and "20 interrupts" in told, told
        assert second.outcome()[0] == 0


def test_calls_without_python_end_as_others_do() -> None:
    with started("quick") as (first, second):
        out = first.process.stdout
        assert out is not None
        lines = list[str]()
        while (line := out.readline()) not in ("called\n", ""):
            lines.append(line)
        os.kill(second.process.pid, signal.SIGKILL)
        code, told = first.outcome()
        assert "".join(lines).count("index 99 is out of bounds") == 4, (lines, told)
        assert "20 interrupts\n" in lines
        assert code == 1 and "RankLost: rank 1 is lost to rank 0, which" in told


def test_ranks_wait_for_calls_without_a_limit() -> None:
    with started("idle", limit_s=3.0) as ranks:
        assert [rank.outcome() for rank in ranks] == [(0, ""), (0, "")]


@pytest.mark.parametrize(
    ("scenario", "shares_memory"),
    [
        ("streamed", True),
        ("batches", True),
        ("piped", True),
        ("piped_quickly", True),
        ("piped_quickly", False),
    ],
)
def test_streams_run_on_all_ranks_until_one_is_lost(scenario: str, shares_memory: bool) -> None:
    with started(scenario, shares_memory=shares_memory) as ranks:
        out = ranks[0].process.stdout
        assert out is not None
        line = out.readline()
        os.kill(ranks[1].process.pid, signal.SIGKILL)
        code, told = ranks[0].outcome()
        assert line == "streaming\n", told
        assert code == 1 and "RankLost: rank 1 is lost to rank 0, which" in told


@pytest.mark.parametrize("shares_memory", [True, False])
def test_others_end_although_rank_0_lives_on(shares_memory: bool) -> None:
    """They wait for nothing that it does no longer: they would until their time is over."""
    with started("outlived", ranks=3, limit_s=2 * LIMIT_S, shares_memory=shares_memory) as ranks:
        out = ranks[0].process.stdout
        assert out is not None and out.readline() == "streaming\n"
        os.kill(ranks[1].process.pid, signal.SIGKILL)
        assert "RankLost: rank 1 is lost" in out.readline()
        code, told = ranks[2].outcome()
        assert code == 1 and "rank 1 is lost" in told, told
        assert ranks[0].process.poll() is None


@pytest.mark.parametrize(("victim", "shares_memory"), [(0, True), (1, True), (1, False)])
def test_a_killed_rank_ends_the_other_with_an_error_that_names_it(
    victim: int, shares_memory: bool
) -> None:
    with started("forever", shares_memory=shares_memory) as ranks:
        out = ranks[0].process.stdout
        assert out is not None and out.readline() == "called\n"
        os.kill(ranks[victim].process.pid, signal.SIGKILL)
        code, told = ranks[1 - victim].outcome()
        assert code == 1
        assert f"RankLost: rank {victim} is lost to rank {1 - victim}, which" in told
        assert "the connection is lost" in told


def test_a_stopped_rank_is_waited_for_as_long_as_was_said() -> None:
    with started("forever", limit_s=4.0) as ranks:
        out = ranks[0].process.stdout
        assert out is not None and out.readline() == "called\n"
        os.kill(ranks[1].process.pid, signal.SIGSTOP)
        begin = time.monotonic()
        code, told = ranks[0].outcome()
        assert code == 1 and "rank 1 is lost to rank 0, which" in told
        assert "nothing for 4 s" in told
        assert time.monotonic() - begin >= 3


def test_other_weights_are_refused_with_both_hashes() -> None:
    hashes = [weights(seed).digest() for seed in (0, 1)]
    with started("different") as ranks:
        for number, rank in enumerate(ranks):
            code, told = rank.outcome()
            assert code == 1
            own, other = hashes[number], hashes[1 - number]
            assert f"rank {number} has the weights {own}, rank {1 - number} {other}" in told


def test_ranks_too_many_or_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    for count in (1, 3):
        monkeypatch.setenv("RANK", "0")
        monkeypatch.setenv("WORLD_SIZE", str(count))
        with (
            Ranked(weights()) as program,
            pytest.raises(RuntimeError, match=f"for 2 ranks, and was started with {count}"),
        ):
            program.connect()


def test_a_port_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for name, value in (("RANK", "0"), ("WORLD_SIZE", "2"), ("MASTER_PORT", str(port))):
            monkeypatch.setenv(name, value)
        with Ranked(weights()) as program, pytest.raises(OSError, match=rf":{port} .*in use"):
            program.connect()


def test_a_rank_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_PORT": str(free_port())}
    for name, value in (values | {"RAMIEL_TIMEOUT": "0.5"}).items():
        monkeypatch.setenv(name, value)
    with (
        Ranked(weights()) as program,
        pytest.raises(RuntimeError, match=r"rank 1 of Ranked has not come within 0.5 s"),
    ):
        program.connect()


def test_without_torchrun_the_workers_are_threads() -> None:
    with Ranked(weights()) as program:
        for seed in range(8):
            check(program, seed)
        with pytest.raises(RuntimeError, match="called on rank 0"):
            program.serve()


class OnOneRank(Ranked):
    """It, where a schedule crosses no link."""

    ranks = (0, 0)
    remote = ()


def test_a_program_of_one_rank_needs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if torchrun has started it."""
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    with OnOneRank(weights()) as program:
        assert program.connect() == 0
        for seed in range(8):
            check(program, seed)
        program.capture(*given(0))
        check(program, 0)
        assert program.capture_status(*given(0)) == "captured"
        with pytest.raises(RuntimeError, match="called on rank 0"):
            program.serve()


@pytest.mark.parametrize("limit", ["x", "0", "-1", "inf", "nan"])
def test_a_limit_that_is_none(limit: str) -> None:
    with pytest.raises(ValueError, match="RAMIEL_TIMEOUT"):
        time_limit({"RAMIEL_TIMEOUT": limit})


def test_the_default_place_is_this_machine() -> None:
    assert Place.of({}) is None
    place = Place.of({"RANK": "1", "WORLD_SIZE": "2"})
    assert place is not None and (place.host, place.port) == ("127.0.0.1", 29500)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("RANK", "2", "RANK=2 is none of the ranks of WORLD_SIZE=2"),
        ("RANK", "-1", "RANK=-1 is none"),
        ("RANK", "", "RANK, WORLD_SIZE and MASTER_PORT: "),
        ("WORLD_SIZE", "0", "none of the ranks of WORLD_SIZE=0"),
        ("MASTER_PORT", "http", "RANK, WORLD_SIZE and MASTER_PORT: "),
        ("MASTER_PORT", "65536", "MASTER_PORT=65536: ports are 0 to 65535"),
    ],
)
def test_places_that_are_none(name: str, value: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Place.of({"RANK": "1", "WORLD_SIZE": "2", name: value})


def test_calls_that_will_not_be_taped_need_not_wait_for_each_other() -> None:
    with Ranked(weights()) as program:
        plans = RankPlans()
        assert not plans.why_not_taped(program, Way.REPLAY)
        program.captures = False
        assert plans.why_not_taped(program, Way.REPLAY)
        assert not plans.why_not_taped(program, Way.CAPTURE)
        program.conv1.register_forward_hook(lambda *_: None)
        assert plans.why_not_taped(program, Way.CAPTURE) == "a layer has hooks"


class WireToLost:
    """Connections of rank 0, of which that to rank 1 is lost."""

    rank = 0
    neighbours = SimpleNamespace(ranks=())

    def __init__(self) -> None:
        self.sent: list[Tensor] = []

    def slot(self, rank: int, number: int) -> None:
        return None

    def send(self, buffer: Tensor, rank: int, tag: int) -> None:
        if rank == 1:
            raise RankLost("rank 1 is lost", 1)
        self.sent.append(buffer.clone())

    def wait(self, work: None, rank: int, what: str) -> None:
        pass


@pytest.mark.parametrize("shape", [(3,), (None,)])
def test_a_lost_receiver_keeps_nothing_from_the_others(shape: tuple[int | None]) -> None:
    """They would wait for it until their time is over, and rank 0 for them."""
    wire: Any = WireToLost()
    port = Port(Remote("a", torch.float32, shape, 0, (1, 2)), 0, wire)
    port.send(7, torch.tensor([1.0, 2.0, 3.0]))
    assert torch.cat(wire.sent)[-12:].view(torch.float32).tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(RankLost, match="rank 1 is lost"):
        port.flush()
    wire.sent.clear()
    port.stop(8, 1)
    assert [Header.read(buffer[:HEADER]).kind for buffer in wire.sent] == [STOPPED]


# messages

SHAPES = st.lists(st.integers(0, 4), max_size=5)


@settings(deadline=None, derandomize=True)
@examples(SHAPES, st.randoms(use_true_random=False), st.booleans())
def test_a_tensor_arrives_as_it_was_sent(shape: list[int], random: object, fixed: bool) -> None:
    """Values and, where elements fill their memory, strides."""
    order = list(range(len(shape)))
    random.shuffle(order)  # pyright: ignore
    value = torch.randn([shape[i] for i in order]).permute(
        [order.index(i) for i in range(len(order))]
    )
    remote = Remote("a", torch.float32, tuple(shape) if fixed else None, 0, (1,))
    buffer, content = header_buffer(), torch.zeros(4 * value.numel(), dtype=torch.uint8)
    header = header_of(remote, 7, value)
    header.write(buffer)
    body(remote, header, content).copy_(value)
    read = Header.read(buffer)
    assert read == header and read.number == 7
    got = body(remote, read, content)
    assert same_bits(got, value) and got.stride() == value.stride()


@settings(deadline=None, derandomize=True)
@examples(st.binary(min_size=HEADER, max_size=HEADER))
def test_other_bytes_are_no_message(content: bytes) -> None:
    with pytest.raises(BadMessage):
        Header.read(torch.frombuffer(bytearray(content), dtype=torch.uint8))


NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 5)


@settings(deadline=None, derandomize=True)
@examples(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=8))
def test_a_header_reaches_no_further_than_its_message(dims: list[tuple[int, int]]) -> None:
    """Whatever sizes and strides a peer may claim."""
    remote = Remote("a", torch.float32, None, 0, (1,))
    content = torch.zeros(256, dtype=torch.uint8)
    shape, strides = tuple(d for d, _ in dims), tuple(s for _, s in dims)
    try:
        tensor = body(remote, Header(0, 0, 0, shape, strides), content)
    except BadMessage:
        return
    assert tensor.numel() * 4 <= 256
    tensor.sum()
