"""How a program computes requests that follow each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from ramiel.cores import cores
from ramiel.runtime.errors import ProgramEnded
from ramiel.runtime.inputs import samples_of
from ramiel.runtime.outputs import joined
from ramiel.runtime.replay.native import work_alone
from ramiel.runtime.replay.pipeline import Pipeline, Run
from ramiel.runtime.replay.plan import Plan
from ramiel.runtime.replay.plans import Plans
from ramiel.runtime.requests import Answer, Calls, Way, arguments_of, grouped, in_order
from ramiel.runtime.surroundings import has_lost_its_team
from ramiel.runtime.workers import Pool

if TYPE_CHECKING:
    from ramiel.runtime.program import Program


class Streaming(NamedTuple):
    """How Program.stream() computes requests, as the compiler has chosen it."""

    way: str = "serial"
    """One of WAYS."""
    at_a_time: int | None = None
    """The requests that are computed at a time; None: one on each core."""
    in_flight: int | None = None
    """Those that are taken ahead of the results asked for; None: one more than `at_a_time`."""

    def limits(self) -> tuple[int, int]:
        """The requests that are computed at a time, and those in flight."""
        at_a_time = cores() if self.at_a_time is None else self.at_a_time
        in_flight = at_a_time + 1 if self.in_flight is None else self.in_flight
        if at_a_time < 1 or in_flight < 1:
            told = f"{at_a_time} requests at a time and {in_flight} in flight"
            raise ValueError(f"{told}: at least 1")
        return at_a_time, in_flight


class Inside(NamedTuple):
    """What streaming uses of a program besides its calls. Inputs are those of one call, bound."""

    bind: Callable[[Sequence[Any], Mapping[str, Any]], Sequence[Any]]
    """The inputs that a call's arguments are."""
    own: Callable[[Sequence[Any], Sequence[Any]], Any]
    """The result of a call, by what was computed from which inputs."""
    undisturbed: Callable[..., Any]
    """What a function returns in the surroundings of a call, given it and its arguments."""
    samples: Callable[[Sequence[Sequence[Any]]], list[tuple[Tensor, ...]]]
    """The outputs of each sample, computed as those of batches."""
    in_python: Callable[[Sequence[Sequence[Any]]], Sequence[tuple[Any, ...]]]
    """The outputs of the samples of a batch, without replay."""
    pipeline: Callable[[Plan, int], Pipeline]
    """A pipeline of a plan, for so many runs at a time."""
    pool: Pool
    plans: Plans


def stream(
    program: Program,
    inside: Inside,
    streaming: Streaming,
    requests: Iterable[Any],
    return_exceptions: bool,
) -> Iterator[Any]:
    """See Program.stream()."""
    at_a_time, in_flight = streaming.limits()
    make = WAYS.get(streaming.way)
    if make is None:
        known = ", ".join(WAYS)
        raise ValueError(f"there is no way {streaming.way!r} to stream; there are {known}")
    return make(program, inside, at_a_time, in_flight)(requests, return_exceptions)


Results = Callable[[Iterable[Any], bool], Iterator[Any]]
"""The results for requests; whether errors are among them."""


def _one_by_one(way: Way, in_flight: int) -> Results:
    return lambda requests, among: in_order(way, requests, in_flight, among)


def _serial(program: Program, _: Inside, at_a_time: int, in_flight: int) -> Results:
    """Each request by serial(), on one thread."""
    serial = getattr(program, "serial")  # noqa: B009
    return _one_by_one(Calls(serial, at_a_time, work_alone), in_flight)


def _calls(program: Program, _: Inside, at_a_time: int, in_flight: int) -> Results:
    """Each request by a call."""
    return _one_by_one(Calls(program, at_a_time), in_flight)


def _pipeline(program: Program, inside: Inside, at_a_time: int, in_flight: int) -> Results:
    """The workers go from request to request."""
    return _one_by_one(Stages(program, inside, at_a_time, in_flight), in_flight)


def _batches(program: Program, inside: Inside, at_a_time: int, in_flight: int) -> Results:
    """So many requests are computed together, as the samples of a batch."""

    def results(requests: Iterable[Any], among: bool) -> Iterator[Any]:
        way = Calls(partial(_outcomes, program, inside), 1)
        groups = in_order(way, grouped(requests, at_a_time), -(-in_flight // at_a_time), False)
        for outcome in chain.from_iterable(groups):
            if isinstance(outcome, Failed):
                if not among:
                    raise outcome.error
                yield outcome.error
            else:
                yield outcome

    return results


WAYS: Mapping[str, Callable[[Program, Inside, int, int], Results]] = {
    "serial": _serial,
    "calls": _calls,
    "pipeline": _pipeline,
    "batches": _batches,
}
"""By name, what streams given a program and its inside, the requests at a time and in flight."""


class Failed(NamedTuple):
    """The error of one request of a group."""

    error: Exception


def _outcomes(program: Program, inside: Inside, requests: Sequence[Any]) -> list[Any]:
    """The result of each request, or its error: of all together, or of each if that fails."""
    try:
        return inside.undisturbed(_together, program, inside, [arguments_of(r) for r in requests])
    except ProgramEnded as error:
        return [Failed(error) for _ in requests]
    except Exception:
        return [_outcome(program, request) for request in requests]


def _together(
    program: Program, inside: Inside, requests: Sequence[tuple[Sequence[Any], Mapping[str, Any]]]
) -> list[Any]:
    """The result of each of several requests, whose samples are run as those of batches."""
    bound = [inside.bind(args, kwargs) for args, kwargs in requests]
    samples = [samples_of(program.inputs, inputs) for inputs in bound]
    results = iter(inside.samples(list(chain.from_iterable(samples))))
    return [
        inside.own(joined(list(islice(results, len(own)))), inputs)
        for inputs, own in zip(bound, samples, strict=True)
    ]


def _outcome(program: Program, request: Any) -> Any:
    args, kwargs = arguments_of(request)
    try:
        return program(*args, **kwargs)
    except Exception as error:
        return Failed(error)


class Stages:
    """Requests that follow each other through the workers, by replays that overlap. What cannot be
    captured is computed by calls, as many at a time as there are stages; the first ones, of which
    one is captured, by calls one after the other."""

    def __init__(self, program: Program, inside: Inside, stages: int, in_flight: int) -> None:
        self._program, self._inside = program, inside
        self._in_flight = in_flight
        self._first, self._calls = Calls(program, 1), Calls(program, stages)
        self._lines: dict[int, tuple[Plan, Pipeline]] = {}
        """By the plan's identity."""

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as stack:
            stack.push(self._first)
            stack.push(self._calls)
            for _plan, pipeline in self._lines.values():
                stack.callback(pipeline.close)
            self._lines.clear()

    def submit(self, request: Any) -> Answer:
        args, kwargs = arguments_of(request)
        begun = self._inside.undisturbed(self._begin, args, kwargs)
        return begun.submit(request) if isinstance(begun, Calls) else begun

    def _begin(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Answer | Calls:
        """Submits a request to the pipeline of the plan for such inputs, or says what computes it
        if there is none."""
        inside = self._inside
        inputs = inside.bind(args, kwargs)
        if (plan := self._overlapping(inputs)) is None:
            undecided = inside.plans.will_capture(self._program, inputs)
            return self._first if undecided else self._calls
        pipeline = self._pipeline_of(plan)
        run = pipeline.submit(inputs)
        return partial(inside.undisturbed, self._end, pipeline, run, inputs)

    def _overlapping(self, inputs: Sequence[Any]) -> Plan | None:
        """The plan of which several runs with such inputs may be under way at a time."""
        if has_lost_its_team():
            return None
        return self._inside.pool.visit(lambda: self._inside.plans.overlapping(inputs))

    def _pipeline_of(self, plan: Plan) -> Pipeline:
        if id(plan) not in self._lines or not self._lines[id(plan)][1].is_open:
            # Those of plans for other shapes, or for weights that have changed.
            for key, (_, other) in list(self._lines.items()):
                if other.under_way == 0:
                    other.close()
                    del self._lines[key]
            self._lines[id(plan)] = plan, self._inside.pipeline(plan, self._in_flight)
        return self._lines[id(plan)][1]

    def _end(self, pipeline: Pipeline, run: Run, inputs: Sequence[Any]) -> Any:
        """The result of a run. What cannot be replayed is computed in Python, which raises what
        has failed."""
        outputs = pipeline.outputs(run)
        if outputs is None:
            outputs = self._inside.in_python([inputs])[0]
        return self._inside.own(outputs, inputs)
