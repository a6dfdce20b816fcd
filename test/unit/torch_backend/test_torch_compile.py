"""torch.compile(model, backend="ramiel"): programs that compute what PyTorch does, or why not.

The backend is given as a function, since the name "ramiel" is known to PyTorch once the package is
installed with its entry points; one test looks it up there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from compiled import assert_same, compiled, made
from torch import Tensor, nn
from torch._dynamo.exc import BackendCompilerFailed

from ramiel.torch_backend import ramiel
from ramiel.torch_backend.graph import MOST, CompiledGraph
from ramiel.torch_backend.options import REFUSED

ROOT = next(p for p in Path(__file__).parents if (p / "pyproject.toml").exists())


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        )
        self.left = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6())
        self.right = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(8, 8, 1), nn.Hardswish())
        self.up = nn.ConvTranspose2d(16, 4, 2, stride=2)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 5)
        for norm in (m for m in self.modules() if isinstance(m, nn.BatchNorm2d)):
            nn.init.normal_(norm.running_mean)  # pyright: ignore[reportArgumentType]
            nn.init.uniform_(norm.weight, 0.5, 2)

    def forward(self, x: Tensor, scale: float = 1.0) -> tuple[Tensor, Tensor]:
        x = self.stem(x)
        y = self.norm(self.up(torch.cat([self.left(x), self.right(x) + x], 1)))
        return self.head(y.mean((2, 3))) * scale, y


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.names = nn.Embedding(11, 16)
        self.qkv = nn.Linear(16, 48)
        self.out = nn.Linear(16, 16)
        self.norm = nn.LayerNorm(16)
        self.first, self.second = nn.Linear(16, 32), nn.Linear(32, 16)

    def forward(self, ids: Tensor, *, causal: bool = False) -> Tensor:
        x = self.names(ids) + torch.arange(ids.shape[1], device=ids.device)[:, None] * 0.1
        q, k, v = (p.unflatten(-1, (4, 4)).transpose(1, 2) for p in self.qkv(x).split(16, -1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        x = self.norm(x + self.out(y.transpose(1, 2).flatten(2)))
        scores = (x @ x.mT / 4).softmax(-1)
        return scores @ self.second(F.gelu(self.first(x)))


def test_convolutions_in_branches() -> None:
    net = Branches().eval()
    run, x = compiled(net, schedule="linear"), torch.randn(2, 3, 8, 8)
    (graph,) = made(lambda: assert_same(net, x, compiled_model=run, scale=0.5))
    (program,) = graph.programs
    assert not graph.reasons and not graph.unknown
    assert "BatchNorm" not in program.source, "they are parts of the convolutions"
    assert 'activation="relu"' in program.source
    assert program.report.workers == 2
    assert program.capture_status(x) == "captured"


def test_attention_keeps_its_structure() -> None:
    net = Attention().eval()
    run, ids = compiled(net), torch.randint(0, 11, (2, 6))
    (graph,) = made(lambda: assert_same(net, ids, compiled_model=run, causal=True))
    (program,) = graph.programs
    assert not graph.unknown
    for part in (
        "Embedding(",
        "LayerNorm(",
        'activation="gelu"',
        "kernels.scaled_dot_product_attention(",
    ):
        assert part in program.source
    assert program.capture_status(ids) == "captured"


def test_weights_are_shared_and_changes_are_noticed() -> None:
    """In place, by a folded normalisation, by `data`, and a parameter exchanged for another."""
    net = Branches().eval()
    run, x = compiled(net), torch.randn(1, 3, 8, 8)
    (graph,) = made(lambda: assert_same(net, x, compiled_model=run))
    (program,) = graph.programs
    held = {tensor.data_ptr() for tensor in program.buffers()}
    assert net.head.weight.data_ptr() in held
    with torch.no_grad():
        net.head.weight.mul_(2)
        assert_same(net, x, compiled_model=run)
        assert graph.programs == [program], "a layer notices that by itself"
        net.get_buffer("stem.1.running_mean").add_(1)
        assert_same(net, x, compiled_model=run)
        net.head.bias.data = torch.randn(5)
        assert_same(net, x, compiled_model=run)
        net.head.weight = nn.Parameter(torch.randn(5, 4))
        assert_same(net, x, compiled_model=run)
    assert not graph.reasons


class Normalised(nn.Module):
    """What is computed of weights alone: a normalised weight, and the embeddings of positions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
        self.places = nn.Embedding(9, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        places = self.places(torch.arange(4)).mean(0).view(1, 4, 1, 1)
        return self.conv(x) * places, places * 2


def test_what_depends_on_weights_alone_is_computed_when_they_change() -> None:
    net = Normalised().eval()
    run, x = compiled(net), torch.randn(1, 3, 8, 8)
    (graph,) = made(lambda: assert_same(net, x, compiled_model=run))
    (program,) = graph.programs
    assert "Conv2d(" in program.source and "embedding" not in program.source.lower()
    with torch.no_grad():
        run(x)[1].zero_()  # a result is its reader's own
        assert_same(net, x, compiled_model=run)
        net.get_parameter("conv.parametrizations.weight.original0").mul_(2)
        assert_same(net, x, compiled_model=run)
        net.places.weight.add_(1)
        assert_same(net, x, compiled_model=run)
    assert not graph.reasons and not graph.unknown


def test_one_program_for_each_shape() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    run = torch.compile(net, backend=ramiel, options={"workers": 1}, dynamic=True)

    def calls() -> None:
        for batch in range(2, MOST + 4):
            assert_same(net, torch.randn(batch, 4), compiled_model=run)

    (graph,) = made(calls)
    assert len(graph.programs) == MOST
    assert graph.reasons == [
        f"it has programs for {MOST} shapes of its inputs, and these are others"
    ]


def test_each_part_of_a_broken_graph_is_a_program() -> None:
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)

    def model(x: Tensor) -> Tensor:
        y = first(x).relu()
        torch._dynamo.graph_break()
        return second(y) * 2

    x = torch.randn(2, 4)
    found = made(lambda: assert_same(model, x, compiled_model=compiled(model)))
    assert [len(graph.programs) for graph in found] == [1, 1]
    torch._dynamo.reset()
    whole = torch.compile(net := nn.Sequential(first, second), backend=ramiel, fullgraph=True)
    assert [len(g.programs) for g in made(lambda: assert_same(net, x, compiled_model=whole))] == [1]


def test_training_runs_in_pytorch(capsys: pytest.CaptureFixture[str]) -> None:
    net = nn.Linear(4, 4)
    run, x = compiled(net), torch.randn(2, 4)
    assert made(lambda: run(x).sum().backward()) == []
    assert net.weight.grad is not None
    run(x)
    assert capsys.readouterr().err.count("gradients are wanted") == 1
    (graph,) = made(lambda: assert_same(net, x, compiled_model=run))
    assert len(graph.programs) == 1


def _chosen(x: Tensor) -> Any:
    return torch.cond(x.sum() > 0, lambda x: x.sin() + 1, lambda x: x.cos(), (x,))


@pytest.mark.parametrize(
    ("model", "x", "reason"),
    [
        (lambda x: x.bernoulli() + 1, torch.full((3,), 0.5), "draws random numbers"),
        (lambda x: x + torch.rand(3), torch.ones(3), "draws random numbers"),
        (lambda x: torch.as_strided(x + 1, (2,), (1,)), torch.ones(3), "lies in memory"),
        (lambda x: x + 1, torch.ones(2, device="meta"), "meta"),
        (_chosen, torch.ones(2), "cond is not one of PyTorch's plain operators"),
    ],
)
def test_what_runs_in_pytorch(
    model: Any, x: Tensor, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = compiled(model)

    def calls() -> None:
        for _ in range(2):
            torch.manual_seed(1)
            got = run(x)
            torch.manual_seed(1)
            assert got.device.type == "meta" or torch.equal(got, model(x))

    (graph,) = made(calls)
    assert not graph.programs and reason in graph.reasons[0]
    assert capsys.readouterr().err.count(reason) == 1


@pytest.mark.parametrize("fails", ["build", "load", "a call"])
def test_a_fault_of_the_compiler_or_of_a_program_is_a_note(
    fails: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> Any:
        raise ValueError("no such kernel\nand more")

    if fails == "a call":
        monkeypatch.setattr(CompiledGraph, "load", lambda *_: fail)
    else:
        monkeypatch.setattr(CompiledGraph, fails, fail)
    net = nn.Linear(4, 4)
    run, x = compiled(net), torch.randn(2, 4)
    (graph,) = made(lambda: assert_same(net, x, compiled_model=run))
    assert not graph.programs and len(graph.reasons) == 1
    assert graph.reasons[0].endswith("ValueError: no such kernel")
    assert capsys.readouterr().err.count("note: ") == 1


def test_what_pytorch_refuses_is_refused_as_pytorch_does() -> None:
    """A program whose inputs are wrong is kept: the next inputs may be right."""
    net = nn.Embedding(5, 3)
    run, ids = compiled(net), torch.tensor([4, 0])
    (graph,) = made(lambda: assert_same(net, ids, compiled_model=run))
    with torch.no_grad(), pytest.raises(IndexError, match="out of range"):
        run(torch.tensor([5, 0]))
    assert_same(net, ids, compiled_model=run)
    assert len(graph.programs) == 1 and not graph.reasons


def test_operators_without_a_lowering_are_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    def model(x: Tensor) -> Tensor:
        return torch.trace(x @ x) + torch.logcumsumexp(x, 0)

    x = torch.randn(4, 4)
    (graph,) = made(lambda: assert_same(model, x, compiled_model=compiled(model)))
    assert graph.unknown.keys() == {"trace.default", "logcumsumexp.default"}
    assert "torch.ops.aten.trace.default(" in graph.programs[0].source
    assert capsys.readouterr().err.count("logcumsumexp.default, trace.default") == 1


def _tripled(module: nn.Module, args: Any, result: Any) -> Any:
    return result * 3


def test_hooks_and_other_types() -> None:
    """A hook is a part of what PyTorch traces, and a program computes float64 and integers too."""
    net = nn.Linear(4, 4).double()
    net.register_forward_hook(_tripled)

    def model(x: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        return net(x)[places], places // 2

    inputs = torch.randn(3, 4, dtype=torch.float64), torch.tensor([2, 0])
    (graph,) = made(lambda: assert_same(model, *inputs, compiled_model=compiled(model)))
    assert len(graph.programs) == 1


def test_weights_of_inference_mode_are_inputs() -> None:
    """Such tensors do not tell of changes."""
    with torch.inference_mode():
        net = nn.Linear(4, 4)
        run, x = compiled(net), torch.randn(2, 4)
        for _ in range(3):
            torch.testing.assert_close(run(x), net(x))
            net.weight.mul_(2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"worker": 2}, "has no option 'worker'; it has workers, schedule"),
        ({"batch": 2}, "the option 'batch' is not for torch.compile"),
        ({"schedule": "none"}, "there is no schedule 'none'"),
        ({"workers": 0}, "workers must be 1 to"),
        ({"workers": "2"}, "'workers' is of type int, not '2'"),
        ({"capture": 1}, "'capture' is of type bool, not 1"),
        ({"provider": "none"}, "there is no provider 'none'"),
        ({"memory_limit": "2MB"}, "'memory_limit' is of type int, not '2MB'"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    run = torch.compile(nn.Linear(2, 2), backend=ramiel, options=options)
    with torch.no_grad(), pytest.raises(BackendCompilerFailed, match=message):
        run(torch.ones(1, 2))


def test_every_option_of_ramiel_compile_is_taken_or_refused() -> None:
    from inspect import signature

    from ramiel.api import compile
    from ramiel.torch_backend.options import CAPTURE, TAKEN

    assert {*TAKEN, *REFUSED, CAPTURE, "model"} == set(signature(compile).parameters)


def test_the_snippets_of_the_pages(tmp_path: Path) -> None:
    """By the name "ramiel", which PyTorch finds among the entry points of what is installed: here,
    a package of nothing but those of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    group = "torch_dynamo_backends"
    (name, value), *_ = project["entry-points"][group].items()
    installed = tmp_path / "entry_points_of_ramiel-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: entry_points_of_ramiel\nVersion: 1\n")
    (installed / "entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n")
    pages = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    parts = [part for page in pages for part in page.read_text("utf-8").split("```python\n")[1:]]
    snippets = [code for part in parts if "torch.compile" in (code := part.partition("```")[0])]
    assert len(snippets) > 1
    code = "\nx = torch.randn(1, 8, 16, 16)\n".join(snippets)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, "RAMIEL_PROBE": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("graph 0/0 [Graph00(") and done.stdout.endswith("[]\n")
