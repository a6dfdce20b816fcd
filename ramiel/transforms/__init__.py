"""The passes, one per file: `onnx-dead-code` is `OnnxDeadCodePass` in `onnx_dead_code.py`.

They are listed by name, so that listing them imports none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from xdsl.passes import ModulePass

PASS_NAMES = (
    "onnx-infer-shapes",
    "onnx-expand-functions",
    "onnx-remove-identity",
    "onnx-constant-fold",
    "onnx-common-subexpressions",
    "onnx-fold-batch-norm",
    "onnx-dead-code",
    "onnx-clone-tasks",
    "onnx-to-torch",
    "torch-fold-batch-norm",
    "torch-recognize-activations",
    "torch-recognize-layer-norm",
    "torch-recognize-attention",
    "torch-cancel-permutes",
    "torch-flatten-concat",
    "torch-fold-pad",
    "torch-fuse-bias",
    "torch-split-concat",
    "torch-fuse-residual",
    "torch-delay-activation",
    "torch-fuse-activation",
    "torch-lower-precision",
    "torch-fuse-pointwise",
    "torch-choose-kernels",
    "torch-assign-names",
    "cluster-costs",
    "cluster-linear",
    "cluster-merge",
    "cluster-dsc",
    "cluster-place",
    "cluster-serial",
    "cluster-list",
    "cluster-greedy",
    "cluster-ios",
    "cluster-hyper",
    "cluster-pipeline",
    "cluster-placed",
    "cluster-auto",
    "cluster-refine",
    "cluster-streams",
    "torch-merge-convolutions",
    "torch-settle-kernels",
    "cluster-requests",
    "cluster-channels",
    "cluster-free-values",
)
"""All passes, in an order in which they can run; `ramiel.pipelines` has those of the compiler."""


def pass_factory(name: str) -> Callable[[], type[ModulePass]]:
    """A function that imports and returns a pass class."""

    def load() -> type[ModulePass]:
        module = import_module(f"{__name__}.{name.replace('-', '_')}")
        class_name = "".join(part.capitalize() for part in name.split("-")) + "Pass"
        return getattr(module, class_name)

    return load
