"""Every operator of the lowering table against ONNX Runtime or ONNX's reference."""

from collections import Counter

import classical_cases
import contrib_attention_cases
import contrib_cases
import elementwise_cases
import empty_cases
import pytest
import qlinear_cases
import quantization_cases
import recurrent_cases
import resize_cases
import shape_cases
import signal_cases
import string_cases
import svm_cases
import training_cases
import tree_cases
import type_cases
import vision_cases
import window_cases
from one_node import Array, Case, as_inputs, assert_same, check, results, with_open_shape

from ramiel.conversion.onnx_to_torch import lowered_operators
from ramiel.dialects.onnx.custom_shapes import has_rule
from ramiel.dialects.onnx.schemas import newest_opsets
from ramiel.errors import CompileError

CASES = [
    *contrib_cases.CASES,
    *contrib_attention_cases.CASES,
    *elementwise_cases.CASES,
    *empty_cases.CASES,
    *window_cases.CASES,
    *shape_cases.CASES,
    *resize_cases.CASES,
    *recurrent_cases.CASES,
    *signal_cases.CASES,
    *vision_cases.CASES,
    *quantization_cases.CASES,
    *qlinear_cases.CASES,
    *training_cases.CASES,
    *type_cases.CASES,
    *string_cases.CASES,
    *classical_cases.CASES,
    *svm_cases.CASES,
    *tree_cases.CASES,
]
CASES += [classical_cases.with_names(c) for c in CASES if classical_cases.has_classes(c)]
NEED_A_CONSTANT = {"Dropout"}
"""Operators with an input that has to be known, such as whether it is training."""


@pytest.mark.parametrize("c", CASES, ids=str)
def test_meaning(c: Case) -> None:
    """The three in one test, since each needs the results of the first."""
    ours = check(c)
    if c.constants and c.op not in NEED_A_CONSTANT:
        constants_mean_the_same_as_inputs(c, ours)
    if not c.dynamic and 0 not in c.constants:
        open_shapes_mean_the_same(c, ours)


def constants_mean_the_same_as_inputs(c: Case, ours: list[Array]) -> None:
    for one, other in zip(ours, results(as_inputs(c)), strict=True):
        assert_same(one, other)


def open_shapes_mean_the_same(c: Case, ours: list[Array]) -> None:
    try:
        dynamic = results(with_open_shape(c))
    except CompileError as error:
        assert "not known" in error.message
        return
    for one, other in zip(ours, dynamic, strict=True):
        assert_same(one, other)


ELSEWHERE = {
    "Bernoulli",
    "ConcatFromSequence",
    "If",
    "ImageDecoder",
    "Loop",
    "Multinomial",
    "Optional",
    "OptionalGetElement",
    "OptionalHasElement",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Scan",
    "SequenceAt",
    "SequenceConstruct",
    "SequenceEmpty",
    "SequenceErase",
    "SequenceInsert",
    "SequenceLength",
    "SplitToSequence",
    "ai.onnx.ml::DictVectorizer",
    "ai.onnx.ml::LabelEncoder",
    "ai.onnx.ml::ZipMap",
    "ai.onnx.preview.training::Adagrad",
    "ai.onnx.preview.training::Adam",
    "ai.onnx.preview.training::Momentum",
    "ai.onnx.preview::FlexAttention",
    "com.microsoft::DynamicQuantizeLSTM",
}
"""Operators that have tests of their own."""


def test_every_operator_has_a_case() -> None:
    assert {c.op for c in CASES} | ELSEWHERE == set(lowered_operators())


def test_every_operator_has_a_rule_of_types() -> None:
    """Those of other domains are ONNX's, or ours."""
    custom = [op.rpartition("::") for op in lowered_operators() if "::" in op]
    assert all(
        has_rule(f"{domain}::{name}") or domain in newest_opsets() for domain, _, name in custom
    )


def test_cases_are_distinct() -> None:
    assert [name for name, count in Counter(map(str, CASES)).items() if count > 1] == []
