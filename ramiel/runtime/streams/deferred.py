"""PyTorch's operations on the CPU, put off: for the stand-in of a device.

The dispatcher hands over each operation. A view is made at once: it concerns no data. Of others the
shape of the result is found without data (on `meta` tensors), memory is set aside for it, and a
closure that computes it is queued. Memory is known by its address. The tensors that a program holds
share it with the closures but are other objects, so that it shows when the program lets go of it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import (
    _disable_current_modes,  # pyright: ignore[reportPrivateUsage]
)
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from ramiel.runtime.replay.tape import DispatchMode

if TYPE_CHECKING:
    from torch._ops import OpOverload


@dataclass(eq=False)
class Memory:
    """A block of memory that a stream allocated, and the accesses to it by streams' clocks."""

    owner: int
    graph: Any
    """The graph that was captured then, if one was."""
    base: Tensor
    writer: tuple[int, int] | None = None
    readers: dict[int, int] = field(default_factory=dict[int, int])

    def spoil(self) -> None:
        """Overwrite it, with NaN if it holds numbers with a fraction."""
        with _disable_current_modes():
            self.base.view(torch.uint8).fill_(0xFF)


@dataclass(frozen=True)
class Access:
    """What an operation reads and writes."""

    reads: set[Memory] = field(default_factory=set[Memory])
    writes: set[Memory] = field(default_factory=set[Memory])


class Clocked(Protocol):
    """The device that runs what is put off."""

    lacks: frozenset[str]

    def operation(self, action: Callable[[], None], access: Access) -> None: ...

    def freed(self, memory: Memory) -> None: ...

    def read(self) -> None: ...

    def current(self) -> Any: ...


class Deferring:
    """Puts operations off for a device, and knows the memory of their results."""

    def __init__(self, device: Clocked) -> None:
        self._device = device
        self._memory: dict[int, Memory] = {}

    @contextmanager
    def mode(self) -> Generator[None]:
        with _Mode(self), _Reading(self):
            yield

    def read(self) -> None:
        """Called before the program reads a value."""
        self._device.read()

    def call(self, func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if schema_of(func).name in self._device.lacks:
            raise NotImplementedError(f"Could not run '{schema_of(func).name}' with arguments")
        written = _written(func, args, kwargs)
        if not written and _is_view(func):
            return func(*args, **kwargs)
        if reads(func):
            self._device.read()
            return func(*args, **kwargs)
        operands = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, Tensor)]
        if written:
            results, made = None, [w for w, _ in written]
        else:
            results = _shaped(func, args, kwargs)
            flat, spec = tree_flatten(results)
            if not all(isinstance(x, Tensor) or x is None for x in flat):
                self._device.read()
                return func(*args, **kwargs)
            made = [x if x is None else self._allocated(x) for x in flat]
            results = tree_unflatten(made, spec)
        real_args, real_kwargs = tree_map(self._alias, (args, kwargs))
        targets = [] if written else [x if x is None else self._alias(x) for x in made]

        def action() -> None:
            with _disable_current_modes(), torch.no_grad():
                computed = tree_flatten(func(*real_args, **real_kwargs))[0]
                for target, value in zip(targets, computed, strict=bool(targets)):
                    # Some results that nobody uses are only there on other devices, such as the
                    # means of a batch normalization.
                    if target is not None and value.numel():
                        target.copy_(value)

        access = Access(self._known(operands), self._known([x for x in made if x is not None]))
        self._device.operation(action, access)
        return results if not written else _returned(func, written)

    def _allocated(self, shape: Tensor) -> Tensor:
        """A tensor of a shape and strides whose elements are NaN or 0 so far."""
        extent = _extent(shape)
        if not extent:
            return torch.empty_strided(shape.shape, shape.stride(), dtype=shape.dtype)
        base = torch.empty(extent, dtype=shape.dtype)
        base.fill_(float("nan") if shape.dtype.is_floating_point else 0)
        holder = base.view(torch.uint8).numpy()[:]
        tensor = torch.from_numpy(holder).view(shape.dtype)
        tensor = tensor.as_strided(shape.shape, shape.stride())
        address = tensor.untyped_storage().data_ptr()
        stream = self._device.current()
        memory = self._memory[address] = Memory(stream.number, stream.capture, base)
        weakref.finalize(holder, self._free, address, memory)
        return tensor

    def _free(self, address: int, memory: Memory) -> None:
        """Called when no tensor of the program has the memory any more."""
        if self._memory.get(address) is memory:
            del self._memory[address]
        self._device.freed(memory)

    def _alias(self, x: Any) -> Any:
        """The same elements of the same memory, without keeping the program's tensor alive."""
        if not isinstance(x, Tensor):
            return x
        memory = self._memory.get(x.untyped_storage().data_ptr())
        if memory is None:
            return x
        whole = memory.base.view(torch.uint8).view(x.dtype)
        return whole.as_strided(x.shape, x.stride(), x.storage_offset())

    def _known(self, tensors: list[Tensor]) -> set[Memory]:
        """The memory of those tensors that were made here."""
        addresses = [x.untyped_storage().data_ptr() for x in tensors]
        return {self._memory[address] for address in addresses if address in self._memory}


class _Mode(DispatchMode):
    def __init__(self, deferring: Deferring) -> None:
        super().__init__()
        self._deferring = deferring

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        return self._deferring.call(func, args, kwargs or {})


_IN_PYTHON = (Tensor.tolist, Tensor.numpy, Tensor.__array__)
"""Methods that read the memory of a tensor on the CPU without the dispatcher."""


class _Reading(TorchFunctionMode):
    def __init__(self, deferring: Deferring) -> None:
        super().__init__()
        self._deferring = deferring

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in _IN_PYTHON:
            self._deferring.read()
        return func(*args, **(kwargs or {}))


_READING = ("aten::_local_scalar_dense", "aten::equal", "aten::is_nonzero", "aten::is_set_to")


def schema_of(func: OpOverload) -> Any:
    return func._schema  # pyright: ignore[reportPrivateUsage]


def reads(func: OpOverload) -> bool:
    """Whether a result, or its shape, depends on values: the caller has to wait for them."""
    tags = (torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)
    return schema_of(func).name in _READING or any(tag in func.tags for tag in tags)


def _is_view(func: OpOverload) -> bool:
    returns = schema_of(func).returns
    return bool(returns) and all(r.alias_info is not None for r in returns)


def _written(
    func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[tuple[Tensor, int]]:
    """The tensors that an operation writes to, each with the number of its argument."""
    written: list[tuple[Tensor, int]] = []
    for i, argument in enumerate(schema_of(func).arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[i] if i < len(args) else kwargs.get(argument.name)
            values = value if isinstance(value, list) else [value]
            written += [(x, i) for x in values if isinstance(x, Tensor)]
    return written


def _returned(func: OpOverload, written: list[tuple[Tensor, int]]) -> Any:
    tensors = [x for x, _ in written]
    count = len(schema_of(func).returns)
    if not count:
        return None
    return tensors[0] if count == 1 else tuple(tensors[:count])


def _shaped(func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The results of an operation without data, or with zeros where PyTorch cannot do without."""

    def on(device: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        def moved(x: Any) -> Any:
            if isinstance(x, Tensor):
                empty = torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=device)
                return empty if device == "meta" else empty.zero_()
            return torch.device(device) if isinstance(x, torch.device) else x

        return tree_map(moved, (args, kwargs))

    with _disable_current_modes():
        try:
            given, named = on("meta")
            return func(*given, **named)
        except Exception:  # no such kernel, or one that looks at the device
            given, named = on("cpu")
            return func(*given, **named)


def _extent(x: Tensor) -> int:
    """How many elements the memory of a tensor must have."""
    if not x.numel():
        return 0
    return 1 + sum((n - 1) * step for n, step in zip(x.shape, x.stride(), strict=True))
