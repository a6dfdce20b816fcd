"""Our dialects, passes and target, for `ramiel-opt` and, as an entry point, for `xdsl-opt`."""

from __future__ import annotations

from xdsl.ir import Dialect
from xdsl.universe import Universe
from xdsl.utils.target import Target

from ramiel.transforms import PASS_NAMES, pass_factory


def _onnx() -> Dialect:
    from ramiel.dialects.onnx import onnx_dialect

    return onnx_dialect()


def _torch() -> Dialect:
    from ramiel.dialects.torch import torch_dialect

    return torch_dialect()


def _cluster() -> Dialect:
    from ramiel.dialects.cluster import cluster_dialect

    return cluster_dialect()


def _pytorch() -> type[Target]:
    from ramiel.backend.pytorch.target import PytorchTarget

    return PytorchTarget


RAMIEL_UNIVERSE = Universe(
    all_dialects={"onnx": _onnx, "torch": _torch, "cluster": _cluster},
    all_passes={name: pass_factory(name) for name in PASS_NAMES},
    all_targets={"pytorch": _pytorch},
)
