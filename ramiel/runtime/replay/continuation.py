"""The rest of a method: its statements from one on, as a function of their own.

Workers and `serial` are straight-line code, and a run that is taped executes them as they are. When
it has to stop in a statement, nothing of that statement has changed the method's variables yet, so
that the rest can be run from there with what the variables are then.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

from torch import nn

from ramiel.runtime.locks import Lock

_HELD = ".held"
"""The only argument of a rest; no name that a program could have."""
_OURS = ("torch", "ramiel.runtime")
Definition = ast.FunctionDef | ast.AsyncFunctionDef
_SIMPLE = ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Delete | ast.Expr | ast.Return


class NoRest(Exception):
    """There is no such function; the message says why."""


@dataclass(frozen=True)
class Rest:
    """A function of a list that holds one tuple, the values of `names`. It takes the tuple out, so
    that its `del` statements free what they delete."""

    function: FunctionType
    names: tuple[str, ...]
    line: int
    """Where it begins."""
    channels: frozenset[str] | None
    """The channels that it uses; None if it may be any."""


def rest_of(
    function: FunctionType, line: int, live: Mapping[str, Any], channels: str | None
) -> Rest:
    """The rest of a function that has stopped at a line, with those variables; `channels` is the
    one that holds the channels."""
    code = function.__code__
    definition = definition_of(code)
    at = index_of_line(definition.body, line)
    rest = definition.body[at:]
    _check_objects(function, definition, rest[0], live)
    before = names_in(definition.body[:at], ast.Store)
    before |= {node.arg for node in ast.walk(definition.args) if isinstance(node, ast.arg)}
    known = live.keys() - made_in(rest[0], before, live.keys())
    used, deleted = read_in(rest) & known, names_in(rest, ast.Del) & known
    names = tuple(sorted(used))
    prologue = taken_out(names, deleted - used)
    made = compiled_as(definition, [*prologue, *rest], rest[0], code)
    sent = channels_in(rest, channels) if channels is not None else frozenset[str]()
    return Rest(FunctionType(made, function.__globals__), names, rest[0].lineno, sent)


def index_of_line(statements: Sequence[ast.stmt], line: int) -> int:
    """The number of the statement at a line. NoRest if there is none, or more than one."""
    at = [i for i, s in enumerate(statements) if s.lineno <= line <= (s.end_lineno or line)]
    if len(at) != 1:
        raise NoRest(f"line {line} is not one statement")
    return at[0]


def taken_out(names: Sequence[str], deleted: Iterable[str]) -> list[ast.stmt]:
    """Statements by which a rest gets its variables; those that it only deletes are None."""
    statements: list[ast.stmt] = []
    if names:
        taken = ast.Attribute(ast.Name(_HELD, ast.Load()), "pop", ast.Load())
        targets = ast.Tuple([ast.Name(name, ast.Store()) for name in names], ast.Store())
        statements.append(ast.Assign([targets], ast.Call(taken, [], [])))
    for name in sorted(deleted):
        statements.append(ast.Assign([ast.Name(name, ast.Store())], ast.Constant(None)))
    return statements


def compiled_as(
    definition: Definition,
    body: Sequence[ast.stmt],
    at: ast.stmt,
    code: CodeType,
    kind: type[Definition] | None = None,
) -> CodeType:
    """A function of what it holds, with another body. Statements without a line are at `at`."""
    arguments = ast.arguments([], [ast.arg(_HELD)], None, [], [], None, [])
    ast.fix_missing_locations(ast.copy_location(arguments.args[0], at))
    for statement in body:
        if not hasattr(statement, "lineno"):
            ast.copy_location(statement, at)
        ast.fix_missing_locations(statement)
    fields = dict(ast.iter_fields(definition))
    fields |= {"args": arguments, "body": list(body), "decorator_list": []}
    alone = ast.copy_location((kind or type(definition))(**fields), definition)
    return _compiled(ast.Module([alone], []), code).replace(co_qualname=code.co_qualname)


def definition_of(code: CodeType) -> Definition:
    """The source that a function was compiled from, with its lines."""
    try:
        with _parsing:
            module = _parsed("".join(linecache.getlines(code.co_filename)))
    except (SyntaxError, SystemError) as error:
        raise NoRest(f"its source cannot be had: {error}") from error
    # Names that are imported are called in a way of their own.
    imports = [node for node in module.body if isinstance(node, ast.Import | ast.ImportFrom)]
    for node in ast.walk(module):
        if isinstance(node, Definition) and node.name == code.co_name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first != code.co_firstlineno or code.co_freevars:
                continue
            if _are_alike(_compiled(ast.Module([*imports, node], []), code), code):
                return node
    raise NoRest("its source is not there, or not what runs")


@lru_cache(1)
def _parsed(source: str) -> ast.Module:
    """One file, for all workers of a program."""
    return ast.parse(source)


_parsing = Lock()
"""Python 3.11 may fail in a thread that parses while another one does."""


def _compiled(module: ast.Module, like: CodeType) -> CodeType:
    """The function in a module that is to have the name and the flags of another."""
    flags = like.co_flags & annotations.compiler_flag
    made = compile(module, like.co_filename, "exec", flags=flags, dont_inherit=True)
    return next(c for c in made.co_consts if isinstance(c, CodeType) and c.co_name == like.co_name)


def _are_alike(code: CodeType, other: CodeType) -> bool:
    names = ("co_code", "co_names", "co_varnames", "co_cellvars", "co_firstlineno")
    constants = code.co_consts, other.co_consts
    return (
        all(getattr(code, name) == getattr(other, name) for name in names)
        and len(constants[0]) == len(constants[1])
        and all(
            _are_alike(a, b)
            if isinstance(a, CodeType) and isinstance(b, CodeType)
            else (type(a), a) == (type(b), b)
            for a, b in zip(*constants, strict=True)
        )
    )


def made_in(statement: ast.stmt, before: set[str], live: Iterable[str]) -> set[str]:
    """The variables that a statement which was left in the middle has made. NoRest if it may have
    changed those of before: then it cannot be run from its beginning."""
    inner = any(isinstance(node, ast.NamedExpr) for node in ast.walk(statement))
    if isinstance(statement, _SIMPLE) and not inner:
        return set()
    stored, deleted = names_in([statement], ast.Store), names_in([statement], ast.Del)
    made = stored - before
    if (stored - made).intersection(live) or (deleted - made).difference(live):
        raise NoRest("a part of the statement has run")
    return made


def _check_objects(
    function: FunctionType, definition: Definition, stopped: ast.stmt, live: Mapping[str, Any]
) -> None:
    """NoRest if objects may have been changed: by the statement that was left in the middle, which
    would do so again, or where a replay does not do it."""
    for node in ast.walk(definition):
        if isinstance(node, ast.Global | ast.Nonlocal):
            raise NoRest("it changes variables that are not its own")
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = live.get(node.value.id)
            found = vars(owner).get(node.attr) if isinstance(owner, nn.Module) else None
            if not isinstance(node.ctx, ast.Load) or isinstance(found, list | dict | set):
                raise NoRest(f"it may change {node.value.id}.{node.attr}")
    containers = {name for name, value in live.items() if isinstance(value, list | dict | set)}
    calls = [node for node in ast.walk(stopped) if isinstance(node, ast.Call)]
    only_read = {
        argument
        for call in calls
        if _leaves_arguments(call, function)
        for argument in (*call.args, *(keyword.value for keyword in call.keywords))
    }
    for node in ast.walk(stopped):
        if isinstance(node, ast.Name) and node.id in containers and node not in only_read:
            raise NoRest(f"the statement may have changed {node.id}")


def _leaves_arguments(call: ast.Call, function: FunctionType) -> bool:
    """Whether a call is of a function of PyTorch's or of ours, none of which changes a list."""
    match call.func:
        case ast.Attribute(value=ast.Name(id=name)):
            module = function.__globals__.get(name)
            return isinstance(module, ModuleType) and module.__name__.startswith(_OURS)
        case _:
            return False


def read_in(statements: Sequence[ast.stmt]) -> set[str]:
    """The variables that statements read."""
    nodes = [node for statement in statements for node in ast.walk(statement)]
    targets = (node.target for node in nodes if isinstance(node, ast.AugAssign))
    return names_in(statements, ast.Load) | {t.id for t in targets if isinstance(t, ast.Name)}


def names_in(statements: Sequence[ast.stmt], context: type[ast.expr_context]) -> set[str]:
    nodes = (node for statement in statements for node in ast.walk(statement))
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, context)}


def channels_in(statements: Sequence[ast.stmt], name: str) -> frozenset[str] | None:
    nodes = [node for statement in statements for node in ast.walk(statement)]
    uses = sum(isinstance(node, ast.Name) and node.id == name for node in nodes)
    found = [
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
    ]
    return frozenset(found) if len(found) == uses else None
