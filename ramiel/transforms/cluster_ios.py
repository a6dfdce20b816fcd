"""cluster-ios: IOS's stages, by dynamic programming."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import cast, get_args

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, StringAttr, i64
from xdsl.passes import ModulePass

from ramiel.console.progress import progress_of
from ramiel.dialects.cluster.attributes import MERGE, SEARCH
from ramiel.errors import CompileError
from ramiel.schedule.ios import Measure, Merges, Strategies, ios
from ramiel.schedule.stages import BlockReport
from ramiel.torch_level.merging import costs_of_merged, mergeable_sets, merged_layer
from ramiel.torch_level.placements import Placed, check_workers, write_placement
from ramiel.torch_level.tasks import Tasks, main_function, tasks_of

LARGEST_FAMILY = 6
"""The most mergeable convolutions of which all subsets are considered."""


@dataclass(frozen=True)
class ClusterIosPass(ModulePass):
    """Places the operations in the stages of least latency that IOS finds.

    `r` and `s` prune the search to stages of at most `s` groups of at most `r` units;
    `max_transitions` limits it for each block of the graph. `strategies` says whether a stage may
    run groups in parallel (`parallel`), merge convolutions (`merge`), or `both`; `wide` whether it
    may run a unit on several threads. Convolutions of a merged stage get a number in
    `cluster.merge`, for `torch-merge-convolutions`. `cluster.search` describes the search. With
    `source=profile`, stages are measured on the GPU that is here (`ramiel.execution.stage_costs`);
    without, their latency is that of a model. See
    `ramiel.schedule.ios`.

        %y = torch.layer Conv2d(%x) {...} attributes {cluster.cost = 9.0 : f64} : ...
        // becomes
        %y = torch.layer Conv2d(%x) {...} attributes {..., cluster.merge = 0 : i64,
            cluster.workers = [array<i64: 0>], cluster.position = array<i64: 2>} : ...
    """

    name = "cluster-ios"

    workers: int = 2
    r: int = 3
    s: int = 8
    strategies: str = "both"
    wide: bool = True
    max_transitions: int = 200_000
    source: str = "static"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_workers(self.workers)
        if self.strategies not in get_args(Strategies):
            raise CompileError(
                f"strategies are {', '.join(get_args(Strategies))}, not {self.strategies!r}"
            )
        function = main_function(op)
        if self.source not in ("static", "profile"):
            raise CompileError(f"latencies of stages are static or profile, not {self.source!r}")
        tasks = tasks_of(function)
        progress = progress_of(ctx)
        try:
            plan = ios(
                tasks.graph,
                self.workers,
                r=self.r,
                s=self.s,
                merges=_merges(function, tasks) if self.strategies != "parallel" else None,
                strategies=cast(Strategies, self.strategies),
                wide=self.wide,
                max_transitions=self.max_transitions,
                measure=_measure(function, tasks) if self.source == "profile" else None,
                progress=lambda done, total: progress(
                    f"searching stages, about {total:,} transitions", done, total
                ),
            )
        except ValueError as error:
            raise CompileError(str(error)) from error
        for number, stage in enumerate(stage for stage in plan.stages if stage.merged):
            for task in chain.from_iterable(stage.groups):
                tasks.ops[task].attributes[MERGE] = IntegerAttr(number, i64)
        function.attributes[SEARCH] = StringAttr(_told(plan.reports))
        placement = plan.placement(tasks.graph, self.workers)
        write_placement(function, Placed("ios", tasks, tasks.graph, placement))


def _measure(function: func.FuncOp, tasks: Tasks) -> Measure:
    from ramiel.execution.stage_costs import StageCosts

    costs = StageCosts(function)
    return lambda groups: costs.of([[tasks.ops[task] for task in group] for group in groups])


def _merges(function: func.FuncOp, tasks: Tasks) -> Merges:
    """The costs of merged convolutions, for each set of convolutions that can be merged."""
    number = {op: i for i, op in enumerate(tasks.ops)}
    merges: dict[frozenset[int], dict[int, float]] = {}
    for family in mergeable_sets(function):
        members = family[:LARGEST_FAMILY]
        for size in range(2, len(members) + 1):
            for subset in combinations(members, size):
                costs = costs_of_merged(subset, merged_layer(subset))
                if costs:
                    chosen = frozenset(number[op] for op in subset)
                    merges[chosen] = dict(zip(tasks.graph.threads, costs, strict=True))
    return merges


def _told(reports: Sequence[BlockReport]) -> str:
    """A summary of the search, in one line."""
    states = sum(report.states for report in reports)
    transitions = sum(report.transitions for report in reports)
    text = f"{len(reports)} blocks, {states} states, {transitions} transitions"
    cut = [report for report in reports if report.fallback]
    if not cut:
        return text
    reasons = sorted({report.fallback for report in cut})
    return f"{text}; {len(cut)} blocks were too large: {', '.join(reasons)}"
