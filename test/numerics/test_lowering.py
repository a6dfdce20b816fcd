"""Every operator of the lowering table against ONNX Runtime or ONNX's reference."""

import elementwise_cases
import pytest
import window_cases
from one_node import Case, check

CASES = [*elementwise_cases.CASES, *window_cases.CASES]


@pytest.mark.parametrize("c", CASES, ids=str)
def test_meaning(c: Case) -> None:
    check(c)
