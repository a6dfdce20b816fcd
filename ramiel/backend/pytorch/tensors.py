"""Arrays of numpy as tensors of torch, and back, without a copy where that is possible."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import torch
from torch import Tensor

from ramiel.dialects.onnx.attributes import Array


def tensor_of(array: Array) -> Tensor:
    """Raises TypeError for an element type that torch does not have."""
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(_writable(array.view(np.int16))).view(torch.bfloat16)
    return torch.from_numpy(_writable(array))


def array_of_tensor(tensor: Tensor) -> Array:
    tensor = tensor.detach().cpu().contiguous()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def _writable(array: Array) -> Array:
    """torch wants memory that it may write; what is mapped from a file is copied."""
    array = np.asarray(array, order="C")
    return array if array.flags.writeable else array.copy()
