"""What the workers of a program call in one run, taped in order.

A tape is a thread's: while it runs, PyTorch's dispatcher reports each operator, oneDNN's primitives
and the channels report themselves. What a tape cannot see would be replayed with the values of the
run that was taped, so whatever turns values of tensors into numbers of Python is refused.
"""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor
from torch._C import DisableTorchFunction  # pyright: ignore[reportPrivateUsage]
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import (
    TorchDispatchMode,
    _disable_current_modes,  # pyright: ignore[reportPrivateUsage]
)

Kept = TypeVar("Kept")


class NotCapturable(Exception):
    """A run does something that cannot be replayed; the message says what."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        if (tape := here.tape) is not None:
            tape.refused = message


class Call(NamedTuple):
    """An operator of PyTorch's that computes something."""

    function: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    results: tuple[Tensor, ...]


Move = Callable[[int], object]
"""Has something lie at another address."""


class Execution(NamedTuple):
    """How a primitive runs on some addresses: the name and fields of its step (native/step.h), how
    addresses that the fields do not have are changed, and what is kept meanwhile."""

    kind: str
    first: Any
    second: Any
    third: Any
    size: int
    moves: Sequence[tuple[int, Move]]
    kept: object


class Primitive(Protocol):
    """A kernel that has been prepared for some shapes and a number of threads."""

    @property
    def scratch_bytes(self) -> int: ...

    def bound_to(self, addresses: Sequence[int]) -> Execution:
        """How it runs on addresses: of its tensors, and of a scratchpad if it needs one."""
        ...


class Run(NamedTuple):
    """A primitive, with its tensors, the result last."""

    primitive: Primitive
    tensors: tuple[Tensor, ...]


class Finite(NamedTuple):
    """A choice of what to call next, made because all elements of a tensor are finite."""

    tensor: Tensor


class Renewed(NamedTuple):
    """Memory that a thread keeps from call to call is used anew: what was in it does not matter."""

    address: int


class Send(NamedTuple):
    channel: str


class Receive(NamedTuple):
    channel: str


class Quick(NamedTuple):
    """A step without Python: its name, the addresses of its fields (native/step.h), and what is
    kept meanwhile."""

    kind: str
    first: int
    second: int
    kept: object


class Handed(NamedTuple):
    """A tensor that a function of Python sends to another process, or has come from one, whose
    memory the tensor then is. A replay calls the function with the tensor."""

    function: Callable[[Tensor], object]
    tensor: Tensor
    bytes: Tensor | None = None
    """Those that the function sends, which had better be the tensor's memory at once."""
    quick: Callable[[Tensor], Quick | None] | None = None
    """Tells of a step that does the same for a tensor, or calls the function where it cannot."""


Event = Call | Run | Finite | Renewed | Send | Receive | Handed | Quick


class Noted(NamedTuple):
    """An event, the number of threads that it had, and the line of the worker that it came from."""

    event: Event
    threads: int
    line: int


@dataclass
class Tape:
    """A worker's events, and the number of threads that each had."""

    fresh: dict[int, torch.UntypedStorage] = field(default_factory=dict)
    """Memory that was allocated in the run, by its address. It stays allocated as long as this
    lives, so that an address is one value's."""
    events: list[Noted] = field(default_factory=list[Noted])
    kept: set[int] = field(default_factory=set[int])
    """Addresses of other memory that may be written to: see keep()."""
    refused: str = ""
    """What could not be taped, even if the program has caught the exception that said so."""
    limit: float = math.inf
    """The most bytes of such memory."""
    line: Callable[[], int] = lambda: 0
    """Where the worker is."""
    sent: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the worker has sent, by channel."""

    def note(self, event: Event) -> None:
        self.events.append(Noted(event, torch.get_num_threads(), self.line()))

    def finite(self, tensor: Tensor, is_finite: Callable[[Tensor], bool]) -> bool:
        """Whether a tensor is finite, which each replay finds out anew: a kernel for all values
        replaces one that is for finite ones only."""
        with off():
            finite = is_finite(tensor)
        if finite:
            self.note(Finite(tensor))
        return finite

    def renew(self, tensor: Tensor) -> None:
        self.allocated(tensor)
        self.note(Renewed(tensor.untyped_storage().data_ptr()))

    def keep(self, tensor: Tensor) -> None:
        """Notes memory that a kernel keeps from call to call, always with the same in it but for
        what it writes: each copy of a plan gets a copy of it."""
        self.kept.add(tensor.untyped_storage().data_ptr())

    def allocated(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage.data_ptr() in self.fresh:
            return
        self.fresh[storage.data_ptr()] = storage
        self.limit -= storage.nbytes()
        if self.limit < 0:
            raise NotCapturable("its values, which a taped run keeps, take too much memory")


def tapes_of(workers: int) -> list[Tape]:
    """A tape for each worker. Together they may keep an eighth of the machine's memory."""
    return [Tape(limit=memory_bytes() / 8 / workers) for _ in range(workers)]


def memory_bytes() -> int:
    """The machine's memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


class _Changes:
    """Counts what happens to layers that makes plans wrong, hooks for example."""

    count = 0

    def note(self) -> None:
        self.count += 1


changes = _Changes()


class _Here(threading.local):
    tape: Tape | None = None


here = _Here()
"""The calling thread's tape, if one is running."""


@contextmanager
def running(tape: Tape) -> Generator[None]:
    """Tapes what this thread calls. Raises NotCapturable where it cannot be replayed."""
    with _Functions(), _Operators(tape):
        here.tape = tape
        try:
            yield
        finally:
            here.tape = None


def line_in(code: CodeType) -> int:
    """The line at which a function is that has called, however indirectly; 0 if it has not."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame.f_lineno if frame is not None else 0


@contextmanager
def off() -> Generator[None]:
    """Calls that are not taped."""
    tape, here.tape = here.tape, None
    try:
        with _disable_current_modes(), DisableTorchFunction():
            yield
    finally:
        here.tape = tape


_READING = frozenset(
    getattr(Tensor, name)
    for name in (
        "__array__",
        "__bool__",
        "__complex__",
        "__contains__",
        "__dlpack__",
        "__float__",
        "__index__",
        "__int__",
        "item",
        "numpy",
        "tolist",
    )
)
_REFUSED = frozenset(
    {
        torch.Tag.data_dependent_output,
        torch.Tag.dynamic_output_shape,
        torch.Tag.nondeterministic_seeded,
    }
)
_ALLOCATING = frozenset({"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"})


def _picks_by_number(function: Any, args: tuple[Any, ...]) -> bool:
    """Whether an operator picks elements by numbers, and not by masks, whose values would say how
    many there are."""
    masks = (torch.bool, torch.uint8)
    return function is torch.ops.aten.index.Tensor and all(
        index is None or index.dtype not in masks for index in args[1]
    )


class _Functions(TorchFunctionMode):
    """Refuses functions that read values of tensors."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _READING:
            raise NotCapturable(f"Tensor.{func.__name__} reads values")
        return func(*args, **(kwargs or {}))


class DispatchMode(TorchDispatchMode):
    """A mode in which nothing is compiled by torch.compile, which PyTorch would otherwise import to
    keep it out of the mode: 800 modules, for more than a second."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


class _Operators(DispatchMode):
    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self._tape = tape

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not _REFUSED.isdisjoint(func.tags) and not _picks_by_number(func, args):
            raise NotCapturable(f"{func} depends on values or on chance")
        outcome = func(*args, **kwargs)
        results = tuple(found_in(outcome, Tensor))
        if not all(map(is_plain, results)):
            raise NotCapturable(f"{func} has its result conjugated or negated where it is read")
        schema = func._schema
        if func.overloadpacket.__name__ in _ALLOCATING:
            for result in results:
                self._tape.allocated(result)
            return outcome
        given = [t for t in found_in((args, kwargs), Tensor) if not is_opaque(t)]
        known = {t.untyped_storage().data_ptr() for t in given}
        fresh = [r for r in results if r.untyped_storage().data_ptr() not in known]
        if results and not fresh and not schema.is_mutable:
            return outcome  # views
        for result in fresh:
            self._tape.allocated(result)
        self._tape.note(Call(func, tuple(args), kwargs, results))
        return outcome


def is_plain(tensor: Tensor) -> bool:
    """Whether the elements of a tensor are what its memory holds."""
    return not (tensor.is_neg() or tensor.is_conj() or tensor._is_zerotensor())  # pyright: ignore


def is_opaque(tensor: Tensor) -> bool:
    """Whether a tensor has no memory that it tells of, as weights that mkldnn has packed."""
    return tensor.layout is not torch.strided


def found_in(value: object, kind: type[Kept]) -> Iterator[Kept]:
    """What is of a kind in nested tuples, lists and dicts."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:  # pyright: ignore[reportUnknownVariableType]
            yield from found_in(item, kind)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, dict):
        for item in value.values():  # pyright: ignore[reportUnknownVariableType]
            yield from found_in(item, kind)  # pyright: ignore[reportUnknownArgumentType]


def replaced(value: object, kind: type[Kept], replace: Callable[[Kept], Any]) -> Any:
    """Nested tuples, lists and dicts with what is of a kind replaced."""
    if isinstance(value, kind):
        return replace(value)
    if isinstance(value, list | tuple):
        return type(value)(replaced(item, kind, replace) for item in value)  # pyright: ignore
    if isinstance(value, dict):
        return {key: replaced(item, kind, replace) for key, item in value.items()}  # pyright: ignore
    return value


def used(event: Event, kind: type[Kept]) -> list[Kept]:
    """The tensors that an event reads or writes, which may have been replaced by another kind."""
    match event:
        case Call(_, args, kwargs, results):
            return list(found_in((args, kwargs, results), kind))
        case Run(_, tensors):
            return list(found_in(tensors, kind))
        case Finite(tensor) | Handed(_, tensor):
            return list(found_in(tensor, kind))
        case _:
            return []


def written(event: Event, kind: type[Kept]) -> list[Kept]:
    """Those that it writes to."""
    match event:
        case Call(function, args, kwargs, results):
            mutated = [
                args[i] if i < len(args) else kwargs.get(argument.name)
                for i, argument in enumerate(function._schema.arguments)
                if argument.alias_info is not None and argument.alias_info.is_write
            ]
            return list(found_in((results, mutated), kind))
        case Run(_, tensors):
            return list(found_in(tensors[-1:], kind))
        case _:
            return []
