"""What holds for every scheduler, on random graphs: as placements, and as IR through the passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import chain

import pytest
from brute_force import moldable_graphs
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects.builtin import (
    ArrayAttr,
    Builtin,
    DenseArrayBase,
    ModuleOp,
    StringAttr,
    i64,
)
from xdsl.dialects.func import Func
from xdsl.parser import Parser

from ramiel.analysis.critical_path import critical_path
from ramiel.analysis.lower_bound import lower_bound
from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import simulate
from ramiel.analysis.task_graph import TaskGraph
from ramiel.compiler import Report, run_passes
from ramiel.dialects.cluster import ProgramOp, cluster_dialect
from ramiel.dialects.onnx.operation import CONFIGURATIONS
from ramiel.dialects.torch import CallOp, torch_dialect
from ramiel.dialects.torch.operation import STAGES
from ramiel.dialects.verify import verify_module
from ramiel.pipelines import SCHEDULES, Options, pipeline
from ramiel.schedule.choose import choose_automatically
from ramiel.schedule.dsc import dsc_clusters
from ramiel.schedule.greedy import greedy_stages
from ramiel.schedule.hyper import hyperclusters, replicate, whole_samples
from ramiel.schedule.ios import ios
from ramiel.schedule.linear import linear_clusters
from ramiel.schedule.list_scheduling import list_schedule
from ramiel.schedule.merge import merge_clusters
from ramiel.schedule.place import intra_op, place, serial
from ramiel.schedule.refine import refine

EXACT = 1 + 1e-9


def linear(graph: TaskGraph, workers: int) -> Placement:
    return place(graph, merge_clusters(graph, linear_clusters(graph)), workers)


SCHEDULERS: dict[str, Callable[[TaskGraph, int], Placement]] = {
    "serial": lambda graph, _: serial(graph),
    "intra-op": intra_op,
    "linear": linear,
    "linear, not merged": lambda graph, workers: place(graph, linear_clusters(graph), workers),
    "dsc": lambda graph, workers: place(graph, dsc_clusters(graph), workers),
    "list": list_schedule,
    "greedy": lambda graph, workers: greedy_stages(graph, workers).placement(graph, workers),
    "ios": lambda graph, workers: ios(graph, workers).placement(graph, workers),
    "auto": lambda graph, workers: choose_automatically(graph, workers).placement,
    "refine": lambda graph, workers: refine(graph, linear(graph, workers), 60.0, moves=50),
}


def runs(graph: TaskGraph, placement: Placement, workers: int) -> bool:
    """Whether a placement has each task once on each of its cores, and no more cores than given."""
    each = all(len(set(order)) == len(order) for order in placement.workers)
    tasks = set(chain.from_iterable(placement.workers)) == set(range(len(graph)))
    return each and tasks and sum(map(bool, placement.workers)) <= workers


@pytest.mark.parametrize("name", SCHEDULERS)
@settings(deadline=None, derandomize=True, max_examples=60)
@given(graph=moldable_graphs(), workers=st.integers(1, 5))
def test_every_task_runs_once(name: str, graph: TaskGraph, workers: int) -> None:
    placement = SCHEDULERS[name](graph, workers)
    assert runs(graph, placement, workers)
    makespan = simulate(graph, placement).makespan  # raises if it deadlocks
    assert lower_bound(graph, workers) <= makespan * EXACT


@settings(deadline=None, derandomize=True, max_examples=60)
@given(moldable_graphs(15), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_every_sample_of_a_batch_runs_once(
    graph: TaskGraph, workers: int, batch: int, switched: bool
) -> None:
    whole = replicate(graph, batch)
    narrow = linear(graph, workers)
    for placement in (
        hyperclusters(graph, narrow, batch, switched=switched),
        whole_samples(graph, workers, batch),
        choose_automatically(graph, workers, batch).placement,
    ):
        assert runs(whole, placement, workers)
        simulate(whole, placement)


@settings(deadline=None, derandomize=True)
@given(moldable_graphs(), st.integers(1, 5), st.integers(1, 3))
def test_auto_is_no_slower_than_serial(graph: TaskGraph, workers: int, batch: int) -> None:
    whole = replicate(graph, batch)
    choice = choose_automatically(graph, workers, batch)
    assert choice.timeline.makespan <= simulate(whole, serial(whole)).makespan * EXACT
    wide = simulate(whole, intra_op(whole, workers)).makespan
    assert choice.timeline.makespan <= wide * EXACT


@settings(deadline=None, derandomize=True)
@given(moldable_graphs(), st.integers(2, 4))
def test_refinement_is_no_slower_than_any_other(graph: TaskGraph, workers: int) -> None:
    start = choose_automatically(graph, workers, thorough=True)
    refined = simulate(graph, refine(graph, start.placement, 60.0, moves=20)).makespan
    for name in ("serial", "intra-op", "linear", "dsc", "list", "ios"):
        other = simulate(graph, SCHEDULERS[name](graph, workers)).makespan
        assert refined <= other * EXACT, name


@settings(deadline=None, derandomize=True, max_examples=100)
@given(moldable_graphs())
def test_linear_clusters_are_within_twice_the_optimum(graph: TaskGraph) -> None:
    """Gerasoulis & Yang, "On the granularity and clustering of directed acyclic task graphs",
    IEEE TPDS 4(6), 1993, theorem 2: with a worker for each cluster, a linear clustering takes at
    most 1 + 1 / granularity times the optimum, which is not less than the critical path."""
    assume(len(graph) and min(graph.costs) > 0)
    granularity = min(graph.costs) / graph.hand_over if graph.hand_over else float("inf")
    clusters = linear_clusters(graph)
    makespan = simulate(graph, Placement(tuple(map(tuple, clusters)))).makespan
    assert makespan <= (1 + 1 / granularity) * critical_path(graph)[0] * EXACT
    if granularity >= 1:
        assert makespan <= 2 * critical_path(graph)[0] * EXACT


def module_of(graph: TaskGraph) -> ModuleOp:
    """A graph as a function of operations with costs."""
    counts = sorted(graph.wide)
    lines: list[str] = []
    for task, cost in enumerate(graph.costs):
        reads = [f"%t{producer}" for producer in graph.predecessors[task]] or ["%x"]
        costs = f"cluster.cost = {cost} : f64"
        if counts:
            wide = ", ".join(str(graph.wide[n][task]) for n in counts)
            costs += f", cluster.wide_cost = array<f64: {wide}>"
        types = ", ".join(["tensor<1xf32>"] * len(reads))
        lines.append(
            f"%t{task} = torch.call torch.cat([{', '.join(reads)}]) "
            f'{{torch.names = ["t{task}"], {costs}}} : ({types}) -> tensor<1xf32>'
        )
    results = [f"%t{task}" for task in range(len(graph)) if not graph.successors[task]] or ["%x"]
    types = ", ".join(["tensor<1xf32>"] * len(results))
    given = f"cluster.hand_over = {graph.hand_over} : f64, cluster.switch = {graph.switch} : f64"
    if counts:
        given += f", cluster.threads = array<i64: {', '.join(map(str, counts))}>"
    text = (
        f'func.func @main(%x: tensor<1xf32> {{torch.name = "x"}}) -> ({types}) '
        f"attributes {{{given}}} {{\n{chr(10).join(lines)}\n"
        f"func.return {', '.join(results)} : {types}\n}}"
    )
    context = Context()
    for dialect in (Builtin, Func, torch_dialect(), cluster_dialect()):
        context.load_dialect(dialect)
    return Parser(context, text).parse_module()


def _place_in_turns(module: ModuleOp, workers: int) -> None:
    """Gives operations stages as a model would have them, without an order among the stages."""
    module.attributes[CONFIGURATIONS] = ArrayAttr([StringAttr("turns")])
    for i, op in enumerate(op for op in module.walk() if isinstance(op, CallOp)):
        op.attributes[STAGES] = DenseArrayBase.from_list(i64, [i % workers])


@pytest.mark.parametrize("schedule", SCHEDULES)
@settings(deadline=None, derandomize=True, max_examples=25)
@given(graph=moldable_graphs(20), workers=st.integers(1, 4))
def test_programs_verify(schedule: str, graph: TaskGraph, workers: int) -> None:
    """The passes of each schedule make a program that the verifier accepts: nothing deadlocks,
    every value is there, and no core is lent to two at a time."""
    assume(schedule != "intra-op" or workers == 1 or graph.wide)  # else it is refused
    module = module_of(graph)
    if schedule == "placed":
        _place_in_turns(module, workers)
    steps = pipeline(Options(workers, schedule, refine_s=0.05))
    first = [name for name, _ in steps].index("cluster-costs") + 1
    run_passes(module, steps[first:])
    verify_module(module)
    program = next(op for op in module.ops if isinstance(op, ProgramOp))
    names = Counter(
        name
        for worker in program.workers
        for op in worker.walk()
        if isinstance(op, CallOp)
        for name in op.python_names
    )
    assert names == Counter(f"t{task}" for task in range(len(graph)))
    report = Report.of(program)
    assert report.workers <= report.cores <= workers
    assert report.bound_us <= report.parallel_us + 0.1 * len(graph) + 0.1
