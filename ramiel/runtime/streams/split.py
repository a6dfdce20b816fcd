"""Calls as chains of captured graphs, with what needs the host between them.

A part of a run is captured until each worker has ended, is before a statement that needs the host,
or waits for a worker that is. There the streams are joined, and the graph is replayed. The
statements that need the host are issued one after the other, on the caller's stream, and the next
part is captured. All parts share a pool of memory, as one is replayed at a time. What a part leaves
in the workers' variables and in channels is held, so that the parts behind it find it there in each
call. What was made on the host is copied to memory of the next part, which there is one of for each
type, shape and strides of it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ramiel.runtime.replay.continuation import NoRest
from ramiel.runtime.replay.plans import MOST, keep
from ramiel.runtime.replay.split import CONSTANT, mapped, told_places
from ramiel.runtime.replay.tape import NotCapturable
from ramiel.runtime.streams.device import Device, Graph
from ramiel.runtime.streams.issue import Advanced, Events, Halt, Issue, Worker
from ramiel.runtime.streams.pieces import Body, Place, Stopped, bodies_of
from ramiel.runtime.streams.reads import lines_that_read

MOST_STOPS = 64
"""The most statements at which a form is split: each one found costs a broken capture."""


class Start(NamedTuple):
    """How a form of a program begins."""

    methods: Sequence[FunctionType]
    """Workers, or the serial form once for each sample."""
    arguments: Sequence[Sequence[Any]]
    """Those behind the program, by method: nothing for workers."""
    given: Mapping[str, Any]
    """What is in channels."""
    channels: Sequence[str]
    outputs: Sequence[str]
    """The channels of the outputs; none if methods return them."""


@dataclass
class State:
    """A run between two statements of each worker."""

    places: dict[int, Place]
    """Of the workers that have not ended."""
    sent: dict[str, Any]
    """What channels hold."""
    results: dict[int, Any] = field(default_factory=dict[int, Any])
    """What ended methods have returned."""

    def mapped(
        self,
        function: Callable[[Any], Any],
        closed: Callable[[Any], object] = lambda _: None,
    ) -> State:
        """The same, with each value mapped. Containers are new, and `closed` is told of each."""
        made: dict[int, Any] = {}

        def each(value: Any) -> Any:
            if isinstance(value, Tensor):
                return function(value)
            if id(value) not in made:  # what was one object is one again
                found = mapped(value, each)
                if found is value:
                    found = function(value)
                else:
                    closed(value)
                made[id(value)] = found
            return made[id(value)]

        return State(
            {
                worker: Place(index, {name: each(v) for name, v in values.items()})
                for worker, (index, values) in self.places.items()
            },
            {name: each(value) for name, value in self.sent.items()},
            {worker: each(value) for worker, value in self.results.items()},
        )


class Node:
    """A captured part, and the parts that may follow it."""

    def __init__(self, graph: Graph | None, inputs: Sequence[Tensor], after: State) -> None:
        self.graph = graph
        self.inputs = inputs
        """Its own memory, for what the host made before it."""
        self.after = after
        """The run once it has been replayed: tensors of this graph and of those before."""
        self.following: dict[object, Node | None] = {}
        """By what the host leaves: see described(). None for what was found once so far."""
        self._numbers = {id(x): i for i, x in enumerate(_tensors(after))}

    def described(self, state: State, device: torch.device) -> tuple[object, list[Tensor]]:
        """What has to be alike in two calls for the same part to follow; and the tensors that the
        host has made. NotCapturable if something in a variable is of no kind that is known."""
        made: dict[int, int] = {}
        tensors: list[Tensor] = []
        found: list[object] = [*((k, place.statement) for k, place in state.places.items())]

        def describe(value: Any) -> Any:
            if isinstance(value, Tensor):
                if (number := self._numbers.get(id(value))) is not None:
                    found.append(number)
                    return value
                if value.device != device:
                    raise NotCapturable(f"a tensor on {value.device} where capture stops")
                if id(value) not in made:
                    made[id(value)] = len(made)
                    tensors.append(value)
                found.append((made[id(value)], value.shape, value.dtype, value.stride()))
            elif isinstance(value, CONSTANT):
                found.append((type(value), value))
            elif value is not CHANNELS:
                raise NotCapturable(f"a {type(value).__name__} where capture stops")
            return value

        state.mapped(describe, lambda x: found.append((type(x), getattr(x, "__len__", int)())))
        return tuple(found), tensors


CHANNELS = object()
"""Stands for a run's channels in variables."""


class Found(Exception):
    """A capture was broken by a statement that is a stop from now on."""


class Chain:
    """The parts of a form of a program, for inputs of some shapes."""

    def __init__(
        self,
        device: Device,
        streams: int,
        program: Any,
        start: Start,
        codes: set[CodeType],
    ) -> None:
        """`start` has the plan's own inputs; `codes` gets the bytecode of pieces. Raises
        NotCapturable, or what a statement does that is not issued within a capture."""
        self._device = device
        self._streams = device.streams(streams - 1)
        self._count = streams
        self._program, self._start = program, start
        try:
            self._bodies = bodies_of(start.methods)
        except NoRest as error:
            raise NotCapturable(str(error)) from error
        self._codes = codes
        self._owners = {body.function.__code__: body for body in self._bodies}
        """By the bytecode of methods and of their pieces, whose they are."""
        self._root = Node(None, [], self._began())
        self.outputs: list[Any] = []
        """Those of the run that made it."""
        self.memory = 0
        self._newest: weakref.ref[Graph] | None = None
        """The graph whose memory the next one may use; none after a broken capture, whose pool the
        allocator may take to be in use."""
        self.graphs = 0
        """How many were captured."""

    @property
    def where(self) -> str:
        """At which statements it is split, and why."""
        return told_places(
            [
                f"{body.function.__name__}, line {body.line(index)}: {why}"
                for body in dict.fromkeys(self._bodies)
                for index, why in sorted(body.stops.items())
            ]
        )

    def _began(self) -> State:
        places: dict[int, Place] = {}
        for worker, (body, given) in enumerate(
            zip(self._bodies, self._start.arguments, strict=True)
        ):
            arguments = (self._program, *(given or [CHANNELS]))
            places[worker] = body.place(0, dict(zip(body.names, arguments, strict=True)))
        return State(places, dict(self._start.given))

    def find_stops(self) -> None:
        """Run all of it, and stop at statements that read values: those are most of the ones that
        need the host, and so each of them need not break a capture."""
        found = lines_that_read(lambda: self._rest(self._began()), self._owners)
        for (body, line), operator in found.items():
            self._stop(body, body.index(line), f"{operator} reads a value")

    # --- a call ---

    def run(self, grow: bool = False) -> list[Any]:
        """Replay the parts for what is in the plan's inputs; the outputs, which may be in memory of
        graphs.

        Where the host has left what there is no part for, the rest is issued operation by
        operation, and captured when that is found again; at once, if the chain is to `grow`.
        """
        node = self._root
        while True:
            if node.graph is not None:
                node.graph.replay()
            state, is_at_a_part = self._on_host(node.after.mapped(_same))
            if not is_at_a_part:
                return self._outputs(state)
            key, made = node.described(state, self._device.torch_device)
            following = node.following.get(key)
            if following is None and (grow or key in node.following):
                try:
                    following = self._part(state, made)
                except Found:
                    continue
                self._keep(node, key, following)
            elif following is None:
                self._keep(node, key, None)
                return self._outputs(self._rest(state))
            else:
                for own, given in zip(following.inputs, made, strict=True):
                    own.copy_(given)
            node = following

    def _keep(self, node: Node, key: object, following: Node | None) -> None:
        if len(node.following) >= MOST:
            self._device.synchronize()  # a graph must not be freed while it runs
        keep(node.following, key, following)

    def _outputs(self, state: State) -> list[Any]:
        if self._start.outputs:
            missing = [name for name in self._start.outputs if name not in state.sent]
            if state.places or missing:
                raise NotCapturable("a worker waits for a channel that nobody sends")
            return [state.sent[name] for name in self._start.outputs]
        results = [state.results[k] for k in sorted(state.results)]
        rows = [row if isinstance(row, tuple) else (row,) for row in results]
        return [value for row in rows for value in row]

    # --- its parts ---

    def _on_host(self, state: State) -> tuple[State, bool]:
        """Goes on to where something can be captured: the state there, and whether there is."""
        while True:
            state = self._passed(state)
            at = {k: place.statement for k, place in state.places.items()}
            ready = {k for k, index in at.items() if not self._bodies[k].is_free(index)}
            waiting = {k for k in ready if at[k] in self._bodies[k].stops}
            if ready - waiting or not waiting:
                return state, bool(ready)
            state = self._stepped(state, waiting)

    def _passed(self, state: State) -> State:
        """After all that the device has no part in: values are sent and received."""
        if not any(self._bodies[k].is_free(place.statement) for k, place in state.places.items()):
            return state
        stops = {k: self._bodies[k].operations() for k in state.places}
        return self._advanced(state, stops, [])

    def _stepped(self, state: State, workers: set[int]) -> State:
        """After the statements before which some workers are."""
        stops = {k: range(state.places[k].statement + 1, len(self._bodies[k])) for k in workers}
        after = self._advanced(state, stops, [])
        for k in workers:
            if k in after.places and after.places[k].statement == state.places[k].statement:
                raise NotCapturable(f"line {self._bodies[k].line(after.places[k].statement)} waits")
        return after

    def _rest(self, state: State) -> State:
        """After all of it, issued operation by operation."""
        return self._advanced(state, dict.fromkeys(state.places, ()), [])

    def _part(self, state: State, made: Sequence[Tensor]) -> Node:
        """The part that begins at a state, captured and replayed. Raises Found."""
        inputs = [torch.empty_like(x) for x in made]
        own = {id(x): y for x, y in zip(made, inputs, strict=True)}
        for x, y in zip(made, inputs, strict=True):
            y.copy_(x)
        state = state.mapped(lambda value: own.get(id(value), value))
        stops = {k: self._bodies[k].stops for k in state.places}
        beside, self._newest = self._newest, None
        try:
            graph, after = self._device.capture(
                lambda: self._advanced(state, stops, self._streams),
                self._count,
                None if beside is None else beside(),
            )
        except (NotCapturable, torch.OutOfMemoryError):
            raise
        except Exception as error:
            self.stop_at(error)
            raise Found from error
        there = self._device.torch_device
        if elsewhere := [x.device for x in _tensors(after) if x.device != there]:
            raise NotCapturable(f"a tensor on {elsewhere[0]} where capture stops")
        node = Node(graph, inputs, after)
        node.described(after, there)  # is of known kinds
        self._newest = weakref.ref(graph)
        self.memory += graph.memory
        self.graphs += 1
        return node

    def stop_at(self, error: Exception) -> None:
        """Stop from now on at the statement that an error comes from. Raises it if there is none,
        or none that has an operation."""
        body, line = None, 0
        step = error.__traceback__
        while step is not None:
            if step.tb_frame.f_code in self._owners:
                body, line = self._owners[step.tb_frame.f_code], step.tb_lineno
            step = step.tb_next
        if body is None:
            raise error
        index = body.index(line)
        if index in body.stops or body.is_free(index):
            raise error
        self._stop(body, index, str(error).splitlines()[0])

    def _stop(self, body: Body, index: int, why: str) -> None:
        if sum(len(one.stops) for one in {*self._bodies}) >= MOST_STOPS:
            raise NotCapturable(f"more than {MOST_STOPS} operations need the host")
        target = body.target(index)
        node, operator = self._program._nodes.get(target, ("", ""))
        name = f'{target} (ONNX node "{node}", {operator})' if operator else target
        body.stops.setdefault(index, f"{name}: {why}")

    def _advanced(
        self,
        state: State,
        stops: Mapping[int, Collection[int]],
        streams: Sequence[Any],
    ) -> State:
        """After workers have gone on, on streams besides the current one; `stops` has the
        statements before which each of them stops, the others stay where they are."""
        numbers = sorted(stops)
        issue = Issue(self._device, streams, self._start.channels)
        issue.give(state.sent)
        workers: list[Worker] = []
        for k in numbers:
            index, values = state.places[k]
            live = {n: issue.channels if v is CHANNELS else v for n, v in values.items()}
            body = self._bodies[k]
            workers.append(body.piece(Place(index, live), stops[k]))
            self._owners.update(dict.fromkeys(body.codes, body))
            self._codes |= body.codes
        advanced = issue.advance(workers)
        return self._state(state, numbers, advanced)

    def _state(self, before: State, numbers: Sequence[int], advanced: Advanced) -> State:
        places = {k: place for k, place in before.places.items() if k not in numbers}
        for i, halt in advanced.halts.items():
            places[numbers[i]] = self._place(numbers[i], halt)
        results = before.results | {numbers[i]: r for i, r in advanced.results.items()}
        used = [self._bodies[k].channels(place.statement) for k, place in places.items()]
        sent = {
            name: value
            for name, value in advanced.sent.items()
            if name in self._start.outputs or any(n is None or name in n for n in used)
        }
        return State(dict(sorted(places.items())), sent, results)

    def _place(self, worker: int, halt: Halt) -> Place:
        body = self._bodies[worker]
        live = {n: CHANNELS if isinstance(v, Events) else v for n, v in halt.values.items()}
        is_within = not isinstance(halt.awaited, Stopped)
        try:
            return body.halted(halt.line, live, is_within=is_within)
        except NoRest as error:
            raise NotCapturable(f"{body.function.__name__}: {error}") from error


def _same(value: Any) -> Any:
    return value


def _tensors(state: State) -> list[Tensor]:
    """The tensors in a state, each once."""
    found: dict[int, Tensor] = {}

    def note(value: Any) -> Any:
        if isinstance(value, Tensor):
            found[id(value)] = value
        return value

    state.mapped(note)
    return list(found.values())
