"""torch-merge-convolutions: merges convolutions that a schedule has marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseArrayBase,
    FloatAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    f64,
)
from xdsl.passes import ModulePass

from ramiel.dialects.cluster import ProgramOp
from ramiel.dialects.cluster.attributes import COST, MERGE, SHARE, WIDE_COST
from ramiel.dialects.onnx.weights import FreshNames, weights_of
from ramiel.dialects.text import text_of
from ramiel.dialects.torch import CallOp, ControlOp, LayerOp, TorchOperation, WeightOp
from ramiel.dialects.torch.operation import LAYER_NAME, NAMES, PYTHON_NAME
from ramiel.errors import CompileError
from ramiel.torch_level.merging import channels_of, costs_of_merged, merged_layer, share_of_merged
from ramiel.torch_level.names import Names, identifier
from ramiel.torch_level.tasks import main_function


@dataclass(frozen=True)
class TorchMergeConvolutionsPass(ModulePass):
    """Merges convolutions with the same number in `cluster.merge` into one, followed by a split.

        %a = torch.layer Conv2d(%x) weights {weight = "a" : tensor<8x4x1x1xf32>}
          attributes {cluster.merge = 0 : i64} : ...
        %b = torch.layer Conv2d(%x) {padding = 1} weights {weight = "b" : tensor<6x4x3x3xf32>}
          attributes {cluster.merge = 0 : i64} : ...
        // becomes
        %0 = torch.layer Conv2d(%x) {padding = 1}
          weights {weight = "a.merged.weight" : tensor<14x4x3x3xf32>} : ...
        %a, %b = torch.call torch.split(%0, [8, 6], dim = 1) : ...

    The new convolution takes the place of the first one, with its origin and its place in the
    schedule; the split has those of the last. Python names are optional. Convolutions that cannot
    be merged, see `ramiel.torch_level.merging`, are refused.
    """

    name = "torch-merge-convolutions"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        function = main_function(op)
        groups: dict[int, list[TorchOperation]] = {}
        for task in function.body.block.ops:
            if isinstance(task, TorchOperation) and MERGE in task.attributes:
                groups.setdefault(_number(task), []).append(task)
        if groups and any(isinstance(o, ProgramOp) for o in op.ops):
            raise CompileError(f"{self.name}: must run before cluster-channels")
        weights, values, layers = FreshNames(weights_of(op)), Names(), Names()
        _take_names(function, values, layers)
        for number, group in groups.items():
            convolutions = [o for o in group if isinstance(o, LayerOp)]
            try:
                if strangers := [o for o in group if not isinstance(o, LayerOp)]:
                    raise ValueError(f"{strangers[0].title} is not a convolution")
                merged = merged_layer(convolutions, weights)
            except ValueError as error:
                raise CompileError(f"{MERGE} = {number}: {error}") from error
            _replace(convolutions, merged, values, layers)


def _number(op: TorchOperation) -> int:
    number = op.attributes[MERGE]
    if not isinstance(number, IntegerAttr):
        raise CompileError(f"{MERGE} is {number}: it must be an integer")
    return number.value.data


def _take_names(function: func.FuncOp, values: Names, layers: Names) -> None:
    """Reserves the Python names of a function, including those of methods and in bodies."""
    given = function.arg_attrs.data if function.arg_attrs is not None else ()
    for entries in given:
        if (name := text_of(entries.data.get(PYTHON_NAME))) is not None:
            values.unique(name)
        if (name := text_of(entries.data.get(LAYER_NAME))) is not None:
            layers.unique(name)
    for op in function.body.walk():
        if not isinstance(op, TorchOperation):
            continue
        for name in op.python_names:
            values.unique(name)
        if isinstance(op, ControlOp):
            if op.method is not None:  # methods share the layers' namespace
                layers.unique(op.method)
            for name in op.parameters:
                values.unique(name)
        if op.layer_name is not None:
            layers.unique(op.layer_name)
            if isinstance(op, WeightOp):  # its channel, if any, shares the values' namespace
                values.unique(op.layer_name)


def _replace(ops: Sequence[LayerOp], merged: LayerOp, values: Names, layers: Names) -> None:
    """Replaces the convolutions by the merged one and its split, in the place of the first."""
    first, last = ops[0], ops[-1]
    old = [op.results[0] for op in ops]
    sizes = [channels_of(op) for op in ops]
    split = CallOp.of(
        "torch.split", [merged.results[0], sizes], {"dim": 1}, [value.type for value in old]
    )
    merged.attributes |= {k: v for k, v in first.attributes.items() if k != MERGE}
    split.attributes |= {k: v for k, v in last.attributes.items() if k not in (MERGE, LAYER_NAME)}
    _write_names(ops, merged, split, values, layers)
    _write_costs(ops, merged, split)
    block = first.parent
    assert block is not None
    block.insert_ops_before([merged, split], first)
    for op, new in zip(ops, split.results, strict=True):
        new.name_hint = op.results[0].name_hint
        op.results[0].replace_all_uses_with(new)
        op.detach()
        op.erase()


def _write_names(
    ops: Sequence[LayerOp], merged: LayerOp, split: CallOp, values: Names, layers: Names
) -> None:
    """Gives the parts their old names and the merged convolution a new one."""
    names = [name for op in ops for name in op.python_names]
    if len(names) < len(ops):
        for new in (merged, split):
            new.attributes.pop(NAMES, None)
            new.attributes.pop(LAYER_NAME, None)
        return
    columns = zip(*(name.split("_") for name in names), strict=False)
    shared = " ".join(words[0] for words in takewhile(lambda words: len({*words}) == 1, columns))
    base = identifier(shared or names[0], "conv", "merged")
    merged.attributes[NAMES] = ArrayAttr([StringAttr(values.unique(base))])
    merged.attributes[LAYER_NAME] = StringAttr(layers.unique(base))
    split.attributes[NAMES] = ArrayAttr([StringAttr(name) for name in names])


def _write_costs(ops: Sequence[LayerOp], merged: LayerOp, split: CallOp) -> None:
    for new in (merged, split):
        new.attributes.pop(COST, None)
        new.attributes.pop(WIDE_COST, None)
        new.attributes.pop(SHARE, None)
        if costs := costs_of_merged(ops, new):
            new.attributes[COST] = FloatAttr(costs[0], f64)
            if len(costs) > 1:
                new.attributes[WIDE_COST] = DenseArrayBase.from_list(f64, costs[1:])
        if (share := share_of_merged(ops, new)) is not None:
            new.attributes[SHARE] = FloatAttr(share, f64)
