"""cluster-hyper: a batch of samples, interleaved on the workers of one sample's schedule."""

from __future__ import annotations

from dataclasses import dataclass, replace

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ramiel.errors import CompileError
from ramiel.schedule.hyper import hyperclusters, replicate
from ramiel.torch_level.placements import check_batch, read_placement, write_placement
from ramiel.torch_level.tasks import main_function


@dataclass(frozen=True)
class ClusterHyperPass(ModulePass):
    """Makes each worker run its clusters for `batch` samples, interleaved.

    With `switched`, each sample's clusters go to the next worker after the previous sample's.
    Needs a placement of one sample, with one thread for each operation, and a model of batch 1.
    See `ramiel.schedule.hyper`.

        %y = torch.call F.relu(%x) {cluster.workers = [array<i64: 0>],
                                    cluster.position = array<i64: 2>} : ...
        // becomes, with batch=2 switched=true
        %y = torch.call F.relu(%x) {cluster.workers = [array<i64: 0>, array<i64: 1>],
                                    cluster.position = array<i64: 4, 5>} : ...
    """

    name = "cluster-hyper"

    batch: int = 2
    switched: bool = False

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        function = main_function(op)
        check_batch(function, self.batch)
        placed = read_placement(function)
        if placed.batch != 1:
            raise CompileError(f"the placement is one for a batch of {placed.batch} already")
        try:
            placement = hyperclusters(
                placed.graph, placed.placement, self.batch, switched=self.switched
            )
        except ValueError as error:
            raise CompileError(str(error)) from error
        kind = "switched hyperclusters" if self.switched else "hyperclusters"
        write_placement(
            function,
            replace(
                placed,
                name=f"{placed.name}, {kind}",
                graph=replicate(placed.graph, self.batch),
                placement=placement,
                batch=self.batch,
            ),
        )
