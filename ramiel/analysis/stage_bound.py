"""Lower bounds on the time of a stage: moldable tasks between two tasks that enclose them.

Sources: the two bounds that are balanced here, critical path and area of an allotment, are those
of Turek, Wolf & Yu, "Approximate algorithms for scheduling parallelizable tasks", SPAA 1992,
section 2; the relaxation is Lagrangian (Fisher, "The Lagrangian relaxation method for solving
integer programming problems", Management Science 27(1), 1981), its multipliers found by
fictitious play (Robinson, "An iterative method of solving a game", Annals of Mathematics 54,
1951); the search is best-first (Hart, Nilsson & Raphael, "A formal basis for the heuristic
determination of minimum cost paths", IEEE TSSC 4(2), 1968).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from math import inf

ROUNDS = 100
"""The most rounds of fictitious play."""

LEAST_ROUNDS = 10
"""The fewest rounds."""

MOVES = 2_000_000
"""The limit of rounds times tasks, as far as that allows `LEAST_ROUNDS`."""

LARGEST = 40
"""The most tasks of a stage that is searched."""


@dataclass(frozen=True)
class Prices:
    """A Lagrangian bound in µs, and the multipliers that it comes from."""

    bound: float
    paths: tuple[float, ...]
    """The price of a µs of each task for its part in paths."""
    area: float
    """The price of a µs of all workers."""


@dataclass(frozen=True)
class Placed:
    """A task of a partial schedule: its finish time (µs), its leader and its thread count."""

    task: int
    finish: float
    leader: int
    count: int


@dataclass(frozen=True)
class Stage:
    """Tasks in topological order, numbered from 0. Stages compare by value."""

    times: tuple[tuple[float, ...], ...]
    """The time in µs of each task on each of the thread counts `counts`."""
    predecessors: tuple[tuple[int, ...], ...]
    counts: tuple[int, ...]
    workers: int
    hand_over: float
    before: bool
    """Whether a task precedes all of these; the stage then starts when it ends."""
    after: bool
    """Whether a task follows all of these; the stage then ends when it starts."""

    @cached_property
    def fastest(self) -> list[float]:
        """The least time of each task, µs."""
        return [min(row) for row in self.times]

    @cached_property
    def tails(self) -> list[float]:
        """The longest path from the start of each task, at the fastest times, µs."""
        tails = [0.0] * len(self.times)
        for task in reversed(range(len(tails))):
            tails[task] += self.fastest[task]
            for producer in self.predecessors[task]:
                tails[producer] = max(tails[producer], tails[task])
        return tails

    def bound(self, steps: int) -> float:
        """A lower bound in µs on any schedule of the stage, with `steps` steps of search."""
        # One worker can lead all tasks, in the sum of their fastest times: no bound is larger.
        alone = sum(self.fastest)
        prices = self.play()
        least = min(alone, max(prices.bound, self.hand_overs()))
        if steps and least < alone and len(self.times) <= LARGEST:
            least = max(least, self.search(prices, alone, steps))
        return least

    def play(self) -> Prices:
        """The best Lagrangian bound found.

        For any allotment of threads, a schedule takes at least the critical path and at least the
        area divided by `workers`, hence at least any weighted mean of paths and that quotient. The
        minimum of the mean over all allotments is a bound for any weights, and as the mean is a
        sum over tasks, it is found task by task.

        The weights come from fictitious play: one player mixes the paths and the area, the other
        answers with the allotment that is cheapest for the mixture, and the first adds to the
        mixture whichever is largest for that allotment. 100 rounds come within 0.5 % of the best
        bound. O((V + E) * rounds).
        """
        shares = [count / self.workers for count in self.counts]
        rounds = max(LEAST_ROUNDS, min(ROUNDS, MOVES // len(self.times)))
        paths, area_price = [0.0] * len(self.times), 1.0
        best = Prices(0.0, tuple(paths), 1.0)
        for number in range(rounds):
            prices = [area_price * share for share in shares]
            least, area = 0.0, 0.0
            chosen: list[float] = []
            for row, price in zip(self.times, paths, strict=True):
                value, time, share = min(
                    [(t * (price + p), t, s) for t, p, s in zip(row, prices, shares, strict=True)]
                )
                least += value
                area += time * share
                chosen.append(time)
            if least > best.bound:
                best = Prices(least, tuple(paths), area_price)
            reach = [0.0] * len(self.times)
            for task, producers in enumerate(self.predecessors):
                reach[task] = max([reach[p] for p in producers], default=0.0) + chosen[task]
            step = 2 / (number + 3)
            paths = [(1 - step) * price for price in paths]
            area_price *= 1 - step
            task = max(range(len(reach)), key=reach.__getitem__)
            if area >= reach[task]:
                area_price += step
                continue
            while True:
                paths[task] += step
                if not self.predecessors[task]:
                    break
                task = max(self.predecessors[task], key=reach.__getitem__)
        return best

    def hand_overs(self) -> float:
        """A lower bound in µs on the stage if its tasks are not all led by one worker.

        Let A be the task before the stage and Z the one after it. If their leaders differ, each
        path from A to Z has a hand-over. If they are the same, the tasks led by that worker run
        one after the other, and a path through any other task has two hand-overs; at best, the
        other tasks are those on the shortest paths. Without A or without Z there is one hand-over.
        """
        heads = [0.0] * len(self.times)
        for task, producers in enumerate(self.predecessors):
            heads[task] = max([heads[p] for p in producers], default=0.0) + self.fastest[task]
        length = max(heads)
        through = sorted(
            (head + tail - cost, cost)
            for head, tail, cost in zip(heads, self.tails, self.fastest, strict=True)
        )
        alone, ends, least = sum(self.fastest), self.before + self.after, inf
        for path, cost in through:
            alone -= cost
            least = min(least, max(alone, path + ends * self.hand_over, length))
        return min(least, length + self.hand_over) if ends == 2 else least

    def search(self, prices: Prices, ceiling: float, steps: int) -> float:
        """A bound in µs, at most `ceiling`, by best-first branch and bound over partial schedules.

        A partial schedule is extended by the task that starts next, on each number of threads and
        led by each worker. Tasks of one leader run one after the other, and hand-overs between
        leaders take their time, also from the task before the stage and to the one after it; which
        workers lend their cores, and when, is relaxed. The remaining tasks cost at least their
        `prices`. The partial schedule of least bound is extended first; its bound once it is
        complete, or after `steps` steps, is the result. O(steps * V^3 * workers * counts).
        """
        tails, paths, area = self.tails, prices.paths, prices.area
        rates = [area * count / self.workers for count in self.counts]
        rest = [
            min([time * (path + rate) for time, rate in zip(row, rates, strict=True)])
            for row, path in zip(self.times, paths, strict=True)
        ]
        # Entries: the bound, a number that puts the newest first, the time, and the placed tasks.
        heap: list[tuple[float, int, float, tuple[Placed, ...]]] = [(sum(rest), 0, 0.0, ())]
        entries = 0
        while heap:
            promised, _, now, placed = heappop(heap)
            if not steps or len(placed) == len(self.times):
                return promised
            steps -= 1
            done = {p.task for p in placed}
            left = [task for task in range(len(self.times)) if task not in done]
            price_left = sum(rest[task] for task in left)
            for start, entry in self._extensions(now, placed):
                task, finish = entry.task, entry.finish
                price = start + price_left - rest[task]
                extended = (*placed, entry)
                for p in extended:
                    if p.finish > start:
                        rate = paths[p.task] + area * p.count / self.workers
                        price += (p.finish - start) * rate
                after = max([tails[t] for t in left if t != task], default=0.0)
                follows = finish + tails[task] - self.fastest[task]
                value = max(promised, price, start + after, follows)
                if len(left) == 1:
                    value = max(value, self._end(extended))
                if value < ceiling:
                    entries -= 1
                    heappush(heap, (value, entries, start, extended))
        return ceiling

    def _extensions(self, now: float, placed: tuple[Placed, ...]) -> Iterator[tuple[float, Placed]]:
        """The tasks that can start next, with their earliest start times from `now` (µs) on."""
        at = {p.task: p for p in placed}
        known = max([p.leader for p in placed], default=-1)
        known = max(known, 0 if self.before else -1)  # leader 0 leads the task before the stage
        ends = [now, *sorted(p.finish for p in placed if p.finish > now)]
        for task, row in enumerate(self.times):
            producers = self.predecessors[task]
            if task in at or any(p not in at for p in producers):
                continue
            for leader in range(min(known + 2, self.workers)):
                ready = self.hand_over if self.before and leader else 0.0
                for producer in producers:
                    other = at[producer].leader != leader
                    ready = max(ready, at[producer].finish + self.hand_over * other)
                for p in placed:
                    if p.leader == leader:
                        ready = max(ready, p.finish)
                for count, cost in zip(self.counts, row, strict=True):
                    start = next(
                        time
                        for time in (max(ready, end) for end in ends)
                        if sum(p.count for p in placed if p.finish > time) + count <= self.workers
                    )
                    # Of two tasks that start together, only the order by id is explored.
                    together = start == now and placed and placed[-1].finish > now
                    if together and cost and task < placed[-1].task:
                        continue
                    yield start, Placed(task, start + cost, leader, count)

    def _end(self, placed: tuple[Placed, ...]) -> float:
        """The earliest time in µs at which the task after the stage can start, on any leader."""
        if not self.after:
            return max(p.finish for p in placed)
        return min(
            max(p.finish + self.hand_over * (p.leader != leader) for p in placed)
            for leader in {p.leader for p in placed}
        )
