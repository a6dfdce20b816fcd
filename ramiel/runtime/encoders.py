"""Layers that look values up in tables of words and numbers; they have no weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, cast

import torch
from torch import Tensor

from ramiel.runtime.layer import Layer
from ramiel.runtime.strings import Strings, strings
from ramiel.runtime.weights import Weights

Words = Sequence[str] | Sequence[int] | Sequence[float]


class _Table(Layer):
    required = ()
    optional = ()


class LabelEncoder(_Table):
    """Replaces each key by its value, and anything else by a default; NaN may be a key.

    Values are strings, or numbers of a dtype. Of a repeated key, the first value counts.
    """

    def __init__(
        self,
        weights: Weights,
        name: str,
        *,
        keys: Words,
        values: Words,
        default: str | float,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(weights, name)
        self._places: dict[Any, int] = {}
        for i, key in enumerate(keys):
            self._places.setdefault(_key(key), i)
        table = [*values, default]
        self._values = strings(table) if dtype is None else torch.tensor(table, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        places, other = self._places, len(self._values) - 1
        found = x.flat() if isinstance(x, Strings) else x.reshape(-1).tolist()
        codes = torch.tensor([places.get(_key(v), other) for v in found], dtype=torch.int64)
        return self._values.index_select(0, codes).reshape(x.shape)


def _key(value: Any) -> Any:
    return value if value == value else None  # NaN is not equal to itself


class TfIdfVectorizer(_Table):
    """Counts the n-grams of a pool in x [C] or [N, C]; the result is float32 [outputs] or
    [N, outputs].

    `pool` has all 1-grams, then all 2-grams, ...; those of n words begin at `counts[n - 1]`. The
    i-th n-gram of the pool belongs to output `indexes[i]`. Words of an n-gram may be 0 to
    `max_skip` others apart, the same number throughout. An output is, by `mode`, the count (TF),
    the scale if there is one (IDF), or the count times the scale (TFIDF) of its n-grams.
    """

    def __init__(
        self,
        weights: Weights,
        name: str,
        *,
        mode: str,
        min_gram: int,
        max_gram: int,
        max_skip: int,
        counts: Sequence[int],
        indexes: Sequence[int],
        pool: Words,
        scales: Sequence[float] | None = None,
    ) -> None:
        """ValueError if there are fewer indexes or scales than n-grams in the pool."""
        super().__init__(weights, name, (mode, min_gram, max_gram, max_skip))
        self._adds = mode != "IDF"
        self._lengths, self._skips = range(min_gram, max_gram + 1), max_skip + 1
        self._outputs = max(indexes, default=-1) + 1
        grams: list[tuple[Any, ...]] = []
        ends = [*counts[1:], len(pool)]
        for length, (start, end) in enumerate(zip(counts, ends, strict=True), 1):
            grams += (tuple(pool[at : at + length]) for at in range(start, end, length))
        factors = [1.0] * len(grams) if mode == "TF" or scales is None else scales
        self._grams = dict(zip(grams, zip(indexes, factors, strict=True), strict=True))

    def forward(self, x: Tensor) -> Tensor:
        rows = cast("list[list[Any]]", (x if x.ndim > 1 else x.unsqueeze(0)).tolist())
        found = torch.tensor([self._row(row) for row in rows], dtype=torch.float32)
        return found.reshape(*x.shape[:-1], self._outputs)

    def _row(self, row: Sequence[Any]) -> list[float]:
        values = [0.0] * self._outputs
        for step in range(1, self._skips + 1):
            for start, length in product(range(len(row)), self._lengths):
                last = start + step * (length - 1)
                if last >= len(row) or (length == 1 and step > 1):
                    continue
                output, scale = self._grams.get(tuple(row[start : last + 1 : step]), (0, None))
                if scale is not None:
                    values[output] = scale + (values[output] if self._adds else 0.0)
        return values
