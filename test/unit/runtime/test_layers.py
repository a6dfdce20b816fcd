"""The layers of emitted programs against torch's own modules, and the weights they come from."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from ramiel.runtime import (
    BatchNorm,
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Embedding,
    Layer,
    LayerNorm,
    Linear,
    PReLU,
    Weights,
)


def weights_of(module: nn.Module) -> Weights:
    """A module's state under the name `m`, made random so that no part of it is neutral."""
    state = {
        f"m.{name}": torch.rand_like(value) + 0.5
        for name, value in module.state_dict().items()
        if value.is_floating_point()
    }
    module.load_state_dict({name.removeprefix("m."): t for name, t in state.items()}, strict=False)
    return Weights.from_tensors(state)


CONV_CONFIGS: list[dict[str, Any]] = [
    {},
    {"stride": 2, "padding": 1, "dilation": 2, "groups": 2},
]


@pytest.mark.parametrize("config", CONV_CONFIGS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("transposed", [False, True])
def test_convolutions(transposed: bool, rank: int, bias: bool, config: dict[str, Any]) -> None:
    if transposed:
        kind = [ConvTranspose1d, ConvTranspose2d, ConvTranspose3d][rank - 1]
        theirs = [nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d][rank - 1]
        config = config and {**config, "output_padding": 1}
    else:
        kind = [Conv1d, Conv2d, Conv3d][rank - 1]
        theirs = [nn.Conv1d, nn.Conv2d, nn.Conv3d][rank - 1]
    x = torch.randn(2, 4, *[9] * rank)
    module = theirs(4, 6, 3, bias=bias, **config)
    layer = kind(weights_of(module), "m", **config)
    torch.testing.assert_close(layer(x), module(x))
    as_tuples: dict[str, Any] = {k: (v,) * rank if k != "groups" else v for k, v in config.items()}
    torch.testing.assert_close(kind(weights_of(module), "m", **as_tuples)(x), module(x))


@pytest.mark.parametrize("bias", [True, False])
def test_linear(bias: bool) -> None:
    module = nn.Linear(3, 5, bias=bias)
    x = torch.randn(2, 7, 3)
    torch.testing.assert_close(Linear(weights_of(module), "m")(x), module(x))


@pytest.mark.parametrize("size", [(), (5,), (5, 6), (5, 6, 7)])
def test_batch_norm(size: tuple[int, ...]) -> None:
    module = nn.BatchNorm2d(4, eps=0.1).eval()
    layer = BatchNorm(weights_of(module), "m", eps=0.1)
    x = torch.randn(2, 4, *size)
    state = (module.running_mean, module.running_var, module.weight, module.bias)
    assert torch.equal(layer(x), F.batch_norm(x, *state, eps=0.1))


@pytest.mark.parametrize("shape", [(6,), (5, 6)])
@pytest.mark.parametrize("bias", [True, False])
def test_layer_norm(shape: tuple[int, ...], bias: bool) -> None:
    module = nn.LayerNorm(list(shape), eps=0.1, bias=bias)
    x = torch.randn(3, 5, 6)
    assert torch.equal(LayerNorm(weights_of(module), "m", eps=0.1)(x), module(x))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_embedding(dtype: torch.dtype) -> None:
    table = torch.randn(7, 3)
    layer = Embedding(Weights.from_tensors({"m.weight": table}), "m")
    ids = torch.tensor([[0, 6], [-1, -7]], dtype=dtype)
    assert torch.equal(layer(ids), table[ids.long()])
    assert layer(ids[:0]).shape == (0, 2, 3)
    assert torch.equal(layer(ids[0, 1]), table[6])
    for id in (7, -8):
        with pytest.raises(IndexError):
            layer(torch.tensor([id], dtype=dtype))


def test_prelu() -> None:
    x = torch.randn(2, 3, 4, 4)
    for weight in (torch.rand(3), torch.rand(1), torch.rand(3, 1, 1), torch.rand(1, 3, 1, 1)):
        layer = PReLU(Weights.from_tensors({"m.weight": weight}), "m")
        assert torch.equal(layer(x), F.prelu(x, weight.reshape(-1)))
    with pytest.raises(ValueError, match="per channel"):
        PReLU(Weights.from_tensors({"m.weight": torch.rand(3, 4, 1)}), "m")


def test_layers_are_modules() -> None:
    """Weights are buffers: found in state_dict(), moved by to(), loaded, swapped and copied."""
    module = nn.Linear(3, 5)
    layer = Linear(weights_of(module), "m")
    x = torch.randn(2, 3)
    assert set(layer.state_dict()) == {"weight", "bias"}
    assert "weight=[5, 3]" in repr(layer)
    zeros = {name: torch.zeros_like(t) for name, t in layer.state_dict().items()}
    assert not torch.func.functional_call(layer, zeros, x).any()
    torch.testing.assert_close(copy.deepcopy(layer)(x), module(x))
    called: list[object] = []
    layer.register_forward_hook(lambda _module, _args, output: called.append(output))
    assert layer.to(torch.float64)(x.double()).dtype == torch.float64
    assert len(called) == 1
    layer.load_state_dict(zeros, assign=True)
    assert not layer(x).any()


def test_missing_weight() -> None:
    with pytest.raises(KeyError, match=r'no weight "m\.weight" in the given tensors'):
        Linear(Weights.from_tensors({}), "m")
    assert issubclass(Linear, Layer)


DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64]
DTYPES += [torch.int64, torch.int32, torch.uint8, torch.bool]


def test_weights_file(tmp_path: Path) -> None:
    tensors = {str(dtype): torch.tensor([[0, 1], [1, 0]]).to(dtype) for dtype in DTYPES}
    tensors |= {"scalar": torch.tensor(3), "empty": torch.zeros(0, 4), "": torch.ones(1)}
    tensors["transposed"] = torch.randn(3, 4).t()
    nodes = {"conv1": ("/conv1/Conv", "Conv"), "é": ("", "")}
    path = tmp_path / "model.safetensors"
    Weights.from_tensors(tensors, nodes, {"tied": "scalar"}).save(path)

    weights = Weights.open(path)
    assert set(weights) == {*tensors, "tied"}
    assert weights.nodes == nodes
    assert torch.equal(weights["tied"], tensors["scalar"])
    for name, tensor in tensors.items():
        assert weights[name].dtype == tensor.dtype
        assert torch.equal(weights[name], tensor)
    assert "conv2" not in weights
    with pytest.raises(KeyError, match=r"no weight \"conv2\" in .*model\.safetensors"):
        weights["conv2"]


def test_weights_file_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    Weights.from_tensors({"w": torch.zeros(100_000)}).save(path)
    before = path.read_bytes()
    Weights.open(path)["w"].fill_(1)
    assert path.read_bytes() == before


def test_no_weights_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no weights file .*none"):
        Weights.open(tmp_path / "none")


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff" * 100, b"\2\0\0\0\0\0\0\0[]"])
def test_corrupt_weights_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"bad\.safetensors is not a safetensors file"):
        Weights.open(path)


def test_truncated_weights_file(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    Weights.from_tensors({"w": torch.zeros(1000)}).save(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="is not a safetensors file"):
        Weights.open(path)


def test_weights_file_is_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a safetensors file"):
        Weights.open(tmp_path)


HOSTILE = ["", "{", "[]", "1", "null", '"x"', "[" * 100_000]
HOSTILE_NODES = ['{"a": "bc"}', '{"a": ["b"]}', '{"a": ["b", 1]}', '{"a": ["b", "c", "d"]}']
HOSTILE_ALIASES = ['{"a": 1}', '{"a": ["w"]}', '{"a": "none"}', '{"w": "w"}', '{"a": "a"}']


@pytest.mark.parametrize(
    ("key", "text"),
    [("ramiel.nodes", text) for text in HOSTILE + HOSTILE_NODES]
    + [("ramiel.aliases", text) for text in HOSTILE + HOSTILE_ALIASES],
    ids=lambda text: text[:20],
)
def test_hostile_metadata(tmp_path: Path, key: str, text: str) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"w": torch.zeros(1)}, path, {key: text})
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        Weights.open(path)


def test_chained_alias() -> None:
    with pytest.raises(ValueError, match='bad alias "b" of "a"'):
        Weights.from_tensors({"w": torch.zeros(1)}, aliases={"a": "w", "b": "a"})


def test_foreign_metadata(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"w": torch.zeros(1)}, path, {"format": "pt", "x": json.dumps([])})
    assert Weights.open(path).nodes == {}
