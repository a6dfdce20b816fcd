"""A synthetic model of any size: layers of cheap operations with random edges and branches."""

from __future__ import annotations

import random

from onnx import ModelProto, TensorProto, helper

WIDTH = 8


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
