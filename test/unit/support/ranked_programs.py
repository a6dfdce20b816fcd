"""Programs of two and of three ranks, their weights and inputs."""

from __future__ import annotations

import torch
from torch import Tensor

from ramiel.runtime import (
    Channels,
    Conv2d,
    DistributedProgram,
    Input,
    Remote,
    Streaming,
    Weights,
    one_thread,
)


class Ranked(DistributedProgram):
    """Each rank has a worker; a value of an open size crosses in one direction, an image in the
    other, and `picked` fails for an index that is too large."""

    inputs = (Input("x", torch.float32, (1, 8, 12, 12)), Input("i", torch.int64, ("n",)))
    outputs = ("y", "z")
    channels = ("a", "b", "picked")
    ranks = (0, 1)
    remote = (
        Remote("i", torch.int64, (None,), 0, (1,)),
        Remote("a", torch.float32, (1, 8, 12, 12), 0, (1,)),
        Remote("b", torch.float32, (1, 8, 12, 12), 1, (0,)),
        Remote("picked", torch.float32, (None, 8), 1, (0,)),
        Remote("z", torch.float32, (), 1, (0,)),
    )

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, workers=2)
        self.conv1 = Conv2d(weights, "conv1", padding=1)
        self.conv2 = Conv2d(weights, "conv2", padding=1)

    def worker_0(self, ch: Channels) -> None:
        x = ch.x.recv()
        a = self.conv1(x)
        ch.a.send(a)
        b = ch.b.take()
        picked = ch.picked.recv()
        y = b + picked.sum()
        ch.y.send(y)

    def worker_1(self, ch: Channels) -> None:
        i = ch.i.recv()
        a = ch.a.take()
        b = self.conv2(a)
        ch.b.send(b)
        picked = b[0, :, 0].t()[i]
        ch.picked.send(picked)
        z = b.sum()
        ch.z.send(z)

    @one_thread
    def serial(self, x: Tensor, i: Tensor) -> tuple[Tensor, Tensor]:
        a = self.conv1(x)
        b = self.conv2(a)
        picked = b[0, :, 0].t()[i]
        y = b + picked.sum()
        z = b.sum()
        return y, z


class Shared(Ranked):
    """The same where all sizes are known, so that calls need no Python from announcement to
    reports."""

    inputs = (Input("x", torch.float32, (1, 8, 12, 12)), Input("i", torch.int64, (2,)))
    remote = (
        Remote("i", torch.int64, (2,), 0, (1,)),
        Remote("a", torch.float32, (1, 8, 12, 12), 0, (1,)),
        Remote("b", torch.float32, (1, 8, 12, 12), 1, (0,)),
        Remote("picked", torch.float32, (2, 8), 1, (0,)),
        Remote("z", torch.float32, (), 1, (0,)),
    )


class Piped(Ranked):
    """The same, of which streams have three calls under way at a time."""

    streaming = Streaming("pipeline", 2, 3)


class PipedQuickly(Shared):
    """The same."""

    streaming = Streaming("pipeline", 2, 3)


class Crossed(DistributedProgram):
    """Rank 0 has two workers, one of which waits for what another rank makes of the other's value;
    that one fails for an index that is too large."""

    inputs = (Input("x", torch.float32, (4, 8)), Input("i", torch.int64, (2,)))
    outputs = ("y",)
    channels = ("picked", "doubled")
    ranks = (0, 0, 1)
    remote = (
        Remote("picked", torch.float32, (2, 8), 0, (1,)),
        Remote("doubled", torch.float32, (2, 8), 1, (0,)),
    )

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, workers=3)

    def worker_0(self, ch: Channels) -> None:
        x = ch.x.recv()
        i = ch.i.recv()
        picked = x[i]
        ch.picked.send(picked)

    def worker_1(self, ch: Channels) -> None:
        doubled = ch.doubled.recv()
        y = doubled + 1
        ch.y.send(y)

    def worker_2(self, ch: Channels) -> None:
        picked = ch.picked.recv()
        doubled = picked * 2
        ch.doubled.send(doubled)

    @one_thread
    def serial(self, x: Tensor, i: Tensor) -> Tensor:
        return x[i] * 2 + 1


class Batched(DistributedProgram):
    """Each rank computes a sample of two; fails for an index that is too large."""

    inputs = (Input("x", torch.float32, (1, 8, 12, 12)), Input("i", torch.int64, (1,)))
    outputs = ("picked",)
    batch = 2
    ranks = (0, 1)
    remote = (
        Remote("x_1", torch.float32, (1, 8, 12, 12), 0, (1,)),
        Remote("i_1", torch.int64, (1,), 0, (1,)),
        Remote("picked_1", torch.float32, (1, 8), 1, (0,)),
    )

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, workers=2)
        self.conv1 = Conv2d(weights, "conv1", padding=1)

    def worker_0(self, ch: Channels) -> None:
        x_0 = ch.x_0.recv()
        i_0 = ch.i_0.recv()
        a_0 = self.conv1(x_0)
        picked_0 = a_0[0, :, 0].t()[i_0]
        ch.picked_0.send(picked_0)

    def worker_1(self, ch: Channels) -> None:
        x_1 = ch.x_1.recv()
        i_1 = ch.i_1.recv()
        a_1 = self.conv1(x_1)
        picked_1 = a_1[0, :, 0].t()[i_1]
        ch.picked_1.send(picked_1)

    @one_thread
    def serial(self, x: Tensor, i: Tensor) -> Tensor:
        a = self.conv1(x)
        return a[0, :, 0].t()[i]


class Chained(DistributedProgram):
    """Three ranks, each of which doubles what it gets; streams have four calls under way."""

    inputs = (Input("x", torch.float32, (4, 8)),)
    outputs = ("y",)
    channels = ("a", "b")
    streaming = Streaming("pipeline", 3, 4)
    ranks = (0, 1, 2)
    remote = (
        Remote("a", torch.float32, (4, 8), 0, (1,)),
        Remote("b", torch.float32, (4, 8), 1, (2,)),
        Remote("y", torch.float32, (4, 8), 2, (0,)),
    )

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, workers=3)

    def worker_0(self, ch: Channels) -> None:
        x = ch.x.recv()
        a = x * 2
        ch.a.send(a)

    def worker_1(self, ch: Channels) -> None:
        a = ch.a.recv()
        b = a * 2
        ch.b.send(b)

    def worker_2(self, ch: Channels) -> None:
        b = ch.b.recv()
        y = b * 2
        ch.y.send(y)

    @one_thread
    def serial(self, x: Tensor) -> Tensor:
        return x * 2 * 2 * 2


Ranks = Ranked | Crossed | Batched | Chained


def weights(seed: int = 0) -> Weights:
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        f"conv{i}.{part}": torch.randn(shape, generator=generator)
        for i in (1, 2)
        for part, shape in (("weight", (8, 8, 3, 3)), ("bias", (8,)))
    }
    return Weights.from_tensors(tensors, {"picked": ("/pick", "Gather")})


def given(seed: int, indices: int | None = None) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(1, 8, 12, 12, generator=generator)
    if seed % 2:
        x = x.to(memory_format=torch.channels_last)
    indices = seed % 3 if indices is None else indices
    return x, torch.randint(0, 12, (indices,), generator=generator)
