"""RNN, GRU and LSTM in all their forms, as layers and step by step."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from one_node import Case, Random

STEPS, BATCH, INPUTS, HIDDEN = 4, 3, 2, 3
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
PLACES = {"RNN": 1, "GRU": 2, "LSTM": 3}
"""The number of activations of one direction."""
DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
X, W, R, B, LENGTHS, H, C, P = range(8)
WEIGHTS = (W, R, B)


def recurrent(
    op: str,
    given: tuple[int, ...] = (),
    direction: str = "forward",
    const: tuple[int, ...] = (),
    opset: int = 22,
    steps: int = STEPS,
    outputs: int | None = None,
    lengths: tuple[int, ...] = (4, 2, 0),
    reference: bool = False,
    dtype: str = "float32",
    **attributes: Any,
) -> Case:
    """A case with x, w, r and those of the optional inputs that are given."""
    count, rows = DIRECTIONS[direction], GATES[op] * HIDDEN
    inputs = [
        Random((steps, BATCH, INPUTS), dtype, -2, 2),
        Random((count, rows, INPUTS), dtype),
        Random((count, rows, HIDDEN), dtype),
        Random((count, 2 * rows), dtype),
        np.array(lengths, np.int32),
        Random((count, BATCH, HIDDEN), dtype),
        Random((count, BATCH, HIDDEN), dtype),
        Random((count, 3 * HIDDEN), dtype),
    ]
    all_given = {X, W, R, *given}
    made = [v if k in all_given else None for k, v in enumerate(inputs)][: max(all_given) + 1]
    if direction != "forward":
        attributes["direction"] = direction
    return Case(
        op,
        made,
        {"hidden_size": HIDDEN, **attributes},
        opset,
        const,
        outputs or (3 if op == "LSTM" else 2),
        reference=reference,
    )


def of_pytorch(op: str) -> dict[str, Any]:
    """What makes an operator PyTorch's."""
    return {"linear_before_reset": 1} if op == "GRU" else {}


def _inputs() -> Iterator[Case]:
    """What is given, in each direction: some of it as constants."""
    for op, direction in product(GATES, DIRECTIONS):
        of_states = (H, C) if op == "LSTM" else (H,)
        for given in ((), (B,), (B, *of_states)):
            const = tuple(k for k in WEIGHTS if k in (W, R, *given))
            yield recurrent(op, given, direction, const, **of_pytorch(op))
        yield recurrent(op, (B, LENGTHS), direction, WEIGHTS)
        yield recurrent(op, (LENGTHS, *of_states), direction, lengths=(1, 4, 3))


def _steps() -> Iterator[Case]:
    """One step, where an LSTM takes another kernel, and one sequence."""
    for op, direction in product(GATES, DIRECTIONS):
        yield recurrent(op, (B, H), direction, WEIGHTS, steps=1, **of_pytorch(op))


def _activations() -> Iterator[Case]:
    every: list[tuple[str, list[float], list[float]]] = [
        ("Affine", [0.5], [0.25]),
        ("Elu", [0.75], []),
        ("HardSigmoid", [], []),
        ("HardSigmoid", [0.25], [0.375]),
        ("LeakyRelu", [], []),
        ("LeakyRelu", [0.25], []),
        ("Relu", [], []),
        ("ScaledTanh", [0.5], [0.75]),
        ("Softplus", [], []),
        ("Softsign", [], []),
        ("ThresholdedRelu", [0.25], []),
        ("tanh", [], []),
    ]
    usual = {"GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
    for name, alpha, beta in every:
        for op, first in usual.items():
            for place in range(PLACES[op]):
                names = [name if i == place else other for i, other in enumerate(first)]
                yield recurrent(op, (B,), activations=names, **_numbers(alpha, beta))
        if name not in ("Softplus", "tanh"):  # ONNX Runtime's RNN lacks them
            yield recurrent("RNN", (B,), const=WEIGHTS, activations=[name], **_numbers(alpha, beta))
    both = ["LeakyRelu", "ScaledTanh", "HardSigmoid", "Elu"]
    numbers = _numbers([0.25, 0.5, 0.375, 0.75], [1.5, 0.625])
    yield recurrent("GRU", (B,), "bidirectional", activations=both, **numbers)
    yield recurrent("RNN", (B,), "bidirectional", activations=["Relu", "Tanh"], const=WEIGHTS)


def _numbers(alpha: list[float], beta: list[float]) -> dict[str, Any]:
    given = {"activation_alpha": alpha, "activation_beta": beta}
    return {k: v for k, v in given.items() if v}


def _options() -> Iterator[Case]:
    for direction, clip in product(DIRECTIONS, (None, 0.25)):
        bounds: dict[str, Any] = {} if clip is None else {"clip": clip}
        for linear in (0, 1):
            given = (B, H, LENGTHS) if linear else (B, H)
            yield recurrent("GRU", given, direction, linear_before_reset=linear, **bounds)
        if clip is not None:
            yield recurrent("RNN", (B, H), direction, **bounds)
        for coupled, given in product((0, 1), ((P,), (B, H, C, P), (B, LENGTHS, C))):
            case = recurrent("LSTM", given, direction, WEIGHTS, input_forget=coupled, **bounds)
            yield case


def _forms() -> Iterator[Case]:
    """Opsets, single results, states of zeros, lengths of all steps, other types."""
    for op, opset in product(GATES, (7, 14)):
        yield recurrent(op, (B,), "bidirectional", WEIGHTS, opset, outputs=1, **of_pytorch(op))
        full = (STEPS,) * BATCH
        yield recurrent(
            op, (LENGTHS,), const=(W, R, LENGTHS), opset=opset, lengths=full, **of_pytorch(op)
        )
    yield recurrent("LSTM", (B, H), const=WEIGHTS)
    yield recurrent("LSTM", (B, C), const=WEIGHTS)
    for op, dtype in product(GATES, ("float64", "float16")):
        for const in ((), WEIGHTS):
            yield recurrent(op, (B, H), const=const, dtype=dtype, reference=True)


CASES = [*_inputs(), *_steps(), *_activations(), *_options(), *_forms()]
