"""The types of a model's inputs: as declared, or with requested shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import onnx
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, StringAttr
from xdsl.ir import Attribute

from ramiel.dialects.onnx.attributes import WeightAttr
from ramiel.dialects.onnx.operation import DEFAULT, DIMS, NAME
from ramiel.dialects.onnx.protos import type_of_proto
from ramiel.dialects.onnx.types import element_of, shape_of, tensor_type
from ramiel.errors import CompileError, shorten

Shapes = Mapping[str, tuple[int, ...]]
Sizes = dict[str, tuple[int, str]]
"""The size of each named dimension, and the input that determines it."""

LONGEST = 100
"""The most characters of a dimension's name; longer names are ignored."""
_NO_NAMES = frozenset(["none", "unk", "unknown", "dynamic"])
"""Names that exporters give to unknown dimensions."""


def dimension_names(info: onnx.ValueInfoProto) -> list[str]:
    """The names of a tensor's dimensions; "" for a dimension without one."""
    if info.type.WhichOneof("value") != "tensor_type":
        return []
    return [_name(dim.dim_param) for dim in info.type.tensor_type.shape.dim]


def _name(text: str) -> str:
    says_nothing = text.lower() in _NO_NAMES or not any(c.isalpha() for c in text)
    return "" if says_nothing or len(text) > LONGEST or not text.isprintable() else text


def input_types(
    inputs: Sequence[onnx.ValueInfoProto], shapes: Shapes, batch_of_one: bool
) -> list[Attribute]:
    """The types of inputs. A shape that is given for one input also determines the dimensions of
    the same names in others; with `batch_of_one`, any other open first dimension is 1.

    Raises CompileError for a shape of an unknown input, or one that contradicts the declaration
    or the shape of another input.
    """
    unknown = shapes.keys() - {info.name for info in inputs}
    if unknown:
        raise CompileError(f'it has no input "{shorten(min(unknown))}" to give a shape')
    sizes: Sizes = {}
    for info in inputs:
        if info.name in shapes:
            _check(info, shapes[info.name], sizes)
    return [_type(info, shapes.get(info.name), sizes, batch_of_one) for info in inputs]


def _check(info: onnx.ValueInfoProto, given: tuple[int, ...], sizes: Sizes) -> None:
    """Checks a given shape, and adds the sizes of its named dimensions to `sizes`."""
    type, title = type_of_proto(info.type), f'input "{shorten(info.name)}"'
    known = shape_of(type)
    if element_of(type) is None:
        raise CompileError(f"{title} is not a tensor and cannot be given a shape")
    if known is not None and (
        len(known) != len(given)
        or any(k not in (None, g) for k, g in zip(known, given, strict=False))
    ):
        raise CompileError(
            f"{title} is {_text(known) or 'a scalar'}, which {_text(given)} does not fit"
        )
    for name, size in zip(dimension_names(info), given, strict=False):
        other, where = sizes.setdefault(name, (size, title)) if name else (size, title)
        if other != size:
            raise CompileError(
                f'dimension "{shorten(name)}" is {other} in {where} and {size} in {title}: '
                "all dimensions of a name must have the same size"
            )


def _text(shape: Iterable[int | None]) -> str:
    return "x".join("?" if dim is None else str(dim) for dim in shape)


def _type(
    info: onnx.ValueInfoProto, given: tuple[int, ...] | None, sizes: Sizes, batch_of_one: bool
) -> Attribute:
    type = type_of_proto(info.type)
    element, known = element_of(type), shape_of(type)
    if element is None or (given is None and known is None):
        return type
    if given is not None:
        return tensor_type(element, given)
    assert known is not None
    names = dimension_names(info)
    shape = [
        sizes[name][0] if dim is None and name in sizes else dim
        for dim, name in zip(known, names, strict=True)
    ]
    if batch_of_one and shape and shape[0] is None:
        shape[0] = 1
    return tensor_type(element, shape)


def inputs_of_graph(
    model: onnx.ModelProto, freeze: bool = False
) -> tuple[list[onnx.ValueInfoProto], dict[str, onnx.TensorProto]]:
    """The inputs of a model's graph, and the defaults of optional ones by name.

    From IR version 4 on, an initializer that is also an input is its default; such inputs come
    last. Before, all initializers had to be listed as inputs, so none of them counts as an input;
    with `freeze`, none does either.
    """
    graph = model.graph
    initializers = {t.name: t for t in graph.initializer}
    initializers |= {s.values.name: s.values for s in graph.sparse_initializer}
    needed = [i for i in graph.input if i.name not in initializers]
    if freeze or model.ir_version < 4:
        return needed, {}
    dense = {t.name: t for t in graph.initializer}
    others = [i for i in graph.input if i.name in dense]
    return [*needed, *others], {i.name: dense[i.name] for i in others}


def argument_type(name: str, declared: Attribute, default: Attribute) -> Attribute:
    """The type of an input that has a default: as declared, or the default's if undeclared.

    Raises CompileError if the default is not of that type.
    """
    known, given = shape_of(declared), shape_of(default)
    if known is None:
        return default
    assert given is not None
    fits = len(known) == len(given) and all(
        k in (None, g) for k, g in zip(known, given, strict=True)
    )
    if not fits or element_of(declared) != element_of(default):
        raise CompileError(
            f'input "{shorten(name)}" is {declared}, which its default, a {default}, is not'
        )
    return declared


def argument_attributes(
    inputs: Sequence[onnx.ValueInfoProto], defaults: Mapping[str, WeightAttr]
) -> ArrayAttr[DictionaryAttr]:
    """The function's argument attributes: names in the model, names of dimensions, and defaults."""
    attributes: list[DictionaryAttr] = []
    for info in inputs:
        entries: dict[str, Attribute] = {NAME: StringAttr(info.name)}
        names = dimension_names(info)
        if any(names):
            entries[DIMS] = ArrayAttr([StringAttr(name) for name in names])
        if info.name in defaults:
            entries[DEFAULT] = defaults[info.name]
        attributes.append(DictionaryAttr(entries))
    return ArrayAttr(attributes)
