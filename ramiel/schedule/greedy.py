"""The baselines of IOS: one task per stage, and all ready units in each stage.

Source: Ding et al., "IOS: Inter-Operator Scheduler for CNN Acceleration", arXiv 2011.01302,
the section on the experiments (the sequential and the greedy schedule).
"""

from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.blocks import contract_chains
from ramiel.schedule.stages import StagePlan, concurrent


def sequential_stages(graph: TaskGraph) -> StagePlan:
    """Every task is a stage, on one thread, in id order. O(V)."""
    return joined([concurrent(graph, [[task]], 1) for task in range(len(graph))])


def greedy_stages(graph: TaskGraph, workers: int) -> StagePlan:
    """Every stage runs all ready units, each as a group of its own.

    Units are those of IOS. O(E + V * (workers + log V)). Raises ValueError if `workers` is less
    than 1.
    """
    if workers < 1:
        raise ValueError(f"need at least 1 worker, not {workers}")
    units, members = contract_chains(graph, grain=2 * graph.hand_over)
    missing = [len(producers) for producers in units.predecessors]
    ready = [unit for unit, count in enumerate(missing) if count == 0]
    plans: list[StagePlan] = []
    while ready:
        plans.append(concurrent(graph, [members[unit] for unit in ready], workers))
        following: list[int] = []
        for unit in ready:
            for consumer in units.successors[unit]:
                missing[consumer] -= 1
                if missing[consumer] == 0:
                    following.append(consumer)
        ready = sorted(following)
    return joined(plans)


def joined(plans: list[StagePlan]) -> StagePlan:
    """Concatenates plans."""
    return StagePlan(
        tuple(stage for plan in plans for stage in plan.stages),
        sum((plan.latency for plan in plans), 0.0),
        tuple(report for plan in plans for report in plan.reports),
    )
