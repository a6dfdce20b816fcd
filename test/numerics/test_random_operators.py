"""Operators that draw random numbers: types, shapes, seeds and distributions."""

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from ramiel import compile, onnx_backend
from ramiel.errors import CompileError

Array = np.ndarray[Any, Any]


def run(op: str, *inputs: Array, **attributes: Any) -> Array:
    names = [f"i{i}" for i in range(len(inputs))]
    node = helper.make_node(op, names, ["y"], **attributes)
    return onnx_backend.run_node(node, inputs, opset_version=22)[0]


PARAMETERS = {
    "RandomUniform": {"low": -2.0, "high": 6.0},
    "RandomNormal": {"mean": 2.0, "scale": 2.3},
}


@pytest.mark.parametrize("op", PARAMETERS)
@pytest.mark.parametrize("like", [False, True])
def test_distribution(op: str, like: bool) -> None:
    """Both have a mean of 2 and a standard deviation of about 2.3."""
    given = {"seed": 3.0, **PARAMETERS[op]}
    y = (
        run(f"{op}Like", np.zeros((50, 100), np.float64), **given)
        if like
        else run(op, shape=[50, 100], dtype=TensorProto.DOUBLE, **given)
    )
    assert y.dtype == np.float64 and y.shape == (50, 100)
    assert abs(y.mean() - 2) < 0.2 and abs(y.std() - 2.3) < 0.1
    if op == "RandomUniform":
        assert y.min() >= -2 and y.max() < 6


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.FLOAT])
def test_types(dtype: int) -> None:
    for op in PARAMETERS:
        y = run(f"{op}Like", np.zeros((2, 3), np.float32), dtype=dtype)
        assert y.dtype == helper.tensor_dtype_to_np_dtype(dtype) and y.shape == (2, 3)


def test_a_seed_fixes_the_numbers() -> None:
    one, same, other, free = (
        run("RandomNormal", shape=[20], **seed)
        for seed in ({"seed": 1.0}, {"seed": 1.0}, {"seed": 2.0}, {})
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any() and (one != free).any()


def test_numbers_are_drawn_anew_and_not_merged() -> None:
    nodes = [helper.make_node("RandomNormal", [], [f"y{i}"], shape=[20]) for i in range(2)]
    outputs = [helper.make_tensor_value_info(f"y{i}", 1, [20]) for i in range(2)]
    model = helper.make_model(helper.make_graph(nodes, "random", [], outputs))
    with compile(model) as program:
        draws = [np.asarray(y) for _ in range(2) for y in program()]
    assert len({d.tobytes() for d in draws}) == 4


def test_bernoulli_draws_ones_with_the_given_probability() -> None:
    x = np.full((100, 100), 0.2, np.float32)
    y = run("Bernoulli", x, seed=5.0, dtype=TensorProto.INT64)
    assert y.dtype == np.int64 and set(np.unique(y)) == {0, 1}
    assert abs(y.mean() - 0.2) < 0.02


def test_multinomial_draws_by_logarithmic_probabilities() -> None:
    x = np.log(np.array([[1, 2, 1], [4, 0, 4]], np.float32) + 1e-30)
    y = run("Multinomial", x, sample_size=10000, seed=1.0)
    assert y.dtype == np.int32 and y.shape == (2, 10000)
    shares = np.stack([np.bincount(row, minlength=3) / 10000 for row in y])
    np.testing.assert_allclose(shares, [[0.25, 0.5, 0.25], [0.5, 0, 0.5]], atol=0.03)


@pytest.mark.parametrize(
    ("op", "attributes", "reason"),
    [
        ("RandomNormal", {"shape": [2], "seed": 1e30}, "too large"),
        ("RandomNormal", {"shape": [-1]}, "Negative values"),
        ("RandomUniform", {"shape": [2], "dtype": 99}, "valid type"),
    ],
)
def test_refused(op: str, attributes: dict[str, Any], reason: str) -> None:
    with pytest.raises(CompileError, match=reason):
        run(op, **attributes)
