"""Permuting the dimensions of weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramiel.dialects.onnx.permuted import permuted


@given(rows=st.integers(0, 200), columns=st.integers(0, 200), by_columns=st.booleans())
def test_matrices(rows: int, columns: int, by_columns: bool) -> None:
    matrix = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    result = permuted(np.asfortranarray(matrix) if by_columns else matrix, (1, 0))
    np.testing.assert_array_equal(result, matrix.T)
    assert result.flags.c_contiguous


@pytest.mark.parametrize("order", [(0,), (0, 1), (2, 0, 1), (1, 0, 3, 2)])
def test_other_orders(order: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).standard_normal(range(2, 2 + len(order)))
    np.testing.assert_array_equal(permuted(array, order), array.transpose(order))
