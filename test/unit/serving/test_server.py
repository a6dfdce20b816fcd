"""A server and its clients: what it answers, and what it does not let them break."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from onnx.parser import parse_model
from served import (
    Client,
    affine,
    arrays_of,
    binary,
    compiled,
    given,
    sent,
    serving,
    wait_until,
)
from small_models import branches

from ramiel.api import CompiledProgram
from ramiel.serving.limits import Limits
from ramiel.serving.protocol import HEADER_LENGTH
from ramiel.serving.server import Settings
from ramiel.serving.signature import DATATYPES

ONNX_NAMES = {
    "BOOL": "bool",
    "FP16": "float16",
    "FP32": "float",
    "FP64": "double",
    "BF16": "bfloat16",
    "BYTES": "string",
}
ODD = "ä b.c%2F"
"""A name that needs percent-encoding."""
LIMIT = 100_000


def of_all_types() -> CompiledProgram:
    """Each input is an output as well."""
    names = {name: ONNX_NAMES.get(name, name.lower()) for name in DATATYPES}
    inputs = ", ".join(f"{onnx}[n] {name}" for name, onnx in names.items())
    outputs = ", ".join(f"{onnx}[n] out_{name}" for name, onnx in names.items())
    nodes = "\n".join(f"out_{name} = Identity ({name})" for name in names)
    text = f'<ir_version: 10, opset_import: ["" : 21]> types ({inputs}) => ({outputs}) {{{nodes}}}'
    return compiled(parse_model(text))


def gathering() -> CompiledProgram:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    rows (float[4, 2] table, int64[n] places) => (float[n, 2] rows)
    { rows = Gather (table, places) }"""
    return compiled(parse_model(text))


@pytest.fixture(scope="module")
def programs() -> dict[str, CompiledProgram]:
    return {
        "affine": compiled(affine()),
        "affine/3": compiled(affine()),
        "branches": compiled(branches(), schedule="linear"),
        "types": of_all_types(),
        "rows": gathering(),
        ODD: compiled(affine()),
    }


@pytest.fixture(scope="module")
def client(programs: dict[str, CompiledProgram]) -> Iterator[Client]:
    with serving(programs, Settings(limits=Limits(most_bytes=LIMIT), access_log=False)) as client:
        yield client


X = np.array([[1.0, -2.0, 3.0, -4.0]], np.float32)


def works(client: Client) -> bool:
    """Whether another request gets what it should."""
    answer = client.infer("affine", given("x", X))
    return answer.status == 200 and np.array_equal(arrays_of(answer)["y"], 3 * X + 1)


# --- what there is ---


def test_the_server_and_its_health(client: Client) -> None:
    server = client.ask("/v2").json
    assert server["name"] == "ramiel" and server["extensions"] == ["binary_tensor_data"]
    assert client.ask("/v2/health/live").json == {"live": True}
    assert client.ask("/v2/health/ready").json == {"ready": True}


def test_metadata(client: Client) -> None:
    shape = [-1, 4]
    for path in ("/v2/models/affine", "/v2/models/affine/versions/1"):
        assert client.ask(path).json == {
            "name": "affine",
            "versions": ["1", "3"],
            "platform": "ramiel",
            "inputs": [{"name": "x", "datatype": "FP32", "shape": shape}],
            "outputs": [
                {"name": "y", "datatype": "FP32", "shape": shape},
                {"name": "z", "datatype": "FP32", "shape": shape},
            ],
        }
    types = client.ask("/v2/models/types").json
    assert [t["datatype"] for t in types["inputs"]] == list(DATATYPES)
    assert client.ask("/v2/models/branches").json["inputs"][0]["shape"] == [1, 8, 16, 16]


def test_versions(client: Client) -> None:
    body = {"inputs": [given("x", X)]}
    for path, version in (("", "3"), ("/versions/1", "1"), ("/versions/3", "3")):
        assert client.ask(f"/v2/models/affine{path}/ready").json == {
            "name": "affine",
            "ready": True,
        }
        answer = client.ask(f"/v2/models/affine{path}/infer", body)
        assert answer.json["model_version"] == version


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/v2/models/none", 'there is no model "none"'),
        ("/v2/models/affine/versions/2", 'model "affine" has no version "2"; it has 1, 3'),
        ("/v2/models/affine/versions/x/ready", 'has no version "x"'),
        ("/v2/models/..%2Faffine", "Not Found"),
        ("/v2/nothing", "Not Found"),
    ],
)
def test_what_there_is_not(client: Client, path: str, reason: str) -> None:
    answer = client.ask(path)
    assert answer.status == 404 and reason in answer.json["error"]


def test_a_name_that_needs_encoding(client: Client) -> None:
    name = quote(ODD, safe="")
    assert client.ask(f"/v2/models/{name}").json["name"] == ODD
    assert client.infer(name, given("x", X)).json["model_name"] == ODD


# --- inference ---


def test_json_and_binary_give_the_same_bits(
    client: Client, programs: dict[str, CompiledProgram]
) -> None:
    image = np.random.default_rng(0).random((1, 8, 16, 16), np.float32)
    joined, pooled = (tensor.numpy() for tensor in programs["branches"](image))
    body, headers = binary("image", image)
    for answer in (
        client.infer("branches", given("image", image), id="an id"),
        client.ask("/v2/models/branches/infer", body, headers),
    ):
        assert answer.status == 200, answer.json
        arrays = arrays_of(answer)
        assert np.array_equal(arrays["joined"], joined) and np.array_equal(arrays["pooled"], pooled)


def test_an_answer_says_what_was_asked(client: Client) -> None:
    answer = client.infer("affine", given("x", X), id="7", outputs=[{"name": "z"}]).json
    assert answer["id"] == "7" and answer["model_name"] == "affine"
    assert [output["name"] for output in answer["outputs"]] == ["z"]


def test_all_types(client: Client) -> None:
    values: dict[str, Any] = {"BOOL": [True, False], "BYTES": ["", "naïve\n"]}
    inputs = [
        {"name": n, "datatype": n, "shape": [2], "data": values.get(n, [0, 77])} for n in DATATYPES
    ]
    answer = client.infer("types", *inputs).json
    assert {o["name"]: o["data"] for o in answer["outputs"]} == {
        f"out_{item['name']}": item["data"] for item in inputs
    }
    assert [o["datatype"] for o in answer["outputs"]] == list(DATATYPES)
    # What has come in binary is asked for as input again.
    wanted = client.infer("types", *inputs, parameters={"binary_data_output": True})
    length = int(wanted.headers[HEADER_LENGTH.lower()])
    again = json.loads(wanted.body[:length])
    for item in again["outputs"]:
        item["name"] = item["name"].removeprefix("out_")
    header = json.dumps({"inputs": again["outputs"]}).encode()
    body, headers = header + wanted.body[length:], {HEADER_LENGTH: str(len(header))}
    assert client.ask("/v2/models/types/infer", body, headers).json["outputs"] == answer["outputs"]


def test_results_of_requests_that_gather(
    client: Client, programs: dict[str, CompiledProgram]
) -> None:
    """Each client gets its own result, bit for bit, in whatever company it was computed."""
    images = np.random.default_rng(1).random((40, 1, 8, 16, 16), np.float32)
    expected = [programs["branches"].serial(image)[0].numpy() for image in images]
    before = client.metric("ramiel_group_requests_count", model="branches")

    def ask(image: Any) -> Any:
        body, headers = binary("image", image)
        return arrays_of(client.ask("/v2/models/branches/infer", body, headers))["joined"]

    with ThreadPoolExecutor(8) as pool:
        for got, wanted in zip(pool.map(ask, images), expected, strict=True):
            assert np.array_equal(got, wanted)
    assert client.metric("ramiel_group_requests_count", model="branches") > before


# --- what clients do wrong ---


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"datatype": "INT32"}, 'FP32 expected, not "INT32"'),
        ({"shape": [4]}, "shape [-1, 4] expected, not [4]"),
        ({"name": "nobody"}, 'has no input "nobody"; it has "x"'),
    ],
)
def test_wrong_inputs(client: Client, changes: dict[str, Any], reason: str) -> None:
    answer = client.infer("affine", given("x", X) | changes)
    assert answer.status == 400 and reason in answer.json["error"]
    assert works(client)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"\x00garbage", {}, 400),
        (b"{}", {HEADER_LENGTH: "3"}, 400),
        (b"{}", {"Content-Encoding": "gzip"}, 415),
        (bytes(LIMIT + 1), {}, 413),
        (b"", {"Content-Length": "2000000000"}, 413),
    ],
)
def test_wrong_bodies(client: Client, body: bytes, headers: dict[str, str], status: int) -> None:
    answer = client.ask("/v2/models/affine/infer", body, headers)
    assert answer.status == status and answer.json["error"]
    assert works(client)


def test_chunks_that_are_too_large(client: Client) -> None:
    connection = client.connect()
    chunks = (bytes(LIMIT // 4) for _ in range(5))
    connection.request("POST", "/v2/models/affine/infer", chunks, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()
    assert works(client)


def test_a_failing_operator_is_named(client: Client) -> None:
    table = given("table", np.zeros((4, 2)))
    answer = client.infer("rows", table, given("places", [1, 9], "INT64"))
    assert answer.status == 400 and "Gather" in answer.json["error"]
    right = client.infer("rows", table, given("places", [1, 3], "INT64"))
    assert right.json["outputs"][0]["shape"] == [2, 2]


def test_wrong_methods(client: Client) -> None:
    answer = client.ask("/v2/health/live", {})
    assert answer.status == 405 and answer.json == {"error": "Method Not Allowed"}


def raw(body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = f"POST /v2/models/affine/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
    return head.encode() + body


REQUEST = raw(json.dumps({"inputs": [given("x", X)]}).encode())


def test_clients_that_go_away(client: Client) -> None:
    """Within headers, within a body, before the answer, and with bytes that are no HTTP: others are
    served."""
    before = client.metric("ramiel_requests_total", code="499")
    half, endless = raw(b'{"inputs"', 500), raw(b"", int("9" * 30))
    for data in (b"", b"POST /v2", half, endless, REQUEST, b"\x16\x03\x01\0\xff" * 50):
        for _ in range(3):
            sent(client.port, data).close()
        assert works(client)
    wait_until(lambda: client.metric("ramiel_requests_total", code="499") >= before + 3)
