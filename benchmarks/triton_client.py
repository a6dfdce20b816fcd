"""Asks a server with Triton's own client (pip install 'tritonclient[http]'), as users do.

    ramiel serve MODEL.onnx --port 8000
    python benchmarks/triton_client.py 127.0.0.1:8000 MODEL

Every input is zeros, each in JSON and in binary, and so are outputs; the results must be the same.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException, triton_to_np_dtype


def main() -> None:
    url, name = sys.argv[1:]
    client = triton.InferenceServerClient(url)
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(name)
    print(client.get_server_metadata())
    metadata = client.get_model_metadata(name)
    print(metadata)
    results: list[list[Any]] = []
    for binary_inputs in (True, False):
        for binary_outputs in (True, False):
            inputs: list[triton.InferInput] = []
            for item in metadata["inputs"]:
                shape = [max(dim, 1) for dim in item["shape"]]
                tensor = np.zeros(shape, triton_to_np_dtype(item["datatype"]))
                inputs.append(triton.InferInput(item["name"], shape, item["datatype"]))
                inputs[-1].set_data_from_numpy(tensor, binary_data=binary_inputs)
            names = [item["name"] for item in metadata["outputs"]]
            wanted = [triton.InferRequestedOutput(n, binary_data=binary_outputs) for n in names]
            answer = client.infer(name, inputs, outputs=wanted, request_id="1", timeout=5_000_000)
            results.append([answer.as_numpy(n) for n in names])
    for other in results[1:]:
        assert all(map(np.array_equal, results[0], other))
    try:
        client.infer(f"no {name}", [])
    except InferenceServerException as error:
        print("a model that does not exist:", error)
    else:
        raise SystemExit("a model that does not exist was served")
    print(f"{len(results)} ways to send and receive give the same results")


if __name__ == "__main__":
    main()
