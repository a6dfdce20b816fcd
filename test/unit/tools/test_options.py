"""How the commands read sizes and shapes, and what they offer."""

from __future__ import annotations

import pytest

from ramiel.dialects.cluster.attributes import Executor
from ramiel.errors import CompileError
from ramiel.pipelines import EXECUTORS
from ramiel.tools.options import shapes_of, size_of


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("300000000", 300_000_000),
        ("300MB", 300_000_000),
        ("300 mb", 300_000_000),
        ("0.3G", 300_000_000),
        ("256MiB", 256 << 20),
        ("1k", 1000),
        ("7B", 7),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-5MB", "1e3", "1,5G", "5 apples", "nan", "0x10"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(CompileError, match="expected a size"):
        size_of(text)


def test_shapes() -> None:
    assert shapes_of(["x=1x3x224x224", "a=b=2", "scalar="]) == {
        "x": (1, 3, 224, 224),
        "a=b": (2,),
        "scalar": (),
    }


@pytest.mark.parametrize("text", ["x", "1x3", "x=axb", "x=1x-3", "x=1x", "x=1.5", "x=²"])
def test_what_is_no_shape(text: str) -> None:
    with pytest.raises(CompileError, match="expected NAME"):
        shapes_of([text])


def test_executors_are_those_of_the_cluster_dialect() -> None:
    """The pipelines name them without importing the dialects. Streams are chosen by the device."""
    assert sorted(EXECUTORS) == sorted({*Executor} - {Executor.STREAMS})
