"""Operators that run in Python on threads of our own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ramiel.api import CompiledProgram
from ramiel.runtime.measure import random_inputs, same_bits
from ramiel.runtime.replay.native import native, on_crew

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.usefixtures("restored_threads"),
    pytest.mark.skipif(native() is None, reason="needs the native part"),
]


def has_crew() -> bool:
    lib = native()
    assert lib is not None
    return lib.has_crew()


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


def test_the_number_of_threads_stays_as_it_was_set() -> None:
    on_crew(torch.set_num_threads)(3)
    assert torch.get_num_threads() == 3
    assert on_crew(lambda _: torch.get_num_threads())(None) == 3


def test_it_is_left_after_an_error() -> None:
    def fail(_: None) -> None:
        assert has_crew()
        raise ValueError

    with pytest.raises(ValueError):
        on_crew(fail)(None)
    assert not has_crew()


def test_calls_within_calls_leave_it_to_the_outer_one(program: CompiledProgram) -> None:
    """Calls in Python and replays."""

    def calls(count: int) -> list[bool]:
        x = random_inputs(program.inputs, {}, 0)
        used: list[bool] = []
        for _ in range(count):
            program(*x)
            used.append(has_crew())
        assert program.capture_status(*x) == "captured"
        return used

    assert on_crew(calls)(4) == [True] * 4
    assert not has_crew()
