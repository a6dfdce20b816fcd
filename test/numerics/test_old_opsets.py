"""The forms that operators had in old opsets, against the newer ones in ONNX Runtime."""

import pytest
from old_opset_cases import PAIRS, X
from one_node import Case, assert_same, case, expected, f32, model_of, results, scalar

from ramiel.errors import CompileError


@pytest.mark.parametrize(("old", "new"), PAIRS, ids=[str(old) for old, _ in PAIRS])
def test_old_form_means_the_new_one(old: Case, new: Case) -> None:
    arrays = new.arrays()
    feed = {f"i{i}": a for i, a in enumerate(arrays) if a is not None and i not in new.constants}
    for got, want in zip(results(old), expected(new, model_of(new, arrays), feed), strict=True):
        assert_same(got, want)


@pytest.mark.parametrize(
    ("c", "reason"),
    [
        (case("Cast", X, opset=1, to="FLOAT33"), "FLOAT33"),
        (case("Reshape", X, opset=1), "shape is not given"),
        (case("Add", f32(2, 3), f32(2, 3), opset=6, axis=1, broadcast=1), "no room"),
        (case("Tile", X, scalar(2), scalar(1), opset=1), "must be constant"),
        (case("Tile", X, scalar(2), scalar(7), opset=1, const=(1, 2)), "no axis 7"),
        (case("Upsample", X, opset=1, height_scale=2.0, width_scale=2.0, mode="area"), "area"),
    ],
    ids=str,
)
def test_refuses(c: Case, reason: str) -> None:
    with pytest.raises(CompileError, match=reason):
        results(c)
