"""Imports a functional graph of aten operators as a module of the `torch` dialect.

The graph is that of aot_autograd for inference: no operator changes a tensor in place, and
parameters and buffers are inputs. It is imported for given arguments: their shapes, and numbers
that stand for sizes, are constants of the module. What depends on constants alone is computed here.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, fx
from torch._ops import OpOverload
from torch._subclasses import FakeTensorMode
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException
from torch.fx.node import map_aggregate
from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, NoneType, StringAttr
from xdsl.ir import Attribute, Block, Region, SSAValue

from ramiel.conversion.aten_to_torch import Builder, Node, lower
from ramiel.dialects.onnx.attributes import Array, TensorRef, WeightAttr
from ramiel.dialects.onnx.operation import MODEL, NAME
from ramiel.dialects.torch import WeightOp
from ramiel.dialects.torch.operation import SOURCE
from ramiel.fx.results import Result
from ramiel.fx.types import Unsupported, argument_of, type_of

_LARGEST = 1 << 26
"""The bytes of a constant that is computed here."""
_PLACEMENT = frozenset(["device", "layout", "memory_format", "non_blocking", "pin_memory"])
"""Options that say where and how a result lies, and not what it is."""
_OF_MEMORY = frozenset(
    ["as_strided", "as_strided_copy", "as_strided_scatter", "set", "set_source_Tensor"]
)
"""Operators whose result depends on how an operand lies in memory, which is a program's own."""

_COPIES = frozenset(["_unsafe_view", "clone", "lift_fresh_copy"])
"""Operators whose result is their operand, in other memory."""
_RANDOM = "draws random numbers, in the order of one thread"

Arrays = Callable[[Tensor], Array]
"""Gives the array that a tensor holds."""


@dataclass(frozen=True)
class Imported:
    """A graph as a module, and how its arguments and results are those of the graph."""

    module: ModuleOp
    inputs: tuple[int, ...]
    """The arguments of the graph that the program takes."""
    weights: dict[str, int]
    """The arguments that are weights, by their names in the module."""
    results: tuple[Result, ...]
    unknown: dict[str, int]
    """Operators without a lowering, and how often each occurs."""


@dataclass
class _Value:
    """A tensor of the graph: without data, and with its value in the IR once it has one."""

    fake: Tensor
    ssa: SSAValue | None = None
    constant: Tensor | None = None
    argument: int | None = None
    weights: frozenset[int] = frozenset()
    """The arguments that the constant is, or was computed of."""


def import_graph(
    graph: fx.GraphModule,
    args: Sequence[Any],
    weights: frozenset[int],
    load: Callable[[int], Array],
    array_of: Arrays,
    *,
    name: str,
    names: Sequence[str],
) -> Imported:
    """A graph for given arguments, of which `weights` are held by the program.

    `load` gives the array of a weight when its bytes are needed, `array_of` that of a constant;
    `names` are those of the arguments. Raises Unsupported, and CompileError for an operator that a
    program cannot compute.
    """
    with torch.no_grad():
        return _Importer(graph, args, weights, load, array_of, names).module(name)


class _Importer:
    def __init__(
        self,
        graph: fx.GraphModule,
        args: Sequence[Any],
        weights: frozenset[int],
        load: Callable[[int], Array],
        array_of: Arrays,
        names: Sequence[str],
    ) -> None:
        self.graph = graph
        self.args = args
        self.weights = weights
        self.load = load
        self.array_of = array_of
        self.names = names
        self.mode = FakeTensorMode(allow_non_fake_inputs=True)
        self.block = Block()
        self.builder = Builder(self.block)
        self.env: dict[fx.Node, Any] = {}
        self.inputs: list[int] = []
        self.held: dict[str, int] = {}

    def module(self, name: str) -> Imported:
        places = iter(range(len(self.args)))
        outputs: Sequence[Any] = ()
        for node in self.graph.graph.nodes:
            match node.op:
                case "placeholder":
                    self.env[node] = self._argument(next(places))
                case "get_attr":
                    self.env[node] = self._constant(_attribute(self.graph, str(node.target)))
                case "call_function":
                    self.env[node] = self._call(node)
                case "output":
                    outputs = cast("Sequence[Any]", node.args[0])
                case _:
                    raise Unsupported(f"the graph has a node {node.op}")
        results, values = self._results(outputs)
        self.builder.prune(values)
        self._drop_unused_inputs(values)
        if not values or not self.inputs:
            raise Unsupported("nothing is computed of its inputs")
        self.block.add_op(func.ReturnOp(*values))
        types = [arg.type for arg in self.block.args]
        function = func.FuncOp(
            "main",
            (types, [v.type for v in values]),
            Region(self.block),
            arg_attrs=ArrayAttr(
                [DictionaryAttr({NAME: StringAttr(self.names[i])}) for i in self.inputs]
            ),
        )
        version = f"PyTorch {torch.__version__}"
        attributes = {MODEL: StringAttr(name), SOURCE: StringAttr(version)}
        module = ModuleOp([function], cast("dict[str, Attribute]", attributes))
        return Imported(module, tuple(self.inputs), self.held, results, self.builder.unknown)

    # --- values ---

    def _argument(self, i: int) -> Any:
        value = self.args[i]
        if not isinstance(value, Tensor):
            return value
        type = type_of(value)
        fake = self.mode.from_tensor(value.detach(), static_shapes=True)
        if i in self.weights:
            name = self.builder.names.fresh(self.names[i])
            self.held[name] = i
            weight = WeightAttr(TensorRef(name, lambda: self.load(i), type))
            ssa = self._weight(weight, type)
            return _Value(fake, ssa, value.detach(), argument=i, weights=frozenset([i]))
        self.inputs.append(i)
        arg = self.block.insert_arg(type, len(self.block.args))
        arg.name_hint = _hint(self.names[i])
        return _Value(fake, arg, argument=i)

    def _constant(self, value: Any, weights: frozenset[int] = frozenset()) -> Any:
        if not isinstance(value, Tensor):
            return value
        type_of(value)
        kept = value.detach()
        fake = self.mode.from_tensor(kept, static_shapes=True)
        return _Value(fake, constant=kept, weights=weights)

    def _weight(self, weight: WeightAttr, type: Attribute) -> SSAValue:
        op = WeightOp.of(weight, type)
        op.results[0].name_hint = _hint(weight.data.name)
        self.block.add_op(op)
        return op.results[0]

    def _ssa(self, value: _Value) -> SSAValue:
        """The value in the IR; a constant becomes a weight when it is first asked for."""
        if value.ssa is None:
            assert value.constant is not None
            for i in sorted(value.weights):
                self.load(i)  # the program holds something computed of it
            ref = TensorRef.of(self.builder.names.fresh("const"), self.array_of(value.constant))
            value.ssa = self._weight(WeightAttr(ref), type_of(value.constant))
        return value.ssa

    # --- operators ---

    def _call(self, node: fx.Node) -> Any:
        args = fx.map_arg(node.args, self.env.__getitem__)
        kwargs = fx.map_arg(node.kwargs, self.env.__getitem__)
        given = list(_tensors((args, kwargs)))
        target = cast(Any, node.target)
        if target is operator.getitem:
            return cast(Any, args)[0][cast(Any, args)[1]]
        if not isinstance(target, OpOverload):
            if given:
                raise Unsupported(f"{_title(target)} is not one of PyTorch's plain operators")
            return target(*cast(Any, args), **cast(Any, kwargs))
        if target is torch.ops.aten.as_strided.default and _is_itself(
            given[0].fake, *cast(Any, args)[1:]
        ):
            return given[0]
        random = torch.Tag.nondeterministic_seeded in target.tags
        constant = not random and all(v.constant is not None for v in given)
        if (reason := _why_not(target, constant)) is not None:
            raise Unsupported(f"{target} {reason}")
        with self.mode:
            made = _computed(target, args, kwargs, lambda v: v.fake)
        parts = list(cast("Sequence[Any]", made)) if isinstance(made, list | tuple) else [made]
        if not any(isinstance(part, Tensor) for part in parts):
            return made
        size = sum(part.nbytes for part in parts if isinstance(part, Tensor))
        constants: list[_Value] = []
        if constant and size <= _LARGEST:
            weights = frozenset[int]().union(*(v.weights for v in given))
            found = _computed(target, args, kwargs, lambda v: v.constant)
            kept = map_aggregate(found, lambda value: self._constant(value, weights))
            if not _is_moved(target) or all(v.ssa is None for v in given):
                return kept
            constants = cast("list[_Value]", kept if isinstance(kept, list | tuple) else [kept])
        values = self._lowered(node, target, args, kwargs, parts, random)
        for value, same in zip(values, constants, strict=False):
            if value is not None:
                value.constant, value.weights = same.constant, same.weights
        return values if isinstance(made, list | tuple) else values[0]

    def _lowered(
        self,
        node: fx.Node,
        target: OpOverload,
        args: Any,
        kwargs: Any,
        parts: list[Any],
        random: bool,
    ) -> list[_Value | None]:
        def tensor(value: Any) -> SSAValue | None:
            return self._ssa(value) if isinstance(value, _Value) else None

        options = {k: v for k, v in kwargs.items() if k not in _PLACEMENT and v is not None}
        types = [type_of(part) if isinstance(part, Tensor) else NoneType() for part in parts]
        read = {0}
        if len(parts) > 1:
            read = {
                cast(int, user.args[1]) for user in node.users if user.target is operator.getitem
            }
        op = Node(
            self.builder,
            str(target).removeprefix("aten."),
            [argument_of(value, tensor) for value in args],
            {key: argument_of(value, tensor) for key, value in options.items()},
            types,
            frozenset(read),
            _origin(node, target),
            _RANDOM if random else None,
        )
        values: list[_Value | None] = []
        for part, value in zip(parts, lower(op), strict=True):
            if value is not None and value.name_hint is None:
                value.name_hint = _hint(node.name)
            values.append(None if value is None else _Value(part, value))
        return values

    # --- results ---

    def _results(self, outputs: Sequence[Any]) -> tuple[tuple[Result, ...], list[SSAValue]]:
        values: list[SSAValue] = []
        results: list[Result] = []
        for output in outputs:
            value = self.env[output] if isinstance(output, fx.Node) else output
            if not isinstance(value, _Value):
                results.append(Result(constant=value))
            elif value.argument is not None:
                results.append(Result(argument=value.argument))
            else:
                ssa, fake = self._ssa(value), value.fake
                if ssa not in values:
                    values.append(ssa)
                results.append(Result.of_output(values.index(ssa), fake))
        return tuple(results), values

    def _drop_unused_inputs(self, values: Sequence[SSAValue]) -> None:
        for place in reversed(range(len(self.inputs))):
            arg = self.block.args[place]
            if not arg.uses and arg not in values:
                self.block.erase_arg(arg)
                del self.inputs[place]


def _computed(target: Any, args: Any, kwargs: Any, of: Callable[[_Value], Any]) -> Any:
    """An operator's results, of tensors with or without data."""

    def leaf(value: Any) -> Any:
        return of(value) if isinstance(value, _Value) else value

    given = map_aggregate(args, leaf), map_aggregate(kwargs, leaf)
    try:
        return target(*given[0], **given[1])
    except (DataDependentOutputException, DynamicOutputShapeException) as error:
        raise Unsupported(
            f"{target} has a result whose shape or value is not known before"
        ) from error
    except Exception as error:  # whatever an operator raises for its arguments
        raise Unsupported(f"{target}: {type(error).__name__}: {error}") from error


def _why_not(target: OpOverload, constant: bool) -> str | None:
    """Why a program cannot call an operator; None if it can. One of constants is computed here."""
    schema = cast(Any, target)._schema
    if target.namespace != "aten":
        return "is not an operator of PyTorch's own"
    if schema.is_mutable:
        return "changes a tensor in place"
    if schema.name.removeprefix("aten::") in _OF_MEMORY and not constant:
        return "depends on how its operand lies in memory"
    return None


def _is_moved(target: OpOverload) -> bool:
    """Whether the elements of an operator's result are its operand's. Of an argument it is lowered,
    as layers share weights that are moved."""
    schema = cast(Any, target)._schema
    name = schema.name.removeprefix("aten::")
    return name in _COPIES or any(result.alias_info is not None for result in schema.returns)


def _tensors(value: Any) -> Iterator[_Value]:
    if isinstance(value, _Value):
        yield value
    elif isinstance(value, list | tuple):
        for item in cast("Sequence[Any]", value):
            yield from _tensors(item)
    elif isinstance(value, dict):
        for item in cast("dict[str, Any]", value).values():
            yield from _tensors(item)


def _is_itself(
    x: Tensor, size: Sequence[int], strides: Sequence[int], offset: int | None = None
) -> bool:
    """Whether as_strided() gives the elements of x, with other strides for dimensions of size 1
    only, as an average over all pixels has it for images in channels_last."""
    here = offset is None or offset == x.storage_offset()
    dims = zip(size, strides, x.stride(), strict=False)
    return here and tuple(size) == x.shape and all(n == 1 or new == old for n, new, old in dims)


def _attribute(graph: fx.GraphModule, name: str) -> Any:
    value: Any = graph
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _title(target: Any) -> str:
    return getattr(target, "__name__", None) or str(target)


_NOT_OF_NAMES = re.compile(r"[^A-Za-z0-9_]+")


def _hint(name: str) -> str | None:
    """A name for a value of the IR, which has to be an identifier there."""
    text = _NOT_OF_NAMES.sub("_", name).strip("_")
    return text if text and not text[0].isdigit() else None


_INDEX = re.compile(r"\[['\"]?([^'\"\]]*)['\"]?\]")


def _origin(node: fx.Node, target: OpOverload) -> str:
    """The path of the module that the operator comes from, and its name: `/layer1.0/conv1/mm`."""
    stack = cast("dict[str, tuple[str, Any]]", node.meta.get("nn_module_stack") or {})
    path = next(reversed(stack.values()))[0] if stack else ""
    # L['self'].layer1[0].conv1 and L['self'].layer1.0.conv1
    _, _, inner = _INDEX.sub(r".\1", path).lstrip("L").lstrip(".").partition(".")
    words = [inner.replace("_modules.", "")] if inner else []
    return "/".join(["", *words, str(target).split(".")[1].strip("_")])
