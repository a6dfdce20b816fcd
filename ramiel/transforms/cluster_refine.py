"""cluster-refine: improves a placement by local search."""

from __future__ import annotations

from dataclasses import dataclass, replace

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ramiel.console.progress import progress_of
from ramiel.errors import CompileError
from ramiel.schedule.refine import refine
from ramiel.torch_level.placements import limit_of, read_placement, write_placement
from ramiel.torch_level.tasks import main_function


@dataclass(frozen=True)
class ClusterRefinePass(ModulePass):
    """Moves operations to other workers, positions and thread counts if that is faster in
    simulation, for at most `seconds` or `moves`.

    The placement never gets slower. In a batch, thread counts stay as they are, so that all samples
    are computed alike. `moves` of 0 means no limit, and so does a `memory_limit`, in bytes, of 0.
    Needs a placement. See `ramiel.schedule.refine`.

        %y = torch.call F.relu(%x) {cluster.workers = [array<i64: 1>],
                                    cluster.position = array<i64: 7>} : ...
        // becomes
        %y = torch.call F.relu(%x) {cluster.workers = [array<i64: 0>],
                                    cluster.position = array<i64: 5>} : ...
    """

    name = "cluster-refine"

    seconds: int | float = 2.0
    moves: int = 0
    seed: int = 0
    memory_limit: int = 0

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if not 0 < self.seconds < float("inf") or self.moves < 0:
            raise CompileError(
                f"a budget of {self.seconds:g} s and {self.moves} moves: refining needs more than "
                "0 seconds"
            )
        function = main_function(op)
        placed = read_placement(function)
        if placed.batch > 1 and max(placed.placement.threads(len(placed.graph)), default=1) > 1:
            return
        progress = progress_of(ctx)
        graph = placed.graph if placed.batch == 1 else replace(placed.graph, wide={})
        try:
            placement = refine(
                graph,
                placed.placement,
                self.seconds,
                memory_limit=limit_of(self.memory_limit),
                seed=self.seed,
                moves=self.moves or None,
                progress=lambda done, total: progress("refining", done, total),
            )
        except ValueError as error:
            raise CompileError(str(error)) from error
        if placement != placed.placement:
            placed = replace(placed, name=f"{placed.name}, refined", placement=placement)
        write_placement(function, placed)
