"""Small programs of streams, for the tests of the runtime, on the stand-in of a device."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import torch
from torch import Tensor

from ramiel.runtime import Events, Input, Linear, StreamProgram, Weights, one_stream
from ramiel.runtime.streams.device import programs_on
from ramiel.runtime.streams.stand_in import StandIn


class TimedStandIn(StandIn):
    """A stand-in with a clock, by which only replays of graphs take time."""

    has_times = True

    def __init__(self) -> None:
        super().__init__()
        self.ms = 0.0

    def taking(self, graph: Any, ms: Callable[[], float]) -> Any:
        """The graph, of which a replay takes so long."""
        replay = graph.replay

        def timed() -> None:
            self.ms += ms()
            replay()

        graph.replay = timed
        return graph

    def timer(self) -> Any:
        return _Timer(self)


class _Timer:
    def __init__(self, device: TimedStandIn) -> None:
        self._device = device
        self.ms = 0.0

    def record(self, stream: object) -> None:
        self.ms = self._device.ms

    def elapsed_time(self, end: Any) -> float:
        return end.ms - self.ms


X = torch.linspace(-1, 1, 12).reshape(3, 4)
SEEDS = range(20)
"""Each gives the streams other speeds and another order."""


class Net(StreamProgram):
    """Three streams that meet several times."""

    inputs = (Input("x", torch.float32, (None, 4), "input.1"),)
    outputs = ("y", "z", "w")
    channels = ("a", "b", "c")

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, workers=3)
        weights = weights.to(self.device)
        self.fc1 = Linear(weights, "fc1")
        self.scale = weights["scale"]

    async def worker_0(self, ch: Events) -> None:
        with ch.stream(0):
            x = await ch.x
            a = self.fc1(x)
            ch.a.send(a)
            b = await ch.b
            d = a + b
            y = d.relu()
            del d
            ch.y.send(y)

    async def worker_1(self, ch: Events) -> None:
        with ch.stream(1):
            a = await ch.a
            b = a * self.scale + 3
            ch.b.send(b)
            c = await ch.c
            z = (b + c).sum()
            ch.z.send(z)

    async def worker_2(self, ch: Events) -> None:
        with ch.stream(2):
            x = await ch.x
            a = await ch.a
            c = torch.cat([a, x]).sin()[: a.shape[0]]
            ch.c.send(c)
            b = await ch.b
            w = c - b
            ch.w.send(w)

    @one_stream
    def serial(self, x: Tensor) -> tuple[Tensor, ...]:
        a = self.fc1(x)
        b = a * self.scale + 3
        y = (a + b).relu()
        c = torch.cat([a, x]).sin()[: a.shape[0]]
        z = (b + c).sum()
        w = c - b
        return y, z, w


def net_weights() -> Weights:
    generator = torch.Generator().manual_seed(0)
    tensors = {
        "fc1.weight": torch.randn(4, 4, generator=generator),
        "fc1.bias": torch.randn(4, generator=generator),
        "scale": torch.tensor(2.0),
    }
    return Weights.from_tensors(tensors, {"a": ("/fc1/Gemm", "Gemm"), "b": ("", "Add")})


def net(seed: int = 0, kind: Callable[[Weights], Net] = Net, *, strict: bool = True) -> Net:
    with programs_on(StandIn(seed, strict=strict)):
        return kind(net_weights())


def expected(x: Tensor) -> tuple[Tensor, ...]:
    """What Net computes, without any of our code."""
    weights = net_weights()
    a = torch.nn.functional.linear(x, weights["fc1.weight"], weights["fc1.bias"])
    b = a * weights["scale"] + 3
    c = torch.cat([a, x]).sin()[: a.shape[0]]
    return (a + b).relu(), (b + c).sum(), c - b


Step = Callable[[Any, Events], Coroutine[Any, Any, None]]


def program(
    *steps: Step,
    outputs: tuple[str, ...] = ("y",),
    channels: str = "",
    device: StandIn | None = None,
) -> StreamProgram:
    """A program of one input `x`, any float32 vector, whose workers are plain coroutines."""

    class Steps(StreamProgram):
        inputs = (Input("x", torch.float32, (None,)),)

        @one_stream
        def serial(self, x: Tensor) -> Tensor:
            return x + 1

    Steps.outputs = outputs
    Steps.channels = tuple(channels.split())
    for k, step in enumerate(steps):

        async def worker(self: Any, ch: Events, step: Step = step, k: int = k) -> None:
            with ch.stream(k):
                await step(self, ch)

        setattr(Steps, f"worker_{k}", worker)
    with programs_on(device or StandIn()):
        return Steps(Weights.from_tensors({}), workers=len(steps))


def same(results: Any, wanted: Any) -> bool:
    return all(torch.allclose(a, b, atol=1e-6) for a, b in zip(results, wanted, strict=True))
