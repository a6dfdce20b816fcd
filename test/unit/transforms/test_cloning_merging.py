"""Cloning tasks and merging convolutions: both change the work, and neither what is computed."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import parser
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, ModuleOp, f32, f64, i64
from xdsl.ir import Block, Region

from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import simulate
from ramiel.analysis.task_graph import TaskGraph
from ramiel.dialects.cluster.attributes import COST, MERGE
from ramiel.dialects.onnx.attributes import Array, TensorRef, WeightAttr
from ramiel.dialects.onnx.operation import CLONE
from ramiel.dialects.onnx.types import static_shape_of, tensor_type
from ramiel.dialects.torch import CallOp, LayerOp, TorchOperation
from ramiel.dialects.verify import verify_module
from ramiel.execution.evaluator import Evaluator
from ramiel.frontend.importer import import_model
from ramiel.schedule.clone import Clone, plan_clones
from ramiel.schedule.linear import linear_clusters
from ramiel.torch_level.merging import mergeable_sets, merged_layer
from ramiel.torch_level.tasks import main_function
from ramiel.transforms import pass_factory
from ramiel.transforms.onnx_clone_tasks import OnnxCloneTasksPass

# --- what is worth a clone -----------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> TaskGraph:
    """A random DAG; costs are small integers, so that sums of them are exact."""
    tasks = draw(st.integers(0, 30))
    random = draw(st.randoms(use_true_random=False))
    density = draw(st.sampled_from([0.05, 0.1, 0.3]))
    return TaskGraph(
        tuple(float(random.randint(0, 60)) for _ in range(tasks)),
        tuple((i, j) for j in range(tasks) for i in range(j) if random.random() < density),
        hand_over=draw(st.sampled_from([0.0, 24.0, 100.0])),
    )


def with_clones(
    graph: TaskGraph, clusters: Sequence[Sequence[int]], plan: Sequence[Clone]
) -> tuple[TaskGraph, Placement, list[int]]:
    """The graph with clones, a worker for each cluster, and the new ids of the old tasks.

    A clone runs just before the first task that reads it.
    """
    cluster_of = {task: k for k, cluster in enumerate(clusters) for task in cluster}
    order = sorted([(t, -1) for t in range(len(graph))] + [(c.task, c.cluster) for c in plan])
    ids = {entry: i for i, entry in enumerate(order)}

    def operands(task: int, cluster: int) -> list[int]:
        producers = graph.predecessors[task]
        return [ids.get((p, cluster), ids[p, -1]) for p in producers]

    reads = [operands(t, cluster_of[t] if k < 0 else k) for t, k in order]
    workers: list[list[int]] = []
    for cluster in clusters:
        placed: list[int] = []

        def place(task: int, placed: list[int] = placed) -> None:
            for operand in reads[task]:
                if order[operand][1] >= 0 and operand not in placed:
                    place(operand)
            placed.append(task)

        for task in sorted(cluster):
            place(ids[task, -1])
        workers.append(placed)
    cloned = TaskGraph(
        tuple(graph.costs[task] for task, _ in order),
        tuple({(p, i): None for i, row in enumerate(reads) for p in row}),
        graph.hand_over,
    )
    return cloned, Placement(tuple(map(tuple, workers))), [ids[t, -1] for t in range(len(graph))]


@settings(deadline=None, derandomize=True, max_examples=200)
@given(graphs(), st.sampled_from([0.02, 0.3, 5.0]), st.sampled_from([5.0, 30.0, 1000.0]))
def test_clones_delay_no_task_and_stay_in_the_budget(
    graph: TaskGraph, budget: float, most: float
) -> None:
    clusters = linear_clusters(graph)
    fixed = [task % 7 == 3 for task in range(len(graph))]
    plan = plan_clones(graph, clusters, budget, most, fixed)
    assert plan == sorted(set(plan))
    assert sum(graph.costs[c.task] for c in plan) <= budget * graph.work + 1e-6
    for task, cluster in plan:
        assert graph.costs[task] <= most
        assert not fixed[task]
        assert task not in clusters[cluster]
    before = simulate(graph, Placement(tuple(map(tuple, clusters))))
    cloned, placement, ids = with_clones(graph, clusters, plan)
    after = simulate(cloned, placement)
    starts = [after.start[i] for i in ids]
    assert all(new <= old + 1e-6 for new, old in zip(starts, before.start, strict=True))
    assert not plan or any(n < o - 0.5 for n, o in zip(starts, before.start, strict=True))


def test_a_chain_is_cloned_down_to_the_input_of_the_graph() -> None:
    """0 -> 1 feeds branches of 300 and 200 µs; the second gets copies of both."""
    graph = TaskGraph((10.0, 10.0, 300.0, 200.0), ((0, 1), (1, 2), (1, 3)))
    clusters = [[0, 1, 2], [3]]
    assert plan_clones(graph, clusters, 0.05, 20.0) == [Clone(0, 1), Clone(1, 1)]
    assert plan_clones(graph, clusters, 0.03, 20.0) == []  # 20 of 520 µs are too much
    assert plan_clones(graph, clusters, 0.05, 9.0) == []
    assert plan_clones(graph, clusters, 0.05, 20.0, [True]) == []


def test_a_clone_whose_operand_has_to_cross_is_worth_nothing() -> None:
    graph = TaskGraph((500.0, 10.0, 300.0, 200.0), ((0, 1), (1, 2), (1, 3)))
    assert plan_clones(graph, [[0, 1, 2], [3]], 0.5, 100.0) == []
    assert plan_clones(graph, [[0, 1, 2], [3]], 1.0, 500.0) == [Clone(0, 1), Clone(1, 1)]


def test_what_has_one_reader_is_not_cloned() -> None:
    graph = TaskGraph((10.0, 300.0, 200.0), ((0, 2), (1, 2)))
    assert plan_clones(graph, [[1], [0], [2]], 0.5, 100.0) == []


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_a_limit_that_clones_nothing_is_refused(limit: float) -> None:
    graph = TaskGraph((1.0,), ())
    with pytest.raises(ValueError, match=r"a budget of .* clones nothing"):
        plan_clones(graph, [[0]], limit, 1.0)
    with pytest.raises(ValueError, match=r"a largest cost of .* clones nothing"):
        plan_clones(graph, [[0]], 1.0, limit)


# --- clones compute the same ---------------------------------------------------------------

SHARED = """
<ir_version: 8, opset_import: ["" : 17]>
shared (float[1, 8, 64, 64] x) => (float[1, 8, 64, 64] y, float[1, 8, 64, 64] s) {
  shape = Constant <value_ints = [8, 8, 3, 3]> ()
  w = ConstantOfShape <value = float[1] {0.05}> (shape)
  s = Sigmoid (x)
  m = Neg (s)
  a = Conv <pads = [1, 1, 1, 1]> (m, w)
  b = Conv <pads = [1, 1, 1, 1]> (m, w)
  c = Tanh (a)
  d = Exp (b)
  e = Abs (m)
  y = Sum (c, d, e)
}
"""


def run_passes(module: ModuleOp, *names: str) -> None:
    for name in names:
        pass_factory(name)()().apply(Context(), module)
        verify_module(module)


def shared_module() -> ModuleOp:
    module = import_model(parser.parse_model(SHARED).SerializeToString())
    run_passes(module, "onnx-constant-fold")
    return module


def test_clones_compute_what_their_originals_do() -> None:
    plain, cloned = shared_module(), shared_module()
    OnnxCloneTasksPass(budget=0.5).apply(Context(), cloned)
    verify_module(cloned)
    numbers = [op.attributes[CLONE] for op in cloned.walk() if CLONE in op.attributes]
    assert len(numbers) == len(set(numbers)) >= 2
    run_passes(cloned, "onnx-common-subexpressions", "onnx-dead-code")
    assert sum(CLONE in op.attributes for op in cloned.walk()) == len(numbers)
    # Again: what has been cloned is in its place, and numbers stay distinct.
    OnnxCloneTasksPass(budget=0.5).apply(Context(), cloned)
    numbers = [op.attributes[CLONE] for op in cloned.walk() if CLONE in op.attributes]
    assert len(numbers) == len(set(numbers))

    x = torch.randn(1, 8, 64, 64, generator=torch.Generator().manual_seed(0))
    results = []
    for module in (plain, cloned):
        run_passes(module, "onnx-to-torch", "torch-assign-names")
        results.append(Evaluator().function(main_function(module), [x]))
    assert all(map(torch.equal, *results))
    ops = [op for op in main_function(cloned).body.block.ops if isinstance(op, TorchOperation)]
    names = [name for op in ops for name in op.python_names]
    assert len(names) == len(set(names))


# --- merged convolutions compute the same --------------------------------------------------


def block_of(size: Sequence[int]) -> Block:
    return Block(arg_types=[tensor_type(f32, size)])


def convolution(
    block: Block, name: str, out: int, kernel: Sequence[int], bias: bool, **config: Any
) -> LayerOp:
    """A convolution of the block's argument with random weights, appended to the block."""
    x = block.args[0]
    shape = static_shape_of(x.type)
    assert shape is not None
    random = np.random.default_rng(len(name) + out + sum(kernel))

    def weight(part: str, *dims: int) -> WeightAttr:
        array: Array = random.standard_normal(dims).astype(np.float32)
        return WeightAttr(TensorRef.of(f"{name}.{part}", array))

    weights = {"weight": weight("weight", out, shape[1], *kernel)}
    if bias:
        weights["bias"] = weight("bias", out)
    layer = f"Conv{len(kernel)}d"
    # The result's shape is what PyTorch says.
    y = getattr(torch.nn.functional, layer.lower())(
        torch.empty(shape, device="meta"),
        torch.empty((out, shape[1], *kernel), device="meta"),
        **config,
    )
    op = LayerOp.of(layer, [x], weights, config, [tensor_type(f32, list(y.shape))])
    block.add_op(op)
    return op


def module_of(block: Block) -> ModuleOp:
    """A module whose function returns the results of all operations of a block."""
    results = [r for op in block.ops for r in op.results]
    block.add_op(func.ReturnOp(*results))
    types = ([a.type for a in block.args], [r.type for r in results])
    return ModuleOp([func.FuncOp("main", types, Region(block))])


def evaluate(module: ModuleOp) -> list[torch.Tensor]:
    function = main_function(module)
    shape = static_shape_of(function.body.block.args[0].type)
    assert shape is not None
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    return Evaluator().function(function, [x])


def merge(module: ModuleOp, *groups: Sequence[LayerOp]) -> None:
    for number, group in enumerate(groups):
        for op in group:
            op.attributes[MERGE] = IntegerAttr(number, i64)
    run_passes(module, "torch-merge-convolutions")


def assert_merging_keeps_results(block: Block, *groups: Sequence[LayerOp]) -> ModuleOp:
    module = module_of(block)
    expected = evaluate(module)
    merge(module, *groups)
    for result, wanted in zip(evaluate(module), expected, strict=True):
        assert result.shape == wanted.shape
        assert torch.allclose(result, wanted, rtol=1e-4, atol=1e-4)
    return module


def layers_of(module: ModuleOp) -> list[LayerOp]:
    return [op for op in main_function(module).body.block.ops if isinstance(op, LayerOp)]


def test_an_inception_block() -> None:
    block = block_of((1, 24, 14, 14))
    branches = [
        convolution(block, "one", 16, (1, 1), True),
        convolution(block, "three", 24, (3, 3), False, padding=1),
        convolution(block, "five", 8, (5, 5), True, padding=2),
    ]
    module = assert_merging_keeps_results(block, branches)
    (merged,) = layers_of(module)
    assert merged.weight_shape == (48, 24, 5, 5)
    # Nothing is made before somebody asks, and then the kernels are where they belong.
    kernel = merged.weights["weight"].array()
    assert not kernel[:16, :, :2].any() and kernel[:16, :, 2, 2].all()


@st.composite
def families(draw: st.DrawFn) -> tuple[Block, list[LayerOp]]:
    """Two to four convolutions whose windows have the same middles."""
    dims = draw(st.integers(1, 3), label="dims")
    each = partial(st.lists, min_size=dims, max_size=dims)
    stride = draw(each(st.integers(1, 2)), label="stride")
    dilation = draw(each(st.integers(1, 2)), label="dilation")
    odd = draw(each(st.booleans()), label="odd")
    # A padding over that which keeps sizes; below 0 there is none for a small kernel.
    extra = draw(each(st.integers(-1, 2)), label="extra")
    block = block_of((draw(st.integers(1, 2)), 3, *[13 if dims < 3 else 11] * dims))
    ops: list[LayerOp] = []
    for i in range(draw(st.integers(2, 4), label="count")):
        largest = 7 if dims < 3 else 5
        kernel = [draw(st.sampled_from(range(2 - o, largest + 1, 2))) for o in odd]
        sides = zip(kernel, dilation, extra, odd, strict=True)
        padding = [d * (k - 2 + o) // 2 + e for k, d, e, o in sides]
        assume(min(padding) >= 0)
        config = {"stride": stride, "padding": padding, "dilation": dilation}
        out = draw(st.integers(1, 5))
        ops.append(convolution(block, f"c{i}", out, kernel, draw(st.booleans()), **config))
    return block, ops


@settings(deadline=None, derandomize=True, max_examples=50)
@given(families())
def test_any_family_can_be_merged(family: tuple[Block, list[LayerOp]]) -> None:
    block, ops = family
    module = module_of(block)
    assert mergeable_sets(main_function(module)) == [tuple(ops)]
    expected = evaluate(module)
    merge(module, ops)
    for result, wanted in zip(evaluate(module), expected, strict=True):
        assert torch.allclose(result, wanted, rtol=1e-4, atol=1e-4)


def test_sets_are_those_that_can_be_merged() -> None:
    block = block_of((1, 4, 9, 9))
    row = convolution(block, "row", 2, (1, 7), True, padding=[0, 3])
    small = convolution(block, "small", 2, (3, 3), True)
    half = convolution(block, "half", 2, (3, 3), True, padding=1, stride=2)
    column = convolution(block, "column", 2, (7, 1), True, padding=[3, 0])
    large = convolution(block, "large", 2, (5, 5), True, padding=1)
    even = convolution(block, "even", 2, (2, 2), True)
    module = module_of(block)
    sets = mergeable_sets(main_function(module))
    assert sets == [(row, column), (small, large)]
    assert [merged_layer(family).weight_shape for family in sets] == [(4, 4, 7, 7), (4, 4, 5, 5)]
    for other in (small, half, even):
        with pytest.raises(ValueError, match="have "):
            merged_layer([row, other])
    # To ask what a merged layer would be changes nothing.
    assert all(op.parent is not None for op in (row, column, small, large, half, even))
    assert len(list(block.args[0].uses)) >= 6


def test_two_groups_and_costs() -> None:
    block = block_of((1, 4, 9, 9))
    first = [convolution(block, f"a{i}", 2 + i, (3, 3), True, padding=1) for i in range(2)]
    second = [convolution(block, f"b{i}", 3, (1 + 2 * i, 1), True, padding=[i, 0]) for i in (0, 1)]
    for op in first:
        op.attributes[COST] = FloatAttr(40.0, f64)
    second[0].attributes[COST] = FloatAttr(40.0, f64)
    module = assert_merging_keeps_results(block, first, second)
    one, other = layers_of(module)
    cost = one.attributes[COST]
    # One call instead of two: less than both, more than half.
    assert isinstance(cost, FloatAttr) and 40.0 <= cost.value.data < 80.0
    assert COST not in other.attributes
    splits = [op for op in main_function(module).body.block.ops if isinstance(op, CallOp)]
    assert [COST in op.attributes for op in splits] == [True, False]
