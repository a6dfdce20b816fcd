"""Queues that are full, time that is up, and a server that stops."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import numpy as np
import pytest
from onnx.parser import parse_model
from served import (
    PATIENCE_S,
    Answer,
    Client,
    affine,
    arrays_of,
    binary,
    compiled,
    given,
    held,
    sent,
    serving,
    wait_until,
)

from ramiel.api import CompiledProgram
from ramiel.serving import server
from ramiel.serving.app import InParts
from ramiel.serving.connection import MOST_HEADERS
from ramiel.serving.engine import Gathering, Pending
from ramiel.serving.limits import Limits
from ramiel.serving.protocol import Body, InferRequest, InferResponse
from ramiel.serving.server import Settings

X = given("x", np.ones((1, 4)))


@pytest.fixture(scope="module")
def model() -> CompiledProgram:
    return compiled(affine())


@pytest.fixture
def program(model: CompiledProgram) -> CompiledProgram:
    """One that the server may close."""
    return deepcopy(model)


def settings(gathering: Gathering, **limits: float) -> Settings:
    return Settings(gathering, Limits(**limits), access_log=False)  # pyright: ignore


def ask(client: Client, **fields: object) -> Answer:
    return client.infer("m", X, **fields)


def waiting(client: Client, count: int) -> None:
    wait_until(lambda: client.metric("ramiel_waiting_requests", model="m") == count)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_a_full_queue(program: CompiledProgram, pool: ThreadPoolExecutor) -> None:
    gathering = Gathering(max_batch=1, most_waiting=2)
    with serving({"m": program}, settings(gathering)) as client, held(program) as hold:
        computing = pool.submit(ask, client)
        assert hold.begun.wait(PATIENCE_S)
        accepted = [pool.submit(ask, client) for _ in range(2)]
        waiting(client, 2)
        refused = ask(client)
        assert refused.status == 503 and refused.headers["retry-after"] == "1"
        assert "waiting" in refused.json["error"]
        hold.go.set()
        assert [a.result().status for a in (computing, *accepted)] == [200] * 3
        assert client.metric("ramiel_requests_total", code="200") == 3
        assert client.metric("ramiel_requests_total", code="503") == 1


def test_time_that_is_up(program: CompiledProgram, pool: ThreadPoolExecutor) -> None:
    """While it is computed, or waits; what waits no longer leaves its place."""
    gathering = Gathering(max_batch=1, most_waiting=1)
    with serving({"m": program}, settings(gathering)) as client, held(program) as hold:
        for _ in range(2):
            late = ask(client, parameters={"timeout": 20_000})
            assert late.status == 504 and "in time" in late.json["error"]
        assert hold.begun.is_set()
        waiting(client, 0)
        hold.go.set()
        assert ask(client).status == 200
        assert client.metric("ramiel_requests_total", code="504") == 2


def test_a_body_that_does_not_come(program: CompiledProgram) -> None:
    with serving({"m": program}, settings(Gathering(), timeout_s=0.1)) as client:
        head = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
        with sent(client.port, head) as connection:
            assert connection.recv(100).startswith(b"HTTP/1.1 408 ")
        assert ask(client).status == 200


@pytest.mark.parametrize("line", [b"", b"X: "], ids=["path", "header"])
def test_headers_without_end(program: CompiledProgram, line: bytes) -> None:
    """They are refused long before they fill the memory; others are served."""
    with serving({"m": program}, settings(Gathering())) as client:
        connection = sent(client.port, b"GET /v2 HTTP/1.1\r\n" + line if line else b"GET /")
        with pytest.raises(ConnectionError):
            for _ in range(1024):
                connection.sendall(b"a" * MOST_HEADERS)
                time.sleep(0.001)
        connection.close()
        largest = sent(client.port, b"GET /v2 HTTP/1.1\r\nX: ".ljust(MOST_HEADERS, b"a"))
        largest.sendall(b"a")
        assert largest.recv(1000).startswith(b"HTTP/1.1 431 ")
        largest.close()
        assert ask(client).status == 200


@pytest.mark.parametrize("begun", [b"", b"GET /v2 HTTP/1.1\r\nHo"])
def test_headers_that_do_not_come(
    program: CompiledProgram, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do those of a second request, on a connection that has had an answer."""
    whole = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    monkeypatch.setattr(server, "KEEP_ALIVE_S", 0.2)
    with serving({"m": program}, settings(Gathering())) as client:
        assert sent(client.port, begun).recv(1000) == b""
        second = sent(client.port, whole)
        assert b'"live":true' in second.recv(1000)
        second.sendall(begun)
        assert second.recv(1000) == b""


def test_who_goes_away_leaves_the_queue(program: CompiledProgram, pool: ThreadPoolExecutor) -> None:
    body = json.dumps({"inputs": [X]}).encode()
    head = f"POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    gathering = Gathering(max_batch=1)
    with serving({"m": program}, settings(gathering)) as client, held(program) as hold:
        first = pool.submit(ask, client)
        assert hold.begun.wait(PATIENCE_S)
        with sent(client.port, head.encode(), body):
            waiting(client, 1)
        waiting(client, 0)
        hold.go.set()
        assert first.result().status == 200


@pytest.mark.parametrize("batch", [1, 2])
def test_requests_that_gather(pool: ThreadPoolExecutor, batch: int) -> None:
    """As a stream, or as samples of hyperclusters: each gets its own rows, an error its own."""
    program = compiled(affine(), batch=batch)
    gathering = Gathering(max_batch=5, max_delay_s=PATIENCE_S)
    with serving({"m": program}, settings(gathering)) as client:
        rows = [np.full((1 + i % 3, 4), i, np.float32) for i in range(5)]
        answers = pool.map(lambda r: client.infer("m", given("x", r)), rows)
        for row, answer in zip(rows, answers, strict=True):
            assert np.array_equal(arrays_of(answer)["y"], 3 * row + 1)
        # A group is noted after its last answer; what is computed on one core is one of its own.
        groups = 5 if batch == 1 else 1
        wait_until(lambda: client.metric("ramiel_group_requests_count") == groups)
        assert client.metric("ramiel_group_requests_sum") >= 5
        assert client.metric("ramiel_compute_seconds_count") == 5


def test_a_server_that_stops_answers_what_it_has_accepted(
    program: CompiledProgram, pool: ThreadPoolExecutor
) -> None:
    gathering = Gathering(max_batch=1)
    with serving({"m": program}, settings(gathering)) as client, held(program) as hold:
        accepted = [pool.submit(ask, client) for _ in range(6)]
        assert hold.begun.wait(PATIENCE_S)
        waiting(client, 5)
        client.stop()
        time.sleep(0.2)  # it stops listening meanwhile
        hold.go.set()
        assert [a.result().status for a in accepted] == [200] * 6
    with pytest.raises(OSError):
        ask(client)


def large(elements: int) -> CompiledProgram:
    """A response of 4 bytes for each element to a request of 4."""
    return compiled(
        parse_model(
            f"""<ir_version: 8, opset_import: ["" : 17]>
            large (float[1] x) => (float[{elements}] y)
            {{ shape = Constant <value_ints = [{elements}]> ()  y = Expand (x, shape) }}"""
        )
    )


def request_of(path: str, array: np.ndarray) -> bytes:
    body, headers = binary("x", array.astype(np.float32))
    lines = [f"POST /v2/models/{path}/infer HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *(f"{k}: {v}" for k, v in headers.items()), "\r\n"]).encode() + body


def test_who_does_not_read_is_cut_off() -> None:
    """A response that its client does not take leaves the memory, and others are served."""
    with serving({"m": large(10_000_000)}, settings(Gathering(), timeout_s=1.0)) as client:
        connection = sent(client.port, request_of("m", np.ones(1)))
        wait_until(lambda: client.metric("ramiel_held_bytes") > 40_000_000)
        wait_until(lambda: client.metric("ramiel_held_bytes") == 0)
        with pytest.raises(ConnectionError):
            while connection.recv(1 << 20):
                pass
            raise ConnectionError  # it has ended before the response has
        connection.close()


def test_too_much_at_a_time(program: CompiledProgram, pool: ThreadPoolExecutor) -> None:
    """A request that holds too much with those before it is refused, others are not."""
    with (
        serving({"m": program}, settings(Gathering(), most_held=5000)) as client,
        held(program) as hold,
    ):
        waits = sent(client.port, request_of("m", np.ones((250, 4))))
        assert hold.begun.wait(PATIENCE_S)
        for head in (b"Content-Length: 4000", b"Transfer-Encoding: chunked"):
            second = sent(client.port, b"POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\n" + head)
            second.sendall(b"\r\n\r\nfa0\r\n".ljust(4000))
            assert second.recv(1000).startswith(b"HTTP/1.1 503 ")
            second.close()
        hold.go.set()
        assert waits.recv(1000).startswith(b"HTTP/1.1 200 ")
        waits.close()
        assert ask(client).status == 200


def test_too_many_connections(program: CompiledProgram) -> None:
    with serving({"m": program}, settings(Gathering(), most_connections=4)) as client:
        connections = [sent(client.port) for _ in range(4)]
        assert sent(client.port).recv(1000).startswith(b"HTTP/1.1 503 ")
        for connection in connections:
            connection.close()
        wait_until(lambda: not sent(client.port, b"x").recv(1000).startswith(b"HTTP/1.1 503"))


def test_nothing_is_left_of_requests(program: CompiledProgram) -> None:
    """However they end, without Python's garbage collector, which does not know how much memory
    there is behind what it counts."""
    limits = settings(Gathering(max_batch=1))
    wrong = {**X, "shape": [5, 5]}
    with serving({"m": program, "rows": rows()}, limits) as client:
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                assert ask(client).status == 200
                assert client.infer("m", wrong).status == 400
                assert client.infer("rows", given("places", [9], "INT64")).status == 400
                whole = request_of("m", np.ones((100, 4)))
                for size in (50, len(whole) - 10, len(whole)):
                    sent(client.port, whole[:size]).close()
            with held(program) as hold:
                assert ask(client, parameters={"timeout": 1000}).status == 504
                hold.go.set()
            wait_until(lambda: not left())
        finally:
            gc.enable()


def left() -> list[object]:
    """What there is of requests and their responses."""
    kinds = (Body, InferRequest, InferResponse, InParts, Pending)
    return [found for found in gc.get_objects() if isinstance(found, kinds)]


def rows() -> CompiledProgram:
    return compiled(
        parse_model(
            """<ir_version: 8, opset_import: ["" : 17]>
            rows (int64[n] places) => (float[n] found)
            <float[2] table = {1, 2}> { found = Gather (table, places) }"""
        )
    )
