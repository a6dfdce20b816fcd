"""What the tests of replay share."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
import pytest
import torch
from onnx import parser
from replayed import MODEL

import ramiel
from ramiel.api import CompiledProgram


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return parser.parse_model(MODEL)


@pytest.fixture
def program(model: onnx.ModelProto) -> Iterator[CompiledProgram]:
    with ramiel.compile(model, workers=2, schedule="linear") as program:
        yield program


@pytest.fixture
def restored_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
