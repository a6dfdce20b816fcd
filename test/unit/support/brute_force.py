"""The best placement of a small graph, by looking at all of them, and random small graphs."""

from itertools import combinations, permutations, product

from hypothesis import strategies as st

from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import simulate
from ramiel.analysis.task_graph import TaskGraph


def placements(graph: TaskGraph, workers: int) -> set[Placement]:
    """All placements that can not deadlock: every topological order with every choice of teams."""
    teams = [t for n in graph.threads for t in combinations(range(workers), n)]
    found: set[Placement] = set()
    for order in permutations(range(len(graph))):
        place = {task: i for i, task in enumerate(order)}
        if any(place[producer] > place[consumer] for producer, consumer in graph.edges):
            continue
        for chosen in product(teams, repeat=len(graph)):
            lanes = (tuple(t for t in order if w in chosen[t]) for w in range(workers))
            found.add(Placement(tuple(lanes)))
    return found


def optimum(graph: TaskGraph, workers: int) -> float:
    """The least makespan of any placement, in µs."""
    return min(simulate(graph, p).makespan for p in placements(graph, workers))


@st.composite
def moldable_graphs(draw: st.DrawFn, most: int = 30, threads: int = 8) -> TaskGraph:
    """A random DAG of moldable tasks with sizes; all numbers are small integers."""
    tasks = draw(st.integers(0, most))
    random = draw(st.randoms(use_true_random=False))
    density = draw(st.sampled_from([0.05, 0.2, 0.5]))
    largest = draw(st.sampled_from([0, 9, 100]))
    costs = tuple(float(random.randint(0, largest)) for _ in range(tasks))
    scaling = [random.uniform(0.0, 1.0) for _ in range(tasks)]
    counts = [n for n in (2, 3, 4, 8) if n <= threads and draw(st.booleans())]
    return TaskGraph(
        costs,
        tuple((i, j) for j in range(tasks) for i in range(j) if random.random() < density),
        hand_over=draw(st.sampled_from([0.0, 1.0, 24.0])),
        wide={
            n: tuple(c * (1 - s + s / n) + 1.0 for c, s in zip(costs, scaling, strict=True))
            for n in counts
        },
        switch=draw(st.sampled_from([0.0, 2.0])),
        sizes=tuple(float(random.choice((0, 1, 5, 20))) for _ in range(tasks)),
    )


@st.composite
def dags(draw: st.DrawFn, most: int = 40) -> TaskGraph:
    """A random DAG with all sorts of costs."""
    tasks = draw(st.integers(0, most))
    random = draw(st.randoms(use_true_random=False))
    density = draw(st.sampled_from([0.02, 0.05, 0.2]))
    costs = tuple(float(random.choice([0, 1, 10, 100, 1000])) for _ in range(tasks))
    return TaskGraph(
        costs,
        tuple((i, j) for j in range(tasks) for i in range(j) if random.random() < density),
        hand_over=draw(st.sampled_from([0.0, 1.0, 24.0])),
        wide={2: tuple(c * random.uniform(0.5, 1.2) for c in costs)},
        switch=draw(st.sampled_from([0.0, 0.5])),
    )
