"""What is loaded once for a process is loaded once, whichever threads ask first."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ramiel.runtime.once import once

pytestmark = pytest.mark.timeout(60)
THREADS = 8


def test_threads_that_ask_at_the_same_time_get_the_one_result() -> None:
    calls: list[object] = []
    together = threading.Barrier(THREADS)

    @once
    def made() -> object:
        time.sleep(0.05)  # so long that each thread asks before there is a result
        calls.append(object())
        return calls[-1]

    def ask(_: int) -> object:
        together.wait()
        return made()

    with ThreadPoolExecutor(THREADS) as pool:
        assert set(pool.map(ask, range(THREADS))) == {made()}
    assert len(calls) == 1


def test_what_is_raised_is_not_kept() -> None:
    answers = iter((ValueError("first"), None))

    @once
    def made() -> int:
        if (error := next(answers)) is not None:
            raise error
        return 1

    with pytest.raises(ValueError, match="first"):
        made()
    assert made() == made() == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_forked_while_a_thread_computes_it_computes_its_own() -> None:
    begun, may_end = threading.Event(), threading.Event()

    @once
    def made() -> int:
        begun.set()
        may_end.wait()
        return os.getpid()

    with ThreadPoolExecutor(1) as pool:
        of_parent = pool.submit(made)
        begun.wait()
        if (child := os.fork()) == 0:
            may_end.set()
            os._exit(0 if made() == os.getpid() else 1)
        _, status = os.waitpid(child, 0)
        may_end.set()
        assert of_parent.result() == os.getpid()
    assert os.waitstatus_to_exitcode(status) == 0
