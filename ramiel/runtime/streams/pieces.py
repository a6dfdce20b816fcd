"""Workers in pieces: from one statement until others, before which they stop.

A piece is a coroutine of the same statements, compiled with their lines. Before a statement that is
a stop it awaits what is never sent, so it stays there with its variables. The serial form gets
pieces that are coroutines as well.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Mapping
from types import CodeType, FunctionType
from typing import Any, NamedTuple, TypeGuard

from ramiel.runtime.replay.continuation import (
    NoRest,
    channels_in,
    compiled_as,
    definition_of,
    index_of_line,
    made_in,
    names_in,
    read_in,
    taken_out,
)
from ramiel.runtime.streams.issue import Worker

_STOP = ".stop"
"""What a piece awaits before a stop; no name that a program could have."""


class Stopped:
    """What a piece waits for at a stop: nobody sends it."""

    name = "a stop"

    def __init__(self) -> None:
        self.waiting: list[int] = []

    def __await__(self) -> Any:
        yield self


class Place(NamedTuple):
    """Where a worker is: before a statement, with its variables."""

    statement: int
    values: Mapping[str, Any]


class Body:
    """The statements of a worker, within its `with ch.stream(k)`, or of the serial form."""

    def __init__(self, function: FunctionType) -> None:
        """Raises NoRest if its source cannot be had, or is no sequence of statements."""
        if function.__defaults__ or function.__kwdefaults__:
            raise NoRest(f"{function.__name__} has arguments with defaults")
        self.function = function
        self.codes: set[CodeType] = {function.__code__}
        """The bytecode of the method and of its pieces."""
        self.stops: dict[int, str] = {}
        """Why statements need the host, by their numbers."""
        self._definition = definition_of(function.__code__)
        top = [s for s in self._definition.body if not _is_text(s)]
        self.names = [argument.arg for argument in self._definition.args.args]
        """The method's arguments: the program, then the channels or inputs."""
        self._channels = self.names[1] if isinstance(self._definition, ast.AsyncFunctionDef) else ""
        self._with = top[0] if len(top) == 1 and self._is_stream(top[0]) else None
        self._statements = self._with.body if self._with is not None else top
        self._free = [self._is_free(statement) for statement in self._statements]
        self._pieces: dict[object, Callable[[list[Any]], Worker]] = {}

    def __len__(self) -> int:
        return len(self._statements)

    def line(self, index: int) -> int:
        return self._statements[index].lineno

    def index(self, line: int) -> int:
        """The statement at a line. NoRest if there is not one."""
        return index_of_line(self._statements, line)

    def target(self, index: int) -> str:
        """The first variable that a statement assigns, or its line."""
        found = [
            node.id
            for node in ast.walk(self._statements[index])
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        ]
        return found[0] if found else f"line {self.line(index)}"

    def is_free(self, index: int) -> bool:
        """Whether a statement only waits, sends, deletes or returns: the device does nothing."""
        return self._free[index]

    def operations(self) -> frozenset[int]:
        """The statements that are not free."""
        return frozenset(i for i, free in enumerate(self._free) if not free)

    def place(self, index: int, values: Mapping[str, Any]) -> Place:
        """A place with those of the variables that are still read."""
        used = read_in(self._statements[index:]) | {self._channels}
        return Place(index, {k: v for k, v in sorted(values.items()) if k in used})

    def halted(self, line: int, values: Mapping[str, Any], *, is_within: bool) -> Place:
        """The place of a worker that has halted at a line, maybe within its statement, which will
        run again. NoRest if it cannot, as it has changed variables."""
        index = self.index(line)
        if is_within:
            before = names_in(self._statements[:index], ast.Store) | {*self.names}
            made = made_in(self._statements[index], before, values.keys())
            values = {name: value for name, value in values.items() if name not in made}
        return self.place(index, values)

    def channels(self, index: int) -> frozenset[str] | None:
        """The channels that statements from one on use; None if it may be any."""
        return channels_in(self._statements[index:], self._channels)

    def piece(self, place: Place, stops: Collection[int]) -> Worker:
        """A coroutine from a place on, which stops before each of some statements."""
        names = tuple(place.values)
        key = (place.statement, names, frozenset(stops))
        if key not in self._pieces:
            self._pieces[key] = self._compiled(place.statement, names, stops)
        return self._pieces[key]([(Stopped(), *place.values.values())])

    def _compiled(
        self, index: int, names: tuple[str, ...], stops: Collection[int]
    ) -> Callable[[list[Any]], Worker]:
        rest: list[ast.stmt] = []
        for i, statement in enumerate(self._statements[index:], index):
            if i in stops:
                wait = ast.Expr(ast.Await(ast.Name(_STOP, ast.Load())))
                rest.append(ast.copy_location(wait, statement))
            rest.append(statement)
        first = self._statements[index]
        deleted = names_in(rest, ast.Del) - {*names}
        if self._with is not None:
            rest = [ast.copy_location(ast.With(self._with.items, rest), first)]
        body = [*taken_out((_STOP, *names), deleted), *rest]
        code = self.function.__code__
        made = compiled_as(self._definition, body, first, code, ast.AsyncFunctionDef)
        self.codes.add(made)
        function: Any = FunctionType(made, self.function.__globals__)
        return function

    def _is_stream(self, statement: ast.stmt) -> TypeGuard[ast.With]:
        """Whether it is `with ch.stream(k):`."""
        match statement:
            case ast.With(
                items=[
                    ast.withitem(
                        context_expr=ast.Call(
                            func=ast.Attribute(value=ast.Name(id=name), attr="stream"),
                            args=[ast.Constant()],
                        ),
                        optional_vars=None,
                    )
                ]
            ):
                return name == self._channels
            case _:
                return False

    def _is_free(self, statement: ast.stmt) -> bool:
        match statement:
            case ast.Delete():
                return True
            case ast.Return(value=value):
                return value is None or _is_plain(value)
            case ast.Assign(value=value) | ast.Expr(value=value):
                return _is_plain(value) or self._is_passing(value)
            case _:
                return False

    def _is_passing(self, value: ast.expr) -> bool:
        """Whether an expression only awaits a channel, or sends a variable to it."""
        match value:
            case ast.Await(value=ast.Attribute(value=ast.Name(id=name))):
                return name == self._channels
            case ast.Await(
                value=ast.Call(
                    func=ast.Attribute(value=ast.Attribute(value=ast.Name(id=name)), attr="take")
                )
            ):
                return name == self._channels
            case ast.Call(
                func=ast.Attribute(value=ast.Attribute(value=ast.Name(id=name)), attr="send"),
                args=args,
            ):
                return name == self._channels and all(map(_is_plain, args))
            case _:
                return False


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_plain(value: ast.expr) -> bool:
    """Whether an expression is a variable, a constant, or a tuple of such."""
    if isinstance(value, ast.Tuple):
        return all(map(_is_plain, value.elts))
    return isinstance(value, ast.Name | ast.Constant)


def bodies_of(functions: Iterable[FunctionType]) -> list[Body]:
    """The bodies of methods, one for each that differs. Raises NoRest."""
    made: dict[FunctionType, Body] = {}
    return [made.setdefault(f, made.get(f) or Body(f)) for f in functions]
