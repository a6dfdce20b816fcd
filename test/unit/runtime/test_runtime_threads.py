"""The life of a program's threads."""

import copy
import gc
import os
import pickle
import threading
import time
import weakref

import pytest
import torch
from small_programs import Net, X, net_weights, pool_threads, program, wait_until

from ramiel.runtime import (
    Channels,
    OpError,
)

pytestmark = pytest.mark.timeout(60)


# The life of the threads


def test_close() -> None:
    class Closed(Net):
        pass

    net = Closed(net_weights())
    assert pool_threads("Closed") == []
    net(X, 1)
    assert [t.name for t in pool_threads("Closed")] == ["ramiel-Closed-1"]
    net.close()
    net.close()
    assert pool_threads("Closed") == []
    with pytest.raises(RuntimeError, match=r"^Closed is closed$"):
        net(X, 1)
    net.serial(X, 1)
    copy.deepcopy(net)(X, 1)


def test_close_waits_for_running_calls() -> None:
    for _ in range(100):
        net = Net(net_weights())
        running = threading.Event()
        finished: list[bool] = []
        refused: list[bool] = []

        def call(
            net: Net = net,
            running: threading.Event = running,
            finished: list[bool] = finished,
            refused: list[bool] = refused,
        ) -> None:
            while True:
                try:
                    net(X, 1)
                except RuntimeError as error:
                    refused.append(str(error) == "Net is closed")
                    return
                finished.append(True)
                running.set()

        threads = [threading.Thread(target=call) for _ in range(3)]
        for thread in threads:
            thread.start()
        running.wait()
        closers = [threading.Thread(target=net.close) for _ in range(2)]
        for thread in closers + threads:
            if thread in closers:
                thread.start()
        for thread in closers + threads:
            thread.join()
        assert finished
        assert refused == [True] * 3


def test_close_waits_for_worker_0() -> None:
    """It works in the calling thread, which close() cannot join."""
    computing, go_on = threading.Event(), threading.Event()

    def compute(ch: Channels) -> None:
        computing.set()
        go_on.wait()
        ch.y.send(1)

    model = program(compute)
    ends: list[str] = []
    caller = threading.Thread(target=lambda: (model(torch.ones(1)), ends.append("call")))
    closer = threading.Thread(target=lambda: (model.close(), ends.append("close")))
    caller.start()
    computing.wait()
    closer.start()
    time.sleep(0.01)
    assert ends == []
    go_on.set()
    caller.join()
    closer.join()
    assert sorted(ends) == ["call", "close"]


def test_a_collected_program_ends_its_threads() -> None:
    class Collected(Net):
        pass

    for failing in (False, True) * 5:
        net = Collected(net_weights())
        if failing:
            net.scale = torch.zeros(3)
            with pytest.raises(OpError):
                net(X, 1)
        else:
            net(X, 1)
        del net
        gc.collect()
    wait_until(lambda: not pool_threads("Collected"))


def test_an_error_makes_no_cycle() -> None:
    """The tensors of a failed run go with the error, not with the next garbage collection."""
    net = Net(net_weights())
    net.scale = torch.zeros(3)
    errors: list[weakref.ref[OpError]] = []
    gc.disable()
    try:
        for call in (net, net.serial):
            try:
                call(X, 1)
            except OpError as error:
                errors.append(weakref.ref(error))
        wait_until(lambda: all(error() is None for error in errors))
    finally:
        gc.enable()
    assert len(errors) == 2


def test_copies_have_their_own_threads() -> None:
    net = Net(net_weights())
    expected = net(X, 1)
    copies = [copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))]
    net.close()
    for each in copies:
        assert torch.equal(each(X, 1)[0], expected[0])
        each.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork() -> None:
    net = Net(net_weights())
    expected = net(X, 1)[0]
    for _ in range(5):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                equal = [torch.equal(net(X, 1)[0], expected) for _ in range(3)]
                net.close()
                status = 0 if all(equal) else 2
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert torch.equal(net(X, 1)[0], expected)
