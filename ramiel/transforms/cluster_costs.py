"""cluster-costs: what each operation costs."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import FloatAttr, ModuleOp, f64
from xdsl.passes import ModulePass

from ramiel.analysis.static_cost import static_cost
from ramiel.backend.pytorch.work import work_of
from ramiel.dialects.cluster.ops import COST
from ramiel.tasks import main_function, tasks_of


@dataclass(frozen=True)
class ClusterCostsPass(ModulePass):
    """Writes `cluster.cost`, in µs on one thread, on each operation: the static model's.

    %y = torch.call F.relu(%x) : (tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32>
    // becomes
    %y = torch.call F.relu(%x) {cluster.cost = 181.4 : f64} : ...
    """

    name = "cluster-costs"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        tasks = tasks_of(main_function(op), lambda task: static_cost(work_of(task)))
        for task, cost in zip(tasks.ops, tasks.graph.costs, strict=True):
            task.attributes[COST] = FloatAttr(round(cost, 1), f64)
