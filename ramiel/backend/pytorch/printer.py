"""Prints a scheduled module as a Python program.

The printer decides nothing: names, order, workers, channels and layers are in the IR, and each
operation is printed in one way (`expressions.py`, `format.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from textwrap import wrap

from xdsl.dialects import func
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, ModuleOp
from xdsl.ir import Attribute, Block, SSAValue

from ramiel.backend.pytorch.devices import FORMS, idle_told, milliseconds, stream_told
from ramiel.backend.pytorch.expressions import layer_expression
from ramiel.backend.pytorch.format import INDENT, WIDTH, Bracket, Expression, quoted, statement
from ramiel.backend.pytorch.lines import (
    BODY,
    annotation,
    dtype_code,
    method_lines,
    operation_lines,
    return_annotation,
    return_statement,
    signature_lines,
    tuple_of,
    value_name,
)
from ramiel.dialects.cluster import ProgramOp, RecvOp, SectionOp
from ramiel.dialects.cluster.ranks import Crossing
from ramiel.dialects.onnx.attributes import WeightAttr
from ramiel.dialects.onnx.operation import MODEL, NAME, OPSET, dimension_names
from ramiel.dialects.onnx.types import kind_of, shape_of
from ramiel.dialects.onnx.weights import defaults_of
from ramiel.dialects.text import text_of
from ramiel.dialects.torch import (
    CallOp,
    ControlOp,
    FusedOp,
    LayerOp,
    LoopOp,
    Task,
    ThreadsOp,
    TorchOperation,
    WeightOp,
)
from ramiel.dialects.torch.operation import (
    CLASS,
    LAYER_NAME,
    PYTHON_NAME,
    SOURCE,
    is_identifier,
)
from ramiel.errors import CompileError
from ramiel.torch_level.tasks import main_function
from ramiel.version import __version__


@dataclass(frozen=True)
class Emitted:
    """A printed program and the data it needs."""

    class_name: str
    source: str
    weights: Mapping[str, WeightAttr]
    """Name in the .safetensors file -> tensor."""
    nodes: Mapping[str, tuple[str, str]]
    """Python name of a value -> name and operator of its ONNX node."""


def print_program(module: ModuleOp) -> Emitted:
    """The program of a module that holds a function and its `cluster.program`.

    Raises CompileError if a required pass was left out.
    """
    programs = [op for op in module.ops if isinstance(op, ProgramOp)]
    if len(programs) != 1:
        raise CompileError("there is no schedule to print: run cluster-channels first")
    for op in module.walk():
        nameless = isinstance(op, Task | RecvOp) and op.results and not op.python_names
        nameless = nameless or (isinstance(op, ControlOp) and op.method is None)
        if nameless or (isinstance(op, LayerOp | WeightOp) and op.layer_name is None):
            raise CompileError(f"{op.name} has no name: run torch-assign-names first")
    return _Printer(module, main_function(module), programs[0]).emit()


class _Printer:
    def __init__(self, module: ModuleOp, function: func.FuncOp, program: ProgramOp) -> None:
        self.module = module
        self.function = function
        self.program = program
        self.operations = [op for op in function.body.walk() if isinstance(op, TorchOperation)]
        self.batch = self._number("batch")
        self.form = FORMS[program.executor]
        self.defaults = defaults_of(function)

    def emit(self) -> Emitted:
        model = self._module_text(CLASS)
        lines = [
            *self._header(),
            *self._imports(),
            "",
            "",
            f"class {model}({self.form.base}):",
            *self._declarations(),
            "",
            *self._init(),
        ]
        for worker in self.program.workers:
            number = worker.number.value.data
            given = f"(self, ch: {self.form.channels}) -> None:"
            lines += ["", f"{INDENT}{self.form.define} worker_{number}{given}"]
            indent = BODY
            if self.form.within:
                lines.append(f"{BODY}{self.form.within.format(number)}")
                indent += INDENT
            lines += self._body(worker.body.block, {}, indent) or [f"{indent}pass"]
        for op in self.operations:
            if isinstance(op, ControlOp):
                lines += ["", *method_lines(op)]
        lines += ["", *self._serial(), "", "", 'if __name__ == "__main__":']
        lines += [f"{INDENT}main({model}, __file__)", ""]
        return Emitted(model, "\n".join(lines), self._weights(), self._nodes())

    # --- the parts ---

    def _header(self) -> list[str]:
        count = sum(isinstance(op, Task) for op in self.operations)
        number, us = self._number, self._milliseconds
        schedule = _safe(text_of(self.program.attributes.get("schedule")) or "")
        workers, cores = number("workers"), number("cores")
        parts = [f"on {counted(workers, 'worker')}"]
        if self.form.of_ranks:
            parts[0] += f" of {counted(self.program.ranks, 'rank')}"
        if cores > workers:
            parts[0] += f" and {counted(cores - workers, 'core')} beside"
        if before := number("clusters_before_merge"):
            merged = number("clusters")
            after = f", {merged} after merging" if merged else ""
            parts.insert(0, f"{counted(before, 'cluster')}{after}")
        if self.batch > 1:
            parts.append(counted(self.batch, "sample") + " at a time")
        parts.append(counted(number("channels"), "channel"))
        text = [
            f"{_safe(self._module_text(MODEL))}, compiled by Ramiel {__version__}.",
            "",
            f"Model     {self._source()}, {counted(count, 'operation')}",
            f"Schedule  {schedule}: {', '.join(parts)}",
            f"Expected  serial {us('serial_us')}, parallel {us('parallel_us')}, "
            f"no schedule below {us('bound_us')}",
            *self._idle(),
            *self._streams(),
            *self._tuned(),
            "",
            *(line.format(ranks=self.program.ranks) for line in self.form.about),
        ]
        if any(isinstance(op, ThreadsOp) for op in self.operations):
            text += [
                "",
                "A worker is one thread. After `torch.set_num_threads(n)` its operations use other",
                "cores as well: those of workers that wait, and those beside.",
            ]
        return [f'"""{text[0]}', *text[1:], '"""', ""]

    def _idle(self) -> list[str]:
        """The ranks without a worker, if there are any."""
        if "idle_ranks" not in self.program.attributes:
            return []
        return [f"Idle      {idle_told(self._number('idle_ranks'), self.program.ranks)}"]

    def _streams(self) -> list[str]:
        """How requests that follow each other are computed, if it was chosen."""
        if (way := self._streaming()) is None:
            return []
        names = ("at_a_time", "interval_us", "latency_us")
        return [f"Streams   {stream_told(way, *map(self._us, names))}"]

    def _streaming(self) -> str | None:
        return text_of(self.program.attributes.get("streaming"))

    def _tuned(self) -> list[str]:
        """The results of tuning, if there are any."""
        text = text_of(self.program.attributes.get("tuned"))
        if text is None:
            return []
        kept = f"Tuned     {_safe(text, 1000)}".replace(" ms", "\xa0ms")
        lines = wrap(kept, WIDTH, subsequent_indent=" " * 10, break_on_hyphens=False)
        return [line.replace("\xa0", " ") for line in lines]

    def _imports(self) -> list[str]:
        prefixes = {op.callee.partition(".")[0] for op in self.operations if isinstance(op, CallOp)}
        layers = {op.layer for op in self.operations if isinstance(op, LayerOp)}
        names = {self.form.channels, "Input", self.form.base, "Weights", *layers}
        if self.form.of_ranks and self.program.crossings:
            names.add("Remote")
        if "Strings" in "".join(self._annotations()):
            names.add("Strings")
        if self._streaming() is not None:
            names.add("Streaming")
        classes = sorted(names, key=str.lower)
        if any(isinstance(op, LoopOp) for op in self.operations):
            prefixes.add("ops")
        modules = [name for name in ("kernels", "ops") if name in prefixes]
        fused = any(isinstance(op, FusedOp) for op in self.operations)
        functions = [
            *(["compiled"] if fused else []),
            "main",
            self.form.decorator,
            *(["with_defaults"] if self.defaults else []),
        ]
        names = [*classes, *sorted([*functions, *modules])]
        line = f"from ramiel.runtime import {', '.join(names)}"
        lines = [line]
        if len(line) > WIDTH:
            lines = ["from ramiel.runtime import (", *(f"{INDENT}{n}," for n in names), ")"]
        # After ramiel, which sets how torch's threads wait; see ramiel/execution/openmp.py.
        lines.append("import torch")
        if "F" in prefixes:
            lines.append("import torch.nn.functional as F")
        return [*lines, "from torch import Tensor"]

    def _annotations(self) -> Iterable[str]:
        """The annotations of serial and of the methods."""
        end = self.function.body.block.last_op
        assert end is not None
        values = chain(self.function.body.block.args, end.operands)
        methods = (op for op in self.operations if isinstance(op, ControlOp))
        return (
            annotation(v.type) for v in chain(values, *((*m.operands, *m.results) for m in methods))
        )

    def _declarations(self) -> list[str]:
        inputs = [self._input(i) for i in range(len(self.function.body.block.args))]
        inner = [c.sym_name.data for c in self.program.channels if c.kind in ("value", "turn")]
        outputs = self._output_names()
        lines = statement("inputs", tuple_of(inputs), INDENT)
        lines += statement("outputs", tuple_of([quoted(n) for n in outputs]), INDENT)
        if inner:
            lines += statement("channels", tuple_of([quoted(n) for n in inner]), INDENT)
        if self.batch > 1:
            lines += statement("batch", str(self.batch), INDENT)
        if (way := self._streaming()) is not None:
            items = [quoted(way), *(f"{n}={self._number(n)}" for n in ("at_a_time", "in_flight"))]
            lines += statement("streaming", Bracket("Streaming", items), INDENT)
        if self.form.of_ranks:
            ranks = tuple_of([str(worker.rank) for worker in self.program.workers])
            lines += statement("ranks", ranks, INDENT)
            if remote := [self._remote(crossing) for crossing in self.program.crossings]:
                lines += statement("remote", tuple_of(remote), INDENT)
        return lines

    def _remote(self, crossing: Crossing) -> Expression:
        assert crossing.type is not None
        return Bracket(
            "Remote",
            [
                quoted(crossing.channel),
                str(dtype_code(crossing.type)),
                _dims(crossing.type, ()),
                str(crossing.sender),
                tuple_of([str(rank) for rank in crossing.receivers]),
            ],
        )

    def _input(self, i: int) -> Expression:
        arg = self.function.body.block.args[i]
        name = self._input_name(i)
        kind, type = kind_of(arg.type)
        assert self.function.arg_attrs is not None
        attributes = self.function.arg_attrs.data[i].data
        items = [quoted(name), str(dtype_code(type)), _dims(type, dimension_names(attributes))]
        own = text_of(attributes.get(NAME))
        if own is not None and own != name:
            items.append(f"onnx_name={quoted(own)}")
        if kind != "tensor":
            items.append(f"kind={quoted(kind)}")
        if i in self.defaults:
            items.append(f"default={quoted(self._default_name(i))}")
        return Bracket("Input", items)

    def _init(self) -> list[str]:
        lines = [f"{INDENT}def __init__(self, weights: Weights) -> None:"]
        workers = len(self.program.workers)
        lines.append(f"{BODY}super().__init__(weights, workers={workers})")
        if self.form.place:
            lines.append(f"{BODY}{self.form.place}")
        if self.defaults:
            lines.append(f"{BODY}self.inputs = with_defaults(self.inputs, weights)")
        done: set[str] = set()
        for op in self.operations:
            name = op.layer_name
            if name is None or name in done:
                continue
            done.add(name)
            made = f"weights[{quoted(name)}]"
            expression = layer_expression(op) if isinstance(op, LayerOp) else made
            lines += statement(f"self.{name}", expression, BODY)
        return lines

    def _serial(self) -> list[str]:
        block = self.function.body.block
        names: dict[SSAValue, str] = {a: self._input_name(i) for i, a in enumerate(block.args)}
        assert block.last_op is not None
        returns = return_annotation([v.type for v in block.last_op.operands])
        parameters = ["self", *(f"{n}: {annotation(v.type)}" for v, n in names.items())]
        lines = [f"{INDENT}@{self.form.decorator}"]
        lines += signature_lines(Bracket(f"{INDENT}def serial", parameters), f" -> {returns}:")
        lines += self._body(block, names, BODY)
        values = [value_name(v, names) for v in block.last_op.operands]
        return [*lines, *return_statement(values, BODY)]

    def _body(self, block: Block, names: Mapping[SSAValue, str], indent: str) -> list[str]:
        lines: list[str] = []
        for op in block.ops:
            if isinstance(op, SectionOp) and lines:
                lines.append("")
            lines += operation_lines(op, names, indent, self.form)
        return lines

    # --- the program's data ---

    def _weights(self) -> dict[str, WeightAttr]:
        weights = {self._default_name(i): weight for i, weight in self.defaults.items()}
        for op in self.operations:
            if isinstance(op, WeightOp) and op.layer_name:
                weights[op.layer_name] = op.weight
            elif isinstance(op, LayerOp):
                weights |= {f"{op.layer_name}.{k}": w for k, w in op.weights.items()}
        return weights

    def _nodes(self) -> dict[str, tuple[str, str]]:
        bodies = (worker.body.block.ops for worker in self.program.workers)
        ops = (op for op in chain(self.operations, *bodies) if isinstance(op, Task))
        return {name: op.origin for op in ops for name in op.python_names}

    # --- the IR's attributes ---

    def _module_text(self, name: str) -> str:
        text = text_of(self.module.attributes.get(name))
        if name == CLASS and (text is None or not is_identifier(text)):
            raise CompileError("the program has no name: run torch-assign-names first")
        return text or "model"

    def _source(self) -> str:
        """What the model was read from."""
        if (source := text_of(self.module.attributes.get(SOURCE))) is not None:
            return _safe(source)
        value = self.module.attributes.get(OPSET)
        return f"ai.onnx opset {value.value.data if isinstance(value, IntegerAttr) else 'newest'}"

    def _number(self, name: str) -> int:
        return int(self._us(name))

    def _milliseconds(self, name: str) -> str:
        return milliseconds(self._us(name))

    def _us(self, name: str) -> float:
        value = self.program.attributes.get(name)
        if not isinstance(value, IntegerAttr | FloatAttr):
            raise CompileError(f"the schedule does not say its {name}: run cluster-channels")
        return value.value.data

    def _input_name(self, i: int) -> str:
        given = self.function.arg_attrs.data if self.function.arg_attrs is not None else ()
        name = text_of(given[i].data.get(PYTHON_NAME)) if i < len(given) else None
        if name is None or not is_identifier(name):
            raise CompileError("an input has no name: run torch-assign-names first")
        return name

    def _default_name(self, i: int) -> str:
        """The name of input i's default among the weights."""
        assert self.function.arg_attrs is not None
        name = text_of(self.function.arg_attrs.data[i].data.get(LAYER_NAME))
        if name is None:
            raise CompileError("a default has no name: run torch-assign-names first")
        return name

    def _output_names(self) -> list[str]:
        block = self.function.body.block
        assert block.last_op is not None
        names: dict[SSAValue, str] = {a: self._input_name(i) for i, a in enumerate(block.args)}
        return [value_name(v, names).removeprefix("self.") for v in block.last_op.operands]


def _dims(type: Attribute, names: Sequence[str]) -> Expression:
    shape = shape_of(type)
    if shape is None:
        return "None"
    named = zip_longest(shape, names[: len(shape)], fillvalue="")
    return tuple_of([quoted(name) if dim is None and name else str(dim) for dim, name in named])


def counted(count: int, what: str) -> str:
    """`1 worker`, `2 workers`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _safe(text: str, most: int = 60) -> str:
    """A model's text, made safe for a docstring."""
    kept: Iterable[str] = (c if c.isalnum() or c in " .,_-+()" else "_" for c in text[:most])
    return "".join(kept).strip() or "model"
