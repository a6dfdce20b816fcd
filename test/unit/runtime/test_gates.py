"""Gates keep the order of calls that overlap, until the program ends."""

from __future__ import annotations

import threading

import pytest

from ramiel.runtime.distributed import gates
from ramiel.runtime.distributed.gates import Gate

LIMIT_S = 60.0


@pytest.mark.parametrize("is_native", [True, False])
def test_calls_enter_in_order_and_at_the_end_all_at_once(
    monkeypatch: pytest.MonkeyPatch, is_native: bool
) -> None:
    """The third call never comes."""
    if not is_native:
        monkeypatch.setattr(gates, "native", lambda: None)
    gate, passed = Gate(), list[int]()

    def go(number: int) -> None:
        gate.enter(number)
        passed.append(number)
        gate.leave(number)

    threads = {n: threading.Thread(target=go, args=(n,), daemon=True) for n in (5, 4, 2, 1)}
    for thread in threads.values():
        thread.start()
    for number in (1, 2):
        threads[number].join(LIMIT_S)
    assert passed == [1, 2]
    gate.open()
    gate.open()
    for thread in threads.values():
        thread.join(LIMIT_S)
    assert sorted(passed) == [1, 2, 4, 5]
