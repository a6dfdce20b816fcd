"""Tensors of strings: what makes, takes apart and reads them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from ramiel.runtime.strings import Strings
from ramiel.runtime.strings import strings as strings

_CASES: dict[str, Callable[[str], str]] = {"LOWER": str.lower, "UPPER": str.upper, "NONE": str}
_WORDS = {"nan": "NaN", "inf": "INF", "-inf": "-INF"}


def string_concat(a: Strings, b: Strings) -> Strings:
    """Each string of a followed by that of b, the shapes broadcast."""
    shape = torch.broadcast_shapes(a.shape, b.shape)
    left, right = (cast(Strings, x.expand(shape)).flat() for x in (a, b))
    return strings([x + y for x, y in zip(left, right, strict=True)], shape)


def string_split(
    x: Strings, delimiter: str = "", most: int | None = None
) -> tuple[Strings, Tensor]:
    """The parts of each string, along a new last dimension filled up with "", and their number.

    Without a delimiter, parts are what stands between white space. `most` limits how often a
    string is split.
    """
    limit = -1 if most is None else most
    texts = x.flat() if delimiter else [text.strip() for text in x.flat()]
    parts = [text.split(delimiter or None, limit) if text else [] for text in texts]
    longest = max(map(len, parts), default=0)
    filled = [part + [""] * (longest - len(part)) for part in parts]
    counts = torch.tensor([len(part) for part in parts], dtype=torch.int64)
    flat = list(itertools.chain.from_iterable(filled))
    return strings(flat, (*x.shape, longest)), counts.reshape(x.shape)


def string_normalize(x: Strings, case: str, stopwords: Sequence[str], sensitive: bool) -> Strings:
    """x [C] or [1, C] without the stopwords, in lower or upper case; one empty string if none is
    left."""
    if x.ndim not in (1, 2) or (x.ndim == 2 and x.shape[0] != 1):
        raise ValueError(f"strings to normalize are [C] or [1, C], not {list(x.shape)}")
    fold = str if sensitive else str.lower
    dropped = {fold(word) for word in stopwords}
    kept = [_CASES[case](text) for text in x.flat() if fold(text) not in dropped] or [""]
    return strings(kept, (*x.shape[:-1], len(kept)))


def regex_full_match(x: Strings, pattern: str) -> Tensor:
    """Whether each whole string matches a pattern of Python's `re`, which backtracks: there are
    patterns that take exponential time on some strings."""
    compiled = re.compile(pattern)
    matches = [compiled.fullmatch(word) is not None for word in x.words]
    return torch.tensor(matches, dtype=torch.bool)[x.codes]


def format_numbers(x: Tensor) -> Strings:
    """Numbers as strings: floats with 8 digits, as ONNX Runtime writes them."""
    return strings([_text(value) for value in x.reshape(-1).tolist()], x.shape)


def _text(value: Any) -> str:
    if isinstance(value, float):
        text = f"{value:.8g}"
        return _WORDS.get(text, text)
    return str(int(value))


def parse_numbers(x: Strings, dtype: torch.dtype) -> Tensor:
    """Strings as numbers. ValueError for one that is none."""
    read = float if dtype.is_floating_point else int
    table = torch.tensor([read(word) for word in x.words], dtype=dtype)
    return table[x.codes]
