"""A folder with a program as a model of Triton Inference Server's Python backend."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ramiel.api import CompiledProgram
from ramiel.errors import CompileError, shorten
from ramiel.serving.signature import Signature, TensorType, signature_of

_MODEL = '''"""A program compiled by Ramiel, as a model of Triton's Python backend.

The program is in {program}.py beside this file, its weights are in {program}.safetensors; both
need the packages ramiel and torch in Triton's Python environment.
"""

from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils
from ramiel.runtime import Strings, Weights

from {program} import {class_name}

INPUTS = {inputs}
"""Names in the model, by those in Python."""
OUTPUTS = {outputs}


def array_of(output):
    """What Triton takes."""
    if not isinstance(output, Strings):
        return output.numpy()
    words = [word.encode() for word in output.flat()]
    return np.array(words, np.object_).reshape(output.shape)


class TritonPythonModel:
    def initialize(self, args):
        weights = Weights.open(Path(__file__).with_name("{program}.safetensors"))
        self.program = {class_name}(weights)

    def execute(self, requests):
        """The responses to requests, which the program computes as a stream."""
        inputs = [self.inputs_of(request) for request in requests]
        if len(inputs) == 1:
            results = [self.called(inputs[0])]
        else:
            results = self.program.stream(inputs, return_exceptions=True)
        return [self.response(result) for result in results]

    def called(self, inputs):
        try:
            return self.program(**inputs)
        except Exception as error:
            return error

    def inputs_of(self, request):
        tensors = {{
            keyword: pb_utils.get_input_tensor_by_name(request, name)
            for keyword, name in INPUTS.items()
        }}
        return {{k: t.as_numpy() for k, t in tensors.items() if t is not None}}

    def response(self, result):
        if isinstance(result, Exception):
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(result)))
        outputs = result if isinstance(result, tuple) else (result,)
        pairs = zip(OUTPUTS, outputs, strict=True)
        return pb_utils.InferenceResponse([pb_utils.Tensor(n, array_of(o)) for n, o in pairs])

    def finalize(self):
        self.program.close()
'''
_PROGRAM = "program"


def write_model(program: CompiledProgram, folder: Path, max_batch: int) -> list[Path]:
    """Writes config.pbtxt, and in the folder 1 the program, its weights and the model.py that
    Triton calls; returns their paths. A model of any number of samples gets up to `max_batch`.

    Raises CompileError if a file cannot be written, or a value is of a type that Triton's Python
    backend lacks.
    """
    signature = signature_of(program)
    for tensor in (*signature.inputs, *signature.outputs):
        if tensor.datatype == "BF16":
            told = shorten(tensor.name)
            raise CompileError(f'"{told}" is of bfloat16, which Triton\'s Python backend lacks')
    version = folder / "1"
    files = {
        folder / "config.pbtxt": _config(signature, max_batch),
        version / "model.py": _MODEL.format(
            program=_PROGRAM,
            class_name=type(program).__name__,
            inputs={t.keyword: t.name for t in signature.inputs},
            outputs=[t.name for t in signature.outputs],
        ),
    }
    try:
        version.mkdir(parents=True, exist_ok=True)
        program.save(version / f"{_PROGRAM}.py")
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise CompileError(f"cannot be written: {reason}", file=str(error.filename)) from error
    return [*files, version / f"{_PROGRAM}.py", version / f"{_PROGRAM}.safetensors"]


def _config(signature: Signature, max_batch: int) -> str:
    """The model's configuration. Triton names the model after its folder."""
    batched = signature.is_batched
    lines = ['backend: "python"', f"max_batch_size: {max_batch if batched else 0}"]
    lines += _tensors("input", signature.inputs, batched)
    lines += _tensors("output", signature.outputs, batched)
    if batched:
        lines.append("dynamic_batching { }")
    lines.append("instance_group [ { kind: KIND_CPU, count: 1 } ]")
    return "\n".join([*lines, ""])


def _tensors(what: str, types: Sequence[TensorType], batched: bool) -> list[str]:
    lines: list[str] = []
    for tensor in types:
        dims = list(tensor.shape[batched:])
        datatype = "STRING" if tensor.datatype == "BYTES" else tensor.datatype
        # Triton has no tensors without dimensions.
        shape = f"dims: {dims}" if dims else "dims: [1], reshape: { shape: [ ] }"
        optional = ", optional: true" if tensor.is_optional else ""
        name = json.dumps(tensor.name, ensure_ascii=False)
        lines.append(f"{what} {{ name: {name}, data_type: TYPE_{datatype}, {shape}{optional} }}")
    return lines
