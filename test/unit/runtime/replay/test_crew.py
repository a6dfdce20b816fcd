"""Operators that run in Python on threads of our own."""

from __future__ import annotations

from collections.abc import Generator

import pytest
import torch
from torch import Tensor

from ramiel.api import CompiledProgram
from ramiel.runtime.measure import random_inputs, same_bits
from ramiel.runtime.replay.native import Regions, native, on_crew, work_alone

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.usefixtures("restored_threads"),
    pytest.mark.skipif(native() is None, reason="needs the native part"),
]


def regions() -> Regions:
    lib = native()
    assert lib is not None
    return lib.regions()


@pytest.fixture
def alone() -> Generator[None]:
    """This thread works alone."""
    work_alone()
    yield
    work_alone(False)


def operators(threads: int) -> list[Tensor]:
    torch.set_num_threads(threads)
    assert torch.get_num_threads() == threads
    x = torch.linspace(-1, 1, 64 * 3 * 40 * 40).reshape(64, 3, 40, 40)
    w = torch.linspace(-1, 1, 8 * 3 * 9).reshape(8, 3, 3, 3)
    y = torch.conv2d(x, w)
    return [y, y.flatten(1) @ y.flatten(1).T, y.sum(), torch.softmax(y, 1), y.exp()]


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_the_bits_are_those_of_as_many_threads_of_openmp(threads: int) -> None:
    assert same_bits(on_crew(operators)(threads), operators(threads))


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_so_are_those_of_a_thread_that_does_all_parts(threads: int, alone: None) -> None:
    got = operators(threads)
    assert regions() is Regions.ALONE
    work_alone(False)
    assert same_bits(got, operators(threads))


def test_a_thread_that_works_alone_has_no_crew(alone: None) -> None:
    assert on_crew(lambda _: regions())(None) is Regions.ALONE


def test_the_number_of_threads_stays_as_it_was_set() -> None:
    on_crew(torch.set_num_threads)(3)
    assert torch.get_num_threads() == 3
    assert on_crew(lambda _: torch.get_num_threads())(None) == 3


def test_it_is_left_after_an_error() -> None:
    def fail(_: None) -> None:
        assert regions() is Regions.CREW
        raise ValueError

    with pytest.raises(ValueError):
        on_crew(fail)(None)
    assert regions() is Regions.OPENMP


def test_calls_within_calls_leave_it_to_the_outer_one(program: CompiledProgram) -> None:
    """Calls in Python and replays."""

    def calls(count: int) -> list[Regions]:
        x = random_inputs(program.inputs, {}, 0)
        used: list[Regions] = []
        for _ in range(count):
            program(*x)
            used.append(regions())
        assert program.capture_status(*x) == "captured"
        return used

    assert on_crew(calls)(4) == [Regions.CREW] * 4
    assert regions() is Regions.OPENMP
