"""A server in this process, and requests to it."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import onnx
from onnx.parser import parse_model

import ramiel
from ramiel.api import CompiledProgram
from ramiel.serving.models import Source
from ramiel.serving.protocol import HEADER_LENGTH
from ramiel.serving.server import Served, Server, Settings, bind
from ramiel.serving.signature import signature_of

PATIENCE_S = 30.0


def affine() -> onnx.ModelProto:
    """Any number of rows: y = 3x + 1, a relu of which is z."""
    return parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        affine (float[n, 4] x) => (float[n, 4] y, float[n, 4] z)
        <float three = {3}, float one = {1}> {
          scaled = Mul (x, three)
          y = Add (scaled, one)
          z = Relu (y)
        }"""
    )


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Requests to a server, each on a connection of its own."""

    def __init__(self, port: int, stop: Callable[[], None] | None = None) -> None:
        self.port, self.stop = port, stop or (lambda: None)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)

    def ask(
        self,
        path: str,
        body: bytes | Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer to GET, or to POST if there is a body."""
        connection = self.connect()
        data = json.dumps(body).encode() if isinstance(body, Mapping) else body
        try:
            connection.request("GET" if body is None else "POST", path, data, headers or {})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def infer(self, name: str, *inputs: Mapping[str, Any], **fields: Any) -> Answer:
        """The answer to a request with JSON tensors."""
        return self.ask(f"/v2/models/{name}/infer", {"inputs": list(inputs), **fields})

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of a name that have these labels."""
        told = [f'{key}="{value}"' for key, value in labels.items()]
        lines = self.ask("/metrics").body.decode().splitlines()
        samples = [line.rpartition(" ") for line in lines if re.split("[{ ]", line)[0] == name]
        return sum(float(value) for s, _, value in samples if all(label in s for label in told))


def given(name: str, array: Any, datatype: str = "FP32") -> dict[str, Any]:
    """An input with JSON data."""
    array = np.asarray(array)
    data = array.reshape(-1).tolist()
    return {"name": name, "datatype": datatype, "shape": list(array.shape), "data": data}


def binary(name: str, array: Any, datatype: str = "FP32") -> tuple[bytes, dict[str, str]]:
    """A body with one binary input that asks for binary outputs, and its headers."""
    data = np.asarray(array).tobytes()
    parameters = {"binary_data_size": len(data)}
    item = {"name": name, "datatype": datatype, "shape": np.shape(array), "parameters": parameters}
    document = {"inputs": [item], "parameters": {"binary_data_output": True}}
    header = json.dumps(document).encode()
    return header + data, {HEADER_LENGTH: str(len(header))}


def arrays_of(answer: Answer) -> dict[str, Any]:
    """The outputs of an answer, whose binary ones are float32."""
    length = int(answer.headers.get(HEADER_LENGTH.lower(), len(answer.body)))
    data = answer.body[length:]
    arrays: dict[str, Any] = {}
    for item in json.loads(answer.body[:length])["outputs"]:
        if "data" in item:
            flat = np.array(item["data"], np.float32)
        else:
            size = item["parameters"]["binary_data_size"]
            flat, data = np.frombuffer(data[:size], np.float32), data[size:]
        arrays[item["name"]] = flat.reshape(item["shape"])
    return arrays


@contextmanager
def serving(
    programs: Mapping[str, CompiledProgram], settings: Settings | None = None
) -> Generator[Client]:
    """Serves programs by name, or name and version."""
    sources = [name.partition("/") for name in programs]
    served = [
        Served(Source(name, int(version or 1), Path(name)), signature_of(program), program)
        for (name, _, version), program in zip(sources, programs.values(), strict=True)
    ]
    server, listening = Server(served, settings), bind("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, args=(listening,))
    thread.start()
    try:
        wait_until(lambda: server.is_up)
        yield Client(listening.getsockname()[1], server.stop)
    finally:
        server.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def sent(port: int, *data: bytes) -> socket.socket:
    """A connection on which these bytes were sent."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    for part in data:
        connection.sendall(part)
    return connection


class Hold(NamedTuple):
    """A call of a program has begun; calls may go on."""

    begun: threading.Event
    go: threading.Event


@contextmanager
def held(program: CompiledProgram) -> Generator[Hold]:
    """Calls of a program wait until they may go on, at the latest at the end."""
    hold, forward = Hold(threading.Event(), threading.Event()), program.forward

    def wait(*args: Any, **kwargs: Any) -> Any:
        hold.begun.set()
        assert hold.go.wait(PATIENCE_S)
        return forward(*args, **kwargs)

    with mock.patch.object(program, "forward", wait):
        try:
            yield hold
        finally:
            hold.go.set()


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.002)


def compiled(model: onnx.ModelProto, **options: Any) -> CompiledProgram:
    return ramiel.compile(model, workers=2, **options)
