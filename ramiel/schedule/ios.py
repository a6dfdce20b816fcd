"""IOS: the best sequence of stages, by dynamic programming over the endings of the graph.

Source: Ding et al., "IOS: Inter-Operator Scheduler for CNN Acceleration", arXiv 2011.01302,
the problem definition (stages, merging) and the IOS algorithm (endings, pruning). A state is
a set S of units to run that is closed under producers. An ending of S is a subset S' with no edge
to S - S', so that it can be the last stage of S:

    cost[S] = min over endings S' of cost[S - S'] + latency of the stage S'

The groups of an ending are its connected components. Each group is a connected ending of S by
itself, and disjoint groups have no edges between them: the endings are exactly the sets of
disjoint groups. Each is enumerated once, so that r and s bound the search, not just its result.

The latency of a stage is measured, as in the paper, where a function that does so is given;
otherwise it is modelled (`share_out`; `sharing` on a device whose tasks have measured or estimated
shares). Not in the paper: wide stages, counting states in advance.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from math import inf, isfinite
from typing import Literal, get_args

from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.blocks import blocks, contract_chains, contract_light, halves, subgraph
from ramiel.schedule.endings import EndingGraph, bits, endings, sharing
from ramiel.schedule.greedy import joined
from ramiel.schedule.stages import BlockReport, Stage, StagePlan

Strategies = Literal["both", "parallel", "merge"]
Merges = Mapping[frozenset[int], Mapping[int, float]]
"""Tasks that one merged task can replace -> thread count -> its run time in µs."""

Measure = Callable[[Sequence[Sequence[int]]], float | None]
"""µs of groups of tasks that run at the same time, one stage; None if they cannot be measured."""

HOPED = 0.7
"""A stage is measured if it would be a part of the best plan so far in this part of the time that
is modelled for it."""
SAMPLES = 64
"""The number of states whose endings are counted for the estimate."""
EVERY = 256
"""The number of states between two reports of progress."""


def ios(
    graph: TaskGraph,
    workers: int,
    *,
    r: int = 3,
    s: int = 8,
    merges: Merges | None = None,
    strategies: Strategies = "both",
    wide: bool = True,
    max_transitions: int = 200_000,
    progress: Callable[[int, int], None] | None = None,
    measure: Measure | None = None,
) -> StagePlan:
    """The sequence of stages with the least latency on `workers` workers, found block by block.

    A stage runs at most `s` groups of at most `r` units in parallel (strategies `parallel` and
    `both`); or a single unit, with `wide` on any number of threads up to `workers` that it has
    costs for; or one merged task instead of several, a set of `merges` that is an ending (`merge`
    and `both`). Units are chains of tasks, see `contract_chains`; a task that may be merged begins
    its unit, and the rest of each unit runs after the merged stage, one unit per stage. A stage on
    several threads costs `2 * graph.switch` µs more, to change the number of threads and back.

    A block with n units in d chains has up to `(n / d + 1) ** d` states. So these are counted
    first, and the transitions are estimated from a sample of them. A block that would need more
    than `max_transitions` (a few µs each) is searched with s at most `2 * workers`, then also with
    r at most 2; then, so limited, with whole chains as units, and with light units joined to
    others; and then in two halves, each by the same rules. A half of one unit needs one or two
    transitions. With `measure`, stages of several groups take what it says, each asked for once,
    if by the model they may be worth it. `StagePlan.reports` records what was done. `progress` is
    called with the number of transitions done and their total, both as estimated before the search.

    Raises ValueError if `workers`, `r`, `s` or `max_transitions` is less than 1, if `strategies`
    is unknown, or if a set of `merges` has less than 2 tasks or unknown ones, or its times are not
    finite numbers >= 0 or do not include one for 1 thread.
    """
    for name, value in (
        ("workers", workers),
        ("r", r),
        ("s", s),
        ("max_transitions", max_transitions),
    ):
        if value < 1:
            raise ValueError(f"{name} is {value}: need at least 1")
    if strategies not in get_args(Strategies):
        raise ValueError(f"strategies are {', '.join(get_args(Strategies))}, not {strategies!r}")
    merges = {} if strategies == "parallel" else _checked(graph, merges or {})
    settings = _Settings(
        graph, workers, merges, strategies != "merge", wide, max_transitions, measure
    )
    heads = frozenset(chain.from_iterable(merges))
    units, members = contract_chains(graph, grain=2 * graph.hand_over, heads=heads)

    searches: list[tuple[_Block, list[int], BlockReport]] = []
    pending = [(block, False) for block in reversed(blocks(units))]
    while pending:
        ids, cut = pending.pop()
        local, parts = subgraph(units, ids), [members[unit] for unit in ids]
        affordable = _affordable(settings, local, parts, r, s, cut)
        if affordable is None:
            pending += [([ids[i] for i in half], True) for half in reversed(halves(local))]
        else:
            searches.append(affordable)

    plans: list[StagePlan] = []
    total, done = sum(report.estimate for *_, report in searches), 0
    for block, states, report in searches:

        def tell(share: float, before: int = done, size: int = report.estimate) -> None:
            if progress is not None:
                progress(before + int(share * size), total)

        plans.append(_search(block, states, report, tell))
        done += report.estimate
    return joined(plans)


def _checked(graph: TaskGraph, merges: Merges) -> Merges:
    for tasks, times in merges.items():
        if len(tasks) < 2 or not all(0 <= task < len(graph) for task in tasks):
            raise ValueError(f"tasks {sorted(tasks)} cannot be merged: need 2 or more that exist")
        if 1 not in times or not all(isfinite(time) and time >= 0 for time in times.values()):
            raise ValueError(f"tasks {sorted(tasks)} merged need times >= 0, and one on 1 thread")
    return merges


@dataclass(frozen=True)
class _Settings:
    """The settings shared by all blocks."""

    graph: TaskGraph
    workers: int
    merges: Merges
    concurrent: bool
    wide: bool
    max_transitions: int
    measure: Measure | None

    def fastest(self, times: Mapping[int, float]) -> tuple[float, int]:
        """The least time in µs of a task that runs alone, and its number of threads."""
        return min(
            (time + (2 * self.graph.switch if count > 1 else 0.0), count)
            for count, time in times.items()
            if count == 1 or (self.wide and count <= self.workers and count in self.graph.wide)
        )


@dataclass(frozen=True)
class _Special:
    """Stages for an ending that do not run its groups in parallel."""

    latency: float
    stages: tuple[Stage, ...]


class _Block:
    """A block, with its units as bits of masks."""

    def __init__(
        self, settings: _Settings, units: TaskGraph, members: Sequence[Sequence[int]]
    ) -> None:
        self.settings = settings
        self.members = members
        self.masks = EndingGraph(units)
        self.loads = (0.0,) + (2 * units.hand_over,) * (settings.workers - 1)
        self._works: dict[int, float] = {}
        self._measured: dict[int, float | None] = {}
        self.special: dict[int, _Special] = {}
        for unit, tasks in enumerate(members):
            time, threads = settings.fastest({n: units.costs_on(n)[unit] for n in units.threads})
            if threads > 1 or not settings.concurrent:
                stage = Stage((tuple(tasks),), threads=threads)
                self.special[1 << unit] = _Special(time, (stage,))
        unit_of = {tasks[0]: unit for unit, tasks in enumerate(members)}
        for tasks, times in settings.merges.items():
            if tasks <= unit_of.keys():
                merged = sorted(unit_of[task] for task in tasks)
                self.special[sum(1 << unit for unit in merged)] = self._merged(merged, times)

    def _merged(self, units: Sequence[int], times: Mapping[int, float]) -> _Special:
        """The stage that merges the first tasks of units, then a stage for the rest of each."""
        latency, threads = self.settings.fastest(times)
        tasks = sorted(self.members[unit][0] for unit in units)
        stages = [Stage((tuple(tasks),), True, threads)]
        for unit in units:
            if rest := tuple(self.members[unit][1:]):
                stages.append(Stage((rest,)))
                latency += sum(self.settings.graph.costs[task] for task in rest)
        return _Special(latency, tuple(stages))

    def concurrent(self, state: int, r: int, s: int) -> Iterator[tuple[int, float]]:
        """The endings of a state that run as groups in parallel, and their latencies in µs."""
        if not self.settings.concurrent:
            return iter(())
        groups, graph = self.masks.groups(state, r), self.settings.graph
        if not graph.shares:
            return endings(groups, s, self.loads[:s])
        return sharing(groups, min(s, self.settings.workers), self._work, graph.hand_over)

    def _work(self, group: int) -> float:
        """µs that a group would take if each task filled the whole device."""
        graph, work = self.settings.graph, self._works.get(group)
        if work is None:
            tasks = chain.from_iterable(self.members[unit] for unit in bits(group))
            work = sum(graph.costs[task] * graph.shares[task] for task in tasks)
            self._works[group] = work
        return work

    def latency(self, ending: int, modelled: float, limit: float) -> float:
        """µs of an ending whose groups run in parallel: as measured, if that may be below a
        limit."""
        if self.settings.measure is None or HOPED * modelled >= limit:
            return modelled
        if ending not in self._measured:
            (stage,) = self.stages(ending, special=False)
            several = len(stage.groups) > 1
            self._measured[ending] = self.settings.measure(stage.groups) if several else None
        measured = self._measured[ending]
        return modelled if measured is None else measured

    def specials(self, state: int, s: int) -> Iterator[tuple[int, float]]:
        """The endings of a state that run as special stages, and their latencies in µs."""
        sinks = sum(1 << task for task in self.masks.sinks(state))
        for ending, special in self.special.items():
            if ending & sinks == ending and ending.bit_count() <= s:
                yield ending, special.latency

    def estimate(self, states: Sequence[int], r: int, s: int) -> int:
        """The estimated number of transitions, from a sample of states. Counting stops early if it
        is certain to exceed `max_transitions`."""
        sample = states[:: -(-len(states) // SAMPLES)]
        limit = self.settings.max_transitions * len(sample) // len(states)
        counted = 0
        for state in sample:
            transitions = chain(self.concurrent(state, r, s), self.specials(state, s))
            counted += sum(1 for _ in islice(transitions, limit + 1 - counted))
        return -(-counted * len(states) // len(sample))

    def stages(self, ending: int, *, special: bool) -> tuple[Stage, ...]:
        """The stages that an ending becomes."""
        if special:
            return self.special[ending].stages
        groups: list[tuple[int, ...]] = []
        for group in self.masks.components(ending):
            groups.append(tuple(sorted(t for unit in bits(group) for t in self.members[unit])))
        return (Stage(tuple(groups)),)


def _affordable(
    settings: _Settings, units: TaskGraph, members: list[list[int]], r: int, s: int, cut: bool
) -> tuple[_Block, list[int], BlockReport] | None:
    """The least restricted search of a block within `max_transitions`: the block, its states and a
    report; None if there is none."""
    limit = settings.max_transitions
    fewer = min(s, 2 * settings.workers)
    pruning = dict.fromkeys([(r, s), (r, fewer), (min(r, 2), fewer)])
    for level, graph, parts in _levels(settings, units, members):
        block = _Block(settings, graph, parts)
        states = block.masks.states(limit + 1)  # the empty state has no ending
        if states is None:
            continue  # the number of states does not depend on r and s
        for groups_of, groups in pruning:
            estimate = block.estimate(states, groups_of, groups)
            if estimate <= limit or len(parts) == 1:
                what = (
                    "window" if cut else "",
                    level,
                    "" if (groups_of, groups) == (r, s) else "tighter",
                )
                report = BlockReport(
                    tasks=sum(map(len, parts)),
                    units=len(parts),
                    states=len(states),
                    estimate=estimate,
                    transitions=0,
                    r=groups_of,
                    s=groups,
                    fallback=", ".join(filter(None, what)),
                )
                return block, states, report
    return None


def _levels(
    settings: _Settings, units: TaskGraph, members: list[list[int]]
) -> Iterator[tuple[str, TaskGraph, list[list[int]]]]:
    """A block contracted to fewer and fewer units: `(level, graph of the units, their tasks)`."""
    heads = frozenset(chain.from_iterable(settings.merges))
    grain = 2 * units.hand_over
    yield "", units, members
    for level, contract in (
        ("whole chains", contract_chains),
        ("light units joined", partial(contract_light, grain=grain)),
    ):
        fixed = [unit for unit, tasks in enumerate(members) if tasks[0] in heads]
        units, parts = contract(units, heads=fixed)
        if len(parts) < len(members):
            members = [sorted(task for unit in row for task in members[unit]) for row in parts]
            yield level, units, members


def _search(
    block: _Block, states: Sequence[int], report: BlockReport, tell: Callable[[float], None]
) -> StagePlan:
    """The stages of least latency, by the paper's recurrence, starting with the last stage."""
    masks = block.masks
    cost = {masks.all: 0.0}
    # For each state, the best state before its transition, and whether the stage is special.
    after: dict[int, tuple[int, bool]] = {}
    transitions = 0
    for number, state in enumerate(states):
        if number % EVERY == 0:
            tell(number / len(states))
        so_far = cost[state]
        for special, found in (
            (False, block.concurrent(state, report.r, report.s)),
            (True, block.specials(state, report.s)),
        ):
            for ending, latency in found:
                transitions += 1
                rest = state ^ ending
                if not special:
                    latency = block.latency(ending, latency, cost.get(rest, inf) - so_far)
                if so_far + latency < cost.get(rest, inf):
                    cost[rest] = so_far + latency
                    after[rest] = state, special
    stages: list[Stage] = []
    state = 0
    while state != masks.all:
        previous, special = after[state]
        stages += block.stages(previous ^ state, special=special)
        state = previous
    tell(1.0)
    return StagePlan(tuple(stages), cost[0], (replace(report, transitions=transitions),))
