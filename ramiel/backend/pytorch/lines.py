"""Operations of the `torch` and `cluster` dialects as lines of Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdsl.dialects.builtin import AnyFloat
from xdsl.ir import Attribute, Block, Operation, SSAValue

from ramiel.backend.pytorch.devices import FORMS, Form
from ramiel.backend.pytorch.expressions import call_expression
from ramiel.backend.pytorch.format import INDENT, WIDTH, Bracket, Expression, flat, statement
from ramiel.dialects.cluster import RecvOp, SectionOp, SendOp, SignalOp, WaitOp
from ramiel.dialects.cluster.attributes import Executor
from ramiel.dialects.onnx.types import (
    MapType,
    OptionalType,
    SequenceType,
    StringType,
    element_of,
    shape_of,
)
from ramiel.dialects.torch import (
    CallOp,
    ControlOp,
    FreeOp,
    FusedOp,
    IfOp,
    LayerOp,
    LoopOp,
    ThreadsOp,
    TorchOperation,
    WeightOp,
)
from ramiel.dialects.torch.dtypes import torch_dtype_of

BODY = INDENT * 2

Names = Mapping[SSAValue, str]


def operation_lines(
    op: Operation, names: Names, indent: str, form: Form = FORMS[Executor.THREADS]
) -> list[str]:
    """An operation as lines of code. A weight is an attribute of the program, not a line."""
    match op:
        case SectionOp():
            cost = form.time(op.cost.value.data)
            return [f"{indent}# cluster {op.cluster.value.data}: {op.title.data}, {cost}"]
        case RecvOp():
            how = form.take if op.takes else form.receive
            return statement(op.python_names[0], _on_channel(how, op.channel.data), indent)
        case SendOp():
            values = [value_name(op.value, names)]
            return statement("", Bracket(f"ch.{op.channel.data}.send", values), indent)
        case SignalOp():
            return statement("", Bracket(f"ch.{op.channel.data}.send", []), indent)
        case WaitOp():
            return statement("", _on_channel(form.wait, op.channel.data), indent)
        case ThreadsOp():
            return [f"{indent}torch.set_num_threads({op.count.value.data})"]
        case FreeOp():
            return _del_lines([value_name(value, names) for value in op.values], indent)
        case CallOp() | LayerOp() | ControlOp():
            operands = [value_name(v, names) for v in op.operands]
            return statement(", ".join(op.python_names), _expression(op, operands), indent)
        case _:
            return []


def _on_channel(how: str, channel: str) -> Expression:
    """What is done with a channel, such as `ch.{}.recv()`."""
    code = how.format(channel)
    return Bracket(code.removesuffix("()"), []) if code.endswith("()") else code


def _del_lines(names: Sequence[str], indent: str) -> list[str]:
    """`del a, b`, split into as many statements as the line width needs."""
    lines = [f"{indent}del {names[0]}"]
    for name in names[1:]:
        longer = f"{lines[-1]}, {name}"
        if len(longer) <= WIDTH:
            lines[-1] = longer
        else:
            lines.append(f"{indent}del {name}")
    return lines


def _expression(op: CallOp | LayerOp | ControlOp, operands: Sequence[str]) -> Expression:
    if isinstance(op, CallOp):
        return call_expression(op, operands)
    own = op.layer_name if isinstance(op, LayerOp) else op.method
    return Bracket(f"self.{own}", operands)


def value_name(value: SSAValue, names: Names) -> str:
    """The name of a value where it is used."""
    known = names.get(value)
    if known is not None:
        return known
    owner = value.owner
    assert isinstance(owner, TorchOperation)
    if isinstance(owner, WeightOp):
        return f"self.{owner.layer_name}"
    return owner.python_names[list(owner.results).index(value)]  # pyright: ignore


# --- methods ---


def method_lines(op: ControlOp) -> list[str]:
    """The method that an operation with regions is printed as."""
    operands = op.parameters[: len(op.operands)]
    given = [f"{p}: {annotation(v.type)}" for p, v in zip(operands, op.operands, strict=True)]
    own = [] if isinstance(op, FusedOp) else ["self"]
    call = Bracket(f"{INDENT}def {op.method}", [*own, *given])
    lines = signature_lines(call, f" -> {return_annotation([r.type for r in op.results])}:")
    if isinstance(op, FusedOp):
        return [
            f"{INDENT}@staticmethod",
            f"{INDENT}@compiled",
            *lines,
            *_body_lines(op.body, operands, BODY),
        ]
    return lines + (_if_lines(op, operands) if isinstance(op, IfOp) else _loop_lines(op, operands))


def _if_lines(op: IfOp, operands: Sequence[str]) -> list[str]:
    condition, *rest = operands
    lines = [f"{BODY}if {condition}:"]
    for block, indent in zip(op.bodies, (BODY + INDENT, BODY), strict=True):
        lines += _body_lines(block, rest, indent)
    return lines


def _body_lines(block: Block, operands: Sequence[str], indent: str) -> list[str]:
    """A body whose arguments have these names, and the return of what it yields."""
    names: Names = dict(zip(block.args, operands, strict=True))
    assert block.last_op is not None
    lines = [line for op in block.ops for line in operation_lines(op, names, indent)]
    values = [value_name(v, names) for v in block.last_op.operands]
    return [*lines, *return_statement(values, indent)]


def _loop_lines(op: ControlOp, operands: Sequence[str]) -> list[str]:
    assert isinstance(op, LoopOp)
    step, conditional = op.parameters[-1], int(op.conditional)
    carried = list(operands[int(op.counted) :])
    names: Names = dict(zip(op.body.args, [step, *carried], strict=True))
    parts = op.python_names[op.states :]
    inner = BODY + INDENT
    lines = [f"{BODY}{part}: list[Tensor] = []" for part in parts]
    lines.append(f"{BODY}for {step} in ops.steps({operands[0] if op.counted else ''}):")
    before = len(lines)
    if conditional:
        lines += [f"{inner}if not {carried[0]}:", f"{inner}{INDENT}break"]
    for body_op in op.body.ops:
        lines += operation_lines(body_op, names, inner)
    for part, value in zip(parts, op.stacked, strict=True):
        lines.append(f"{inner}{part}.append({value_name(value, names)})")
    assert op.body.last_op is not None
    variables = carried[: conditional + op.states]
    new = [value_name(v, names) for v in op.body.last_op.operands[: len(variables)]]
    changed = [(v, n) for v, n in zip(variables, new, strict=True) if v != n]
    if changed:
        lines.append(
            f"{inner}{', '.join(v for v, _ in changed)} = {', '.join(n for _, n in changed)}"
        )
    if len(lines) == before:
        lines.append(f"{inner}pass")
    values: list[Expression] = [*variables[conditional:]]
    for part, result in zip(parts, op.results[op.states :], strict=True):
        dims = [str(d or 0) for d in (shape_of(result.type) or (0,))[1:]]
        kind = dtype_code(result.type) or "torch.float32"
        values.append(Bracket("ops.stacked", [part, kind, *dims]))
    return lines + return_statement(values, BODY)


def return_statement(values: Sequence[Expression], indent: str) -> list[str]:
    """`return a`, or `return a, b` if it fits on its line."""
    if len(values) == 1:
        return statement("return", values[0], indent)
    line = f"{indent}return {', '.join(map(flat, values))}"
    return [line] if len(line) <= WIDTH else statement("return", tuple_of(values), indent)


def dtype_code(type: Attribute) -> str | None:
    """The element type of a tensor type as code; None if it is not known."""
    if element_of(type) == StringType():
        return "str"
    dtype = torch_dtype_of(type)
    return None if dtype is None else f"torch.{dtype}"


def _scalar(element: Attribute | None) -> str:
    """The Python type of a map's keys or values."""
    if element == StringType():
        return "str"
    return "float" if isinstance(element, AnyFloat) else "int"


def annotation(type: Attribute) -> str:
    """The Python type of a value."""
    match type:
        case MapType():
            return f"dict[{_scalar(type.key)}, {_scalar(element_of(type.value))}]"
        case _ if element_of(type) == StringType():
            return "Strings"
        case SequenceType():
            return f"list[{annotation(type.element)}]"
        case OptionalType():
            return f"{annotation(type.element)} | None"
        case _:
            return "Tensor"


def return_annotation(types: Sequence[Attribute]) -> str:
    """The Python return type of a function with these results."""
    given = [annotation(type) for type in types]
    if len(given) == 1:
        return given[0]
    same = len(set(given)) == 1 and len(given) > 3
    return f"tuple[{given[0]}, ...]" if same else f"tuple[{', '.join(given)}]"


def tuple_of(items: Sequence[Expression]) -> Bracket:
    return Bracket("", items)


def signature_lines(call: Bracket, end: str) -> list[str]:
    line = flat(call) + end
    if len(line) <= WIDTH:
        return [line]
    head, inner = f"{call.head}(", BODY
    one = inner + call.inside
    if len(one) <= WIDTH:
        return [head, one, f"{INDENT}){end}"]
    return [head, *(f"{inner}{flat(i)}," for i in call.items), f"{INDENT}){end}"]
