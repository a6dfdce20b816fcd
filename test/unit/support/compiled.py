"""Models that torch.compile has given to the backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ramiel.torch_backend import graphs, ramiel
from ramiel.torch_backend.graph import CompiledGraph


def compiled(model: Any, **options: Any) -> Any:
    return torch.compile(model, backend=ramiel, options={"workers": 2, **options})


def made(call: Callable[[], object]) -> list[CompiledGraph]:
    """The graphs that a call compiles, in order."""
    before = set(graphs())
    call()
    return sorted(set(graphs()) - before, key=lambda graph: graph.title)


def assert_same(model: Any, *args: Any, compiled_model: Any = None, **kwargs: Any) -> None:
    """That three calls, of which the last is replayed where calls are, equal PyTorch's."""
    with torch.no_grad():
        expected = model(*args, **kwargs)
        for _ in range(3):
            got = compiled_model(*args, **kwargs)
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)
