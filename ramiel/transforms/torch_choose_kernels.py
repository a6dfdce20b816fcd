"""torch-choose-kernels: which kernel computes each convolution, linear layer and pool."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ramiel.analysis.static_cost import NOMINAL, Prices, static_cost
from ramiel.console.progress import progress_of
from ramiel.dialects.cluster.attributes import CPU
from ramiel.dialects.torch import TorchOperation
from ramiel.errors import CompileError
from ramiel.torch_level.candidates import Kernel, candidates, write_kernels
from ramiel.torch_level.devices import kind_of
from ramiel.torch_level.placements import check_workers
from ramiel.torch_level.tasks import main_function, thread_counts
from ramiel.torch_level.work import work_by

Candidates = Mapping[TorchOperation, Sequence[Kernel]]
Choice = Mapping[TorchOperation, Mapping[int, Kernel]]


@dataclass(frozen=True)
class TorchChooseKernelsPass(ModulePass):
    """Writes the option `kernel` on layers that another than the direct kernel is better for,
    and has pools computed by `kernels.max_pool2d` instead of `F.max_pool2d`.

    With `source=static` it is the one that the static model of costs prefers, the usual one among
    equals; with `source=probe` it knows the prices of this machine. With
    `source=profile` each candidate is measured in the run of the whole function, on 1, 2, 4, ... up
    to so many `threads`; where the best is not the same for all of them, `torch.kernels` lists them
    for the costs, and torch-settle-kernels takes one when the operation is placed.
    `provider=torch` keeps to the kernels that come with PyTorch. All of them are for the CPU: with
    `device=cuda` there is no choice, and PyTorch's own calls stay.

        %y = torch.layer Conv2d(%x) {padding = 1} weights {...} : ...
        // becomes
        %y = torch.layer Conv2d(%x) {padding = 1, kernel = "winograd"} weights {...} : ...
    """

    name = "torch-choose-kernels"

    source: str = "static"
    provider: str = "auto"
    threads: int = 1
    device: str = CPU

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if self.source not in _SOURCES:
            raise CompileError(f"kernels are chosen by {', '.join(_SOURCES)}, not {self.source!r}")
        check_workers(self.threads)
        function = main_function(op)
        if kind_of(self.device) != CPU:
            return
        allowed = {
            task: kernels
            for task in function.body.block.ops
            if isinstance(task, TorchOperation) and (kernels := candidates(task, self.provider))
        }
        for task, kernels in _SOURCES[self.source](ctx, function, allowed, self).items():
            write_kernels(task, kernels)


def _static(
    ctx: Context, function: func.FuncOp, allowed: Candidates, options: TorchChooseKernelsPass
) -> Choice:
    return _cheapest(allowed, options.threads, NOMINAL)


def _probe(
    ctx: Context, function: func.FuncOp, allowed: Candidates, options: TorchChooseKernelsPass
) -> Choice:
    from ramiel.execution.probe import probed

    return _cheapest(allowed, options.threads, probed(progress_of(ctx)).prices)


def _cheapest(allowed: Candidates, threads: int, prices: Prices) -> Choice:
    def cost(task: TorchOperation, kernel: Kernel) -> float:
        return static_cost(work_by(task, kernel), threads, prices)

    return {
        task: {1: min(kernels, key=lambda kernel: cost(task, kernel))}
        for task, kernels in allowed.items()
    }


def _profile(
    ctx: Context, function: func.FuncOp, allowed: Candidates, options: TorchChooseKernelsPass
) -> Choice:
    from ramiel.execution.measured_costs import fastest_kernels

    counts = thread_counts(options.threads)
    return fastest_kernels(function, allowed, counts, progress_of(ctx))


_SOURCES: Mapping[str, Callable[..., Choice]] = {
    "static": _static,
    "probe": _probe,
    "profile": _profile,
}
