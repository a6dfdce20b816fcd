"""Encoded images."""

from __future__ import annotations

import io

import torch
from torch import Tensor

_MODES = {"RGB": "RGB", "BGR": "RGB", "Grayscale": "L"}


def decode_image(data: Tensor, pixels: str) -> Tensor:
    """The pixels [height, width, channel] of an encoded picture, whose bytes are `data`.

    Raises ImportError if Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("ImageDecoder needs Pillow: pip install 'ramiel[image]'") from error
    with Image.open(io.BytesIO(bytes(data.tolist()))) as picture:
        image = picture.convert(_MODES[pixels])
    flat = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    decoded = flat.reshape(image.height, image.width, -1)
    return decoded.flip(-1) if pixels == "BGR" else decoded
