"""The preprocessing operators and linear models of the domain ai.onnx.ml."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
from xdsl.ir import Attribute, SSAValue

from ramiel.conversion.onnx_to_torch.onnx.strings import is_string
from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.attributes import Array, TensorRef, WeightAttr
from ramiel.dialects.onnx.types import (
    BY_NUMPY,
    BY_PROTO,
    MapType,
    SequenceType,
    element_of,
    shape_of,
    tensor_type,
)
from ramiel.dialects.torch.literals import Dtype

DOMAIN = "ai.onnx.ml"
FLOAT32, INT64, BOOL = BY_PROTO[1].ir, BY_PROTO[7].ir, BY_PROTO[9].ir
POST_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
"""The post-transforms, in the order in which TreeEnsemble numbers them."""
NORMS = ("MAX", "L1", "L2")


# --- shared by the operators of the domain ---


def floats_of(n: Node, name: str) -> npt.NDArray[np.float32]:
    """A list of floats, empty if it is not given."""
    return np.array(n.attribute(name) or [], np.float32)


def choice(n: Node, name: str, choices: Sequence[str], default: str = "NONE") -> str:
    """A string attribute, which must be one of `choices`."""
    value = n.text(name, default)
    if value not in choices:
        n.fail(f"attribute {name!r} is {value!r}, not one of {', '.join(choices)}")
    return value


def features(n: Node, dtype: str = "float32") -> SSAValue:
    """The input as rows [N, F] of element type `dtype`."""
    x, shape = n[0], shape_of(n[0].type)
    if shape is None or len(shape) == 1:
        type = None if shape is None else (1, shape[0])
        x = n.call("ops.rows", x, type=tensor_type(_element(x), type))
    element = next(t.ir for t in BY_PROTO.values() if t.numpy == np.dtype(dtype))
    if _element(x) == element:
        return x
    return n.call("Tensor.to", x, Dtype(dtype), type=tensor_type(element, shape_of(x.type)))


def batch(x: SSAValue) -> int | None:
    """The number of rows, if it is known."""
    shape = shape_of(x.type)
    return shape[0] if shape else None


def matrix(rows: int | None, columns: int | None, element: Attribute = FLOAT32) -> Attribute:
    return tensor_type(element, (rows, columns))


def made_weight(n: Node, name: str, array: Array) -> WeightAttr:
    """A weight for a layer, from an array that comes from attributes."""
    return WeightAttr(TensorRef.of(n.builder.unique(name), array))


def linear(n: Node, x: SSAValue, weight: Array, bias: Array) -> SSAValue:
    """x [N, F] times weight [C, F] plus bias [C]."""
    shape = shape_of(x.type)
    if shape is not None and shape[-1] not in (None, weight.shape[1]):
        n.fail(f"it has {weight.shape[1]} coefficients per score for {shape[-1]} features")
    weights = {"weight": made_weight(n, "coefficients", weight)}
    if bias.any():
        weights["bias"] = made_weight(n, "intercepts", bias)
    return n.layer("Linear", x, weights, type=matrix(batch(x), len(weight)))


def class_labels(n: Node, name: str = "classlabels_ints") -> Array:
    """The labels of the classes: integers or strings."""
    labels = words_or_numbers(n, "classlabels_strings", name)
    return n.fail(f"attribute {name!r} is missing") if labels is None else labels


def words_or_numbers(n: Node, words: str, numbers: str) -> Array | None:
    """A list given by the attribute `words`, of strings, or `numbers`, of integers; else None."""
    for name, dtype in ((words, np.object_), (numbers, np.int64)):
        given = n.attribute(name)
        if isinstance(given, list) and given:
            return np.array(given, dtype)
    return None


def labelled(n: Node, index: SSAValue, labels: Array) -> SSAValue:
    """The labels [N] of classes, looked up by their indices [N]."""
    if labels.dtype.kind != "O" and (labels == np.arange(len(labels))).all():
        return index
    table = n.tensor(labels, "labels")
    return n.call("ops.gather", table, index, 0, type=tensor_type(_element(table), (batch(index),)))


def transformed(n: Node, scores: SSAValue, post: str) -> SSAValue:
    """The scores after a post-transform."""
    single = (shape_of(scores.type) or (None,))[-1] == 1
    match post:
        case "NONE":
            return scores
        case _ if single and post != "PROBIT":
            return scores
        case "SOFTMAX":
            return n.call("F.softmax", scores, dim=1, type=scores.type)
        case "LOGISTIC":
            return n.call("torch.sigmoid", scores, type=scores.type)
        case _:
            return n.call("ops.post_transform", scores, post, type=scores.type)


def of_two(n: Node, score: SSAValue, post: str, complement: bool) -> SSAValue:
    """The scores of two classes [N, 2] from the score of the second [N, 1]."""
    if post == "PROBIT":
        n.fail("PROBIT of one score for two classes is not defined")
    return n.call("ops.two_scores", score, post, complement, type=matrix(batch(score), 2))


def _element(x: SSAValue) -> Attribute:
    element = element_of(x.type)
    assert element is not None
    return element


# --- features ---


@lowers(f"{DOMAIN}::ArrayFeatureExtractor")
def array_feature_extractor(n: Node) -> Lowered:
    return n.call("ops.take_features", n[0], n[1])


@lowers(f"{DOMAIN}::Binarizer")
def binarizer(n: Node) -> Lowered:
    above = n.call("operator.gt", n[0], n.number("threshold"), type=tensor_type(BOOL, n.shape(0)))
    return n.call("Tensor.to", above, n.dtype(n.op.operands[0].type), type=n.like(n.shape(0)))


@lowers(f"{DOMAIN}::DictVectorizer")
def dict_vectorizer(n: Node) -> Lowered:
    vocabulary = words_or_numbers(n, "string_vocabulary", "int64_vocabulary")
    if vocabulary is None:
        n.fail("it has no vocabulary")
    kind = n.op.operands[0].type
    value = kind.value if isinstance(kind, MapType) else n.fail("its input is not a map")
    element = element_of(value)
    assert element is not None
    dtype = None if is_string(value) else n.dtype(value)
    type = tensor_type(element, (1, len(vocabulary)))
    return n.call("ops.vectorize", n[0], vocabulary.tolist(), dtype, type=type)


@lowers(f"{DOMAIN}::ZipMap")
def zip_map(n: Node) -> Lowered:
    labels = class_labels(n, "classlabels_int64s")
    columns = (n.shape(0) or (None,))[-1]
    if columns not in (None, len(labels)):
        n.fail(f"it has {len(labels)} labels for {columns} scores")
    key, value = BY_NUMPY[labels.dtype].ir, tensor_type(FLOAT32, ())
    type = SequenceType(MapType(key, value))
    return n.call("ops.zip_map", n[0], labels.tolist(), type=type)


@lowers(f"{DOMAIN}::FeatureVectorizer")
def feature_vectorizer(n: Node) -> Lowered:
    sizes = n.integer_list("inputdimensions")
    if not sizes or len(sizes) != len(n) or min(sizes) < 0:
        n.fail(f"inputdimensions must be {len(n)} numbers of columns")
    shape = n.shape(0) or (None,)
    rows = 1 if len(shape) == 1 and shape[0] is not None else shape[0]
    return n.call("ops.join_features", n.inputs(), sizes, type=matrix(rows, sum(sizes)))


@lowers(f"{DOMAIN}::Imputer")
def imputer(n: Node) -> Lowered:
    kind, missing = ("float", n.number) if n.is_float() else ("int64", n.integer)
    values = n.attribute(f"imputed_value_{kind}s")
    if not isinstance(values, list) or not values:
        n.fail(f"attribute 'imputed_value_{kind}s' is missing")
    _for_each_feature(n, len(cast("list[object]", values)))
    dtype = str(n.dtype(n.op.operands[0].type))
    imputed = n.tensor(np.array(values, dtype), "imputed")
    replaced = missing(f"replaced_value_{kind}")
    return n.call("ops.impute", n[0], replaced, imputed, type=n.like(n.shape(0)))


def _for_each_feature(n: Node, count: int) -> None:
    """Refuses a list unless it has one number for all features, or one for each."""
    shape = n.shape(0)
    if count == 1 or shape is None or len(shape) == 0:
        return
    if len(shape) > 2 or shape[-1] not in (None, count):
        n.fail(f"{count} numbers do not fit an input of shape {list(shape)}")


@lowers(f"{DOMAIN}::Normalizer")
def normalizer(n: Node) -> Lowered:
    norm = choice(n, "norm", NORMS, "MAX")
    return n.call("ops.normalize", _float(n), norm, type=tensor_type(FLOAT32, n.shape(0)))


@lowers(f"{DOMAIN}::OneHotEncoder")
def one_hot_encoder(n: Node) -> Lowered:
    categories = words_or_numbers(n, "cats_strings", "cats_int64s")
    if categories is None or (categories.dtype.kind == "O") != is_string(n[0].type):
        n.fail("it has no categories of its input's type")
    known = n.tensor(categories, "categories")
    shape = n.shape(0)
    type = tensor_type(FLOAT32, None if shape is None else (*shape, len(categories)))
    return n.call("ops.encode", n[0], known, bool(n.integer("zeros")), type=type)


@lowers(f"{DOMAIN}::Scaler")
def scaler(n: Node) -> Lowered:
    type, value = tensor_type(FLOAT32, n.shape(0)), _float(n)
    for name, callee, neutral in (("offset", "operator.sub", 0), ("scale", "operator.mul", 1)):
        numbers = floats_of(n, name)
        if (numbers == neutral).all():
            continue
        _for_each_feature(n, numbers.size)
        first = numbers[:1]
        other = float(str(first[0])) if (numbers == first).all() else n.tensor(numbers, name)
        value = n.call(callee, value, other, type=type)
    return value if value is not n[0] else n.call("Tensor.to", value, Dtype("float32"), type=type)


def _float(n: Node) -> SSAValue:
    """The input as float32, of any rank."""
    if _element(n[0]) == FLOAT32:
        return n[0]
    return n.call("Tensor.to", n[0], Dtype("float32"), type=tensor_type(FLOAT32, n.shape(0)))


# --- linear models ---


@lowers(f"{DOMAIN}::LinearRegressor")
def linear_regressor(n: Node) -> Lowered:
    targets = n.integer("targets")
    weight, bias = _coefficients(n, targets), floats_of(n, "intercepts")
    if bias.size not in (0, targets):
        n.fail(f"it has {bias.size} intercepts for {targets} targets")
    scores = linear(n, features(n), weight, bias)
    return transformed(n, scores, choice(n, "post_transform", POST_TRANSFORMS))


@lowers(f"{DOMAIN}::LinearClassifier")
def linear_classifier(n: Node) -> Lowered:
    post, labels = choice(n, "post_transform", POST_TRANSFORMS), class_labels(n)
    bias = floats_of(n, "intercepts")
    count = bias.size or len(labels)
    two_of_one = count == 1 and len(labels) == 2
    if count != len(labels) and not two_of_one:
        n.fail(f"it has {count} intercepts for {len(labels)} labels")
    scores = linear(n, features(n), _coefficients(n, count), bias)
    type = tensor_type(INT64, (batch(scores),))
    if count == 1:
        index = n.call("ops.positive", scores, type=type)
        if not two_of_one:
            return index, transformed(n, scores, post)
        return labelled(n, index, labels), of_two(n, scores, post, complement=True)
    index = n.call("torch.argmax", scores, dim=1, type=type)
    return labelled(n, index, labels), transformed(n, scores, post)


def _coefficients(n: Node, count: int) -> Array:
    """The coefficients [C, F] of C = `count` scores."""
    numbers = floats_of(n, "coefficients")
    if count < 1 or not numbers.size or numbers.size % count:
        n.fail(f"{numbers.size} coefficients cannot be divided among {count} scores")
    return numbers.reshape(count, -1)
