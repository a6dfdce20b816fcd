"""Whole programs by each provider of kernels, against ONNX Runtime."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from made_up_costs import make_up_costs
from onnx import helper, numpy_helper

import ramiel
from ramiel.errors import CompileError
from ramiel.pipelines import PROVIDERS
from ramiel.runtime import Conv2d, Linear
from ramiel.runtime.measure import same_bits

TOLERANCE = 1e-4
"""Of the largest value."""


class _Network:
    """An ONNX model that grows layer by layer, with random weights."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=f"/{name}", **attributes))
        return name

    def weight(self, *shape: int) -> str:
        values = self.rng.standard_normal(shape) / max(1, np.prod(shape[1:])) ** 0.5
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def conv(
        self, x: str, inputs: int, outputs: int, kernel: tuple[int, int] = (3, 3), **attributes: Any
    ) -> str:
        pads = [size // 2 for size in kernel] * 2
        weight = self.weight(outputs, inputs // attributes.get("group", 1), *kernel)
        return self.node("Conv", x, weight, self.weight(outputs), pads=pads, **attributes)

    def silu(self, x: str) -> str:
        return self.node("Mul", x, self.node("Sigmoid", x))

    def model(self, size: tuple[int, ...], *outputs: str) -> onnx.ModelProto:
        values = [helper.make_tensor_value_info(name, 1, None) for name in outputs]
        image = helper.make_tensor_value_info("image", 1, size)
        graph = helper.make_graph(self.nodes, "branches", [image], values, self.weights)
        imports = [helper.make_opsetid("", 17)]
        return helper.make_model(graph, opset_imports=imports, ir_version=8)


@cache
def network() -> onnx.ModelProto:
    """Branches of convolutions of all kinds, with residuals, SiLU, pools and a linear layer."""
    net = _Network()
    stem = net.silu(net.conv("image", 3, 128, strides=[2, 2]))
    deep = net.silu(net.conv(stem, 128, 128))
    deep = net.silu(net.node("Add", net.conv(deep, 128, 128), stem))
    deep = net.node("Relu", net.node("Add", deep, net.conv(deep, 128, 128)))
    wide = net.conv(net.silu(net.conv(stem, 128, 129, (1, 7))), 129, 128, (7, 1))
    wide = net.conv(net.node("LeakyRelu", wide, alpha=0.1), 128, 128, (5, 5))
    light = net.node("HardSwish", net.conv(stem, 128, 128, group=128))
    light = net.conv(light, 128, 128, (1, 1))
    pooled = net.node("MaxPool", stem, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    mean = net.node("AveragePool", stem, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    joined = net.node("Concat", deep, wide, light, pooled, mean, axis=1)
    squeezed = net.silu(net.conv(joined, 640, 40, (1, 1)))
    half = net.node("MaxPool", squeezed, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    flat = net.node("Flatten", net.node("GlobalAveragePool", half))
    hidden = net.silu(net.node("Gemm", flat, net.weight(64, 40), net.weight(64), transB=1))
    scores = net.node("Gemm", hidden, net.weight(10, 64), net.weight(10), transB=1)
    return net.model((2, 3, 34, 30), half, scores)


@cache
def case() -> tuple[torch.Tensor, list[npt.NDArray[np.float32]]]:
    """An image, and what ONNX Runtime makes of it."""
    x = np.random.default_rng(1).standard_normal((2, 3, 34, 30)).astype(np.float32)
    session = onnxruntime.InferenceSession(
        network().SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return torch.from_numpy(x), session.run(None, {"image": x})  # pyright: ignore


@pytest.mark.parametrize("schedule", ["linear", "auto", "intra-op"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_provider(provider: str, schedule: str) -> None:
    x, expected = case()
    options: dict[str, Any] = {"workers": 2, "schedule": schedule, "provider": provider}
    with ramiel.compile(network(), **options) as model:
        first, serial = model(x), model.serial(x)
        again = [model(x) for _ in range(3)]
        source = model.source
    for result, reference in zip(serial, expected, strict=True):
        difference = np.abs(result.numpy() - reference).max()
        assert difference <= TOLERANCE * np.abs(reference).max()
    for results in (first, *again):
        assert all(same_bits(a, b) for a, b in zip(results, serial, strict=True))
    assert ("mkldnn-winograd" in source) == ("kernels." not in source) == (provider == "torch")
    assert 'kernel="winograd"' in source or provider == "torch"


def test_everything_is_fused() -> None:
    """No sum, SiLU or ReLU is left of the residuals; all layers run kernels of the provider."""
    with ramiel.compile(network(), workers=1, provider="torch") as model:
        source = model.source
        layers = [m for m in model.modules() if isinstance(m, Conv2d | Linear)]
    for call in ("F.silu", "torch.sigmoid", "F.relu", "F.leaky_relu", "F.hardswish", " + "):
        assert call not in source
    assert len(layers) >= 12 and source.count('kernel="mkldnn') == len(layers)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_measured_kernels(
    provider: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever turns out to be the fastest: here by lot."""
    monkeypatch.setenv("RAMIEL_CACHE_DIR", str(tmp_path))
    make_up_costs(monkeypatch, lambda key: 1.0 + crc32(f"{seed} {key}".encode()) % 100)
    x, expected = case()
    options: dict[str, Any] = {"workers": 2, "schedule": "linear", "provider": provider}
    with ramiel.compile(network(), profile=True, **options) as model:
        parallel, serial = model(x), model.serial(x)
    for ours, same, reference in zip(parallel, serial, expected, strict=True):
        assert same_bits(ours, same)
        assert np.abs(ours.numpy() - reference).max() <= TOLERANCE * np.abs(reference).max()


def test_there_is_no_such_provider() -> None:
    with pytest.raises(CompileError, match="no provider 'cuda'; there are auto, torch"):
        ramiel.compile(network(), provider="cuda")
