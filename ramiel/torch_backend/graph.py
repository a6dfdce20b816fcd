"""A graph of torch.compile as programs, one for each shape of its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter, is_
from typing import Any

from torch import Tensor, fx
from torch.utils._python_dispatch import (
    _disable_current_modes,  # pyright: ignore[reportPrivateUsage]
)

from ramiel.compiler import Compilation
from ramiel.console.notes import note
from ramiel.dialects.onnx.attributes import Array
from ramiel.errors import CompileError, shorten
from ramiel.execution.tensors import array_of_tensor
from ramiel.fx.importer import Imported, import_graph
from ramiel.fx.types import Unsupported, why_not
from ramiel.programs.build import build_module
from ramiel.programs.loaded import CompiledProgram, load
from ramiel.runtime.locks import Lock
from ramiel.runtime.surroundings import undisturbed
from ramiel.torch_backend.options import Settings
from ramiel.torch_backend.results import Results

MOST = 8
"""The shapes that a graph has programs for; with others, it runs in PyTorch."""

_version = attrgetter("_version")


class CompiledGraph:
    """A functional graph of aten operators, called with a list of arguments, which it empties.

    Arguments of the indices `held` are parameters and buffers that the graph does not change: they
    become weights of its programs, which share them. A program is made at the first call with
    inputs of some shapes, and made anew where a weight was exchanged, or one was changed of which
    the program holds something computed.
    """

    _boxed_call = True

    def __init__(
        self,
        graph: fx.GraphModule,
        held: frozenset[int],
        title: str,
        names: Sequence[str],
        settings: Settings,
    ) -> None:
        self.title = title
        self.reasons: list[str] = []
        """Why calls run in PyTorch."""
        self._graph = graph
        self._held = held
        self._names = names
        self._settings = settings
        self._made: dict[object, _Made | None] = {}
        self._lock = Lock()

    @property
    def programs(self) -> list[CompiledProgram]:
        """The programs of this graph."""
        return [made.program for made in self._made.values() if made is not None]

    @property
    def unknown(self) -> dict[str, int]:
        """Operators without a lowering, which run as they are, and how often each occurs."""
        found = [made.imported.unknown for made in self._made.values() if made is not None]
        return {name: count for unknown in found for name, count in unknown.items()}

    def __call__(self, args: list[Any]) -> Sequence[Any]:
        given = list(args)
        args.clear()
        key = tuple(_key(x) for i, x in enumerate(given) if i not in self._held)
        made = self._made.get(key)
        if made is not None and made.is_current(given):
            return self._run(made, key, given)
        if (made := self._make(key, given)) is None:
            return self._graph(*given)
        # aot_autograd watches the first call of a graph for custom operators, of which programs
        # have none; layers prepare no kernels while they are watched.
        with _disable_current_modes():
            return self._run(made, key, given)

    def _run(self, made: _Made, key: object, args: Sequence[Any]) -> Sequence[Any]:
        try:
            return made(args)
        except Exception as error:  # of whatever kernel: arguments are as they were
            results = self._graph(
                *args
            )  # raises PyTorch's own error if it cannot compute it either
            self._made[key] = None
            self._tell(f"its program failed: {_one_line(error)}")
            return results

    def _make(self, key: object, args: Sequence[Any]) -> _Made | None:
        with self._lock:
            made = self._made.get(key)
            if key in self._made and (made is None or made.is_current(args)):
                return made
            if key not in self._made and len(self._made) >= MOST:
                self._tell(f"it has programs for {MOST} shapes of its inputs, and these are others")
                return None
            try:
                with undisturbed():
                    made = _Made(self._graph, args, self._weights(args), self)
                self._made[key] = made
                self._name_unknown(made.imported)
            except (Unsupported, CompileError) as error:
                self._made[key] = made = None
                self._tell(str(error))
            except (
                Exception
            ) as error:  # a fault of the compiler's: PyTorch still computes the graph
                self._made[key] = made = None
                self._tell(f"it cannot be compiled: {_one_line(error)}")
            return made

    def _weights(self, args: Sequence[Any]) -> frozenset[int]:
        """The arguments to hold. Tensors that were made in inference mode do not tell of changes:
        they stay inputs, as does what no program may hold."""
        tensors = {i: args[i] for i in self._held if isinstance(args[i], Tensor)}
        return frozenset(i for i, x in tensors.items() if not x.is_inference() and not why_not(x))

    def build(self, imported: Imported) -> Compilation:
        return build_module(imported.module, self._settings.options)

    def load(self, compilation: Compilation, tensors: dict[str, Tensor]) -> CompiledProgram:
        return load(compilation, capture=self._settings.capture, tensors=tensors)

    def imported(self, args: Sequence[Any], weights: frozenset[int], read: set[int]) -> Imported:
        def array(i: int) -> Array:
            read.add(i)
            return array_of_tensor(args[i])

        return import_graph(
            self._graph,
            args,
            weights,
            array,
            array_of_tensor,
            name=self.title,
            names=self._names,
        )

    def _tell(self, reason: str) -> None:
        if reason not in self.reasons:
            self.reasons.append(reason)
            note(f"torch.compile: {self.title} runs in PyTorch: {reason}")

    def _name_unknown(self, imported: Imported) -> None:
        if imported.unknown:
            listed = ", ".join(
                f"{name} ({count})" if count > 1 else name
                for name, count in sorted(imported.unknown.items())
            )
            note(f"torch.compile: operators without a lowering run as they are: {listed}")


class _Made:
    """A program for some shapes, and the weights that it was made of."""

    def __init__(
        self,
        graph: fx.GraphModule,
        args: Sequence[Any],
        weights: frozenset[int],
        owner: CompiledGraph,
    ) -> None:
        read: set[int] = set()
        self.imported = owner.imported(args, weights, read)
        held = {name: args[i].detach() for name, i in self.imported.weights.items()}
        shared = {name: tensor for name, tensor in held.items() if tensor.is_contiguous()}
        self.program = owner.load(owner.build(self.imported), shared)
        self._results = Results(self.imported.results)
        self._places = list(self.imported.weights.values())
        self._tensors = [args[i] for i in self._places]
        self._read = [i for i, place in enumerate(self._places) if place in read]
        """Those of which the program holds something computed, which does not notice changes."""
        self._versions, self._addresses = self._state()

    def _state(self) -> tuple[list[int], list[int]]:
        return list(map(_version, self._tensors)), list(map(Tensor.data_ptr, self._tensors))

    def is_current(self, args: Sequence[Any]) -> bool:
        """Whether the program has the weights among the arguments, as they are now. Of those that
        it shares it notices changes in place by itself."""
        found = map(args.__getitem__, self._places)
        if not all(map(is_, found, self._tensors)):
            return False
        versions, addresses = self._state()
        if versions == self._versions and addresses == self._addresses:
            return True
        if addresses != self._addresses or any(
            versions[i] != self._versions[i] for i in self._read
        ):
            return False
        self._versions = versions
        return True

    def __call__(self, args: Sequence[Any]) -> list[Any]:
        inputs = [_plain(args[i]) for i in self.imported.inputs]
        made = self.program(*inputs)
        outputs = made if isinstance(made, tuple) else (made,)
        return self._results.of(outputs, args)


def _key(value: Any) -> object:
    return value.shape if isinstance(value, Tensor) else value


def _one_line(error: Exception) -> str:
    """An error's type and the first line of its message."""
    text = str(error).strip().partition("\n")[0]
    return shorten(f"{type(error).__name__}: {text}" if text else type(error).__name__, 200)


def _plain(value: Tensor) -> Tensor:
    return value if type(value) is Tensor and not value.requires_grad else value.detach()
