"""Training as opsets below 14 have it, for which there is no runtime to compare with."""

import numpy as np
from one_node import assert_same, case, results, scalar
from training_cases import STATISTICS, TRUE, X


def test_statistics_of_training() -> None:
    """Up to opset 13 a BatchNormalization with five results trains."""
    now = results(case("BatchNormalization", X, *STATISTICS, training_mode=1, outputs=3, opset=15))
    old = case("BatchNormalization", X, *STATISTICS, outputs=5, opset=9)
    x = old.arrays()[0]
    assert x is not None
    wanted = (*now, x.mean(axis=(0, 2)), x.var(axis=(0, 2)))
    for got, want in zip(results(old), wanted, strict=True):
        assert_same(got, want)


def test_statistics_for_each_place() -> None:
    places = [np.linspace(0.5, 1.5, 15, dtype=np.float32).reshape(3, 5) + i for i in range(4)]
    x = np.linspace(-1, 1, 60, dtype=np.float32).reshape(4, 3, 5)
    old = case("BatchNormalization", x, *places, opset=7, spatial=0)
    scale, bias, mean, var = places
    assert_same(results(old)[0], (x - mean) / np.sqrt(var + np.float32(1e-5)) * scale + bias)


def test_half_is_dropped_unless_a_ratio_is_given() -> None:
    given = results(case("Dropout", X, scalar(0.5), TRUE, seed=3))
    default = results(case("Dropout", X, None, TRUE, seed=3))
    assert_same(default[0], given[0])


def test_without_a_seed_the_drops_differ() -> None:
    one, other = (results(case("Dropout", X, None, TRUE))[0] for _ in range(2))
    assert not np.array_equal(one, other)
