"""Ranks on one machine send through memory that they share."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from ramiel.runtime.distributed.neighbours import VARIABLE, Neighbours
from ramiel.runtime.replay.native import native, why_not

pytestmark = pytest.mark.skipif(native() is None, reason=why_not())
SIZES = ({-1: 8, 0: 4096, 1: 100}, {-1: 8, 2: 64})


def met() -> tuple[Neighbours, Neighbours]:
    """Two ranks, here of one process, that have found each other."""
    first, second = Neighbours(0, SIZES), Neighbours(1, SIZES)
    offers = [first.offer().encode(), second.offer().encode()]
    assert first.open(1, offers[1]) and second.open(0, offers[0])
    first.keep([1])
    second.keep([0])
    assert (first.ranks, second.ranks) == ([1], [0])
    return first, second


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def check_places() -> None:
    first, second = met()
    for number, size in SIZES[0].items():
        sends, receives = first.slot(0, number), second.slot(0, number)
        assert sends is not None and receives is not None
        assert sends.buffer.numel() == size and sends.buffer.data_ptr() % 64 == 0
        sends.buffer.copy_(torch.arange(size) % 251)
        assert torch.equal(receives.buffer, sends.buffer)
        assert sends.buffer.data_ptr() != receives.buffer.data_ptr()


def test_messages_lie_where_they_are_read_and_nothing_is_left() -> None:
    check_places()
    before = descriptors()
    for _ in range(3):
        check_places()
    assert descriptors() == before


def test_a_message_is_waited_for() -> None:
    first, second = met()
    sends, receives = first.slot(0, -1), second.slot(0, -1)
    assert sends is not None and receives is not None
    assert not receives.receive(10, 1)
    for _ in range(200):
        sender = threading.Timer(0.0005, sends.send)
        sender.start()
        while not receives.receive(0, 1000):
            pass
        sender.join()
        assert not receives.receive(0, 0), "each is received once"


def test_a_channel_is_used_once_in_a_call() -> None:
    first, second = met()
    sends, receives = first.slot(0, 0), second.slot(0, 0)
    assert sends is not None and receives is not None
    for call in (1, 2, 5):
        first.calls[0].value = second.calls[0].value = call
        assert not receives.has_received() and not receives.receive(0, 0)
        assert sends.claim() and not sends.claim()
        sends.send()
        assert receives.receive(0, 0) and receives.has_received() and receives.receive(0, 0)


def told(offer: str, **other: Any) -> bytes:
    return json.dumps({**json.loads(offer), **other}).encode()


def test_what_is_no_offer_is_refused(tmp_path: Path) -> None:
    first, second = Neighbours(0, SIZES), Neighbours(1, SIZES)
    offer = first.offer()
    second.offer()
    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    os.ftruncate(file, 1 << 16)
    bad = [b"", b"x", b"[]", b"{}", b"1", b"x" * 5000, offer.encode()[:-2]]
    bad += [told(offer, machine="another"), told(offer, token="00"), told(offer, file=file)]
    bad += [told(offer, file=-1), told(offer, process=-1), told(offer, process=2**40)]
    bad += [told(offer, file="../1"), told(offer, file=None), told(offer, process=[1])]
    for content in bad:
        assert not second.open(0, content), content
    os.close(file)
    assert second.open(0, offer.encode())


def test_without_shared_memory_there_are_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Neighbours(0, ()).offer() == ""
    monkeypatch.setenv(VARIABLE, "0")
    assert Neighbours(0, SIZES).offer() == ""
    monkeypatch.delenv(VARIABLE)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    first = Neighbours(0, SIZES)
    assert first.offer() == ""
    first.keep([])
    assert first.ranks == [] and first.slot(0, 0) is None


def test_a_rank_whose_process_has_ended_is_noticed() -> None:
    context = multiprocessing.get_context("fork")
    reader, writer = context.Pipe()

    def offers() -> None:
        other = Neighbours(1, SIZES)
        writer.send(other.offer())
        writer.recv()

    process = context.Process(target=offers)
    process.start()
    offer = reader.recv()
    first = Neighbours(0, SIZES)
    first.offer()
    assert first.open(1, offer.encode())
    first.keep([1])
    assert not first.has_ended(1)
    process.kill()
    process.join()
    assert first.has_ended(1)
