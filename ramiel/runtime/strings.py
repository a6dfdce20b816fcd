"""Tensors of strings: int64 codes that index a tuple of words.

Data movement (a reshape, a gather, a concatenation, a where) moves the codes, so that
`torch.cat([a, b])` and `x.reshape(2, 3)` work on strings as on numbers, at the same cost. Operands
with different words are first mapped to common ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_MOVES = frozenset(
    "__get__ __getitem__ cat chunk clone contiguous cpu detach expand expand_as flatten flip "
    "gather index_put index_select movedim narrow permute repeat reshape roll scatter select "
    "split split_with_sizes squeeze stack take_along_dim tensor_split tile transpose unbind "
    "unflatten unsqueeze view where".split()
)
"""Functions and methods of torch whose results hold elements of their arguments."""
_READS = frozenset("__eq__ __len__ __ne__ dim eq equal ne ndimension numel size".split())
"""Those that query the elements or the shape."""


class Strings(Tensor):
    """A tensor of strings. Make one by strings().

    `dtype` is str, as in a declared input. Functions of torch that compute raise TypeError.
    """

    codes: Tensor
    """int64, of the tensor's shape: indices into `words`."""
    words: tuple[str, ...]
    """Distinct; not all of them need to occur."""

    @staticmethod
    def of(codes: Tensor, words: tuple[str, ...]) -> Strings:
        made = codes.as_subclass(Strings)
        made.codes, made.words = codes, words
        return made

    @property
    def dtype(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        return str

    def alphabetical(self) -> Strings:
        """The same strings with sorted words, so that codes compare as the strings do."""
        words = tuple(sorted(self.words))
        places = {word: code for code, word in enumerate(words)}
        table = torch.tensor([places[word] for word in self.words], dtype=torch.int64)
        return Strings.of(table[self.codes], words)

    def flat(self) -> list[str]:
        """The elements in order."""
        words = self.words
        return [words[code] for code in self.codes.reshape(-1).tolist()]

    def tolist(self) -> Any:
        """The elements as nested lists; of a scalar, its string."""
        return _nested(self.codes.tolist(), self.words)

    def item(self) -> Any:
        """The string of one element."""
        return self.words[int(self.codes.item())]

    def numpy(self, *, force: bool = False) -> NDArray[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The elements as an array of objects, as ONNX Runtime gives them."""
        array = np.empty(self.numel(), np.object_)
        array[:] = self.flat()
        return array.reshape(self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("an array of strings is always a copy")
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"strings({self.tolist()!r})"

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Strings.of, (self.codes, self.words)

    def __deepcopy__(self, memo: Any) -> Strings:
        return Strings.of(self.codes.clone(), self.words)

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        name = func.__name__
        if name not in _MOVES and name not in _READS:
            raise TypeError(f"torch has no {name} of strings")
        kwargs = kwargs or {}
        found = list(_strings_in([args, kwargs]))
        words = found[0].words
        if any(each.words != words for each in found):
            words = tuple(dict.fromkeys(word for each in found for word in each.words))
        places = {word: code for code, word in enumerate(words)}

        def codes(value: Strings) -> Tensor:
            if value.words == words:
                return value.codes
            table = torch.tensor([places[word] for word in value.words], dtype=torch.int64)
            return table[value.codes]

        result = func(*_replaced(args, codes), **_replaced(kwargs, codes))
        return result if name in _READS else _wrapped(result, words)


def strings(values: Any, shape: Sequence[int] | None = None) -> Strings:
    """A tensor of strings from nested lists, or from a flat list and a shape.

    TypeError for elements that are not strings, ValueError for lists of differing lengths.
    """
    flat = list[str]()
    dims = _flatten(values, flat)
    codes: dict[str, int] = {}
    numbers = [codes.setdefault(word, len(codes)) for word in flat]
    tensor = torch.tensor(numbers, dtype=torch.int64)
    return Strings.of(tensor.reshape(dims if shape is None else tuple(shape)), tuple(codes))


def _flatten(values: Any, flat: list[str]) -> list[int]:
    """Adds the strings of nested lists to `flat`; returns their shape."""
    if isinstance(values, str):
        flat.append(values)
        return []
    if isinstance(values, bytes):
        flat.append(values.decode())
        return []
    if not isinstance(values, list | tuple):
        raise TypeError(f"{type(values).__name__} is not a string")
    items = cast("Sequence[Any]", values)
    shapes = [_flatten(item, flat) for item in items]
    if any(shape != shapes[0] for shape in shapes):
        raise ValueError("the lists of strings differ in length")
    return [len(items), *(shapes[0] if shapes else [])]


def _nested(codes: Any, words: Sequence[str]) -> Any:
    if isinstance(codes, list):
        return [_nested(code, words) for code in cast("list[Any]", codes)]
    return words[codes]


def _strings_in(value: Any) -> Iterable[Strings]:
    if isinstance(value, Strings):
        yield value
    elif isinstance(value, list | tuple | dict):
        items = cast("dict[str, Any]", value).values() if isinstance(value, dict) else value
        for item in cast("Iterable[Any]", items):
            yield from _strings_in(item)


def _replaced(value: Any, codes: Callable[[Strings], Tensor]) -> Any:
    """Arguments with plain tensors, the codes, in place of tensors of strings."""
    if isinstance(value, Strings):
        return codes(value)
    if isinstance(value, dict):
        given = cast("dict[str, Any]", value)
        return {key: _replaced(item, codes) for key, item in given.items()}
    if isinstance(value, list | tuple):
        items = [_replaced(item, codes) for item in cast("Iterable[Any]", value)]
        return tuple(items) if isinstance(value, tuple) else items
    return value


def _wrapped(result: Any, words: tuple[str, ...]) -> Any:
    if isinstance(result, Tensor):
        return Strings.of(result, words)
    if isinstance(result, list | tuple) and not isinstance(result, torch.Size):
        items = [_wrapped(item, words) for item in cast("Iterable[Any]", result)]
        return tuple(items) if isinstance(result, tuple) else items
    return result
