"""Synthetic models of any size: layers of cheap operations with random edges, and chains."""

from __future__ import annotations

import random

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

WIDTH = 8
FEATURES = 64
"""The columns of chains' values."""


def layered_model(operations: int, seed: int = 0) -> ModelProto:
    """A model of about `operations` elementwise operations in layers of eight branches."""
    chance = random.Random(seed)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])
    nodes = []
    layer = ["x"]
    for i in range(0, operations, WIDTH):
        following = []
        for j in range(min(WIDTH, operations - i)):
            name = f"layer{i // WIDTH}_op{j}"
            first, second = chance.choice(layer), chance.choice(layer)
            if chance.random() < 0.5 or first == second:
                nodes.append(helper.make_node("Relu", [first], [name], name=f"/{name}/Relu"))
            else:
                nodes.append(helper.make_node("Add", [first, second], [name], name=f"/{name}/Add"))
            following.append(name)
        layer = following
    nodes.append(helper.make_node("Sum", layer, ["y"], name="/Sum"))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 64])
    graph = helper.make_graph(nodes, "synthetic", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def chains_model(chains: int, length: int, rows: int) -> ModelProto:
    """A model of `chains` chains, each of `length` products of a value of `rows` x 64 by a 64 x 64
    weight of the chain's own, and of the sum of what they end with."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, FEATURES])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, FEATURES])
    given = np.random.default_rng(0).normal(size=(chains, FEATURES, FEATURES))
    orthogonal, _ = np.linalg.qr(given)  # so that values keep their size
    weights = [
        numpy_helper.from_array(w.astype(np.float32), f"w{c}") for c, w in enumerate(orthogonal)
    ]
    nodes = [
        helper.make_node("MatMul", [f"c{c}_{i - 1}" if i else "x", f"w{c}"], [f"c{c}_{i}"])
        for c in range(chains)
        for i in range(length)
    ]
    nodes.append(helper.make_node("Sum", [f"c{c}_{length - 1}" for c in range(chains)], ["y"]))
    graph = helper.make_graph(nodes, "chains", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
