"""What plain `xdsl-opt` finds through the `xdsl.universe` entry point."""

from __future__ import annotations

from xdsl.ir import Dialect
from xdsl.universe import Universe


def _onnx() -> Dialect:
    from ramiel.dialects.onnx import onnx_dialect

    return onnx_dialect()


RAMIEL_UNIVERSE = Universe(all_dialects={"onnx": _onnx})
