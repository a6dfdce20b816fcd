"""A schedule that can be changed within a window, with incremental evaluation of the makespan.

With several ranks, a link is taken to be free whenever a message is sent.

The state is one topological order of all tasks and the team of workers of each task; the order of
each worker follows from it, so no state can deadlock. A change is judged by the longest path
through it, heads before and tails after, as in Nowicki & Smutnicki, "A fast taboo search algorithm
for the job shop problem", Management Science 42(6), 1996, section 3.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from math import inf

from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import total_order
from ramiel.analysis.task_graph import TaskGraph

Team = tuple[int, ...]
"""The workers that a task occupies, ascending; the first one leads."""


class Schedule:
    """An order, teams, and each task's finish and longest path to the end (µs)."""

    def __init__(self, graph: TaskGraph, placement: Placement) -> None:
        self.graph, self.workers = graph, len(placement.workers)
        self.rank = [graph.rank_of(worker) for worker in range(self.workers)]
        self.far = graph.far if graph.ranks else (graph.hand_over,) * len(graph)
        nothing = (0.0,) * len(graph)
        self.inputs_far = graph.inputs_far if graph.ranks else nothing
        self.outputs_far = graph.outputs_far if graph.ranks else nothing
        self.costs = {n: graph.costs_on(n) for n in graph.threads if n <= max(1, self.workers)}
        teams: list[list[int]] = [[] for _ in graph.costs]
        for worker, order in enumerate(placement.workers):
            for task in order:
                teams[task].append(worker)
        self.teams: list[Team] = [tuple(team) for team in teams]
        self.order = total_order(graph, placement)
        self.position = [0] * len(graph)
        self.finish = [0.0] * len(graph)
        self.tail = [0.0] * len(graph)
        self.lanes: list[list[int]] = [[] for _ in range(self.workers)]
        """The positions of each worker's tasks."""
        self.makespan = 0.0
        self.update()

    def placement(self) -> Placement:
        """The order of each worker's tasks."""
        return Placement(tuple(tuple(self.order[i] for i in lane) for lane in self.lanes))

    def start(self, task: int) -> float:
        """The start time of a task, in µs."""
        return self.finish[task] - self.costs[len(self.teams[task])][task]

    def update(self, first: int = 0, end: int | None = None) -> None:
        """Updates all times after `order` has changed at [first, end), whose times `run` has set.

        Without `end`, recomputes all from `first` on. O(V + E + entries of the placement).
        """
        whole = end is None
        end = len(self.order) if end is None else end
        lanes: list[list[int]] = [[] for _ in range(self.workers)]
        for i in range(first, end):
            task = self.order[i]
            self.position[task] = i
            for worker in self.teams[task]:
                lanes[worker].append(i)
        for lane, changed in zip(self.lanes, lanes, strict=True):
            lane[bisect_left(lane, first) : bisect_left(lane, end)] = changed
        start = first if whole else end  # `run` has set those of the window
        self.run(start, self.order[start:], {})
        self._update_tails(end)
        self.makespan = max(self.finish, default=0.0)
        if self.graph.ranks:
            ends = (self.finish[t] + self._returned(t) for t in range(len(self.finish)))
            self.makespan = max(self.makespan, *ends) if self.finish else 0.0

    def _returned(self, task: int) -> float:
        """The time until the outputs that a task computes are on rank 0, µs."""
        return self.outputs_far[task] if self.rank[self.teams[task][0]] else 0.0

    def _update_tails(self, end: int) -> None:
        """Computes the tails of the tasks before position `end`."""
        hand_over, tail, teams = self.graph.hand_over, self.tail, self.teams
        successors, costs, rank = self.graph.successors, self.costs, self.rank
        following: list[int] = []
        for lane in self.lanes:
            i = bisect_left(lane, end)
            following.append(self.order[lane[i]] if i < len(lane) else -1)
        for task in reversed(self.order[:end]):
            team = teams[task]
            leader, count = team[0], len(team)
            rest = self._returned(task)
            for consumer in successors[task]:
                time = tail[consumer]
                if teams[consumer][0] != leader:
                    near = rank[teams[consumer][0]] == rank[leader]
                    time += hand_over if near else self.far[task]
                if time > rest:
                    rest = time
            for worker in team:
                after = following[worker]
                following[worker] = task
                if after >= 0:
                    time = self._between(team, teams[after]) + tail[after]
                    if time > rest:
                        rest = time
            tail[task] = rest + costs[count][task]

    def _between(self, team: Team, after: Team) -> float:
        """The least time in µs between consecutive tasks of a worker with these teams."""
        if team[0] != after[0]:
            return self.graph.hand_over
        return self.graph.switch if len(team) != len(after) else 0.0

    def lasts(self, first: int) -> list[int]:
        """The last task of each worker before position `first`, or -1."""
        found: list[int] = []
        for lane in self.lanes:
            i = bisect_left(lane, first)
            found.append(self.order[lane[i - 1]] if i else -1)
        return found

    def run(
        self,
        first: int,
        tasks: Sequence[int],
        changed: Mapping[int, Team],
        worst: float = inf,
    ) -> float:
        """The longest path, in µs, through the window at `first` if its order were `tasks`.

        `tasks` is a topological order of the tasks that are there now; `changed` has new teams for
        some of them. Paths that do not touch the window are ignored: with them, the result would be
        the makespan. Sets `finish` and `teams` of these tasks as if the change were made. Returns
        early, with a partial result, once that exceeds `worst`.
        """
        predecessors, successors = self.graph.predecessors, self.graph.successors
        teams, finish, tail, position = self.teams, self.finish, self.tail, self.position
        hand_over, switch, costs = self.graph.hand_over, self.graph.switch, self.costs
        rank, far = self.rank, self.far
        end = first + len(tasks)
        last = self.lasts(first) if first else [-1] * self.workers
        longest = 0.0
        for task, team in changed.items():
            teams[task] = team
        for task in tasks:
            team = teams[task]
            leader, count = team[0], len(team)
            start = self.inputs_far[task] if rank[leader] else 0.0
            for producer in predecessors[task]:
                time = finish[producer]
                if teams[producer][0] != leader:
                    near = rank[teams[producer][0]] == rank[leader]
                    time += hand_over if near else far[producer]
                if time > start:
                    start = time
            for worker in team:
                before = last[worker]
                last[worker] = task
                if before >= 0:
                    time = finish[before]
                    previous = teams[before]
                    if previous[0] != leader:
                        time += hand_over
                    elif len(previous) != count:
                        time += switch
                elif worker == leader and count > 1:
                    time = switch
                else:
                    continue
                if time > start:
                    start = time
            finish[task] = time = start + costs[count][task]
            if rank[leader]:
                longest = max(longest, time + self.outputs_far[task])
            if time > longest:
                longest = time
            for consumer in successors[task]:
                if position[consumer] >= end:
                    path = time + tail[consumer]
                    if teams[consumer][0] != leader:
                        near = rank[teams[consumer][0]] == rank[leader]
                        path += hand_over if near else far[task]
                    if path > longest:
                        longest = path
            if longest > worst:
                return longest
        if end < len(self.order):
            for worker, lane in enumerate(self.lanes):
                i = bisect_left(lane, end)
                if i < len(lane) and last[worker] >= 0:
                    after, before = self.order[lane[i]], last[worker]
                    path = finish[before] + self._between(teams[before], teams[after]) + tail[after]
                    if path > longest:
                        longest = path
        return longest
