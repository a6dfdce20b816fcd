"""What our code asks of PyTorch's CUDA, where there is none: torch.cuda is replaced by a record."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from stream_programs import Net, expected, net_weights
from torch import Tensor

from ramiel.runtime import Conv2d, Linear, Weights
from ramiel.runtime.errors import DeviceUnavailable
from ramiel.runtime.kernels import cuda as kernels
from ramiel.runtime.streams import cuda

CPU = torch.device("cpu")
X = torch.linspace(-1, 1, 12).reshape(3, 4)


class Fake:
    """Streams and graphs that note what is done; operations run at once, on the CPU."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.pools: list[object] = []
        self.workspaces: list[object] = []
        self.workspace = 32 << 20
        self.made = 0
        self.here: Any = self.stream()
        self.capturing: Any = None

    def stream(self, *_: object) -> Any:
        self.made += 1
        return SimpleNamespace(cuda_stream=self.made % 32, wait_event=lambda _: None)

    def use(self, stream: Any) -> None:
        self.here = stream

    @contextmanager
    def graph(self, graph: Any, pool: Any, stream: Any, capture_error_mode: str) -> Generator[None]:
        self.pools.append(pool)
        before, self.here, self.capturing = self.here, stream, stream
        self.log.append(f"begin {capture_error_mode}")
        self.workspaces.append(os.environ.get(cuda.WORKSPACE) or self.workspace)
        try:
            yield
        finally:
            assert self.here is stream, "a capture ends on the stream where it began"
            self.here, self.capturing = before, None
            self.log.append("end")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Generator[Fake]:
    made = Fake()
    event = SimpleNamespace(record=lambda _: None, elapsed_time=lambda _: 1.0)
    device = SimpleNamespace(name="H", major=9, minor=0, multi_processor_count=132)
    monkeypatch.setenv("RAMIEL_COMPARE", "0")
    monkeypatch.setenv(cuda.WORKSPACE, "")  # so that it is unset again after the test
    monkeypatch.delenv(cuda.WORKSPACE)
    parts: dict[str, Any] = {
        "Stream": made.stream,
        "Event": lambda **_: event,
        "CUDAGraph": lambda: SimpleNamespace(
            replay=lambda: made.log.append("replay"), pool=lambda: "the first one's"
        ),
        "graph": made.graph,
        "current_stream": lambda _: made.here,
        "set_stream": made.use,
        "is_current_stream_capturing": lambda: made.capturing is not None,
        "is_available": lambda: True,
        "current_device": lambda: 0,
        "synchronize": lambda *_: None,
        "device": lambda _: nullcontext(),
        "get_device_properties": lambda _: device,
        "memory_reserved": lambda _: 0,
        "empty_cache": lambda: None,
    }
    for name, part in parts.items():
        monkeypatch.setattr(torch.cuda, name, part)
    drop = "_cuda_clearCublasWorkspaces"
    monkeypatch.setattr(torch._C, drop, lambda: made.log.append("drop"), raising=False)
    fields = {name: getattr(torch, name) for name in ("cuda", "backends", "version", "_C")}
    fields |= {
        "__version__": "2",
        "is_autocast_enabled": torch.is_autocast_enabled,
        "device": lambda *_: CPU,
    }
    monkeypatch.setattr(cuda, "torch", SimpleNamespace(**fields))
    cuda._streams_of.cache_clear()
    yield made
    cuda._streams_of.cache_clear()


def test_a_program_is_captured_once_and_replayed(fake: Fake) -> None:
    model = Net(net_weights())
    for _ in range(3):
        results = model(X)
        assert all(map(torch.allclose, results, expected(X)))
    captured = ["drop", "begin thread_local", "end", "drop", "drop"]
    assert fake.log == [*captured, "replay", "replay"]
    assert model.capture_status(X) == "captured" and model.captured_form(X) == "3 streams"


@pytest.mark.parametrize("by_variable", [True, False])
def test_streams_share_what_one_stream_has_as_a_workspace(
    by_variable: bool, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newer versions of PyTorch have functions for its size, older ones a variable."""
    if by_variable:
        monkeypatch.delattr(torch._C, "_cuda_getCublasWorkspaceSize", raising=False)
    else:
        get, put = "_cuda_getCublasWorkspaceSize", "_cuda_setCublasWorkspaceSize"
        monkeypatch.setattr(torch._C, get, lambda: fake.workspace, raising=False)
        put_size = partial(setattr, fake, "workspace")
        monkeypatch.setattr(torch._C, put, put_size, raising=False)
    model = Net(net_weights())
    model(X)
    model.serial(X)
    whole = 32 << 20
    texts = [f":{32768 // 3}:1", ":32768:1"]
    assert fake.workspaces == (texts if by_variable else [whole // 3, whole])
    assert fake.workspace == whole
    os.environ[cuda.WORKSPACE] = ":4096:2"  # as a user may have it
    model(X[:1])
    assert fake.workspaces[2] == ":4096:2" == os.environ[cuda.WORKSPACE]


def test_streams_are_compared_with_one_and_the_faster_graph_stays(fake: Fake) -> None:
    """Here both take the same time, so one stream does."""
    model = Net(net_weights())
    model.compares = True
    for _ in range(2):
        assert all(map(torch.allclose, model(X), expected(X)))
    assert fake.log.count("begin thread_local") == 2
    assert model.captured_form(X) == "one stream: 3 streams 0.333 ms, one stream 0.333 ms"


def test_inputs_on_another_device_are_moved(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device is one without values, so only where things are can be compared."""
    meta = torch.device("meta")
    monkeypatch.setattr(cuda.torch, "device", lambda *_: meta)
    model = Net(net_weights())
    for _ in range(2):
        for outputs in (model(X), model.serial(X)):
            assert [y.device for y in outputs] == [meta] * 3
            assert [y.shape for y in outputs] == [y.shape for y in expected(X)]
    assert fake.log.count("replay") == 2
    assert model.capture_status(X) == model.serial_capture_status(X) == "captured"


def test_a_device_is_named(fake: Fake) -> None:
    name = cuda.Cuda().name
    assert name.startswith("H (sm_90, 132 multiprocessors), CUDA ") and "TF32 " in name


def test_a_lost_device_is_named(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Net(net_weights())

    def fail(*_: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered\nmore")

    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", fail)
    with pytest.raises(RuntimeError, match="CUDA error"):
        model(X)
    monkeypatch.setattr(torch.cuda, "synchronize", fail)
    message = "^cpu is lost until this process ends: CUDA error: an illegal memory access"
    with pytest.raises(DeviceUnavailable, match=message) as failure:
        model(X)
    assert "\n" not in str(failure.value)


def test_a_failed_capture_ends_and_the_program_runs_eagerly(fake: Fake) -> None:
    class Reading(Net):
        async def worker_2(self, ch: Any) -> None:
            if fake.capturing is not None:
                raise RuntimeError("operation not permitted when stream is capturing\nat ...")
            await super().worker_2(ch)

    model = Reading(net_weights())
    before = fake.here
    for _ in range(2):
        assert all(map(torch.allclose, model(X), expected(X)))
    assert fake.log == ["drop", "begin thread_local", "end", "drop", "drop"]
    assert fake.here is before
    status = model.capture_status(X)
    assert status.startswith("it needs the host: ") and "Reading.worker_2: operation not" in status


def test_the_cause_of_a_failed_capture_is_told(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the error that follows it, when the capture ends."""

    @contextmanager
    def failing(*arguments: Any, **options: Any) -> Generator[None]:
        with fake.graph(*arguments, **options):
            try:
                yield
            finally:
                raise RuntimeError("operation failed due to a previous error during capture")

    class Reading(Net):
        async def worker_1(self, ch: Any) -> None:
            if fake.capturing is not None:
                b = torch.tensor(1.0).view(2)
                ch.b.send(b)
            await super().worker_1(ch)

    monkeypatch.setattr(torch.cuda, "graph", failing)
    model = Reading(net_weights())
    model(X)
    assert model.capture_status(X).startswith('b (ONNX node "", Add): shape')


def test_streams_differ_from_each_other_and_from_that_of_captures(fake: Fake) -> None:
    device = cuda.Cuda()
    streams = device.streams(40)
    assert len({s.cuda_stream for s in streams}) == len(streams) == 31
    assert device.streams(3) == streams[:3]
    captured: list[Any] = []
    device.capture(lambda: captured.append(fake.here))
    assert captured[0] not in streams


def test_graphs_beside_each_other_share_a_pool(fake: Fake) -> None:
    device = cuda.Cuda()
    first, _ = device.capture(lambda: None)
    device.capture(lambda: None, beside=first)
    assert fake.pools == [None, "the first one's"]


def test_cudnn_measures_only_during_a_call(fake: Fake) -> None:
    seen: list[bool] = []
    model = Net(net_weights())
    model.fc1.register_forward_hook(lambda *_: seen.append(torch.backends.cudnn.benchmark))
    before = torch.backends.cudnn.benchmark
    model(X)
    assert all(seen) and torch.backends.cudnn.benchmark == before


def test_a_forked_process_is_told_so(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Net(net_weights())
    model(X)
    monkeypatch.setattr(torch.cuda, "_is_in_bad_fork", lambda: True)
    with pytest.raises(DeviceUnavailable, match="forked after its parent had used it"):
        model(X)


# --- kernels ---


@pytest.fixture
def layers() -> tuple[Conv2d, Linear]:
    generator = torch.Generator().manual_seed(0)
    shapes = {"c.weight": (8, 4, 3, 3), "c.bias": (8,), "l.weight": (5, 6), "l.bias": (5,)}
    weights = Weights.from_tensors(
        {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    )
    return Conv2d(weights, "c", padding=1, activation="relu"), Linear(weights, "l")


def fused(x: Tensor, weight: Tensor, bias: Tensor, *geometry: Any) -> Tensor:
    return torch.conv2d(x, weight, bias, *geometry).relu()


def wrong(*operands: Any) -> Tensor:
    return fused(*operands) + 1


@pytest.mark.parametrize("call, factor, taken", [(fused, 0.5, 1), (fused, 2.0, 0), (wrong, 0.5, 0)])
def test_the_fastest_kernel_that_is_right_is_taken(
    call: Callable[..., Tensor],
    factor: float,
    taken: int,
    layers: tuple[Conv2d, Linear],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of cuDNN's fused call and PyTorch's plain one; layers that are alike are timed once."""
    times = iter([1.0, factor])
    names: list[str] = []

    def time_of(kernel: Any, *_: object) -> float:
        names.append(kernel.__qualname__)
        return next(times)

    monkeypatch.setattr(torch, "cudnn_convolution_relu", call)
    monkeypatch.setattr(torch.backends.cudnn, "is_available", lambda: True)
    monkeypatch.setattr(kernels, "time_of", time_of)
    monkeypatch.setattr(kernels, "_chosen", {})
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    conv, _ = layers
    x = torch.randn(1, 4, 7, 7)
    for _ in range(2):
        assert torch.allclose(conv._on_cuda(x, None), conv._plainly(x, None), atol=1e-5)
    kernel = next(iter(conv._kernels.values()))
    assert ("_fused" in kernel.__qualname__) == bool(taken)
    assert len(names) == (0 if call is wrong else 2)


def test_sums_do_not_change_their_operands(
    layers: tuple[Conv2d, Linear], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    monkeypatch.setattr(kernels, "time_of", lambda *_: 1.0)
    conv, linear = layers
    for layer, x, shape in (
        (conv, torch.randn(1, 4, 7, 7), (1, 8, 7, 7)),
        (linear, torch.randn(2, 6), (2, 5)),
    ):
        other = torch.randn(shape)
        kept = other.clone()
        expected_sum = layer._plainly(x, other)
        for _ in range(2):
            assert torch.allclose(layer._on_cuda(x, other), expected_sum, atol=1e-5)
        assert torch.equal(other, kept)


def test_what_is_not_prepared_is_not_timed_within_a_capture(
    layers: tuple[Conv2d, Linear], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    conv, _ = layers
    x = torch.randn(1, 4, 7, 7)
    assert torch.equal(conv._on_cuda(x, None), conv._plainly(x, None)) and not conv._kernels
