"""torch-assign-names: assigns the Python names of the program."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from string import ascii_letters

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr
from xdsl.passes import ModulePass

from ramiel.dialects.onnx.operation import DEFAULT, MODEL, NAME
from ramiel.dialects.text import text_of
from ramiel.dialects.torch import (
    CallOp,
    ControlOp,
    FusedOp,
    LayerOp,
    LoopOp,
    Task,
    TorchOperation,
    WeightOp,
)
from ramiel.dialects.torch.operation import (
    CLASS,
    LAYER_NAME,
    METHOD,
    NAMES,
    PARAMETERS,
    PYTHON_NAME,
    SUFFIX,
)
from ramiel.torch_level.names import (
    Names,
    attribute_name,
    class_name,
    common_prefix,
    identifier,
    method_name,
    node_words,
    says_something,
    snake,
)
from ramiel.torch_level.tasks import main_function

_LETTERS = f"{ascii_letters}_.-$"

ROOM = 48
"""The most characters for the names of all results of a call, so that they fit on its line."""


@dataclass(frozen=True)
class TorchAssignNamesPass(ModulePass):
    """Writes distinct Python identifiers, taken from the model's names, on all operations.

        %y = torch.layer Conv2d(%x) weights {...} attributes {torch.node = "/conv1/Conv"} : ...
        // becomes
        %y = torch.layer Conv2d(%x) weights {...}
          attributes {torch.node = "/conv1/Conv", torch.names = ["conv1"],
                      torch.layer_name = "conv1"}

    Calls of the same layer share its name. The printer uses these names unchanged.
    """

    name = "torch-assign-names"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        function = main_function(op)
        op.attributes[CLASS] = StringAttr(class_name(text_of(op.attributes.get(MODEL)) or "model"))
        values, layers = Names(), Names()
        _name_arguments(function, values, layers)
        operations = [o for o in function.body.walk() if isinstance(o, TorchOperation)]
        prefix = common_prefix(o.origin[0] for o in operations)
        layer_names: dict[Hashable, str] = {}
        for o in operations:
            base = _base(o, prefix)
            if isinstance(o, Task):
                suffix = text_of(o.attributes.pop(SUFFIX, None))
                own = base if suffix is None else identifier(base, "value", suffix)
                names = [n if n == "_" else values.unique(n) for n in _result_names(o, own)]
                o.attributes[NAMES] = ArrayAttr([StringAttr(n) for n in names])
            if isinstance(o, ControlOp):
                o.attributes[METHOD] = StringAttr(layers.unique(method_name(base)))
                names = [values.unique(identifier(p, "x")) for p in _parameters(o)]
                o.attributes[PARAMETERS] = ArrayAttr([StringAttr(n) for n in names])
            if isinstance(o, LayerOp | WeightOp):
                key: Hashable = o.identity if isinstance(o, LayerOp) else o.weight
                if key not in layer_names:
                    # A weight may be an output, and its channel then shares the values' namespace.
                    beside = (values,) if isinstance(o, WeightOp) else ()
                    layer_names[key] = layers.unique(attribute_name(base), *beside)
                o.attributes[LAYER_NAME] = StringAttr(layer_names[key])


def _name_arguments(function: func.FuncOp, names: Names, layers: Names) -> None:
    given = function.arg_attrs.data if function.arg_attrs is not None else ()
    args = list(enumerate(function.body.block.args))
    attributes = [dict(given[i].data) if i < len(given) else {} for i, _ in args]
    texts = [text_of(attributes[i].get(NAME)) or arg.name_hint or "" for i, arg in args]
    wishes = [identifier(text, "x") for text in texts]
    # Valid names go first: with inputs `a_b` and `a.b`, the keyword `a_b` means the former.
    for i, _ in sorted(args, key=lambda arg: texts[arg[0]] != wishes[arg[0]]):
        name = names.unique(wishes[i])
        attributes[i][PYTHON_NAME] = StringAttr(name)
        if DEFAULT in attributes[i]:
            attributes[i][LAYER_NAME] = StringAttr(layers.unique(name))
    function.properties["arg_attrs"] = ArrayAttr([DictionaryAttr(a) for a in attributes])


def _parameters(op: ControlOp) -> list[str]:
    """Names for the parameters of a method and, for a loop, the iteration number."""
    if isinstance(op, LoopOp):
        counted, args = ["trips"] * op.counted, list(op.body.args)
        words = [a.name_hint or "x" for a in args]
        return [
            *counted,
            *(["condition"] if op.conditional else []),
            *words[1 + op.conditional :],
            "step",
        ]
    condition = [] if isinstance(op, FusedOp) else ["condition"]
    return [*condition, *(a.name_hint or "x" for a in op.bodies[0].args)]


def _base(op: TorchOperation, prefix: str) -> str:
    """A name that tells where an operation comes from."""
    node, op_type = op.origin
    fallback = snake(op_type.rpartition("::")[2]) or "value"
    hint = op.results[0].name_hint if op.results else None
    if isinstance(op, WeightOp):
        return identifier(hint or op.weight.data.name, "weight")
    words, suffix = "", ""
    if says_something(node, op_type):
        words, suffix = node_words(node.removeprefix(prefix), op_type)
    if not words and not suffix:
        # `v.` marks names that are numbers (see `hint`); these are prefixed by their operator.
        words = (hint or "").removeprefix("v.")
        if not says_something(words, op_type):
            words = f"{fallback} {words.strip(_LETTERS)}"
    name = identifier(words, identifier(fallback, "value"), suffix)
    if isinstance(op, CallOp) and hint is None:
        # An intermediate result of the node is named after its callee, unless the node is.
        step = snake(op.callee.rpartition(".")[2])
        if re.sub(r"\d+d$", "", step) not in name:
            name = identifier(name, "value", step)
    return name


def _result_names(op: TorchOperation, base: str) -> list[str]:
    count = len(op.results)
    if count == 1:
        return [base]
    short = base[: max(3, ROOM // count)].strip("_")
    dropped = not isinstance(op, ControlOp)  # the method of a ControlOp returns all results
    return [f"{short}_{i}" if r.uses or not dropped else "_" for i, r in enumerate(op.results)]
