"""Small programs of streams that choose by values what to compute, on the stand-in of a device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ramiel.runtime import Events, Input, StreamProgram, Weights, one_stream
from ramiel.runtime.streams.device import programs_on
from ramiel.runtime.streams.stand_in import StandIn


class Choosing(StreamProgram):
    """A choice in the middle of two branches, each of which goes on on its stream."""

    inputs = (Input("x", torch.float32, (None,)),)
    outputs = ("y", "z")
    channels = ("a", "b", "c")

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, workers=2)
        self.scale = weights.to(self.device)["scale"]
        self.choices = 0

    async def worker_0(self, ch: Events) -> None:
        with ch.stream(0):
            x = await ch.x
            a = x * self.scale
            ch.a.send(a)
            total = a.sum()
            c = self.choose(total, a)
            del a, total
            ch.c.send(c)
            b = await ch.b
            y = c.sin() + b
            ch.y.send(y)

    async def worker_1(self, ch: Events) -> None:
        with ch.stream(1):
            x = await ch.x
            a = await ch.a
            d = x.cos() + a
            b = d * 2
            ch.b.send(b)
            c = await ch.c
            z = b - c
            ch.z.send(z)

    def choose(self, total: Tensor, a: Tensor) -> Tensor:
        self.choices += 1
        if total > 0:
            return a.exp()
        return -a

    @one_stream
    def serial(self, x: Tensor) -> tuple[Tensor, ...]:
        a = x * self.scale
        total = a.sum()
        c = self.choose(total, a)
        b = (x.cos() + a) * 2
        del a
        y = c.sin() + b
        z = b - c
        return y, z

    @staticmethod
    def expected(x: Tensor) -> tuple[Tensor, ...]:
        a = x * 2
        c = a.exp() if a.sum() > 0 else -a
        b = (x.cos() + a) * 2
        return c.sin() + b, b - c


class Two(Choosing):
    """Two choices at the same time, and one that needs both."""

    async def worker_0(self, ch: Events) -> None:
        with ch.stream(0):
            x = await ch.x
            a = x * self.scale
            c = self.choose(a.sum(), a)
            ch.c.send(c)
            b = await ch.b.take()
            y = self.choose(b.sum(), c) + b
            ch.y.send(y)

    async def worker_1(self, ch: Events) -> None:
        with ch.stream(1):
            x = await ch.x
            d = x.cos()
            total = d.sum()
            b = self.choose(total, d)
            ch.b.send(b)
            c = await ch.c
            z = b - c
            ch.z.send(z)

    @one_stream
    def serial(self, x: Tensor) -> tuple[Tensor, ...]:
        a = x * self.scale
        c = self.choose(a.sum(), a)
        d = x.cos()
        b = self.choose(d.sum(), d)
        y = self.choose(b.sum(), c) + b
        z = b - c
        return y, z

    @staticmethod
    def expected(x: Tensor) -> tuple[Tensor, ...]:
        def choose(total: Tensor, a: Tensor) -> Tensor:
            return a.exp() if total > 0 else -a

        a, d = x * 2, x.cos()
        c, b = choose(a.sum(), a), choose(d.sum(), d)
        return choose(b.sum(), c) + b, b - c


class First(Choosing):
    """The choice is the first operation, and another the last."""

    async def worker_0(self, ch: Events) -> None:
        with ch.stream(0):
            x = await ch.x
            c = self.choose(x[0], x)
            ch.c.send(c)
            b = await ch.b
            y = self.choose(b[0], c)
            ch.y.send(y)

    async def worker_1(self, ch: Events) -> None:
        with ch.stream(1):
            c = await ch.c
            d = c.cos()
            b = d * self.scale
            ch.b.send(b)
            ch.z.send(d)

    @one_stream
    def serial(self, x: Tensor) -> tuple[Tensor, ...]:
        c = self.choose(x[0], x)
        d = c.cos()
        b = d * self.scale
        return self.choose(b[0], c), d

    @staticmethod
    def expected(x: Tensor) -> tuple[Tensor, ...]:
        c = x.exp() if x[0] > 0 else -x
        d = c.cos()
        return c.exp() if d[0] > 0 else -c, d


class Counting(Choosing):
    """A loop whose length, and the shape of what it makes, depend on values."""

    async def worker_0(self, ch: Events) -> None:
        with ch.stream(0):
            x = await ch.x
            a = x * self.scale
            ch.a.send(a)
            rows = self.repeat(a)
            ch.c.send(rows)
            b = await ch.b
            y = rows.sum(0) + b
            ch.y.send(y)

    async def worker_1(self, ch: Events) -> None:
        with ch.stream(1):
            a = await ch.a
            b = a.sin()
            ch.b.send(b)
            rows = await ch.c
            z = rows * b
            ch.z.send(z)

    def repeat(self, a: Tensor) -> Tensor:
        return torch.stack([a + k for k in range(int(a[0]))])

    @one_stream
    def serial(self, x: Tensor) -> tuple[Tensor, ...]:
        a = x * self.scale
        rows = self.repeat(a)
        b = a.sin()
        y = rows.sum(0) + b
        z = rows * b
        return y, z

    @staticmethod
    def expected(x: Tensor) -> tuple[Tensor, ...]:
        a = x * 2
        rows = torch.stack([a + k for k in range(int(a[0]))])
        return rows.sum(0) + a.sin(), rows * a.sin()


def weights() -> Weights:
    return Weights.from_tensors({"scale": torch.tensor(2.0)}, {"c": ("/If", "If")})


def made(kind: Callable[[Weights], Any] = Choosing, device: StandIn | None = None) -> Any:
    with programs_on(device or StandIn()):
        return kind(weights())


def close(results: Any, wanted: Any) -> bool:
    return all(torch.allclose(a, b, atol=1e-6) for a, b in zip(results, wanted, strict=True))


X = torch.tensor([1.0, 0.5, -0.25])
