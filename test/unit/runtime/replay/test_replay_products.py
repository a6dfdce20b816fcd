"""Products with packed weights, replayed, are those of runs in Python bit for bit."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ramiel.runtime import Channels, Input, Linear, Program, Weights
from ramiel.runtime.kernels import mkl
from ramiel.runtime.libtorch import libtorch
from ramiel.runtime.replay.native import native
from ramiel.torch_level.candidates import FEWEST_ROWS

pytestmark = [
    pytest.mark.skipif(native() is None, reason="without the native part or oneDNN"),
    pytest.mark.skipif(not hasattr(libtorch(), "cblas_sgemm_compute"), reason="without MKL"),
]
ROWS, INNER, COLUMNS = 24, 96, 160


class Products(Program):
    """One worker; a layer with an activation, one that adds, and one without a bias."""

    inputs = (Input("x", torch.float32, (None, INNER)),)
    outputs = ("y",)

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, workers=1)
        self.fc1 = Linear(weights, "fc1", activation="relu", kernel="mkl")
        self.fc2 = Linear(weights, "fc2", kernel="mkl")
        self.fc3 = Linear(weights, "fc3", activation="gelu", kernel="mkl")

    def worker_0(self, ch: Channels) -> None:
        x = ch.x.recv()
        torch.set_num_threads(2)
        a = self.fc1(x)
        b = self.fc2(a, x)
        y = self.fc3(b)
        ch.y.send(y)

    def serial(self, x: Tensor) -> Tensor:
        return self.fc3(self.fc2(self.fc1(x), x))


def weights() -> Weights:
    shapes = {
        "fc1.weight": (COLUMNS, INNER),
        "fc1.bias": (COLUMNS,),
        "fc2.weight": (INNER, COLUMNS),
        "fc2.bias": (INNER,),
        "fc3.weight": (COLUMNS, INNER),
    }
    return Weights.from_tensors({name: torch.randn(shape) for name, shape in shapes.items()})


def test_replays_are_runs_in_python() -> None:
    torch.manual_seed(0)
    program = Products(weights())
    w = dict(program.named_buffers())
    for rows in (ROWS, 2 * ROWS):
        x = torch.randn(rows, INNER)
        expected = program(x)  # in Python
        assert all(torch.equal(program(x), expected) for _ in range(4))
        assert program.capture_status(x) == "captured"
        a = F.relu(F.linear(x, w["fc1.weight"], w["fc1.bias"]))
        b = F.linear(a, w["fc2.weight"], w["fc2.bias"]) + x
        y = F.gelu(F.linear(b, w["fc3.weight"]))
        torch.testing.assert_close(expected, y, rtol=1e-4, atol=1e-3)
    assert program.fc1.kernel_for((ROWS, INNER), None, 2) == "mkl"


def test_weights_that_change_are_packed_again() -> None:
    torch.manual_seed(0)
    program, x = Products(weights()), torch.randn(ROWS, INNER)
    for _ in range(4):
        program(x)
    dict(program.named_buffers())["fc3.weight"].zero_()
    assert not program(x).any()


def test_few_rows_have_another_kernel() -> None:
    assert mkl.FEWEST_ROWS == FEWEST_ROWS  # the compiler does not import the runtime's kernels
    program, x = Products(weights()), torch.randn(1, INNER)
    program(x)
    assert program.fc1.kernel_for((1, INNER), None, 2) not in (None, "mkl")
