"""IR dumps: one numbered .mlir file a stage, and one file with all weights."""

from __future__ import annotations

from pathlib import Path

from xdsl.dialects.builtin import ModuleOp, StringAttr

from ramiel.dialects.onnx.attributes import WeightAttr
from ramiel.errors import CompileError


class IrDump:
    """Called with each stage's name and module; `close` writes the weights.

    The files can be fed back into ramiel-opt, weights included.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        self.weights: dict[str, WeightAttr] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = (error.strerror or "cannot be made").lower()
            raise CompileError(f"cannot be made: {reason}", file=str(folder)) from error

    def __call__(self, stage: str, module: ModuleOp) -> None:
        from ramiel.dialects.onnx.weights import weights_of
        from ramiel.weights.store import WEIGHTS, replacing

        found = {n: w for n, w in weights_of(module).items() if w.data.load is not None}
        self.weights |= found
        before = module.attributes.get(WEIGHTS)
        if found:
            module.attributes[WEIGHTS] = StringAttr("weights.safetensors")
        with replacing(self.folder / f"{self.count:02}_{stage}.mlir") as temporary:
            temporary.write_text(f"{module!s}\n", encoding="utf-8")
        module.attributes.pop(WEIGHTS, None)
        if before is not None:
            module.attributes[WEIGHTS] = before
        self.count += 1

    def close(self) -> None:
        from ramiel.weights.store import save_arrays

        if self.weights:
            arrays = {name: weight.array() for name, weight in self.weights.items()}
            save_arrays(self.folder / "weights.safetensors", arrays)
