"""What a program returns is contiguous, and its caller's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from onnx import parser
from torch import Tensor

import ramiel
from ramiel.runtime.outputs import owned

VIEWS = """
<ir_version: 10, opset_import: ["" : 21]>
views (float[2, 3, 4, 4] x) => (reshaped, same, t, part, first, second, spread, w, wt, v, x, joined)
<float[2, 3] w = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, int64[2] shape = {2, 48},
 int64[1] zero = {0}, int64[1] one = {1}, int64[3] wide = {4, 2, 3}> {
  reshaped = Reshape (x, shape)
  same = Identity (reshaped)
  t = Transpose <perm = [0, 2, 3, 1]> (x)
  part = Slice (x, zero, one)
  first, second = Split <axis = 3, num_outputs = 2> (x)
  spread = Expand (w, wide)
  wt = Transpose (w)
  v = Neg (w)
  joined = Concat <axis = 1> (x, x)
}
"""
LAST = """
<ir_version: 10, opset_import: ["" : 21]>
last (float[1, 4, 9, 9] x) => (y, z, p) {
  shape = Constant <value_ints = [8, 4, 3, 3]> ()
  k = ConstantOfShape <value = float[1] {0.1}> (shape)
  y = Conv (x, k)
  z = Relu (y)
  p = MaxPool <kernel_shape = [2, 2]> (y)
}
"""


@pytest.fixture(params=["linear", "serial", "intra-op"])
def schedule(request: pytest.FixtureRequest) -> str:
    return request.param


def calls(text: str, schedule: str) -> Iterator[Callable[..., tuple[Tensor, ...]]]:
    with ramiel.compile(parser.parse_model(text), workers=2, schedule=schedule) as program:
        yield program
        yield program.serial


def test_nothing_is_shared(schedule: str) -> None:
    """Neither with inputs nor weights, nor with other outputs or later results."""
    for call in calls(VIEWS, schedule):
        given = np.arange(96, dtype=np.float32).reshape(2, 3, 4, 4)
        x = torch.from_numpy(given.copy())
        wanted = [y.clone() for y in call(x)]
        outputs = call(x)
        x.fill_(-1)
        for i, output in enumerate(outputs):
            torch.testing.assert_close(output, wanted[i])
            output.fill_(7)
            assert all(
                torch.equal(o, w) for o, w in zip(outputs[i + 1 :], wanted[i + 1 :], strict=True)
            )
        array = given.copy()
        for output, value in zip(call(array), wanted, strict=True):
            output.add_(1)
            assert np.array_equal(array, given)
            assert torch.equal(output, value + 1)


@pytest.mark.parametrize("text", [VIEWS, LAST])
def test_they_are_contiguous(text: str, schedule: str) -> None:
    shape = (2, 3, 4, 4) if text == VIEWS else (1, 4, 9, 9)
    for x in (torch.randn(shape), torch.randn(shape).contiguous(memory_format=torch.channels_last)):
        for call in calls(text, schedule):
            assert all(y.is_contiguous() for y in call(x))


def test_what_need_not_be_copied_is_not() -> None:
    fresh, weight, given = torch.ones(3), torch.ones(3), torch.ones(2, 2)
    view, scalar = given[0], torch.tensor(2.0)
    address = fresh.data_ptr(), scalar.data_ptr()
    outputs = owned([fresh, weight, view, fresh, scalar, None, 3], [weight, [given]])
    assert (outputs[0].data_ptr(), outputs[4].data_ptr()) == address
    assert outputs[5:] == (None, 3)
    addresses = {y.data_ptr() for y in outputs[:5]}
    assert len(addresses) == 5
    assert not addresses & {weight.data_ptr(), given.data_ptr()}


def test_lists_are_taken_apart() -> None:
    a = torch.ones(2)
    values: list[Any] = [a, [a, a.view(1, 2)]]
    ((first, (second, third)),) = owned([values], [])
    assert len({t.data_ptr() for t in (first, second, third)}) == 3
