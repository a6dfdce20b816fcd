"""Local search: changes a schedule along its critical path until the time budget is spent.

Sources: Nowicki & Smutnicki, "A fast taboo search algorithm for the job shop problem", Management
Science 42(6), 1996, section 2 (only changes on the critical path can help); Kirkpatrick, Gelatt &
Vecchi, "Optimization by simulated annealing", Science 220, 1983; Shaw, "Using constraint
programming and local search methods to solve vehicle routing problems", CP 1998 (remove a part of
the solution and rebuild it).
"""

import time
from collections.abc import Callable, Mapping
from math import inf, log
from random import Random

from ramiel.analysis.critical_path import bound
from ramiel.analysis.lower_bound import lower_bound
from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import simulate
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.arrivals import machines
from ramiel.schedule.list_scheduling import fits
from ramiel.schedule.windows import Schedule, Team

HOTTEST = 0.0002
"""The initial temperature of the annealing, as a share of the makespan; the final one is 0."""

REACH = 12
"""The most positions that a task moves, and the distance within which it copies another's team."""

PRICES = (0.0, 1.0, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0)
"""The prices of area when a window is rebuilt: µs of delay that are worth one µs less of work per
worker."""

LARGEST = 2000
"""With more tasks than this, the search ends at the simple lower bound, which takes no time."""

LONGEST = 24
"""The most tasks in a window that is rebuilt or exchanged."""

Change = tuple[int, list[int], Mapping[int, Team]]
"""The first position of a window, the new order of its tasks, and new teams for some of them."""


def refine(
    graph: TaskGraph,
    placement: Placement,
    budget_s: float,
    *,
    memory_limit: float | None = None,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
    moves: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Placement:
    """The best schedule that simulated annealing from `placement` finds within `budget_s` seconds.

    A move takes a task of the critical path, or a few consecutive ones, to other workers, another
    position or another number of threads, or rebuilds a window of the schedule by list scheduling
    with random priorities. It is judged by the longest path through the window, in O(length of the
    window * workers); if it is accepted, all times are updated, in O(V + E). The search ends early
    after `moves` moves or at the lower bound.

    The result is never slower than `placement`. If `moves` ends the search, it is determined by
    `seed`. With `memory_limit`, its values occupy at most that many bytes. `progress` is called
    with the spent percentage of the budget, and 100.

    Raises ValueError if `budget_s` is not more than 0, `moves` is negative, `placement` does not
    fit into the memory, or as `simulate` does.
    """
    if not budget_s > 0:
        raise ValueError(f"budget_s is {budget_s}: need more than 0 seconds")
    if moves is not None and moves < 0:
        raise ValueError(f"moves is {moves}: need a number >= 0")
    began = clock()
    timeline = simulate(graph, placement)
    if not fits(graph, placement, memory_limit):
        raise ValueError(f"the placement needs more than {memory_limit:.0f} bytes already")
    if not timeline.makespan:
        return placement
    search = _Search(graph, placement, memory_limit, Random(seed))
    target = (lower_bound if len(graph) <= LARGEST else bound)(graph, len(placement.workers))
    target *= 1 + 1e-9
    done = told = 0
    while search.best > target and (moves is None or done < moves):
        spent = (clock() - began) / budget_s
        if spent >= 1:
            break
        share = spent if moves is None else done / moves
        if progress is not None and int(100 * share) > told:
            progress(told := int(100 * share), 100)
        search.step(share)
        done += 1
    if progress is not None:
        progress(100, 100)
    if search.best >= timeline.makespan:
        return placement
    if graph.ranks and simulate(graph, search.found).makespan >= timeline.makespan:
        return placement  # the search takes links to be free
    return search.found


class _Search:
    """The current schedule of the search, and the best one found."""

    def __init__(
        self, graph: TaskGraph, placement: Placement, memory_limit: float | None, random: Random
    ) -> None:
        self.graph, self.memory_limit, self.random = graph, memory_limit, random
        self.schedule = Schedule(graph, placement)
        self.counts = tuple(self.schedule.costs)
        self.best, self.found = self.schedule.makespan, placement
        self.critical = self._critical()
        many = len(placement.workers) > 1
        kinds: list[tuple[Callable[[], Change], int]] = [
            (self._retarget, 4 * many),
            (self._shift, 3),
            (self._stretch, 2 * many),
            (self._exchange, many),
            (self._rebuild, 3),
        ]
        self.kinds = [kind for kind, weight in kinds for _ in range(weight)]

    def step(self, progress: float) -> None:
        """Tries one move, at a temperature that falls as `progress` goes from 0 to 1."""
        schedule, random = self.schedule, self.random
        first, tasks, changed = random.choice(self.kinds)()
        heat = HOTTEST * (1 - progress) ** 2 * self.best
        if self.graph.ranks and not all(map(self._is_on_one_rank, changed.values())):
            return
        worst = schedule.makespan - heat * log(1 - random.random())  # exponentially distributed
        end = first + len(tasks)
        old = schedule.order[first:end]
        before = [(t, schedule.teams[t], schedule.finish[t]) for t in tasks]
        if schedule.run(first, tasks, changed, worst) > worst:
            for task, team, finish in before:
                schedule.teams[task], schedule.finish[task] = team, finish
            return
        schedule.order[first:end] = tasks
        schedule.update(first, end)
        if not fits(self.graph, schedule.placement(), self.memory_limit):
            for task, team, _ in before:
                schedule.teams[task] = team
            schedule.order[first:end] = old
            schedule.update()
            return
        self.critical = self._critical()
        if schedule.makespan < self.best * (1 - 1e-12):
            self.best, self.found = schedule.makespan, schedule.placement()

    def _is_on_one_rank(self, team: Team) -> bool:
        return len({self.schedule.rank[worker] for worker in team}) == 1

    def _critical(self) -> list[int]:
        """The tasks without slack."""
        schedule = self.schedule
        least = schedule.makespan * (1 - 1e-9)
        return [t for t in schedule.order if schedule.start(t) + schedule.tail[t] >= least]

    def _pick(self) -> int:
        """A random task, mostly one of the critical path."""
        if self.random.random() < 0.8:
            return self.random.choice(self.critical)
        return self.random.randrange(len(self.graph))

    def _team(self, task: int) -> Team:
        """A team for a task: that of a nearby task, a block of consecutive workers, or random."""
        schedule, random = self.schedule, self.random
        way = random.random()
        if way < 0.5:
            place = schedule.position[task] + random.randint(-REACH, REACH)
            team = schedule.teams[schedule.order[max(0, min(place, len(self.graph) - 1))]]
            return team
        count = random.choice(self.counts)
        if way < 0.85:
            first = random.randrange(0, schedule.workers, count)
            first = min(first, schedule.workers - count)
            return tuple(range(first, first + count))
        return tuple(sorted(random.sample(range(schedule.workers), count)))

    def _retarget(self) -> Change:
        """Another team for one task."""
        task = self._pick()
        return self.schedule.position[task], [task], {task: self._team(task)}

    def _shift(self) -> Change:
        """Another position in the order, and perhaps another team, for one task."""
        schedule, random, task = self.schedule, self.random, self._pick()
        here = schedule.position[task]
        low = max([schedule.position[p] + 1 for p in self.graph.predecessors[task]], default=0)
        high = min(
            [schedule.position[c] - 1 for c in self.graph.successors[task]],
            default=len(self.graph) - 1,
        )
        there = random.randint(max(low, here - REACH), min(high, here + REACH))
        first = min(here, there)
        tasks = schedule.order[first : max(here, there) + 1]
        tasks.remove(task)
        tasks.insert(there - first, task)
        return first, tasks, {task: self._team(task)} if random.random() < 0.5 else {}

    def _stretch(self) -> Change:
        """One team for several tasks of a window."""
        first, tasks = self._window(LONGEST // 2)
        old = {self.schedule.teams[task] for task in tasks}
        team = self._team(tasks[0])
        share = self.random.choice((0.4, 0.7, 1.0))
        if self.random.random() < 0.5:  # all tasks of one team
            chosen = self.random.choice(sorted(old))
            return first, tasks, {t: team for t in tasks if self.schedule.teams[t] == chosen}
        return first, tasks, {t: team for t in tasks if self.random.random() < share}

    def _exchange(self) -> Change:
        """Two workers swap their tasks in a window."""
        first, tasks = self._window(LONGEST)
        one, other = self.random.sample(range(self.schedule.workers), 2)
        names = {one: other, other: one}
        return (
            first,
            tasks,
            {t: tuple(sorted(names.get(w, w) for w in self.schedule.teams[t])) for t in tasks},
        )

    def _window(self, longest: int) -> tuple[int, list[int]]:
        """A window of a few positions around a task: the first position, and the tasks there."""
        here = self.schedule.position[self._pick()]
        length = self.random.randint(2, longest)
        first = max(0, here - self.random.randrange(length))
        return first, self.schedule.order[first : first + length]

    def _rebuild(self) -> Change:
        """A window rebuilt by list scheduling with noisy priorities and a random price of area."""
        schedule, random, graph = self.schedule, self.random, self.graph
        first, tasks = self._window(LONGEST)
        inside = set(tasks)
        noise = random.choice((0.0, 0.02, 0.1, 0.5))
        span = max(schedule.tail[t] for t in tasks) - min(schedule.tail[t] for t in tasks)
        urgency = {t: schedule.tail[t] + span * noise * random.random() for t in tasks}
        missing = {t: sum(p in inside for p in graph.predecessors[t]) for t in tasks}
        counts = [n for n in self.counts if random.random() < 0.7] or [random.choice(self.counts)]
        price = random.choice(PRICES) / schedule.workers
        last = schedule.lasts(first)
        free = [schedule.finish[t] if t >= 0 else 0.0 for t in last]
        lead = [schedule.teams[t][0] if t >= 0 else w for w, t in enumerate(last)]
        finish: dict[int, float] = {}
        teams: dict[int, Team] = {}
        order: list[int] = []
        ready = [t for t in tasks if not missing[t]]
        while ready:
            task = max(ready, key=urgency.__getitem__)
            ready.remove(task)
            order.append(task)
            inputs = [
                (finish[p], teams[p][0], schedule.far[p])
                if p in finish
                else (schedule.finish[p], schedule.teams[p][0], schedule.far[p])
                for p in graph.predecessors[task]
            ]
            least, best, start_of_best = inf, (0,), 0.0
            for count in counts:
                cost = schedule.costs[count][task]
                area = price * (count * cost - graph.costs[task]) + cost
                for team in self._teams(count, free):
                    leader = team[0]
                    start = 0.0
                    for end, worker, far in inputs:
                        if worker != leader:
                            near = schedule.rank[worker] == schedule.rank[leader]
                            end += graph.hand_over if near else far
                        if end > start:
                            start = end
                    for worker in team:
                        end = free[worker]
                        if lead[worker] != leader:
                            end += graph.hand_over
                        if end > start:
                            start = end
                    if start + area < least:
                        least, best, start_of_best = start + area, team, start
            teams[task] = best
            finish[task] = start_of_best + schedule.costs[len(best)][task]
            for worker in best:
                free[worker], lead[worker] = finish[task], best[0]
            for consumer in graph.successors[task]:
                if consumer in inside:
                    missing[consumer] -= 1
                    if not missing[consumer]:
                        ready.append(consumer)
        return first, order, teams

    def _teams(self, count: int, free: list[float]) -> list[Team]:
        """The blocks of `count` consecutive workers, and the `count` that are free first."""
        teams: list[Team] = []
        for members in machines(self.graph, self.schedule.workers):
            ends = range(0, len(members) - count + 1, count)
            teams += [tuple(members[i : i + count]) for i in ends]
            if 1 < count < len(members):
                ranked = sorted(members, key=free.__getitem__)
                teams.append(tuple(sorted(ranked[:count])))
        return teams
