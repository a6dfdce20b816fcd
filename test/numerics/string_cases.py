"""Single nodes on tensors of strings."""

from __future__ import annotations

from typing import Any

import numpy as np
from one_node import Case, case, each, i64, scalar


def text(*values: str) -> np.ndarray[Any, Any]:
    return np.array(values, object)


NAMES = text("ann", "bob", "", "ann")
TABLE = np.array([["a", "b", "c"], ["d", "e", "a"]], object)
NUMBERS = np.array([0.1, 1e-8, 3, -0.0, 1e20, np.nan, np.inf, -np.inf], np.float32)
LINES = text("a,b,,c", "", "x", ",")
WORDS = text("mon", "MON", "Tue", "wed")
ROWS = np.array([[1, 2, 3, 1, 2], [3, 2, 1, 5, 5]], np.int64)
DEFAULTS: dict[str, Any] = {
    "mode": "TF",
    "min_gram_length": 1,
    "max_gram_length": 2,
    "max_skip_count": 1,
    "ngram_counts": [0, 3],
    "ngram_indexes": [4, 1, 0, 2, 1],
}


def tf_idf(x: np.ndarray[Any, Any], **attributes: Any) -> Case:
    if "pool_strings" not in attributes:
        attributes["pool_int64s"] = [1, 2, 3, 1, 2, 3, 1]
    given: dict[str, Any] = {**DEFAULTS, **attributes}
    return case("TfIdfVectorizer", x, **given)


TEXTS = text("hello world foo", "a bb ccc", "", "\u00e9\u00e0 \u00fc")
_TOKENIZER = "com.microsoft::Tokenizer"
TOKENS = [
    *(
        case(_TOKENIZER, TEXTS, mark=m, mincharnum=n, pad_value="#", opset=17, **how)
        for m in (0, 1)
        for n in (1, 3)
        for how in each({"tokenexp": "[a-z]+"}, {"separators": [" "]})
    ),
    *(
        case(_TOKENIZER, TEXTS, mark=m, mincharnum=1, pad_value="", opset=17, **how)
        for m in (0, 1)
        for how in each(
            {"separators": [""]},
            {"separators": ["o", " "]},
            {"separators": ["(l)+", "."]},
            {"tokenexp": "(l+)o"},
            {"tokenexp": "x*"},
        )
    ),
    case(_TOKENIZER, TABLE, mark=0, mincharnum=1, pad_value="", opset=17, separators=["b"]),
    case(_TOKENIZER, text("", ""), mark=1, mincharnum=1, pad_value="", opset=17, tokenexp="a"),
]

NO_WEIGHTS_OR_SOME: list[dict[str, Any]] = [{}, {"weights": [10.0, 20.0, 30.0, 40.0, 50.0]}]

CASES = [
    # what moves elements is the same for strings and numbers
    case("Identity", TABLE),
    case("Reshape", TABLE, i64(3, 2), const=[1]),
    case("Transpose", TABLE, perm=[1, 0]),
    case("Concat", TABLE, text("x", "a", "y").reshape(1, 3), axis=0),
    case("Gather", TABLE, i64(2, 0), axis=1),
    # ONNX Runtime leaves strings out where a slice has several
    case("Gather", TABLE, i64(1, 0, 1), const=[0], opset=13, reference=True),
    case("Gather", TABLE, scalar(1, "int64"), const=[1], reference=True),
    case("GatherElements", TABLE, i64(1, 0, 1).reshape(1, 3), axis=0),
    case("GatherND", TABLE, i64(1, 2).reshape(1, 2)),
    case("Where", np.array([True, False, True]), TABLE, text("x")),
    case("Slice", TABLE, i64(2), i64(-4), i64(1), i64(-1)),
    case("Split", TABLE, i64(1, 2), const=[1], axis=1, outputs=2),
    case("Expand", text("a", "b"), i64(2, 2), const=[1]),
    case("Tile", text("a", "b"), i64(2), const=[1]),
    case("Squeeze", TABLE.reshape(1, 2, 3), i64(0), const=[1]),
    case("ScatterElements", TABLE, i64(1).reshape(1, 1), text("z").reshape(1, 1), reference=True),
    case("Shape", TABLE),
    case("Equal", TABLE, text("a", "e", "c"), opset=19),
    case("Equal", TABLE, text("a"), const=[1], opset=19),
    case("OneHot", i64(0, 2), scalar(3, "int64"), text("off", "on")),
    case("Cast", NUMBERS, to=8),
    case("Cast", NUMBERS.astype(np.float64), to=8),
    case("Cast", i64(-3, 0, 12), to=8, opset=9),
    case("Cast", np.array([True, False]), to=8),
    case("Cast", text("1.5", "-INF", "NaN", "1e3"), to=1),
    case("Cast", text("1.5", "+INF"), to=11, opset=13),
    case("Cast", text("15", "-3"), to=7),
    case("Cast", text("15", "0"), to=9),
    case("StringConcat", TABLE, text("x", "", "y")),
    case("StringConcat", np.array("x", object), NAMES),
    *TOKENS,
    case("StringSplit", LINES, delimiter=",", outputs=2),
    case("StringSplit", LINES, delimiter=",", maxsplit=1, outputs=2),
    case("StringSplit", text(" a  b  c ", "d e ", ""), outputs=2),
    case("StringSplit", text(" a  b  c ", "d e "), maxsplit=1, outputs=2),
    case("StringNormalizer", WORDS, stopwords=["mon"], locale="C"),
    case("StringNormalizer", WORDS, stopwords=["mon"], is_case_sensitive=1, locale="C"),
    case("StringNormalizer", WORDS, case_change_action="UPPER", opset=10, locale="C"),
    case("StringNormalizer", text("A"), stopwords=["a"], locale="C"),
    case("RegexFullMatch", text("ann@x.org", "ann", "@"), pattern=r"\w+@\w+\.(com|org)"),
    case("RegexFullMatch", text("", "a"), pattern=""),
    *(
        tf_idf(ROWS, mode=mode, **weights)
        for mode in ("TF", "IDF", "TFIDF")
        for weights in NO_WEIGHTS_OR_SOME
    ),
    tf_idf(ROWS[0].astype(np.int32)),
    tf_idf(
        text("a", "b", "a", "b"),
        min_gram_length=2,
        pool_strings=["a", "b", "c", "a", "b", "b", "a"],
    ),
]

ENCODERS: list[tuple[int, Any, dict[str, Any]]] = [
    (4, text("b", "?", "a"), {"keys_strings": ["a", "b"], "values_int64s": [5, 6]}),
    (2, i64(1, 7), {"keys_int64s": [1], "values_strings": ["one"], "default_string": "many"}),
    (2, i64(1, 7), {"keys_int64s": [1], "values_int64s": [2], "default_int64": 9}),
    (2, text("b", "?"), {"keys_strings": ["a", "b"], "values_floats": [0.1, 0.2]}),
    (
        4,
        np.array([[1.5, np.nan], [2, 1.5]], np.float32),
        {"keys_floats": [1.5, float("nan"), 1.5], "values_strings": ["a", "n", "b"]},
    ),
    (
        4,
        np.array([0.1, 2.0], np.float64),
        {
            "keys_tensor": np.array([0.1, 3.0]),
            "values_tensor": np.array([10, 30], np.int64),
            "default_tensor": np.array([-7], np.int64),
        },
    ),
    (1, text("b", "?"), {"classes_strings": ["a", "b"], "default_int64": 3}),
    (1, i64(1, 7), {"classes_strings": ["a", "b"]}),
]
"""LabelEncoder: the version of ai.onnx.ml, the input and the attributes."""

REFUSED = [
    (case("RegexFullMatch", NAMES, pattern="(a"), "not valid in Python's re"),
    (case("StringNormalizer", NAMES, case_change_action="TITLE"), "must be LOWER, UPPER or NONE"),
    (tf_idf(ROWS, mode="BM25"), "must be TF, IDF or TFIDF"),
    (
        tf_idf(ROWS, ngram_counts=[0, 4]),
        "do not divide",
    ),
    (
        tf_idf(ROWS, ngram_indexes=[0]),
        "must be of 5 n-grams",
    ),
    (
        tf_idf(ROWS, max_skip_count=-1),
        "-1 skipped",
    ),
]
"""Nodes that are refused, and a part of the reason."""
