"""Every operator of the lowering table against ONNX Runtime or ONNX's reference."""

from collections import Counter

import classical_cases
import elementwise_cases
import pytest
import resize_cases
import shape_cases
import svm_cases
import tree_cases
import window_cases
from one_node import Case, as_inputs, assert_same, check, results, with_open_shape

from ramiel.backend.pytorch.lowering import lowered_operators
from ramiel.errors import CompileError

CASES = [
    *elementwise_cases.CASES,
    *window_cases.CASES,
    *shape_cases.CASES,
    *resize_cases.CASES,
    *classical_cases.CASES,
    *svm_cases.CASES,
    *tree_cases.CASES,
]
NEED_A_CONSTANT = {"Dropout"}
"""Operators with an input that has to be known, such as whether it is training."""


@pytest.mark.parametrize("c", CASES, ids=str)
def test_meaning(c: Case) -> None:
    check(c)


@pytest.mark.parametrize(
    "c", [c for c in CASES if c.constants and c.op not in NEED_A_CONSTANT], ids=str
)
def test_constants_mean_the_same_as_inputs(c: Case) -> None:
    for one, other in zip(results(c), results(as_inputs(c)), strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("c", [c for c in CASES if not c.dynamic and 0 not in c.constants], ids=str)
def test_open_shapes_mean_the_same(c: Case) -> None:
    try:
        dynamic = results(with_open_shape(c))
    except CompileError as error:
        assert "--shape" in error.message or "not known" in error.message
        return
    for one, other in zip(results(c), dynamic, strict=True):
        assert_same(one, other)


ELSEWHERE = {"If", "Loop", "Scan"}
"""Operators that have tests of their own."""


def test_every_operator_has_a_case() -> None:
    assert {c.op for c in CASES} | ELSEWHERE == set(lowered_operators())


def test_cases_are_distinct() -> None:
    assert [name for name, count in Counter(map(str, CASES)).items() if count > 1] == []
