"""A schedule as ONNX's own device configuration: written, accepted by others, and read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from commands import run
from onnx import parser
from small_models import branches

from ramiel.compiler import compile_model, program_of
from ramiel.dialects.torch import Task
from ramiel.errors import CompileError
from ramiel.pipelines import Options
from ramiel.programs.loaded import load
from ramiel.tools.stages import export_stages

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
PIPELINE = Options(workers=2, schedule="pipeline")
PLACED = Options(workers=2, schedule="placed")
LINK = (1.0, 12500.0, 1.0, 1e5)
"""So fast that several ranks gain."""
RANKS = {"workers": 1, "ranks": 3, "executor": "distributed", "link": LINK}


def placement(model: Path, options: Options) -> dict[str, int]:
    """The worker of each operation that computes a value of the model, by the value's name. (Parts
    of a node that is split may be on several workers, of which the model can have one only.)"""
    program = program_of(compile_model(model, options).module)
    return {
        op.results[0].name_hint: worker.number.value.data
        for worker in program.workers
        for op in worker.body.block.ops
        if isinstance(op, Task) and op.results and op.results[0].name_hint
    }


def saved(which: str, folder: Path) -> Path:
    path = folder / "model.onnx"
    model = branches() if which == "branches" else onnx.load(LIGHT / f"light_{which}.onnx")
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("which", "options"),
    [
        ("branches", PIPELINE),
        ("squeezenet", PIPELINE),
        ("squeezenet", replace(PIPELINE, schedule="linear", workers=3)),
        ("shufflenet", replace(PIPELINE, workers=4)),
        ("squeezenet", replace(PIPELINE, **RANKS)),
        ("inception_v1", replace(PIPELINE, schedule="linear", **RANKS)),
        ("densenet121", PIPELINE),
    ],
)
def test_it_is_read_back_as_it_was_written(which: str, options: Options, tmp_path: Path) -> None:
    model, out = saved(which, tmp_path), tmp_path / "out.onnx"
    found = export_stages(model, out, "ours", options)
    assert found.count > 1 and set(found.stages) == set(range(found.count))
    assert found.kind == ("rank" if options.ranks > 1 else "worker")
    assert placement(out, replace(options, schedule="placed")) == placement(model, options)


def test_the_model_is_otherwise_unchanged(tmp_path: Path) -> None:
    """Others accept it and compute the same, and without the stages it is what it was."""
    model, out = saved("branches", tmp_path), tmp_path / "out.onnx"
    found = export_stages(model, out, "ours", PIPELINE)
    onnx.checker.check_model(out, full_check=True)
    before, after = onnx.load(model), onnx.load(out)
    (configuration,) = after.configuration
    assert (configuration.name, configuration.num_devices) == ("ours", 2)
    assert list(configuration.device) == ["worker0", "worker1"]
    assert [n.device_configurations[0].pipeline_stage for n in after.graph.node] == found.stages
    feeds = {"image": np.random.default_rng(0).random((1, 8, 16, 16), np.float32)}
    results = [ort.InferenceSession(str(path)).run(None, feeds) for path in (model, out)]
    assert all(np.array_equal(*pair) for pair in zip(*results, strict=True))
    for node in after.graph.node:
        del node.device_configurations[:]
    del after.configuration[:]
    after.ir_version = before.ir_version
    assert after == before


def test_it_runs_as_it_is_placed(tmp_path: Path) -> None:
    """The same bits as serial, and as the program of the schedule that was written."""
    model, out = saved("branches", tmp_path), tmp_path / "out.onnx"
    export_stages(model, out, "ours", PIPELINE)
    image = torch.rand(1, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    results: list[tuple[torch.Tensor, ...]] = []
    for path, options in ((model, PIPELINE), (out, PLACED)):
        with load(compile_model(path, options)) as program:
            results += [program(image), program.serial(image)]
            results += [*program.stream([(image,), (image,)])]
    for others in results[1:]:
        assert all(torch.equal(*pair) for pair in zip(results[0], others, strict=True))


def test_several_configurations(tmp_path: Path) -> None:
    """Others are kept, one of the same name is replaced, and a name chooses."""
    model, two, three = saved("squeezenet", tmp_path), tmp_path / "2.onnx", tmp_path / "3.onnx"
    serial = replace(PIPELINE, schedule="serial")
    export_stages(model, two, "one stage", serial)
    export_stages(two, three, "two stages", serial)
    export_stages(three, three, "two stages", PIPELINE)
    assert [c.name for c in onnx.load(three).configuration] == ["one stage", "two stages"]
    chosen = [
        placement(three, replace(PLACED, configuration=name))
        for name in ("one stage", "two stages")
    ]
    assert set(chosen[0].values()) == {0} and chosen[1] == placement(model, PIPELINE)
    with pytest.raises(CompileError, match=r"several .*, choose one of one stage, two stages"):
        compile_model(three, PLACED)
    with pytest.raises(CompileError, match="no device configuration 'three'; there are one"):
        compile_model(three, replace(PLACED, configuration="three"))
    with pytest.raises(CompileError, match="is for --schedule placed"):
        compile_model(three, replace(PIPELINE, configuration="two stages"))


def test_external_data_stays_where_it_is(tmp_path: Path) -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[64, 64] x) => (float[64, 64] y) { a = MatMul (x, w) y = MatMul (a, x) }"""
    )
    weight = np.random.default_rng(1).random((64, 64), np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    path, out = tmp_path / "m.onnx", tmp_path / "out.onnx"
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    export_stages(path, out, "ours", PIPELINE)
    onnx.checker.check_model(out)
    assert len(out.read_bytes()) < weight.nbytes
    assert placement(out, PLACED) == placement(path, PIPELINE)
    (tmp_path / "other").mkdir()
    with pytest.raises(CompileError, match=r"write out\.onnx into its folder"):
        export_stages(path, tmp_path / "other" / "out.onnx", "ours", PIPELINE)


def _joined(model: onnx.ModelProto) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.output[0] == "joined")


def _unnamed(model: onnx.ModelProto) -> None:
    model.configuration[0].name = ""


def _twice(model: onnx.ModelProto) -> None:
    model.configuration.add(name="ours", num_devices=1)


def _no_devices(model: onnx.ModelProto) -> None:
    model.configuration[0].num_devices = 0


def _less_than_none(model: onnx.ModelProto) -> None:
    model.configuration[0].num_devices = -(2**31)


def _unknown(model: onnx.ModelProto) -> None:
    _joined(model).device_configurations[0].configuration_id = "x\n" * 200


def _repeated(model: onnx.ModelProto) -> None:
    _joined(model).device_configurations.add(configuration_id="ours")


def _negative(model: onnx.ModelProto) -> None:
    _joined(model).device_configurations[0].pipeline_stage = -1


def _many(model: onnx.ModelProto) -> None:
    _joined(model).device_configurations[0].pipeline_stage = 2**31 - 1


def _none(model: onnx.ModelProto) -> None:
    _joined(model).device_configurations[0].ClearField("pipeline_stage")


def _no_configuration(model: onnx.ModelProto) -> None:
    del model.configuration[:]
    for node in model.graph.node:
        del node.device_configurations[:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_unnamed, "a device configuration of the model has no name"),
        (_no_devices, "the device configuration 'ours' has 0 devices: at least 1"),
        (_less_than_none, "has -2147483648 devices: at least 1"),
        (_twice, "two device configurations have the name 'ours'"),
        (
            _unknown,
            r'node "joined" .*: its device configuration \S* is not one of the model\'s: ours',
        ),
        (_repeated, "names the device configuration 'ours' twice"),
        (_negative, "its pipeline stage is -1"),
        (_many, "a pipeline stage 2147483647, which needs 2147483648 workers; there are 2"),
        (_none, r'"joined" \(Concat\) has no pipeline stage in the device configuration \'ours\''),
        (_no_configuration, "the model has no device configuration"),
    ],
)
def test_mistakes(change: Callable[[onnx.ModelProto], None], message: str, tmp_path: Path) -> None:
    path, out = saved("branches", tmp_path), tmp_path / "out.onnx"
    export_stages(path, out, "ours", replace(PIPELINE, schedule="serial"))
    model = onnx.load(out)
    change(model)
    onnx.save(model, out)
    with pytest.raises(CompileError, match=message) as caught:
        compile_model(out, PLACED)
    assert str(caught.value).startswith(str(out)) and "\n" not in str(caught.value)


def test_a_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="leave --batch out"):
        export_stages(saved("branches", tmp_path), tmp_path / "o", "ours", Options(batch=2))


def test_command(tmp_path: Path) -> None:
    saved("branches", tmp_path)
    done = run("export-stages", "model.onnx", "--workers", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "wrote model.stages.onnx\nstages    2, one a worker, of " in done.stdout
    placed = ("check", "model.stages.onnx", "--schedule", "placed", "--workers")
    assert "bit for bit" in run(*placed, 2, cwd=tmp_path).stdout
    failed = run(*placed, 1, cwd=tmp_path)
    assert failed.returncode == 1 and "which needs 2 workers; there is 1" in failed.stderr
