"""Types that are inferred once for all operations that are alike."""

from __future__ import annotations

import numpy as np
from onnx import helper, numpy_helper

from ramiel.dialects.onnx.types import shape_of
from ramiel.frontend.importer import import_model


def test_weights_of_one_name_in_two_models() -> None:
    for first in (2, 3):
        shape = numpy_helper.from_array(np.array([first, *[1] * 20], np.int64), "shape")
        graph = helper.make_graph(
            [helper.make_node("Reshape", ["x", "shape"], ["y"])],
            "g",
            [helper.make_tensor_value_info("x", 1, [first])],
            [helper.make_tensor_value_info("y", 1, None)],
            [shape],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        (function,) = import_model(model).ops
        (reshape,) = (op for op in function.walk() if op.name == "onnx.Reshape")
        assert shape_of(reshape.results[0].type) == (first, *[1] * 20)
