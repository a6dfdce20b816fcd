"""The optimizers of ai.onnx.preview.training."""

from __future__ import annotations

from collections.abc import Sequence

from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.torch import CallOp


def _steps(callee: str, states: int, n: Node, config: Sequence[object]) -> Lowered:
    """One call for each parameter. The node's operands are grouped by kind: all parameters, all
    gradients, then all tensors of each state; so are its results, which have no gradients."""
    kinds = 2 + states
    count, rest = divmod(len(n) - 2, kinds)
    if rest or count < 1 or len(n.op.results) != count * (1 + states):
        n.fail(f"expected {kinds} inputs and {1 + states} outputs for each of its parameters")
    steps: list[Sequence[object]] = []
    for i in range(count):
        operands = [n[2 + kind * count + i] for kind in range(kinds)]
        types = [operands[0].type, *(v.type for v in operands[2:])]
        steps.append(n.add(CallOp.of(callee, [n[0], n[1], *operands, *config], {}, types)))
    return [step[kind] for kind in range(1 + states) for step in steps]  # pyright: ignore


@lowers("ai.onnx.preview.training::Momentum")
def momentum(n: Node) -> Lowered:
    mode = n.text("mode", "standard")
    if mode not in ("standard", "nesterov"):
        n.fail(f"unknown mode {mode!r}")
    config = [n.number(k) for k in ("alpha", "beta", "norm_coefficient")]
    nesterov = [True] if mode == "nesterov" else []
    return _steps("ops.momentum", 1, n, [*config, *nesterov])


@lowers("ai.onnx.preview.training::Adagrad")
def adagrad(n: Node) -> Lowered:
    defaults = {"epsilon": 1e-6, "decay_factor": 0.0, "norm_coefficient": 0.0}
    return _steps("ops.adagrad", 1, n, [n.number(k, v) for k, v in defaults.items()])


@lowers("ai.onnx.preview.training::Adam")
def adam(n: Node) -> Lowered:
    defaults = {
        "alpha": 0.9,
        "beta": 0.999,
        "epsilon": 1e-6,
        "norm_coefficient": 0.0,
        "norm_coefficient_post": 0.0,
    }
    return _steps("ops.adam", 2, n, [n.number(k, v) for k, v in defaults.items()])
