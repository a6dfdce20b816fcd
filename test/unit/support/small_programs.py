"""Small programs for the tests of the runtime."""

import threading
import time
from collections.abc import Callable

import torch
from torch import Tensor

from ramiel.runtime import (
    Channels,
    Input,
    Linear,
    Program,
    Weights,
    one_thread,
)


class Net(Program):
    """Two workers that meet twice."""

    inputs = (Input("x", torch.float32, (None, 4), "input.1"), Input("n", torch.int64, ()))
    outputs = ("y", "z")
    channels = ("a", "b")

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, workers=2)
        self.fc1 = Linear(weights, "fc1")
        self.scale = weights["scale"]

    def worker_0(self, ch: Channels) -> None:
        x = ch.x.recv()
        a = self.fc1(x)
        ch.a.send(a)
        b = ch.b.recv()
        y = a + b
        ch.y.send(y)

    def worker_1(self, ch: Channels) -> None:
        n = ch.n.recv()
        a = ch.a.recv()
        b = a * self.scale + n
        ch.b.send(b)
        z = b.sum()
        ch.z.send(z)

    @one_thread
    def serial(self, x: Tensor, n: Tensor) -> tuple[Tensor, Tensor]:
        a = self.fc1(x)
        b = a * self.scale + n
        y = a + b
        z = b.sum()
        return y, z


def net_weights() -> Weights:
    generator = torch.Generator().manual_seed(0)
    tensors = {
        "fc1.weight": torch.randn(4, 4, generator=generator),
        "fc1.bias": torch.randn(4, generator=generator),
        "scale": torch.tensor(2.0),
    }
    return Weights.from_tensors(tensors, {"a": ("/fc1/Gemm", "Gemm"), "b": ("", "Add")})


Step = Callable[[Channels], None]


def program(*steps: Step, outputs: tuple[str, ...] = ("y",), channels: str = "") -> Program:
    """A program of one input `x`, any float32 vector, whose workers are plain functions."""

    class Steps(Program):
        inputs = (Input("x", torch.float32, (None,)),)

    Steps.outputs = outputs
    Steps.channels = tuple(channels.split())
    for k, step in enumerate(steps):
        setattr(Steps, f"worker_{k}", lambda _self, ch, step=step: step(ch))
    return Steps(Weights.from_tensors({}), workers=len(steps))


def pool_threads(model: str) -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith(f"ramiel-{model}-")]


def wait_until(condition: Callable[[], object]) -> None:
    """Wait without a limit: pytest's own ends a test that waits in vain."""
    while not condition():
        time.sleep(0.001)


X = torch.arange(8.0).reshape(2, 4)
