"""The nine light models of the onnx package, against the outputs that ship with them."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import torch

import ramiel
from ramiel.pipelines import OF_ANY_MODEL
from ramiel.runtime import Program
from ramiel.runtime.measure import same_bits
from ramiel.tools.demo import LIGHT_MODELS, TOLERANCE, expected_output, light_input

MODELS = sorted(LIGHT_MODELS.glob("light_*.onnx"))


def input_of(model: Program) -> torch.Tensor:
    return light_input(cast("tuple[int, ...]", model.inputs[0].shape))


def test_there_are_nine() -> None:
    assert len(MODELS) == 9


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_light_model(path: Path) -> None:
    with ramiel.compile(path, workers=2, schedule="linear") as model:
        x = input_of(model)
        parallel, serial, expected = model(x), model.serial(x), expected_output(path)
    assert same_bits(parallel, serial)
    difference = (parallel - expected).abs().max() / expected.abs().max()
    assert difference <= TOLERANCE


@pytest.mark.parametrize("name", ["light_squeezenet", "light_inception_v1", "light_shufflenet"])
def test_schedules(name: str) -> None:
    """The same bits whatever the schedule, where operations run on the same number of threads."""
    path = LIGHT_MODELS / f"{name}.onnx"
    with ramiel.compile(path, workers=1, schedule="serial") as model:
        x = input_of(model)
        reference = model(x)
    for schedule in OF_ANY_MODEL:
        with ramiel.compile(path, workers=2, schedule=schedule, seconds=0.2) as model:
            parallel, serial = model(x), model.serial(x)
            assert same_bits(parallel, serial), schedule
            alike = "set_num_threads" not in model.source and "merged" not in model.source
            if alike:
                assert same_bits(parallel, reference), schedule
            difference = (parallel - reference).abs().max() / reference.abs().max()
            assert difference <= TOLERANCE, schedule
