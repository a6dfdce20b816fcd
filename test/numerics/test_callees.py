"""The closed lists of what emitted programs call: all of it is there, and all of it is used."""

import re
from pathlib import Path

import pytest

from ramiel import runtime, transforms
from ramiel.conversion import onnx_to_torch as lowering
from ramiel.dialects.torch import CallOp
from ramiel.dialects.torch.callees import CALLEES, LAYERS
from ramiel.execution.evaluator import resolve
from ramiel.runtime import Layer, ops
from ramiel.torch_level.candidates import candidates

SOURCES = (
    *Path(lowering.__file__).parent.rglob("*.py"),
    *Path(transforms.__file__).parent.glob("torch_recognize_*.py"),
)
TABLE = "\n".join(p.read_text() for p in SOURCES)


@pytest.mark.parametrize("callee", sorted(CALLEES))
def test_callee_resolves(callee: str) -> None:
    assert callable(resolve(callee))


def test_other_names_do_not_resolve() -> None:
    with pytest.raises(ValueError, match="may be called"):
        resolve("torch.load")


OF_LOOPS = {"steps", "stacked"}
"""What the methods of loops call."""


def test_operators_of_the_runtime_are_listed() -> None:
    listed = {c.removeprefix("ops.") for c in CALLEES if c.startswith("ops.")}
    assert listed | OF_LOOPS == set(ops.__all__)
    assert all(callable(getattr(ops, name)) for name in ops.__all__)


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_layer_exists(name: str) -> None:
    assert issubclass(getattr(runtime, name), Layer)


KERNELS = frozenset(c for c in CALLEES if c.startswith("kernels."))


def test_functions_of_other_providers_are_listed() -> None:
    """Those that torch-choose-kernels may choose instead of PyTorch's of the same name."""
    chosen = (c for c in CALLEES - KERNELS if candidates(CallOp.of(c, [], {}, []), "auto"))
    assert {f"kernels.{c.partition('.')[2]}" for c in chosen} == KERNELS


def test_everything_listed_is_used() -> None:
    # The table spells "F.conv{w.dims}d" for the three of them.
    listed = sorted(CALLEES - KERNELS | LAYERS)
    names = re.sub(r"[1-3]d\b", "{w.dims}d", " ".join(listed)).split()
    table = TABLE.replace("{rank - 2}", "{w.dims}")
    assert [n for n in sorted(set(names)) if f'"{n}"' not in table] == []
