"""Each entry of the lowering table for PyTorch's graphs computes what PyTorch's operator does."""

from __future__ import annotations

import operator
from typing import Any

import pytest
import torch
from torch import Tensor, fx

from ramiel.conversion.aten_to_torch import lowered_operators
from ramiel.dialects.torch import CallOp, LayerOp
from ramiel.dialects.verify import verify_module
from ramiel.errors import CompileError
from ramiel.execution.evaluator import Evaluator
from ramiel.execution.tensors import array_of_tensor
from ramiel.fx.importer import Imported, import_graph
from ramiel.fx.types import Unsupported
from ramiel.torch_level.tasks import main_function


class Weight:
    """Marks an argument that the program holds."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def f(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def w(*shape: int) -> Weight:
    return Weight(f(*shape))


def p(*shape: int) -> Tensor:
    return f(*shape).abs() + 0.5


def i(*shape: int, most: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, most, shape, generator=generator)


def b(*shape: int) -> Tensor:
    return f(*shape) > 0


UNARY = """abs acos asin atan ceil cos cosh erf exp floor hardsigmoid hardswish isinf isnan mish neg
    relu round sigmoid sign silu sin sinh tan tanh expm1 gelu leaky_relu elu hardtanh exp2 softplus
    trunc""".split()
POSITIVE = "reciprocal log sqrt rsqrt log1p log2 log10".split()
COMPARED = "add bitwise_and bitwise_or bitwise_xor div eq ge gt le lt mul ne sub".split()
SAME = """alias clone contiguous detach lift_fresh lift_fresh_copy resolve_conj
    resolve_neg""".split()

Case = tuple[str, list[Any], dict[str, Any]]


def case(name: str, *args: Any, **kwargs: Any) -> Case:
    return name, list(args), kwargs


def _attention(rows: int, causal: bool, heads: int = 3, **options: Any) -> Case:
    name = "_scaled_dot_product_flash_attention_for_cpu.default"
    return case(name, f(2, heads, rows, 8), f(2, 3, 5, 8), f(2, 3, 5, 8), 0.0, causal, **options)


CASES: list[Case] = [
    *(case(f"{name}.default", f(2, 3)) for name in UNARY),
    *(case(f"{name}.default", p(2, 3)) for name in POSITIVE),
    *(case(f"{name}.Tensor", i(2, 3) + 1, i(2, 3) + 1) for name in COMPARED),
    *(case(f"{name}.Scalar", i(2, 3), 2) for name in COMPARED),
    *(case(f"__{name}__.{kind}", i(2, 3), other) for name in ("and", "or", "xor")
      for kind, other in (("Tensor", i(3)), ("Scalar", 1))),
    *(case(f"{name}.default", f(2, 3)) for name in SAME),
    case("_conj.default", torch.complex(f(2, 3), f(2, 3))),
    case("_neg_view.default", f(2, 3)),
    *(case(f"bitwise_{way}_shift.{kind}", i(2, 3), other) for way in ("left", "right")
      for kind, other in (("Tensor", i(3)), ("Tensor_Scalar", 2))),
    *(case(f"__{way}shift__.{kind}", i(2, 3), other) for way in "lr"
      for kind, other in (("Tensor", i(3)), ("Scalar", 2))),
    case("add.Tensor", f(2, 3), f(2, 3), alpha=2),
    case("bitwise_not.default", b(2, 3)),
    *(case(f"logical_{name}.default", b(2, 3), b(2, 3)) for name in ("and", "or", "xor")),
    case("logical_and.default", f(2, 3), b(2, 3)),
    case("logical_not.default", b(2, 3)),
    case("maximum.default", f(2, 3), f(3)),
    case("minimum.default", f(2, 3), f(3)),
    case("pow.Tensor_Scalar", p(2, 3), 1.5),
    case("pow.Tensor_Tensor", p(2, 3), f(3)),
    case("pow.Scalar", 2, f(2, 3)),
    case("where.self", b(2, 3), f(2, 3), f(3)),
    case("atan2.default", f(2, 3), p(3)),
    case("div.Tensor_mode", f(2, 3), p(3), rounding_mode="floor"),
    case("floor_divide.default", i(2, 3), i(3) + 1),
    case("remainder.Scalar", f(2, 3), 0.4),
    case("remainder.Tensor", f(2, 3), p(3)),
    case("rsub.Scalar", f(2, 3), 1.5),
    case("rsub.Scalar", f(2, 3), 1.5, 2),
    case("rsub.Tensor", f(2, 3), f(2, 3)),
    case("gelu.default", f(2, 3), approximate="tanh"),
    case("elu.default", f(2, 3), 1.6, 1.05),
    case("hardtanh.default", f(2, 3), 0.0, 6.0),
    case("clamp.default", f(2, 3), -0.5),
    case("clamp.default", f(2, 3), None, 0.5),
    case("clamp_max.default", f(2, 3), 0.1),
    case("clamp_min.default", f(2, 3), 0.1),
    case("_prelu_kernel.default", f(2, 3), f(3)),
    case("addcdiv.default", f(2, 3), f(2, 3), p(3), value=0.5),
    case("addcmul.default", f(2, 3), f(2, 3), f(3), value=0.5),
    case("fmod.Scalar", f(2, 3), 0.4),
    case("fmod.Tensor", f(2, 3), p(3)),
    case("glu.default", f(2, 4)),
    case("lerp.Scalar", f(2, 3), f(3, 3)[:2], 0.3),
    case("lerp.Tensor", f(2, 3), f(3, 3)[:2], f(3)),
    case("logaddexp.default", f(2, 3), f(3)),
    case("softplus.default", f(2, 3), 2, 1),
    case("threshold.default", f(2, 3), 0.1, 7.0),
    case("_to_copy.default", f(2, 3), dtype=torch.int64),
    case("_to_copy.default", f(2, 3)),
    case("to.dtype", f(2, 3), torch.float64),
    case("copy.default", f(2, 3), f(3, 3)[:2]),
    case("copy.default", f(2, 3), f(3)),
    case("masked_fill.Scalar", f(2, 3), b(2, 3), -1.0),
    case("masked_fill.Scalar", i(2, 3), b(2, 3), 7),
    case("masked_fill.Tensor", f(2, 3), b(3), torch.tensor(0.5)),
    # products
    case("mm.default", f(2, 3), w(3, 4)),
    case("mm.default", f(2, 3), f(3, 4)),
    case("addmm.default", w(4), f(2, 3), w(3, 4)),
    case("addmm.default", f(2, 4), f(2, 3), f(3, 4)),
    case("addmm.default", f(4), f(2, 3), w(3, 4), beta=2),
    case("bmm.default", f(2, 3, 4), f(2, 4, 5)),
    case("baddbmm.default", f(2, 3, 5), f(2, 3, 4), f(2, 4, 5)),
    case("baddbmm.default", f(2, 3, 5), f(2, 3, 4), f(2, 4, 5), beta=0.5),
    case("mv.default", f(2, 3), f(3)),
    case("dot.default", f(3), f(3)),
    # convolutions
    case("convolution.default", f(1, 4, 6, 6), w(6, 2, 3, 3), w(6), [2, 1], [1], [1, 1], False,
         [0, 0], 2),
    case("convolution.default", f(1, 4, 6), f(6, 4, 3), None, [1], [1], [1], False, [0], 1),
    case("convolution.default", f(1, 4, 5, 5), w(4, 3, 3, 3), w(3), [2, 2], [1, 1], [1, 1], True,
         [1, 1], 1),
    case("convolution.default", f(1, 4, 5), f(4, 3, 3), f(3), [2], [0], [1], True, [0], 1),
    # normalisations
    case("_native_batch_norm_legit_no_training.default", f(2, 3, 4), w(3), w(3), w(3), Weight(p(3)),
         0.1, 1e-3),
    case("_native_batch_norm_legit_no_training.default", f(2, 3, 4), None, None, f(3), p(3), 0.1,
         1e-5),
    case("native_batch_norm.default", f(2, 3), w(3), w(3), w(3), Weight(p(3)), False, 0.1, 1e-3),
    case("_native_batch_norm_legit_functional.default", f(4, 3), f(3), f(3), f(3), p(3), True, 0.1,
         1e-5),
    case("native_layer_norm.default", f(2, 3, 4), [4], w(4), w(4), 1e-3),
    case("native_layer_norm.default", f(2, 3, 4), [3, 4], None, None, 1e-5),
    case("native_group_norm.default", f(2, 4, 3), w(4), w(4), 2, 4, 3, 2, 1e-5),
    case("_softmax.default", f(2, 3), 1, False),
    case("_log_softmax.default", f(2, 3), 0, False),
    # attention
    _attention(4, False),
    _attention(5, True, scale=0.3),
    _attention(4, False, attn_mask=f(4, 5)),
    _attention(5, True, 6),
    _attention(4, False, 6),
    _attention(4, False, 6, attn_mask=f(2, 1, 4, 5)),
    _attention(4, False, 6, attn_mask=f(2, 6, 4, 5)),
    _attention(4, False, 6, attn_mask=f(1, 5).expand(4, 5)),
    case("embedding.default", w(5, 3), i(2, 4)),
    case("embedding.default", f(5, 3), i(2, 4)),
    # pools
    case("max_pool2d_with_indices.default", f(1, 2, 6, 7), [3, 2], [], [1, 1], [1, 2], True),
    case("avg_pool2d.default", f(1, 2, 6, 6), [3], [2], [1], True, False),
    case("avg_pool2d.default", f(1, 2, 6, 6), [2, 2], [], 0, False, True, 3),
    case("_adaptive_avg_pool2d.default", f(1, 2, 6, 6), [1, 1]),
    case("_adaptive_avg_pool2d.default", f(1, 2, 6, 6), [2, 3]),
    case("adaptive_max_pool2d.default", f(1, 2, 6, 6), [2, 3]),
    case("_adaptive_avg_pool3d.default", f(1, 2, 4, 4, 4), [1, 2, 2]),
    case("avg_pool3d.default", f(1, 2, 4, 4, 4), [2, 2, 2]),
    case("max_pool3d_with_indices.default", f(1, 2, 4, 4, 4), [2, 2, 2], [2, 2, 2], [1, 1, 1]),
    case("grid_sampler_2d.default", f(1, 2, 3, 3), f(1, 4, 4, 2), 0, 0, False),
    case("im2col.default", f(1, 2, 4, 4), [2, 2], [1, 1], [0, 0], [2, 2]),
    case("pixel_shuffle.default", f(1, 8, 2, 3), 2),
    case("pixel_unshuffle.default", f(1, 2, 4, 6), 2),
    case("reflection_pad1d.default", f(1, 2, 4), [1, 2]),
    case("reflection_pad2d.default", f(1, 2, 4, 4), [1, 2, 0, 1]),
    case("replication_pad2d.default", f(1, 2, 4, 4), [1, 2, 0, 1]),
    case("upsample_nearest1d.vec", f(1, 2, 3), None, [2.0]),
    case("upsample_trilinear3d.vec", f(1, 2, 3, 3, 3), [5, 4, 6], False, None),
    case("upsample_bicubic2d.vec", f(1, 2, 3, 3), None, False, [2.0, 2.0]),
    case("upsample_bilinear2d.default", f(1, 2, 3, 3), [5, 7], True),
    case("upsample_bilinear2d.vec", f(1, 2, 3, 3), [5, 7], False, None),
    case("upsample_nearest2d.default", f(1, 2, 3, 3), [5, 7]),
    case("upsample_nearest2d.vec", f(1, 2, 3, 3), None, [1.7, 1.7]),
    # reductions
    case("all.default", b(2, 3)),
    case("all.dim", b(2, 3), 1),
    case("any.default", b(2, 3)),
    case("any.dim", b(2, 3), 1),
    case("argmax.default", f(2, 3), 1),
    case("argmin.default", f(2, 3)),
    case("cumprod.default", f(2, 3), 1),
    case("cumsum.default", f(2, 3), 1),
    case("linalg_vector_norm.default", f(2, 3), 2, [1], True),
    case("logsumexp.default", f(2, 3), [1]),
    case("max.default", f(2, 3)),
    case("min.default", f(2, 3)),
    case("prod.default", f(2, 3)),
    case("std.correction", f(2, 5), [1], correction=1),
    case("max.dim", f(2, 3), 1),
    case("min.dim", f(2, 3), 1, True),
    case("mean.default", f(2, 3)),
    case("sum.default", i(2, 3)),
    case("prod.dim_int", f(2, 3), 1),
    case("sort.default", f(2, 3)),
    case("topk.default", f(2, 5), 2),
    case("var.correction", f(2, 5), [1], correction=1),
    case("var_mean.correction", f(2, 5), [1], correction=0, keepdim=True),
    case("mean.dim", f(1, 2, 3, 4), [-1, -2], True),
    case("mean.dim", f(2, 3), [1]),
    case("mean.dim", i(2, 3), [1], dtype=torch.float32),
    case("sum.dim_IntList", f(2, 3, 4), [0, 2]),
    case("amax.default", f(2, 3), [1]),
    case("amin.default", f(2, 3)),
    # shapes
    case("_unsafe_index.Tensor", f(2, 3, 4), [None, i(2)]),
    case("bucketize.Tensor", f(2, 3), torch.tensor([-1.0, 0.0, 1.0])),
    case("diagonal.default", f(3, 3)),
    case("fill.Scalar", f(2, 3), 1.5),
    case("fill.Tensor", f(2, 3), torch.tensor(2.5)),
    case("full_like.default", f(2, 3), 4),
    case("gather.default", f(2, 3), 1, i(2, 2)),
    case("index.Tensor", f(2, 3, 4), [None, i(2)]),
    case("index_add.default", f(4, 3), 0, i(2), f(2, 3)),
    case("index_put.default", f(4, 3), [i(2)], f(2, 3)),
    case("index_select.default", f(4, 3), 0, i(2)),
    case("new_full.default", f(2, 3), [2], 3.5),
    case("new_ones.default", f(2, 3), [2]),
    case("new_zeros.default", f(2, 3), [2]),
    case("ones_like.default", f(2, 3)),
    case("zeros_like.default", f(2, 3), dtype=torch.int64),
    case("repeat.default", f(2, 3), [2, 1, 2]),
    case("roll.default", f(2, 3), [1], [1]),
    case("scatter.src", f(3, 3), 0, i(2, 3), f(2, 3)),
    case("scatter.value", f(3, 3), 0, i(2, 3), 1.5),
    case("scatter_add.default", f(3, 3), 0, i(2, 3), f(2, 3)),
    case("select_scatter.default", f(2, 3), f(3), 0, 1),
    case("slice_scatter.default", f(4, 3), f(2, 3), 0, 1, 3),
    case("unbind.int", f(2, 3)),
    case("unfold.default", f(6), 0, 3, 2),
    case("_reshape_alias.default", f(2, 3), [6], [1]),
    case("_unsafe_view.default", f(2, 3), [3, 2]),
    case("flatten.using_ints", f(2, 3, 4), 1),
    case("reshape.default", f(2, 3), [-1]),
    case("squeeze.default", f(2, 1, 3)),
    case("squeeze.dim", f(2, 1, 3), 1),
    case("squeeze.dims", f(2, 1, 1), [1, 2]),
    case("unsqueeze.default", f(2, 3), -1),
    case("view.default", f(1, 1), []),
    case("expand.default", f(1, 3), [2, -1]),
    case("permute.default", f(2, 3, 4), [-1, 0, 1]),
    case("transpose.int", f(2, 3, 4), -1, 0),
    case("t.default", f(2, 3)),
    case("select.int", f(2, 3, 4), -1, -2),
    case("slice.Tensor", f(6, 3), 0, 1, 2**62, 2),
    case("slice.Tensor", f(2, 6), -1, -4, -1),
    case("slice.Tensor", f(2, 6)),
    case("cat.default", [f(2, 3), f(2, 1)], -1),
    case("stack.default", [f(2, 3), f(2, 3)], 1),
    case("split.Tensor", f(2, 7), 3, -1),
    case("split_with_sizes.default", f(5, 2), [1, 4]),
    case("flip.default", f(2, 3), [0, 1]),
    case("tril.default", f(3, 3)),
    case("triu.default", f(3, 3), 1),
    case("constant_pad_nd.default", f(2, 3), [1, 0], 0.5),
]  # fmt: skip


def graph_of(given: Case) -> tuple[fx.GraphModule, list[Tensor], frozenset[int], Any]:
    """A graph with one operator, its tensors, which of them are weights, and what it computes."""
    name, args, kwargs = given
    packet, overload = name.split(".")
    target = getattr(getattr(torch.ops.aten, packet), overload)
    graph = fx.Graph()
    tensors: list[Tensor] = []
    weights: set[int] = set()

    def place(value: Any) -> Any:
        if isinstance(value, list):
            return [place(item) for item in value]
        if not isinstance(value, Tensor | Weight):
            return value
        if isinstance(value, Weight):
            weights.add(len(tensors))
        tensors.append(value.tensor if isinstance(value, Weight) else value)
        return graph.placeholder(f"arg{len(tensors)}")

    node = graph.call_function(
        target, tuple(map(place, args)), {k: place(v) for k, v in kwargs.items()}
    )
    plain = fx.GraphModule(torch.nn.Module(), graph)
    graph.output((node,))
    plain.recompile()
    (expected,) = plain(*tensors)
    if isinstance(expected, list | tuple):
        # What only some results are read of is one call more often.
        read = range(
            1 if "norm" in name or "attention" in name or "pool" in name else len(expected)
        )
        graph.erase_node(next(reversed(graph.nodes)))
        graph.output(tuple(graph.call_function(operator.getitem, (node, k)) for k in read))
        expected = tuple(expected[k] for k in read)
    else:
        expected = (expected,)
    return fx.GraphModule(torch.nn.Module(), graph), tensors, frozenset(weights), expected


def imported(graph: fx.GraphModule, tensors: list[Any], weights: frozenset[int]) -> Imported:
    names = [f"arg{k}" for k in range(len(tensors))]
    made = import_graph(
        graph,
        tensors,
        weights,
        lambda k: array_of_tensor(tensors[k]),
        array_of_tensor,
        name="one",
        names=names,
    )
    verify_module(made.module)
    return made


@pytest.mark.parametrize("given", CASES, ids=[name for name, *_ in CASES])
def test_operator(given: Case) -> None:
    graph, tensors, weights, expected = graph_of(given)
    made = imported(graph, tensors, weights)
    assert not made.unknown, "an operator of the table is none without a lowering"
    values = Evaluator().function(main_function(made.module), [tensors[k] for k in made.inputs])
    for result, want in zip(made.results, expected, strict=True):
        got = (
            tensors[result.argument]
            if result.argument is not None
            else values[result.of_program or 0]
        )
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5, equal_nan=True)


def test_every_operator_of_the_table_has_a_case() -> None:
    assert lowered_operators() == {name for name, *_ in CASES}


def operations(made: Imported) -> list[str]:
    ops = main_function(made.module).body.block.ops
    return [op.callee if isinstance(op, CallOp) else op.layer for op in ops
            if isinstance(op, CallOp | LayerOp)]  # fmt: skip


def test_a_linear_of_a_sequence_is_one_layer() -> None:
    """PyTorch's graphs transpose its weight and make rows of the sequence, and a sequence again."""
    aten = torch.ops.aten
    graph = fx.Graph()
    x, weight, bias = (graph.placeholder(name) for name in ("x", "weight", "bias"))
    rows = graph.call_function(aten.view.default, (x, [6, 4]))
    turned = graph.call_function(aten.t.default, (weight,))
    product = graph.call_function(aten.addmm.default, (bias, rows, turned))
    graph.output((graph.call_function(aten.view.default, (product, [2, 3, 5])),))
    made = imported(
        fx.GraphModule(torch.nn.Module(), graph), [f(2, 3, 4), f(5, 4), f(5)], frozenset([1, 2])
    )
    assert operations(made) == ["Linear"]


def test_what_depends_on_constants_alone_is_computed() -> None:
    aten = torch.ops.aten
    graph = fx.Graph()
    x = graph.placeholder("x")
    places = graph.call_function(aten.arange.default, (4,), {"device": torch.device("cpu")})
    twice = graph.call_function(aten.mul.Tensor, (places, 2))
    graph.output((graph.call_function(aten.add.Tensor, (x, twice)),))
    made = imported(fx.GraphModule(torch.nn.Module(), graph), [f(4)], frozenset())
    assert operations(made) == ["operator.add"]


def test_strides_of_single_elements_do_not_matter() -> None:
    """PyTorch so writes an average over all pixels of an image in channels_last."""
    aten = torch.ops.aten
    graph = fx.Graph()
    x = graph.placeholder("x")
    twice = graph.call_function(aten.mul.Tensor, (x, 2))
    graph.output((graph.call_function(aten.as_strided.default, (twice, [2, 3, 1], [3, 1, 3])),))
    made = imported(fx.GraphModule(torch.nn.Module(), graph), [f(2, 3, 1)], frozenset())
    assert operations(made) == ["operator.mul"]


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("dropout.default", [f(3), 0.5, True], "draws random numbers"),
        ("relu_.default", [f(3)], "changes a tensor in place"),
        ("as_strided.default", [f(3), [2], [1]], "lies in memory"),
    ],
)
def test_what_a_program_cannot_call_is_refused(name: str, args: list[Any], message: str) -> None:
    graph, tensors, weights, _ = graph_of((name, args, {}))
    with pytest.raises((Unsupported, CompileError), match=message):
        imported(graph, tensors, weights)


def test_an_operator_without_an_entry_runs_as_it_is() -> None:
    graph, tensors, weights, expected = graph_of(("trace.default", [f(3, 3)], {}))
    made = imported(graph, tensors, weights)
    assert made.unknown == {"trace.default": 1}
    assert operations(made) == ["aten.trace.default"]
    (got,) = Evaluator().function(main_function(made.module), tensors)
    torch.testing.assert_close(got, *expected)
