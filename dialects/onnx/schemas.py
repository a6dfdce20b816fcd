"""ONNX's operator schemas, in the form that the dialect's verifier uses.

Everything about the operators comes from `onnx.defs`: nothing is repeated by hand, and a newer
onnx package adds its operators.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from onnx import AttributeProto, defs

NEWEST_OPSET = defs.onnx_opset_version()


@dataclass(frozen=True)
class Formal:
    """A formal input or output: its type variable and the types that it may take."""

    name: str
    variable: str
    types: frozenset[str]
    variadic: bool
    homogeneous: bool
    optional: bool


@dataclass(frozen=True)
class Schema:
    """One version of an operator."""

    name: str
    since: int
    inputs: tuple[Formal, ...]
    outputs: tuple[Formal, ...]
    min_inputs: int
    max_inputs: int
    min_outputs: int
    max_outputs: int
    attributes: Mapping[str, str]
    """Attribute name -> `INT`, `FLOATS`, `TENSOR`, ..."""
    required: frozenset[str]
    defaults: Mapping[str, AttributeProto]
    graphs: tuple[str, ...]
    """The attributes that are subgraphs, in the order of the operation's regions."""
    deterministic: bool
    deprecated: bool
    has_function: bool
    """Whether ONNX defines it as a function of other operators."""
    source: defs.OpSchema


def _formals(parameters: object) -> tuple[Formal, ...]:
    option = defs.OpSchema.FormalParameterOption
    assert isinstance(parameters, list)
    return tuple(
        Formal(
            p.name,
            p.type_str,
            frozenset(p.types),
            p.option == option.Variadic,
            p.is_homogeneous,
            p.option == option.Optional,
        )
        for p in parameters
    )


def _name(member: object) -> str:
    """The name of an enumeration's member, which onnx's stubs do not declare."""
    return getattr(member, "name", "")


_FUNCTIONS = ("has_function", "has_context_dependent_function")
"""The properties of a schema that tell whether it has a function body; onnx's stubs lack them."""


@cache
def schema(name: str, opset: int, domain: str = "") -> Schema | None:
    """The schema of an operator that is in force in its domain's opset; None if there is none."""
    try:
        source = defs.get_schema(name, opset, domain)
    except defs.SchemaError:
        return None
    kinds = {a.name: _name(a.type) for a in source.attributes.values()}
    random = _name(getattr(source, "node_determinism", None)) == "NonDeterministic"
    return Schema(
        name=name,
        since=source.since_version,
        inputs=_formals(source.inputs),
        outputs=_formals(source.outputs),
        min_inputs=source.min_input,
        max_inputs=source.max_input,
        min_outputs=source.min_output,
        max_outputs=source.max_output,
        attributes=kinds,
        required=frozenset(a.name for a in source.attributes.values() if a.required),
        defaults={
            a.name: a.default_value for a in source.attributes.values() if a.default_value.type
        },
        graphs=tuple(sorted(n for n, kind in kinds.items() if kind == "GRAPH")),
        # ONNX marks operators with subgraphs as non-deterministic only because of what their
        # subgraphs may contain, and those are examined on their own.
        deterministic=not random or "GRAPH" in kinds.values(),
        deprecated=source.deprecated,
        has_function=any(getattr(source, kind, False) for kind in _FUNCTIONS),
        source=source,
    )


@cache
def history() -> Mapping[tuple[str, str], tuple[defs.OpSchema, ...]]:
    """All versions of every operator, oldest first, by domain and name."""
    found: dict[tuple[str, str], list[defs.OpSchema]] = {}
    for s in defs.get_all_schemas_with_history():
        found.setdefault((s.domain, s.name), []).append(s)
    return {key: tuple(sorted(v, key=lambda s: s.since_version)) for key, v in found.items()}


@cache
def operator_names() -> tuple[str, ...]:
    """Every operator that any ai.onnx opset ever had, sorted."""
    return tuple(sorted(name for domain, name in history() if domain == ""))


def first_opset(name: str, domain: str = "") -> int | None:
    """The opset that introduced an operator; None if the domain never had it."""
    versions = history().get((domain, name))
    return versions[0].since_version if versions else None


@cache
def newest_opsets() -> Mapping[str, int]:
    """The domains that the installed onnx defines, besides ai.onnx, with their newest opsets."""
    newest: dict[str, int] = {}
    for (domain, _), versions in history().items():
        if domain:
            newest[domain] = max(versions[-1].since_version, newest.get(domain, 1))
    return newest
