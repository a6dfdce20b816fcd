"""Models of ai.onnx.ml: compiled programs, their schemas, and attributes that make no sense."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

import ramiel
from ramiel.dialects.onnx.types import BY_PROTO, element_of, shape_of
from ramiel.errors import CompileError
from ramiel.frontend.importer import import_model
from ramiel.runtime import TreeEnsemble, Weights, trees

STUMP: dict[str, Any] = {
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [0, 0, 0],
    "nodes_values": [0.5, 0.0, 0.0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
}
CLASSES: dict[str, Any] = {
    **STUMP,
    "class_treeids": [0, 0],
    "class_nodeids": [1, 2],
    "class_ids": [0, 1],
    "class_weights": [0.3, 0.8],
    "classlabels_int64s": [4, 7, 9],
}
ONE_CLASS = {**{k: v for k, v in CLASSES.items() if k != "classlabels_int64s"}, "class_ids": [0, 0]}
TABLE: dict[str, Any] = {
    "tree_roots": [0],
    "nodes_featureids": [0],
    "nodes_modes": np.array([0], np.uint8),
    "nodes_splits": np.array([0.5], np.float32),
    "nodes_truenodeids": [0],
    "nodes_trueleafs": [1],
    "nodes_falsenodeids": [1],
    "nodes_falseleafs": [1],
    "leaf_targetids": [0, 0],
    "leaf_weights": np.array([1, 2], np.float32),
    "n_targets": 1,
}
LINEAR: dict[str, Any] = {
    "coefficients": [0.5, -0.2, 0.3],
    "intercepts": [0.1],
    "classlabels_ints": [0, 1],
}
SVM: dict[str, Any] = {
    "support_vectors": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
    "vectors_per_class": [1, 1],
    "coefficients": [0.5, -0.2],
    "rho": [0.1],
    "kernel_params": [0.5, 0.0, 3.0],
    "classlabels_ints": [0, 1],
}
THREE_CLASSES: dict[str, Any] = {"classlabels_ints": [0, 1, 2], "vectors_per_class": [1, 1, 0]}


def model_of(
    op: str, opset: int = 3, shape: tuple[int | str, ...] = (4, 3), **attributes: Any
) -> Any:
    outputs = ["label", "scores"] if op.endswith("Classifier") else ["y"]
    given: dict[str, Any] = {
        k: onnx.numpy_helper.from_array(v) if isinstance(v, np.ndarray) else v
        for k, v in attributes.items()
    }
    node = helper.make_node(op, ["x"], outputs, name="m", domain="ai.onnx.ml", **given)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    made = [helper.make_empty_tensor_value_info(name) for name in outputs]
    graph = helper.make_graph([node], "classical", [x], made)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def pipeline() -> onnx.ModelProto:
    """Scaled features, a forest, and the probability of its second class."""
    make = helper.make_node
    nodes = [
        make("Scaler", ["x"], ["s"], domain="ai.onnx.ml", scale=[2.0], offset=[0.25]),
        make("TreeEnsembleClassifier", ["s"], ["label", "p"], domain="ai.onnx.ml", **CLASSES),
        make("Softmax", ["p"], ["q"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])
    label = helper.make_tensor_value_info("label", TensorProto.INT64, ["n"])
    q = helper.make_tensor_value_info("q", TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph(nodes, "pipeline", [x], [label, q])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def test_a_pipeline_runs_as_onnx_runtime_does(tmp_path: Path) -> None:
    model = pipeline()
    x = np.random.default_rng(0).uniform(-1, 1, (7, 3)).astype(np.float32)
    want = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    with ramiel.compile(model, workers=2) as program:
        label, q = program(torch.from_numpy(x))
    np.testing.assert_array_equal(label.numpy(), want[0])
    np.testing.assert_allclose(q.numpy(), np.asarray(want[1]), rtol=1e-5)


@pytest.mark.parametrize("names", [[3, 5, 1], ["ann", "bob", "eve"]])
def test_scores_become_maps(names: list[int] | list[str]) -> None:
    model = model_of("ZipMap", 1, ("n", 3), **keys("classlabels_{}s", names))
    x = np.random.default_rng(0).uniform(-1, 1, (2, 3)).astype(np.float32)
    want = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    with ramiel.compile(model, workers=2) as program:
        assert [program(x)] == [program.serial(x)] == want


@pytest.mark.parametrize("names", [[3, 5, 1], ["ann", "bob", "eve"]])
@pytest.mark.parametrize("kind", ["FLOAT", "DOUBLE", "INT64", "STRING"])
def test_maps_become_features(names: list[int] | list[str], kind: str) -> None:
    of_words = isinstance(names[0], str)
    if (kind, of_words) in (("INT64", False), ("STRING", True)):
        pytest.skip("ONNX has no such maps")
    key = TensorProto.STRING if of_words else TensorProto.INT64
    value = helper.make_tensor_type_proto(getattr(TensorProto, kind), None)
    model = model_of("DictVectorizer", 1, **keys("{}_vocabulary", names))
    model.graph.input[0].type.CopyFrom(helper.make_map_type_proto(key, value))
    value, nothing = ("x", "") if kind == "STRING" else (4, 0)
    x = {names[2]: value, names[0]: value}
    with ramiel.compile(model, workers=2) as program:
        found = program(x)
        assert found.tolist() == program.serial(x).tolist() == [[value, nothing, value]]
        if kind == "FLOAT":  # the only values that its maps in Python have
            session = onnxruntime.InferenceSession(model.SerializeToString())
            assert np.asarray(session.run(None, {"x": x})[0]).tolist() == found.tolist()
        with pytest.raises(TypeError, match='input "x": expected a dict, got list'):
            program([x])


def keys(attribute: str, names: list[int] | list[str]) -> dict[str, Any]:
    return {attribute.format("string" if isinstance(names[0], str) else "int64"): names}


def test_schemas_of_the_domain_give_types() -> None:
    function = next(iter(import_model(pipeline()).ops))
    scaled, (label, scores) = (
        op.results[0] if len(op.results) == 1 else op.results
        for op in list(function.body.block.ops)[:2]  # pyright: ignore
    )
    assert element_of(scaled.type) == element_of(scores.type) == BY_PROTO[1].ir
    assert element_of(label.type) == BY_PROTO[7].ir
    assert shape_of(scores.type) in (None, (None, 3))


@pytest.mark.parametrize(
    ("opset", "op", "attributes", "reason"),
    [
        (3, "Frobnicate", {}, "ai.onnx.ml has no such operator"),
        (3, "TreeEnsemble", TABLE, "it came with opset 5"),
        (9, "Scaler", {}, "uses ai.onnx.ml opset 9"),
        (1, "Scaler", {"size": 2}, "unknown attribute 'size'"),
        (1, "Scaler", {"scale": 1}, "must be FLOATS"),
        (1, "Scaler", {"scale": [1.0, 2.0]}, "do not fit"),
        (1, "Normalizer", {"norm": "L3"}, "not one of MAX, L1, L2"),
        (1, "Imputer", {}, "'imputed_value_floats' is missing"),
        (1, "FeatureVectorizer", {}, "must be 1 numbers"),
        (1, "OneHotEncoder", {"cats_strings": ["a"]}, "no categories of its input's type"),
        (1, "LinearRegressor", {"coefficients": [0.5] * 4}, "for 3 features"),
        (1, "LinearRegressor", {"coefficients": [0.5] * 3, "targets": 2}, "3 coefficients"),
        (1, "LinearClassifier", {**LINEAR, "post_transform": "CUBE"}, "not one of NONE"),
        (1, "LinearClassifier", {**LINEAR, "post_transform": "PROBIT"}, "is not defined"),
        (1, "LinearClassifier", {**LINEAR, "classlabels_ints": [1, 2, 3]}, "for 3 labels"),
        (1, "LinearClassifier", {"coefficients": [1.0]}, "'classlabels_ints' is missing"),
        (1, "ZipMap", {"classlabels_strings": ["a", "b"]}, "2 labels for 3 scores"),
        (1, "SVMClassifier", {**SVM, "vectors_per_class": [2]}, "must be 2 counts"),
        (1, "SVMClassifier", {**SVM, "coefficients": [1.0]}, "1 coefficients"),
        (1, "SVMClassifier", {**SVM, **THREE_CLASSES}, "'rho'"),
        (1, "SVMClassifier", {**SVM, "kernel_type": "WAVE"}, "not one of LINEAR"),
        (1, "SVMClassifier", {**SVM, "kernel_params": [1.0]}, "gamma, coef0 and degree"),
        (1, "SVMClassifier", {**SVM, "support_vectors": [1.0] * 5}, "do not make 2"),
        (1, "SVMClassifier", {**SVM, "prob_a": [1.0]}, "prob_a and prob_b"),
        (3, "TreeEnsembleClassifier", {**CLASSES, "class_ids": [0, 3]}, "out of range"),
        (3, "TreeEnsembleClassifier", {**CLASSES, "class_nodeids": [1, 5]}, "out of range"),
        (3, "TreeEnsembleClassifier", {**CLASSES, "class_weights": [1.0]}, "differ in length"),
        (3, "TreeEnsembleClassifier", {**CLASSES, "nodes_truenodeids": [0, 0, 0]}, "cycle"),
        (3, "TreeEnsembleClassifier", {**CLASSES, "nodes_nodeids": [0, 1, 1]}, "same number"),
        (3, "TreeEnsembleClassifier", {**CLASSES, "nodes_modes": ["IF", "LEAF", "LEAF"]}, "'IF'"),
        (3, "TreeEnsembleClassifier", {**CLASSES, "nodes_featureids": [-1, 0, 0]}, "a feature"),
        (3, "TreeEnsembleClassifier", {**CLASSES, "base_values": [1.0, 2.0]}, "2 base_values"),
        (3, "TreeEnsembleClassifier", {**ONE_CLASS, "classlabels_strings": ["a"]}, "only one"),
        (5, "TreeEnsemble", {**TABLE, "aggregate_function": 7}, "not one of 0 to 3"),
        (5, "TreeEnsemble", {**TABLE, "nodes_truenodeids": [2]}, "a branch is out of range"),
        (5, "TreeEnsemble", {**TABLE, "nodes_trueleafs": [0]}, "a tree has a cycle"),
        (5, "TreeEnsemble", {**TABLE, "nodes_modes": np.array([9], np.uint8)}, "a mode"),
        (5, "TreeEnsemble", {**TABLE, "nodes_modes": np.array([6], np.uint8)}, "0 sets for 1"),
        (5, "TreeEnsemble", {**TABLE, "tree_roots": [-1]}, "a root"),
    ],
)
def test_what_makes_no_sense_is_refused(
    opset: int, op: str, attributes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(CompileError, match=reason):
        ramiel.compile(model_of(op, opset, **attributes), workers=1)


def test_a_value_without_a_category_is_an_error() -> None:
    with (
        ramiel.compile(model_of("OneHotEncoder", 1, cats_int64s=[0], zeros=0)) as program,
        pytest.raises(Exception, match="none of the categories"),
    ):
        program(torch.full((4, 3), 5.0))


def test_trees_keep_float32_in_programs_of_another_type() -> None:
    x = torch.rand(4, 3)
    with (
        ramiel.compile(
            model_of("TreeEnsembleClassifier", **CLASSES), workers=1, dtype="bf16"
        ) as low,
        ramiel.compile(model_of("TreeEnsembleClassifier", **CLASSES), workers=1) as full,
    ):
        for one, other in zip(low(x), full(x), strict=True):
            assert torch.equal(one, other)


def test_many_rows_are_computed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {
        "t.weight": torch.tensor([[1.0], [2.0]]),
        "t.root": torch.tensor([0]),
        "t.feature": torch.tensor([0, 0, 0]),
        "t.split": torch.tensor([0.5, 0.0, 0.0]),
        "t.following": torch.tensor([1, 1, 2, 2, 1, 1, 1, 1, 2, 2, 2, 2]),
    }
    layer = TreeEnsemble(Weights.from_tensors(weights), "t", depth=1, scores=1)
    x = torch.tensor([[0.0], [0.5], [0.6], [float("nan")], [-1.0]])
    want = [[1.0], [1.0], [2.0], [2.0], [1.0]]
    assert layer(x).tolist() == want
    monkeypatch.setattr(trees, "BLOCK", 2)
    assert layer(x).tolist() == want
    assert layer(x[:0]).tolist() == []
    assert layer(x[2]).tolist() == want[2:3]
