"""Programs of streams as objects: copies, threads, inputs, what is refused."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings
from typing import Any

import pytest
import torch
from stream_programs import Net, X, expected, net, net_weights, program, same
from torch import Tensor

from ramiel.runtime import Events, OpError, StreamProgram, Weights
from ramiel.runtime.errors import DeviceUnavailable
from ramiel.runtime.streams.device import programs_on
from ramiel.runtime.streams.stand_in import StandIn


def test_copies_work_on_their_own() -> None:
    with programs_on(StandIn()):
        model = Net(net_weights())
        model(X)
        other = copy.deepcopy(model)
        again = pickle.loads(pickle.dumps(model))
    other.scale.fill_(0.0)
    assert same(model(X), expected(X)) and same(again(X), expected(X))
    assert not same(other(X), expected(X))


def test_a_closed_program_frees_its_graphs_and_stays_serial() -> None:
    model = net()
    model(X)
    model.close()
    assert not model._graphs._plans
    with pytest.raises(RuntimeError, match="Net is closed"):
        model(X)
    assert same(model.serial(X), expected(X))


def test_several_models_and_threads() -> None:
    models = [net(seed) for seed in range(3)]
    xs = [torch.randn(rows, 4) for rows in (1, 2, 3)]
    failures: list[BaseException] = []

    def call(number: int) -> None:
        try:
            for turn in range(6):
                model, x = models[(number + turn) % 3], xs[turn % 3]
                assert same(model(x), expected(x))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=call, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_cuda_a_program_is_refused_in_one_line() -> None:
    with pytest.raises(DeviceUnavailable, match="this program is for CUDA, and ") as failure:
        Net(net_weights())
    assert "\n" not in str(failure.value) and "--device cpu" in str(failure.value)


def test_the_stand_in_can_be_chosen_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMIEL_STREAMS", "stand-in")
    net = Net(net_weights())
    assert same(net(X), expected(X))
    assert f"workers, streams of stand-in, torch {torch.__version__}" in repr(net)
    monkeypatch.setenv("RAMIEL_STREAMS", "standin")
    with pytest.raises(DeviceUnavailable, match="is 'standin'; it may be stand-in"):
        Net(net_weights())


def test_nothing_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = net()
        model(X)
        model(X)


def test_channels_are_awaited() -> None:
    """A channel is not a value: what is forgotten to be awaited fails at once."""

    async def forgetful(_: Any, ch: Events) -> None:
        y: Any = ch.x
        ch.y.send(torch.add(y, 1))

    with pytest.raises(OpError, match="EventChannel"):
        program(forgetful)(torch.ones(2))


def test_inputs_are_checked_and_converted() -> None:
    model = net()
    assert same(model(X.numpy()), expected(X)) and same(model(x=X), expected(X))
    with pytest.raises(ValueError, match='input "x"'):
        model(torch.ones(3, 5))
    with pytest.raises(ValueError, match='input "x": a tensor on the device meta has no values'):
        model(X.to("meta"))
    assert same(model(X), expected(X))


def test_a_program_without_weights_or_inputs() -> None:
    class Constant(StreamProgram):
        outputs = ("y",)

        async def worker_0(self, ch: Events) -> None:
            with ch.stream(0):
                y = torch.arange(3)
                ch.y.send(y)

        def serial(self) -> Tensor:
            return torch.arange(3)

    with programs_on(StandIn()):
        model = Constant(Weights.from_tensors({}))
    for _ in range(3):
        assert model().tolist() == [0, 1, 2]
