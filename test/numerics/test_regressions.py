"""Models that were compiled wrongly once."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from control_flow_models import X, model
from onnx import helper
from onnx.reference import ReferenceEvaluator

import ramiel


def test_a_loop_that_does_nothing() -> None:
    source = model(
        """
        idle (int64 n, float[3] x) => (float[3] y) {
          y = Loop (n, "", x) <
            body = b (int64 i, bool k, float[3] a) => (bool k2, float[3] c) {
              k2 = Identity (k)
              c = Identity (a)
            }
          >
        }
        """
    )
    with ramiel.compile(source) as program:
        assert program(3, X).tolist() == X.tolist()


def test_what_a_loop_yields_has_a_type() -> None:
    """Its element type was unknown where the body did not declare a shape."""
    source = model(
        """
        power (float[3] x) => (float[N] y) {
          two = Constant <value_int = 2> ()
          s = Loop (two, "", x) <
            body = b (int64 i, bool k, float[3] a) => (bool k2, float[3] c) {
              k2 = Identity (k)
              c = Neg (a)
            }
          >
          square = Constant <value_float = 2.0> ()
          y = Pow (s, square)
        }
        """
    )
    body = next(n for n in source.graph.node if n.op_type == "Loop").attribute[0].g
    body.output[1].type.tensor_type.ClearField("shape")
    with ramiel.compile(source) as program:
        assert program(X).tolist() == (X * X).tolist()


def test_a_function_reads_an_attribute_that_is_not_given() -> None:
    source = model("window (int64 size) => (float[n] y) { y = HammingWindow (size) }")
    (want,) = ReferenceEvaluator(source).run(None, {"size": np.array(6)})
    with ramiel.compile(source) as program:
        np.testing.assert_allclose(program(6).numpy(), np.asarray(want), atol=1e-6)


def test_a_split_into_one_part() -> None:
    """torch.split() makes a tuple of it, which is no tensor."""
    source = model(
        """
        whole (float[3] x) => (float[3] y) {
          part = Split (x)
          y = Neg (part)
        }
        """
    )
    with ramiel.compile(source) as program:
        assert program(X).tolist() == (-X).tolist()


def test_no_window_begins_behind_the_input() -> None:
    """The rules of shapes of opset 11 count one more, of which the product would be none."""
    source = model(
        """
        windows (float[1, 1, 4, 4] x) => (y)
          <float[2, 3] w = {1, 2, 3, 4, 5, 6}>
        {
          pooled = AveragePool <ceil_mode = 1, kernel_shape = [3, 1], strides = [1, 2]> (x)
          y = MatMul (pooled, w)
        }
        """,
        opset=11,
    )
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    pooled = np.stack([x[..., i : i + 3, ::2].mean(axis=2) for i in (0, 1)], axis=2)
    with ramiel.compile(source) as program:
        np.testing.assert_allclose(program(x).numpy(), pooled @ [[1, 2, 3], [4, 5, 6]])


def test_parts_of_lengths_that_are_inputs_have_a_rank() -> None:
    source = model(
        """
        parts (float[3, 2] x, int64[2] lengths) => (float[a, b] y) {
          first, second = Split <axis = 0> (x, lengths)
          y = Transpose (second)
        }
        """
    )
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    with ramiel.compile(source) as program:
        assert program(x, np.array([1, 2])).tolist() == x[1:].T.tolist()


@pytest.mark.parametrize("flat", [False, True])
def test_a_rank_that_a_branch_decides(flat: bool) -> None:
    source = model(
        """
        ranks (float[3, 2] x, bool flat) => (y) {
          either = If (flat) <
            then_branch = then () => (float[n] a) { a = Reshape (x, minus) },
            else_branch = other () => (float[n, m] b) { b = Identity (x) }
          >
          y = Transpose (either)
        }
        """
    )
    source.graph.initializer.append(helper.make_tensor("minus", onnx.TensorProto.INT64, [1], [-1]))
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    with ramiel.compile(source) as program:
        assert program(x, np.array(flat)).tolist() == (x.reshape(-1) if flat else x.T).tolist()


@pytest.mark.parametrize(("op", "extreme"), [("ReduceMax", False), ("ReduceMin", True)])
def test_the_extreme_of_no_booleans(op: str, extreme: bool) -> None:
    """The least value of the type, and the largest, by the standard's text; ONNX's reference has
    them the wrong way round."""
    source = model(
        f"""
        extreme (bool[n, 2] x) => (bool[2] y) {{
          axes = Constant <value_ints = [0]> ()
          y = {op} <keepdims = 0> (x, axes)
        }}
        """,
        opset=20,
    )
    with ramiel.compile(source) as program:
        assert program(np.zeros((0, 2), np.bool_)).tolist() == [extreme, extreme]


@pytest.mark.parametrize("size", [0, 1, 3, 5, 8])
def test_parts_of_an_open_dimension(size: int) -> None:
    source = model(
        """
        parts (float[n, 2] x) => (float[a, 2] p, float[b, 2] q, float[c, 2] r) {
          p, q, r = Split <axis = 0, num_outputs = 3> (x)
        }
        """,
        opset=18,
    )
    x = np.arange(2 * size, dtype=np.float32).reshape(size, 2)
    part = -(-size // 3)
    want = [x[i * part : (i + 1) * part].tolist() for i in range(3)]
    with ramiel.compile(source) as program:
        assert [np.asarray(part).reshape(-1, 2).tolist() for part in program(x)] == want


@pytest.mark.parametrize(("value", "pads"), [(0, 1), (1, 1), (-np.inf, 1), (0, 3), (-np.inf, -1)])
@pytest.mark.parametrize("pool", ["MaxPool", "MaxPool <ceil_mode = 1", "AveragePool", "LpPool"])
def test_pools_of_padded_values(value: float, pads: int, pool: str) -> None:
    """ONNX Runtime has the least finite number where a window sees minus infinity and padding."""
    options = "kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>"
    name, _, given = pool.partition(" <")
    source = model(
        f"""
        pool (float[1, 2, 8, 9] x) => (float[1, 2, h, w] y) {{
          sides = Constant <value_ints = [0, 0, {pads}, {pads}, 0, 0, {pads}, {pads}]> ()
          fill = Constant <value = float {{{value}}}> ()
          wide = Pad (x, sides, fill)
          y = {name} <{f"{given}, " if given else ""}{options} (wide)
        }}
        """
    )
    x = np.random.default_rng(0).normal(size=(1, 2, 8, 9)).astype(np.float32)
    cropped = x[..., 1:-1, 1:-1] if pads < 0 else x
    side = max(pads, 0)
    wide = np.pad(cropped, [(0, 0), (0, 0), (side, side), (side, side)], constant_values=value)
    whole = model(
        f"""
        pool (float[1, 2, {wide.shape[2]}, {wide.shape[3]}] x) => (float[1, 2, h, w] y) {{
          y = {name} <{f"{given}, " if given else ""}{options} (x)
        }}
        """
    )
    (want,) = ReferenceEvaluator(whole).run(None, {"x": wide})
    for provider in ("auto", "torch"):
        with ramiel.compile(source, provider=provider) as program:
            np.testing.assert_allclose(
                np.asarray(program(x)), np.asarray(want), rtol=1e-5, atol=1e-5
            )


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
def test_paddings_after_a_transposed_convolution(auto_pad: str) -> None:
    """ONNX's rule adds output_padding to a shape that does not have it, and paddings that follow
    from the shape would be those of another."""
    source = model(
        f"""
        same (float[1, 1, 6] x) => (float[1, 1, n] y, float[1, 1, m] z) {{
          shape = Constant <value_ints = [1, 1, 2]> ()
          w = ConstantOfShape <value = float[1] {{0.5}}> (shape)
          y = ConvTranspose <auto_pad = "{auto_pad}", strides = [2], output_padding = [1]> (x, w)
          z = AveragePool <auto_pad = "{auto_pad}", kernel_shape = [3], strides = [3]> (y)
        }}
        """
    )
    x = np.arange(6, dtype=np.float32).reshape(1, 1, 6)
    want = [np.asarray(a) for a in ReferenceEvaluator(source).run(None, {"x": x})]
    assert want[0].shape == (1, 1, 12)
    with ramiel.compile(source) as program:
        for got, wanted in zip(program(x), want, strict=True):
            np.testing.assert_allclose(np.asarray(got), wanted, rtol=1e-6)


def test_a_batch_norm_with_an_infinite_scale_is_not_folded() -> None:
    """Infinite weights would make NaN of sums of both signs."""
    source = model(
        """
        infinite (float[1, 2, 1, 1] x) => (float[1, 1, 1, 1] y)
        <float[1, 2, 1, 1] w = {1.0, -2.0}, float[1] scale = {inf}, float[1] shift = {1.0},
         float[1] mean = {-1.0}, float[1] variance = {1.0}> {
          c = Conv (x, w)
          y = BatchNormalization (c, scale, shift, mean, variance)
        }
        """
    )
    x = np.array([3.0, 1.0], np.float32).reshape(1, 2, 1, 1)
    with ramiel.compile(source) as program:
        assert np.asarray(program(x)).item() == np.inf
