"""ONNX's own node tests, for all whose operators are in the lowering table."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest
from one_node import assert_same, evaluated
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases
from onnx.backend.test.case.test_case import TestCase as NodeCase

from ramiel.backend.pytorch.lowering import lowered_operators
from ramiel.errors import CompileError

REFUSED = {
    r"training|dropout_.*_ratio": "training",
    r"FLOAT8|FLOAT4|E8M0|e8m0|INT4|INT2|_string|STRING": "PyTorch has no tensors of the type",
    r"uint(16|32|64)|bitwise_not_3d": "PyTorch does not compute with the type",
}
"""Names of cases that the table refuses with an error that says so, and why."""

EXCLUDED = {
    "test_reduce_(max|min)_empty_set": "PyTorch raises: it has no extreme of nothing",
    "test_resize_downsample_scales_(linear|cubic)_align_corners": "ONNX Runtime, and the text, "
    "take the rounded length of the result; these cases take the unrounded one",
    "test_attention_.*_bf16_expanded": "the function's rounding to bfloat16 adds up otherwise",
}
"""Names of cases whose results differ, and why."""


def _node_cases() -> list[NodeCase]:
    known = {*lowered_operators(), "Constant"}
    return [
        c
        for c in collect_testcases(None)
        if all(n.op_type in known and n.domain in ("", "ai.onnx") for n in c.model.graph.node)
        and not any(re.match(name, c.name) for name in EXCLUDED)
    ]


@pytest.mark.parametrize("c", _node_cases(), ids=lambda c: c.name)
def test_node_case(c: NodeCase) -> None:
    refused = any(re.search(name, c.name) for name in REFUSED)
    try:
        for inputs, outputs in c.data_sets:
            results = evaluated(c.model, [_array(a) for a in inputs])
            for got, want in zip(results, outputs, strict=True):
                assert_same(got, _array(want), 1e-3)
    except CompileError:
        assert refused


def _array(value: object) -> np.ndarray:
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return np.asarray(value)
