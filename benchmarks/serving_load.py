"""Clients of a server, in a closed loop: what benchmarks/serving.py runs as a process of its own.

    python benchmarks/serving_load.py PORT NAME CLIENTS SECONDS

Each client has a connection and sends the next request as soon as it has the answer to the last.
Prints JSON: the time of each request, how many there were, how many answers were errors or differ
from the first, the seconds that all took, and those of a core that the clients took.
"""

from __future__ import annotations

import http.client
import json
import math
import socket
import sys
import threading
import time
from typing import Any

import numpy as np

DTYPES = {"FP32": np.float32, "FP16": np.float16, "FP64": np.float64, "INT64": np.int64}


def request_of(port: int, name: str) -> bytes:
    """A request with random binary tensors, of one sample, that asks for binary outputs."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", f"/v2/models/{name}")
    random, inputs, data = np.random.default_rng(0), list[Any](), b""
    for item in json.load(connection.getresponse())["inputs"]:
        shape = [max(dim, 1) for dim in item["shape"]]
        dtype = DTYPES[item["datatype"]]
        tensor = (random.random(shape) * 2).astype(dtype).tobytes()
        assert len(tensor) == math.prod(shape) * np.dtype(dtype).itemsize
        inputs.append({**item, "shape": shape, "parameters": {"binary_data_size": len(tensor)}})
        data += tensor
    document = {"inputs": inputs, "parameters": {"binary_data_output": True}}
    header = json.dumps(document).encode()
    head = (
        f"POST /v2/models/{name}/infer HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Inference-Header-Content-Length: {len(header)}\r\n"
        f"Content-Length: {len(header) + len(data)}\r\n\r\n"
    )
    return head.encode() + header + data


def answer(connection: socket.socket) -> tuple[bool, bytes]:
    """Whether a response says that all went well, and its body."""
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _some(connection)
    lines = data[:end].lower().split(b"\r\n")
    (length,) = (int(line[15:]) for line in lines if line.startswith(b"content-length:"))
    body = [data[end + 4 :]]
    left = length - len(body[0])
    while left:
        body.append(_some(connection))
        left -= len(body[-1])
    return lines[0].split()[1] == b"200", b"".join(body)


def _some(connection: socket.socket) -> bytes:
    if not (data := connection.recv(1 << 20)):
        raise ConnectionError("the server has closed the connection")
    return data


def main() -> None:
    port, name, clients, seconds = sys.argv[1:]
    request = request_of(int(port), name)
    found: dict[str, Any] = {"times": [], "errors": 0, "different": 0}
    first: list[bytes] = []
    end = time.perf_counter() + float(seconds)

    def client() -> None:
        with socket.create_connection(("127.0.0.1", int(port))) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (begun := time.perf_counter()) < end:
                connection.sendall(request)
                is_well, body = answer(connection)
                found["times"].append(time.perf_counter() - begun)
                first[1:] = ()
                first.append(body)
                found["errors"] += not is_well
                found["different"] += body != first[0]

    threads = [threading.Thread(target=client) for _ in range(int(clients))]
    begun, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found["wall"], found["cpu"] = time.perf_counter() - begun, time.process_time() - cpu
    print(json.dumps({"requests": len(found["times"]), **found}))


if __name__ == "__main__":
    main()
