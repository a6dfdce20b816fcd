"""The `ramiel` command: files, exit codes, and one clear line for each mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import run, run_alone
from onnx.parser import parse_model
from small_models import branches

from ramiel.pipelines import Options, pipeline


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "branches.onnx"
    path.write_bytes(branches().SerializeToString())
    return path


def test_compile(model: Path, tmp_path: Path) -> None:
    result = run_alone("compile", model, "-o", "program.py", "--workers", 2, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "wrote program.py and program.safetensors" in result.stdout
    assert {p.name for p in tmp_path.iterdir()} == {
        "branches.onnx",
        "program.py",
        "program.safetensors",
    }


def test_dumped_stages_feed_back(model: Path, tmp_path: Path) -> None:
    """Each dumped stage, weights included, gives the same program when compiled from there."""
    arguments = ["--schedule", "linear", "--workers", 2, "--dump-ir", "ir"]
    assert run("compile", model, *arguments, cwd=tmp_path).returncode == 0
    stages = sorted(p.name for p in (tmp_path / "ir").glob("*.mlir"))
    steps = pipeline(Options(workers=2, schedule="linear"))
    names = [s.removesuffix(".mlir").partition("_")[2] for s in stages]
    assert names == ["import", *(name for name, _ in steps)]
    assert [s[:2] for s in stages] == [f"{i:02}" for i in range(len(stages))]
    expected = (tmp_path / "branches.py").read_text()
    for i, stage in enumerate(stages):
        rest = [
            f"{name}{{{' '.join(f'{k}={v}' for k, v in options.items())}}}" if options else name
            for name, options in steps[i:]
        ]
        passes = ["-p", ",".join(rest)] if rest else []
        result = run(f"ir/{stage}", *passes, "-t", "pytorch", cwd=tmp_path, tool="opt")
        assert result.returncode == 0, result.stderr
        assert result.stdout == expected, stage


def test_check(model: Path, tmp_path: Path) -> None:
    arguments = ["--schedule", "linear", "--calls", 20, "--threads", 4]
    result = run("check", model, *arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "bit for bit" in result.stdout and "equal to onnxruntime" in result.stdout
    impossible = run("check", model, "--tolerance", "-1", cwd=tmp_path)
    assert impossible.returncode == 1
    assert impossible.stderr.startswith(f"error: {model}: differs from onnxruntime")


def test_check_low_precision(model: Path, tmp_path: Path) -> None:
    """The loss is told, and is no failure."""
    arguments = ["--schedule", "linear", "--dtype", "bf16"]
    result = run("check", model, *arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "bf16 is off by up to" in result.stdout
    strict = run("check", model, *arguments, "--tolerance", "1e-9", cwd=tmp_path)
    assert strict.returncode == 1 and "differs from onnxruntime" in strict.stderr


def test_bench_json(model: Path, tmp_path: Path) -> None:
    arguments = ["--json", "-", "--runs", 5, "--schedule", "linear", "--no-profile"]
    result = run("bench", model, *arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    numbers = json.loads(result.stdout)
    assert numbers["runs"] == 5 and numbers["serial_ms"]["median"] > 0
    assert numbers["report"]["workers"] >= 1


def test_passes(tmp_path: Path) -> None:
    result = run("passes", cwd=tmp_path)
    assert result.returncode == 0
    assert "onnx-constant-fold" in result.stdout and "max-bytes" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compile", "missing.onnx"], "missing.onnx: cannot be read: no such file or directory"),
        (["compile", "empty.onnx"], "empty.onnx: is empty, not an ONNX model"),
        (["compile", "half.onnx"], "half.onnx: is not an ONNX model, or it is truncated"),
        (["compile", "branches.onnx", "-o", "program.txt"], "a program is written to a .py file"),
        (["compile", "branches.onnx", "-o", "no/where.py"], "cannot be written"),
        (["compile", "branches.onnx", "-o", "torch.py"], "would hide Python's module 'torch'"),
        (["compile", "branches.onnx", "--workers", "0"], "workers must be 1 to 1024, not 0"),
        (["compile", "branches.onnx", "--schedule", "best"], "there is no schedule 'best'"),
        (["compile", "branches.onnx", "--shape", "image=axb"], "expected NAME=1x3x224x224"),
        (["compile", "branches.onnx", "--workers", "1025"], "workers must be 1 to 1024, not 1025"),
        (["compile", "branches.onnx", "--batch", "0"], "a batch must be 1 to 1024 samples, not 0"),
        (["compile", "branches.onnx", "--batch", "-3"], "a batch must be 1 to 1024 samples"),
        (["compile", "branches.onnx", "--batch", "2", "--schedule", "dsc"], "is for one sample"),
        (["compile", "branches.onnx", "--switched"], "need a batch of 2 or more"),
        (["compile", "branches.onnx", "--memory-limit", "0"], "it must be more than 0"),
        (["compile", "branches.onnx", "--memory-limit", "1kB"], "1000 bytes is too small"),
        (["compile", "branches.onnx", "--memory-limit", "much"], "expected a size such as 200MB"),
        (["compile", "branches.onnx", "--schedule", "refine", "--seconds", "0"], "a budget of 0 s"),
        (["compile", "branches.onnx", "--schedule", "refine", "--seconds", "nan"], "a budget of"),
        (["check", "branches.onnx", "--integers", "2,1"], "LOW must be below HIGH"),
    ],
)
def test_mistakes(model: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "half.onnx").write_bytes(model.read_bytes()[:200])
    before = {p.name for p in tmp_path.iterdir()}
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 1
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1 and "Traceback" not in result.stderr
    assert {p.name for p in tmp_path.iterdir()} == before


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    plain = run_alone("compile", "missing.onnx", cwd=tmp_path)
    assert plain.returncode == 1 and plain.stderr.count("\n") == 1
    result = run_alone("compile", "missing.onnx", "--debug", cwd=tmp_path)
    assert result.returncode == 1 and "Traceback" in result.stderr


def test_debug_shows_why_patterns_do_not_apply(tmp_path: Path) -> None:
    """A Relu is not done in a convolution whose result is an output, too."""
    model = parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[1, 1, 4, 4] x) => (float[1, 1, 4, 4] c, float[1, 1, 4, 4] y)
        <float[1, 1, 1, 1] w = {2}> {
          c = Conv(x, w)
          y = Relu(c)
        }
    """)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    line = 'torch-fuse-activation: "y" (Relu): the result of the layer before it has another reader'
    result = run("compile", "model.onnx", "--debug", cwd=tmp_path)
    assert result.returncode == 0
    assert result.stderr.splitlines() == [f"note: {line}"]
    assert run("compile", "model.onnx", cwd=tmp_path).stderr == ""
