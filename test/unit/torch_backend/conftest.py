"""Each test of the backend begins with nothing compiled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from ramiel.console.notes import note


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    torch.manual_seed(0)
    note.cache_clear()
    yield
    torch._dynamo.reset()
