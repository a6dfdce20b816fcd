"""Files of weights that are written while programs use them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import branches

from ramiel.compiler import compile_model
from ramiel.programs.files import write_program
from ramiel.runtime import Weights
from ramiel.weights.store import save_arrays


def test_open_weights_stay_what_they_were(tmp_path: Path) -> None:
    """Those that are read only after their file has been replaced, too."""
    path = tmp_path / "m.safetensors"
    save_arrays(path, {name: np.full(5000, 1, np.float32) for name in ("early", "late")})
    weights = Weights.open(path)
    early = weights["early"]
    save_arrays(path, {name: np.full(3, 2, np.float32) for name in ("early", "late")})
    assert torch.equal(early, torch.ones(5000)) and torch.equal(weights["late"], early)
    assert Weights.open(path)["late"].tolist() == [2, 2, 2]


def test_a_program_that_is_compiled_again_has_new_files(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    files = path, path.with_suffix(".safetensors")
    emitted = compile_model(branches()).emitted
    write_program(emitted, path)
    held = [file.open("rb") for file in files]
    texts = [file.read_bytes() for file in files]
    write_program(emitted, path)
    for file, old, text in zip(files, held, texts, strict=True):
        with old:
            assert not os.path.samestat(file.stat(), os.fstat(old.fileno()))
            assert old.read() == text


@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_of_another_length_is_refused(change: int, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_arrays(path, {"w": np.ones(100, np.float32)})
    data = path.read_bytes()
    path.write_bytes(data[:change] if change < 0 else data + bytes(change))
    with pytest.raises(ValueError, match="not a safetensors file"):
        Weights.open(path)
