"""The target `pytorch` of ramiel-opt and xdsl-opt: the source of the program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.target import Target

from ramiel.backend.pytorch.printer import print_program


@dataclass(frozen=True)
class PytorchTarget(Target):
    """Prints a scheduled module as Python. The weights are not written."""

    name = "pytorch"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        output.write(print_program(module).source)
