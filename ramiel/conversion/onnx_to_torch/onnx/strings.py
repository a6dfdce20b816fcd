"""Operators on strings, and encoders that look strings or numbers up in tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

import numpy as np
from xdsl.ir import Attribute

from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.attributes import Array
from ramiel.dialects.onnx.types import BY_NUMPY, StringType, element_of, shape_of, tensor_type
from ramiel.dialects.torch.literals import DTYPES, Dtype


def is_string(type: Attribute) -> bool:
    return element_of(type) == StringType()


def cast_of_strings(n: Node, type: Attribute) -> Lowered:
    """A Cast from or to strings."""
    if not is_string(type):
        return n.call("ops.parse_numbers", n[0], n.dtype(type))
    return n[0] if is_string(n.op.operands[0].type) else n.call("ops.format_numbers", n[0])


@lowers("StringConcat", 20)
def string_concat(n: Node) -> Lowered:
    return n.call("ops.string_concat", n[0], n[1])


@lowers("StringSplit", 20)
def string_split(n: Node) -> Lowered:
    delimiter, most = n.text("delimiter"), n.attribute("maxsplit")
    if most is not None:
        return n.calls("ops.string_split", n[0], delimiter, most)
    return n.calls("ops.string_split", n[0], *([delimiter] if delimiter else []))


@lowers("StringNormalizer", 10)
def string_normalizer(n: Node) -> Lowered:
    case = n.text("case_change_action", "NONE")
    if case not in ("LOWER", "UPPER", "NONE"):
        n.fail(f"case_change_action is {case!r}: it must be LOWER, UPPER or NONE")
    stopwords, sensitive = _list(n, "stopwords") or [], bool(n.integer("is_case_sensitive", 0))
    return n.call("ops.string_normalize", n[0], case, stopwords, sensitive)


@lowers("RegexFullMatch", 20)
def regex_full_match(n: Node) -> Lowered:
    return n.call("ops.regex_full_match", n[0], _pattern(n, n.text("pattern")))


def _pattern(n: Node, pattern: str) -> str:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        n.fail(f"the pattern {pattern!r} is not valid in Python's re: {error}")
    return pattern


@lowers("com.microsoft::Tokenizer")
def tokenizer(n: Node) -> Lowered:
    separators, pattern = _list(n, "separators"), n.text("tokenexp")
    shortest = n.integer("mincharnum")
    if shortest < 1 or (separators == [""] and shortest > 1):
        n.fail(f"mincharnum is {shortest}")
    options: dict[str, object] = {"mark": True} if n.integer("mark") else {}
    if separators:
        options["separators"] = [_pattern(n, str(separator)) for separator in separators]
    elif pattern:
        options["pattern"] = _pattern(n, pattern)
    else:
        n.fail("it has neither separators nor a token expression")
    return n.call("ops.tokenize", n[0], shortest, n.text("pad_value"), **options)


@lowers("TfIdfVectorizer", 9)
def tf_idf_vectorizer(n: Node) -> Lowered:
    pool = _list(n, "pool_int64s") or _list(n, "pool_strings")
    counts, indexes = n.integer_list("ngram_counts"), n.integer_list("ngram_indexes")
    mode, shortest, longest = (
        n.text("mode"),
        n.integer("min_gram_length"),
        n.integer("max_gram_length"),
    )
    if not pool or not counts or not indexes:
        n.fail("it has no n-grams")
    if mode not in ("TF", "IDF", "TFIDF"):
        n.fail(f"mode is {mode!r}: it must be TF, IDF or TFIDF")
    if not 1 <= shortest <= longest or n.integer("max_skip_count") < 0:
        n.fail(f"n-grams of {shortest} to {longest} words, {n.integer('max_skip_count')} skipped")
    ends = [*counts[1:], len(pool)]
    sizes = [end - start for start, end in zip(counts, ends, strict=True)]
    if counts[0] or any(size < 0 or size % i for i, size in enumerate(sizes, 1)):
        n.fail(f"ngram_counts {counts} do not divide a pool of {len(pool)} into n-grams")
    grams = sum(size // i for i, size in enumerate(sizes, 1))
    scales = _list(n, "weights")
    if min(indexes) < 0 or any(len(v) != grams for v in (indexes, scales) if v is not None):
        n.fail(f"ngram_indexes and weights must be of {grams} n-grams each, none negative")
    return n.layer(
        "TfIdfVectorizer",
        n[0],
        {},
        mode=mode,
        min_gram=shortest,
        max_gram=longest,
        max_skip=n.integer("max_skip_count"),
        counts=counts,
        indexes=indexes,
        pool=pool,
        **({} if scales is None else {"scales": scales}),
    )


_KINDS = {"strings": np.object_, "int64s": np.int64, "floats": np.float32}
_DEFAULTS = {"strings": "_Unused", "int64s": -1, "floats": -0.0}


@lowers("ai.onnx.ml::LabelEncoder")
def label_encoder(n: Node) -> Lowered:
    classes = _list(n, "classes_strings")
    if classes is not None:  # as of version 1, in both directions
        words, numbers = ("strings", classes), ("int64s", list(range(len(classes))))
        of_words = is_string(n.op.operands[0].type)
        (_, keys), (kind, values) = (words, numbers) if of_words else (numbers, words)
        default = n.attribute("default_int64" if of_words else "default_string", _DEFAULTS[kind])
        return _encoder(n, keys, values, default, np.dtype(_KINDS[kind]))
    keys, _ = _table(n, "keys")
    values, dtype = _table(n, "values")
    if len(keys) != len(values):
        n.fail(f"it has {len(keys)} keys and {len(values)} values")
    kind = next((k for k, kept in _KINDS.items() if dtype == kept), "int64s")
    default = n.attribute("default_tensor")
    if isinstance(default, np.ndarray):
        default = (
            _python(cast(Array, default))[0]
            if default.size == 1
            else n.fail("default_tensor is not one value")
        )
    else:
        default = n.attribute(f"default_{kind.removesuffix('s')}", _DEFAULTS[kind])
    return _encoder(n, keys, values, default, dtype)


@lowers("ai.onnx.ml::CategoryMapper")
def category_mapper(n: Node) -> Lowered:
    words, numbers = _list(n, "cats_strings") or [], _list(n, "cats_int64s") or []
    if len(words) != len(numbers):
        n.fail(f"it has {len(words)} strings and {len(numbers)} integers")
    if is_string(n.op.operands[0].type):
        return _encoder(n, words, numbers, n.integer("default_int64"), np.dtype(np.int64))
    return _encoder(n, numbers, words, n.text("default_string"), np.dtype(np.object_))


def _encoder(
    n: Node, keys: Sequence[object], values: Sequence[object], default: object, dtype: np.dtype
) -> Lowered:
    row = BY_NUMPY.get(dtype)
    options: dict[str, object] = {}
    if row is None or (dtype.kind != "O" and dtype.name not in DTYPES):
        n.fail(f"PyTorch has no values of type {dtype}")
    if dtype.kind != "O":
        options["dtype"] = Dtype(dtype.name)
    type = tensor_type(row.ir, shape_of(n.op.operands[0].type))
    return n.layer(
        "LabelEncoder", n[0], {}, type, keys=keys, values=values, default=default, **options
    )


def _table(n: Node, name: str) -> tuple[list[object], np.dtype]:
    """The keys or values, given as a tensor or as a list, and their type."""
    array = n.attribute(f"{name}_tensor")
    if isinstance(array, np.ndarray):
        return _python(cast(Array, array)), array.dtype
    for kind, dtype in _KINDS.items():
        if (found := _list(n, f"{name}_{kind}")) is not None:
            return found, np.dtype(dtype)
    n.fail(f"it has no {name}")


def _python(array: Array) -> list[object]:
    return [v.decode() if isinstance(v, bytes) else v for v in array.reshape(-1).tolist()]


def _list(n: Node, name: str) -> list[object] | None:
    value = n.attribute(name)
    return list(cast("Sequence[object]", value)) if isinstance(value, list | tuple) else None
