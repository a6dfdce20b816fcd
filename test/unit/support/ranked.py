"""What ranks do, of which each runs this as a script: `python ranked.py SCENARIO`."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from ranked_programs import (
    Batched,
    Chained,
    Crossed,
    Piped,
    PipedQuickly,
    Ranked,
    Ranks,
    Shared,
    given,
    weights,
)
from torch import Tensor
from torch.nn import Parameter

from ramiel.runtime.distributed.calls import Calls
from ramiel.runtime.distributed.channels import Announced
from ramiel.runtime.distributed.lane import Lane
from ramiel.runtime.distributed.quick import Caller
from ramiel.runtime.measure import same_bits
from ramiel.runtime.replay.plan import Instance


def check(program: Ranks, seed: int) -> None:
    values = given(seed, 2 if isinstance(program, Shared) else None)
    pairs = zip(program(*values), program.serial(*values), strict=True)
    assert all(same_bits(got, want) for got, want in pairs)


class Odd(Tensor):
    """What cannot be sent to other ranks."""


def calls(program: Ranks) -> None:
    """Equal results, errors that leave nothing behind, and calls from several threads; inputs are
    of so few shapes that most calls are replayed."""
    for seed in range(60):
        check(program, seed)
        if seed % 7 == 0:
            try:
                program(given(seed)[0], torch.tensor([99]))
            except RuntimeError as error:
                print(error, flush=True)
            else:
                raise AssertionError
    x, i = given(1)
    try:
        program(x, i.as_subclass(Odd))
    except TypeError as error:
        assert str(error) == 'channel "i" sends torch.int64, not Odd', error
    else:
        raise AssertionError
    assert all(map(same_bits, program(x, Parameter(i, requires_grad=False)), program.serial(x, i)))
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda seed: check(program, seed), range(30)))
    assert program.capture_status(*given(1)) == "captured"


def mixed(program: Ranks) -> None:
    """A rank that is not replayed among others that are, until a call asks for it; and what changes
    between calls."""
    for seed in range(24):
        check(program, seed)
    print(program.capture_status(*given(0)), flush=True)
    program.capture(*given(0))
    assert (status := program.capture_status(*given(0))) == "captured", status
    check(program, 0)
    x, _ = given(0)
    for index in (3, 99, 5):  # of one shape: the second is an error in a replay, too
        for _ in range(3):
            try:
                i = torch.tensor([index])
                assert all(map(same_bits, program(x, i), program.serial(x, i)))
            except RuntimeError as error:
                assert index == 99, error
    program.captures = False
    check(program, 1)
    program.captures = True
    dict(program.named_buffers())["conv1.weight"].mul_(2)  # of rank 0 only
    for seed in range(12):
        check(program, seed)
    assert (status := program.capture_status(*given(0))) == "captured", status


def crossed(program: Ranks) -> None:
    """A step that fails while another worker of its rank waits for a message."""
    x = torch.randn(4, 8)
    for index in range(12):
        i = torch.tensor([index % 4, 99 if index % 3 == 2 else 0])
        try:
            assert same_bits(program(x, i), program.serial(x, i))
        except RuntimeError as error:
            assert "out of bounds" in str(error) and index % 3 == 2, error
        else:
            assert index % 3 < 2
    assert program.capture_status(x, torch.tensor([0, 0])) == "captured"


def streamed(program: Ranks) -> None:
    """Requests in their order, on all ranks: some of which fail, an iterator that does, and a
    stream that is closed in the middle. Calls follow each."""
    indices = 2 if isinstance(program, Shared) else None
    requests = [given(seed, indices) for seed in range(24)]
    expected = [program.serial(*request) for request in requests]

    def right(results: Iterable[Any], first: int = 0) -> bool:
        pairs = zip(results, expected[first:], strict=False)
        return all(all(map(same_bits, got, want)) for got, want in pairs)

    results = list(program.stream(requests))
    assert len(results) == 24 and right(results)
    assert served(program) == 24, "the other ranks take part"
    bad = (given(0)[0], torch.tensor([99] * (indices or 1)))
    results = list(program.stream([*requests[:5], bad, *requests[5:]], return_exceptions=True))
    assert "index 99" in str(results.pop(5)) and right(results) and len(results) == 24
    stream, results = program.stream([*requests[:5], bad, *requests]), []
    try:
        for result in stream:
            results.append(result)
    except RuntimeError as error:
        assert "index 99" in str(error) and len(results) == 5 and right(results)
    else:
        raise AssertionError

    def ends_badly() -> Iterator[tuple[Tensor, Tensor]]:
        yield from requests[:7]
        raise LookupError

    results = []
    try:
        for result in program.stream(ends_badly(), in_flight=4):
            results.append(result)
    except LookupError:
        assert len(results) == 7 and right(results)
    else:
        raise AssertionError
    endless = program.stream(itertools.cycle(requests), in_flight=5)
    assert right(itertools.islice(endless, 3))
    endless.close()  # pyright: ignore
    check(program, 1)
    assert right(program.stream(requests, threads=2))
    keeps_to = program._cores or ()  # pyright: ignore[reportPrivateUsage]
    assert len(keeps_to) == len(os.sched_getaffinity(0)) // 2  # of which there may be one
    beside = program._lanes[1:]  # pyright: ignore[reportPrivateUsage]
    assert len(beside) == (3 if isinstance(program, Piped | PipedQuickly) else 0)
    assert all(last_call(lane) > 24 for lane in beside), "calls overlap"
    with ThreadPoolExecutor(3) as pool:  # of which one calls while the others stream
        streams = [pool.submit(lambda: right(program.stream(requests))) for _ in range(2)]
        list(pool.map(lambda seed: check(program, seed), range(10)))
        assert all(stream.result() for stream in streams)
    print("streaming", flush=True)
    for _ in program.stream(itertools.cycle(requests), return_exceptions=False):
        pass


def served(program: Ranks) -> int:
    """The number of the last call, of streams if it has lanes for them."""
    lanes = program._lanes  # pyright: ignore[reportPrivateUsage]
    return max(map(last_call, lanes[1:] or lanes))


def last_call(lane: Lane) -> int:
    return lane.calls.wire.call.value


def batches(program: Ranks) -> None:
    """Requests in their order, two at a time of which each rank computes one: some are left over,
    one fails, and then a rank is lost."""
    requests = [given(2 * seed, 1) for seed in range(25)]
    expected = [program.serial(*request) for request in requests]
    assert all(map(same_bits, program.stream(requests), expected))
    assert served(program) == 25 // 2, "ranks compute pairs"
    bad = (given(0)[0], torch.tensor([99]))
    results = list(program.stream([*requests[:5], bad, *requests[5:]], return_exceptions=True))
    assert "index 99" in str(results.pop(5)) and all(map(same_bits, results, expected))
    print("streaming", flush=True)
    for _ in program.stream(itertools.cycle(requests)):
        pass


def outlived(program: Ranks) -> None:
    """Rank 0 goes on with something else once another one is lost."""
    requests = [torch.full((4, 8), float(seed)) for seed in range(8)]
    try:
        for number, y in enumerate(program.stream(itertools.cycle(requests))):
            assert torch.equal(y, requests[number % 8] * 8)
            if number == 20:
                print("streaming", flush=True)
    except RuntimeError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
    sys.stdin.read()


def forever(program: Ranks) -> None:
    """Calls, the first of which the parent hears of, until a rank is lost."""
    check(program, 0)
    print("called", flush=True)
    seed = 0
    while True:
        check(program, seed := seed + 1)


def interrupted(program: Ranks) -> None:
    """Ctrl-C ends a call, and the next one is right."""
    # A process that is started in the background of a shell ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    check(program, 0)
    ended = 0
    for seed in range(20):
        killer = threading.Timer(0.002 * seed / 20, os.kill, (os.getpid(), signal.SIGINT))
        try:
            begin = time.monotonic()
            killer.start()
            while time.monotonic() < begin + 60:
                check(program, seed)
        except KeyboardInterrupt:
            ended += 1
    print(f"{ended} interrupts", flush=True)
    check(program, 1)


def quick(program: Ranks) -> None:
    """Calls without Python, with errors between them, while another rank's weights change, with
    Ctrl-C, and until a rank is lost."""
    made = list[str]()
    call = Caller.call

    def noted(*args: Any) -> Any:
        made.append("fails")
        outputs = call(*args)
        made[-1] = "done"
        return outputs

    Caller.call = noted  # pyright: ignore[reportAttributeAccessIssue]
    gc.disable()  # Ctrl-C would be lost in a destructor, which has to run at once
    for seed in range(40):
        check(program, seed)
        if seed % 10 == 9:
            before = instances()
            try:
                program(given(seed)[0], torch.tensor([99, 0]))
            except RuntimeError as error:
                print(error, flush=True)
            else:
                raise AssertionError
            assert instances() == before - 1, "that of a call that fails is still there"
    gc.enable()
    assert made.count("done") > 30 and made.count("fails") == 4, made
    made.clear()
    for seed in range(CHANGED):
        check(program, 2 * seed)  # of one layout, as rank 1 expects another call like the last
    # The call was made anew, and later ones were taped and replayed.
    assert made.count("fails") == 1 and made[-1] == "done", made
    interrupted(program)
    forever(program)


def instances() -> int:
    """Copies of plans."""
    return sum(isinstance(thing, Instance) for thing in gc.get_objects())


CHANGED = 80
"""The number of the call in which `change` does."""


def change(program: Ranks) -> None:
    """Has one of this rank's weights changed in place, to what it was, while a call is made."""
    expect = Calls.expect

    def changed(calls: Calls, announced: Announced) -> None:
        expect(calls, announced)
        if announced.number == CHANGED:
            dict(program.named_buffers())["conv2.weight"].mul_(1)

    Calls.expect = changed  # pyright: ignore[reportAttributeAccessIssue]


def idle(program: Ranks) -> None:
    """Nothing for longer than a rank waits for another."""
    check(program, 0)
    time.sleep(6)
    check(program, 1)


PROGRAMS = {
    "batches": Batched,
    "crossed": Crossed,
    "outlived": Chained,
    "piped": Piped,
    "piped_quickly": PipedQuickly,
    "quick": Shared,
}
"""Of scenarios, unless it is Ranked."""


def main(scenario: str) -> None:
    rank = int(os.environ["RANK"])
    seed = rank if scenario == "different" else 0
    own = weights(seed)
    program = PROGRAMS.get(scenario, Ranked)(own)
    program.captures = scenario != "mixed" or rank == 0
    try:
        with program:
            if program.connect():
                if scenario == "quick":
                    change(program)
                program.serve()
            elif scenario not in ("different", "alone"):
                scenarios = (
                    batches,
                    calls,
                    crossed,
                    forever,
                    idle,
                    interrupted,
                    mixed,
                    outlived,
                    quick,
                    streamed,
                )
                named = {f.__name__: f for f in scenarios}
                named.get(scenario, streamed)(program)
    except (RuntimeError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
