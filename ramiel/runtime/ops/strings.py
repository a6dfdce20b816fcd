"""Operators on tensors of strings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from ramiel.runtime.strings import Strings
from ramiel.runtime.strings import strings as made_of

_CASES: dict[str, Callable[[str], str]] = {"LOWER": str.lower, "UPPER": str.upper, "NONE": str}
_WORDS = {"nan": "NaN", "inf": "INF", "-inf": "-INF"}


def strings(values: Any, shape: Sequence[int] | None = None) -> Strings:
    """A constant: a tensor of strings from nested lists, or from a flat list and a shape."""
    return made_of(values, shape)


def string_concat(a: Strings, b: Strings) -> Strings:
    """Each string of a followed by that of b, the shapes broadcast."""
    shape = np.broadcast_shapes(a.shape, b.shape)
    left, right = (cast(Strings, x.expand(shape)).flat() for x in (a, b))
    return made_of([x + y for x, y in zip(left, right, strict=True)], shape)


def string_split(
    x: Strings, delimiter: str = "", most: int | None = None
) -> tuple[Strings, Tensor]:
    """The parts of each string, along a new last dimension filled up with "", and their number.

    Without a delimiter, strings are split at white space. `most` limits how often a string is
    split.
    """
    limit = -1 if most is None else most
    texts = x.flat() if delimiter else [text.strip() for text in x.flat()]
    parts = [text.split(delimiter or None, limit) if text else [] for text in texts]
    counts = torch.tensor([len(part) for part in parts], dtype=torch.int64)
    return _filled(parts, x.shape, ""), counts.reshape(x.shape)


def _filled(parts: Sequence[list[str]], shape: Sequence[int], fill: str) -> Strings:
    """Lists along a new last dimension, filled up to the longest."""
    longest = max(map(len, parts), default=0)
    flat = [text for part in parts for text in (*part, *[fill] * (longest - len(part)))]
    return made_of(flat, (*shape, longest))


def tokenize(
    x: Strings,
    shortest: int,
    fill: str,
    separators: Sequence[str] = (),
    pattern: str = "",
    mark: bool = False,
) -> Strings:
    """The tokens of each string of at least `shortest` characters, along a new last dimension.

    Tokens are the parts between separators, patterns of Python's `re` that are applied in turn;
    the characters if the only separator is empty; or the matches of `pattern`. `mark` puts "\\x02"
    and "\\x03" around those of a string.
    """
    tokens = [
        [token for token in _tokens(text, separators, pattern) if len(token) >= shortest]
        for text in x.flat()
    ]
    if mark and any(tokens):
        tokens = [["\x02", *found, "\x03"] for found in tokens]
    return _filled(tokens, x.shape, fill)


def _tokens(text: str, separators: Sequence[str], pattern: str) -> list[str]:
    if list(separators) == [""]:
        return list(text)
    if not separators:
        return [match.group() for match in re.finditer(pattern, text)]
    parts = [text]
    for separator in separators:
        parts = [piece for part in parts for piece in _between(part, separator)]
    return parts


def _between(text: str, separator: str) -> Iterator[str]:
    start = 0
    for match in re.finditer(separator, text):
        yield text[start : match.start()]
        start = match.end()
    yield text[start:]


def string_normalize(x: Strings, case: str, stopwords: Sequence[str], sensitive: bool) -> Strings:
    """x [C] or [1, C] without the stopwords, in lower or upper case; one empty string if none is
    left."""
    if x.ndim not in (1, 2) or (x.ndim == 2 and x.shape[0] != 1):
        raise ValueError(f"strings to normalize are [C] or [1, C], not {list(x.shape)}")
    fold = str if sensitive else str.lower
    dropped = {fold(word) for word in stopwords}
    kept = [_CASES[case](text) for text in x.flat() if fold(text) not in dropped] or [""]
    return made_of(kept, (*x.shape[:-1], len(kept)))


def regex_full_match(x: Strings, pattern: str) -> Tensor:
    """Whether each whole string matches a pattern of Python's `re`, which backtracks: there are
    patterns that take exponential time on some strings."""
    compiled = re.compile(pattern)
    matches = [compiled.fullmatch(word) is not None for word in x.words]
    return torch.tensor(matches, dtype=torch.bool)[x.codes]


def format_numbers(x: Tensor) -> Strings:
    """Numbers as strings: floats with 8 digits, as ONNX Runtime writes them."""
    return made_of([_text(value) for value in x.reshape(-1).tolist()], x.shape)


def _text(value: Any) -> str:
    if isinstance(value, float):
        text = f"{value:.8g}"
        return _WORDS.get(text, text)
    return str(int(value))


def parse_numbers(x: Strings, dtype: torch.dtype) -> Tensor:
    """Strings as numbers. ValueError for a string that is not a number."""
    read = float if dtype.is_floating_point else int
    table = torch.tensor([read(word) for word in x.words], dtype=dtype)
    return table[x.codes]
