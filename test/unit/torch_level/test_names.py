"""A model may call its parts what it likes: the program that comes of it hides nothing it uses."""

from __future__ import annotations

import ast
import builtins
import keyword
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import ramiel
import ramiel.runtime
from ramiel.api import CompiledProgram
from ramiel.runtime import Channels, Program
from ramiel.runtime.outputs import as_tuple
from ramiel.torch_level.names import BUILTINS, class_name, identifier, method_name

pytestmark = pytest.mark.timeout(120)

ROLES: Sequence[str] = (
    "graph function input condition output second value dropped weight vector linear branch loop "
    "call largest then otherwise step going state kept part parameter result inner"
).split()
"""What has a name in the models of these tests: inputs, values, weights, nodes, and bodies."""

OWN = (
    "self ch weights step trips condition sample worker worker_0 worker_1 worker_0_ serial forward "
    "turn_1 torch F ops kernels operator math Tensor Conv2d Linear main with_defaults value weight "
    "x x_ model Model Module annotations args kwargs call compute source report save inf nan"
).split()
PAIRS = [
    "x_0",
    "x.0",
    "X.0",
    "class_",
    "Class",
    "tuple_",
    "tuple__2",
    "worker__0",
    "__x",
    "_x",
    "A-b",
]
ODD = [
    "",
    " ",
    "_",
    "__",
    "0",
    "0x",
    "007",
    "größe",
    "变量",
    "🙂",
    '"',
    "\\",
    "a\nb",
    "{x}",
    "#",
    "'''",
]
MEMBERS = {
    *dir(CompiledProgram),
    *CompiledProgram.__annotations__,
    *vars(nn.Module()),
    *dir(Channels),
}


def _is_exception(name: str) -> bool:
    """Those are classes: only the class of a program could hide them."""
    return name.endswith(("Error", "Warning"))


POOL = list(
    dict.fromkeys(
        [
            *OWN,
            *PAIRS,
            *ODD,
            *keyword.kwlist,
            *keyword.softkwlist,
            *(name for name in dir(builtins) if not _is_exception(name)),
            *ramiel.runtime.__all__,
            *sorted(MEMBERS),
        ]
    )
)
"""Names that a program, Python or PyTorch uses, and some that hardly are names."""


class Scope:
    """Hands out names that ONNX may tell apart."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def fresh(self, name: str) -> str:
        name = name or "."  # an empty one would be a value that is left out
        while name in self.taken:
            name += "."
        self.taken.add(name)
        return name


FLOAT, BOOL = TensorProto.FLOAT, TensorProto.BOOL


def model_of(blocks: Sequence[Mapping[str, str]]) -> onnx.ModelProto:
    """A model of some blocks, one after the other, which do the same and differ in names.

    Two branches leave each, so that two workers have something to hand over.
    """
    scope = Scope()
    random = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    weights = [
        numpy_helper.from_array(np.array(2), scope.fresh("two trips")),
        numpy_helper.from_array(np.array([2]), scope.fresh("two largest")),
    ]
    functions: dict[str, onnx.FunctionProto] = {}
    inputs: list[onnx.ValueInfoProto] = []
    outputs: list[onnx.ValueInfoProto] = []
    info = helper.make_tensor_value_info
    for block in blocks:
        n = {role: scope.fresh(block[role]) for role in ROLES}
        at = {what: scope.fresh(f"{what} of {len(nodes)}") for what in ("sum", "if", "loop", "two")}
        inputs += [info(n["input"], FLOAT, [1, 4]), info(n["condition"], BOOL, [1])]
        outputs += [info(n["output"], FLOAT, [1, 4]), info(n["second"], FLOAT, [1, 4])]
        matrix = random.normal(size=(4, 4)).astype(np.float32)
        weights += [
            numpy_helper.from_array(matrix, n["weight"]),
            numpy_helper.from_array(matrix[0], n["vector"]),
        ]
        then = helper.make_graph(
            [
                helper.make_node("Neg", [n["value"]], [n["then"]]),
                helper.make_node("Abs", [n["input"]], [f"{n['then']} 2"]),
            ],
            block["graph"],
            [],
            [info(n["then"], FLOAT, [1, 4]), info(f"{n['then']} 2", FLOAT, [1, 4])],
        )
        otherwise = helper.make_graph(
            [
                helper.make_node("Sin", [n["value"]], [n["otherwise"]]),
                helper.make_node("Cos", [n["input"]], [f"{n['otherwise']} 2"]),
            ],
            block["graph"],
            [],
            [info(n["otherwise"], FLOAT, [1, 4]), info(f"{n['otherwise']} 2", FLOAT, [1, 4])],
        )
        body = helper.make_graph(
            [
                helper.make_node("Identity", [n["going"]], [f"{n['going']} on"]),
                helper.make_node("Add", [n["state"], n["vector"]], [n["kept"]]),
                helper.make_node("Tanh", [n["kept"]], [n["part"]]),
            ],
            block["graph"],
            [
                info(n["step"], TensorProto.INT64, []),
                info(n["going"], BOOL, []),
                info(n["state"], FLOAT, [1, 4]),
            ],
            [
                info(f"{n['going']} on", BOOL, []),
                info(n["kept"], FLOAT, [1, 4]),
                info(n["part"], FLOAT, [1, 4]),
            ],
        )
        function = n["function"]
        functions[function] = helper.make_function(
            "local",
            function,
            [n["parameter"]],
            [n["result"]],
            [
                helper.make_node("Exp", [n["parameter"]], [n["inner"]], name=block["inner"]),
                helper.make_node("Neg", [n["inner"]], [n["result"]], name=block["result"]),
            ],
            [helper.make_opsetid("", 17)],
        )
        nodes += [
            helper.make_node(
                "MatMul", [n["input"], n["weight"]], [n["value"]], name=block["linear"]
            ),
            helper.make_node(
                "If",
                [n["condition"]],
                [at["if"], f"{at['if']} 2"],
                name=block["branch"],
                then_branch=then,
                else_branch=otherwise,
            ),
            helper.make_node(
                "Loop",
                ["two trips", "", at["if"]],
                [at["loop"], f"{at['loop']} 2"],
                name=block["loop"],
                body=body,
            ),
            helper.make_node(
                function, [n["input"]], [at["sum"]], name=block["call"], domain="local"
            ),
            helper.make_node(
                "TopK", [at["sum"], "two largest"], [at["two"], n["dropped"]], name=block["largest"]
            ),
            helper.make_node("Add", [at["loop"], n["vector"]], [n["output"]]),
            helper.make_node("Concat", [at["two"], at["two"]], [n["second"]], axis=1),
        ]
    graph = helper.make_graph(nodes, blocks[0]["graph"] or "g", inputs, outputs, weights)
    return helper.make_model(
        graph,
        functions=list(functions.values()),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("local", 1)],
        ir_version=8,
    )


# --- what is expected ---


def assert_hides_nothing(source: str) -> None:
    """The names that a program takes from its model are none that it uses for anything else."""
    tree = ast.parse(source)
    imports = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    imported = {(a.asname or a.name) for i in imports for a in i.names} - {"annotations"}
    (model,) = (n for n in tree.body if isinstance(n, ast.ClassDef))
    assert model.name not in imported and not hasattr(builtins, model.name)
    functions = [n for n in model.body if isinstance(n, ast.FunctionDef)]
    workers = [f"worker_{k}" for k in range(len(functions))]
    methods = [f.name for f in functions if f.name not in ("__init__", "serial", *workers)]
    attributes = [n.attr for n in ast.walk(functions[0]) if isinstance(n, ast.Attribute)]
    attributes = [name for name in attributes if name not in ("__init__", "inputs")]
    own = [*methods, *attributes]
    assert len(set(own)) == len(own)
    assert not {*own} & (imported | MEMBERS | BUILTINS | {"serial", *workers})
    assert not [name for name in methods if hasattr(builtins, name)]
    for function in functions:
        bound = set(_bound(function))
        assert not [name for name in bound if name.startswith("__")]  # mangled in a class
        read = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)} - bound
        assert not (bound - {"self", "ch", "weights"}) & (imported | BUILTINS | {model.name})
        assert read <= imported | BUILTINS | {"self", "ch", "weights"}


def _bound(function: ast.FunctionDef) -> Iterator[str]:
    """What a method binds: its parameters, which differ, and its variables."""
    parameters = [a.arg for a in function.args.args]
    assert len(set(parameters)) == len(parameters)
    assert {"self", "ch", "weights"}.isdisjoint(parameters[1:]) or function.name != "serial"
    yield from parameters
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


Values = list[np.ndarray[Any, Any]]


@cache
def samples_of(blocks: int, count: int) -> list[tuple[Values, Values]]:
    """Inputs of models of so many blocks, and their outputs by ONNX Runtime. These do not depend
    on names, so that it is given plain ones."""
    model = model_of([{role: f"{role}_{k}" for role in ROLES} for k in range(blocks)])
    session = onnxruntime.InferenceSession(model.SerializeToString())
    random = np.random.default_rng(1)
    samples: list[tuple[Values, Values]] = []
    for _ in range(count):
        inputs: Values = []
        for _ in range(blocks):
            inputs.append(random.normal(size=(1, 4)).astype(np.float32))
            inputs.append(random.integers(2, size=1).astype(bool))
        feeds = {i.name: value for i, value in zip(model.graph.input, inputs, strict=True)}
        outputs: Any = session.run(None, feeds)
        samples.append((inputs, outputs))
    return samples


def check(blocks: Sequence[Mapping[str, str]], batch: int = 1) -> None:
    """The program computes what the model does: in parallel and in one thread, with inputs in
    order and by their names in the model."""
    model = model_of(blocks)
    schedule = "linear" if batch == 1 else "hyper"
    program: Any = ramiel.compile(model, workers=2, schedule=schedule, batch=batch)
    assert_hides_nothing(program.source)
    inputs, expected = zip(*samples_of(len(blocks), batch), strict=True)
    args = [torch.from_numpy(np.concatenate(values)) for values in zip(*inputs, strict=True)]
    named = {i.name: value for i, value in zip(model.graph.input, args, strict=True)}
    with program:
        outputs = as_tuple(program(*args))
        assert all(map(torch.equal, as_tuple(program.serial(*args)), outputs))
        if "self" not in named:  # which is the program itself
            assert all(map(torch.equal, as_tuple(program(**named)), outputs))
    for output, values in zip(outputs, zip(*expected, strict=True), strict=True):
        np.testing.assert_allclose(output.numpy(), np.concatenate(values), rtol=1e-4, atol=1e-5)


# --- the tests ---

PLAIN = {role: f"the {role}" for role in ROLES}
NAMES = st.sampled_from(POOL) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ANY_NAMES = st.fixed_dictionaries(dict.fromkeys(ROLES, NAMES))


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.lists(ANY_NAMES, min_size=1, max_size=2), st.sampled_from([1, 2]))
def test_any_names_in_any_roles(blocks: list[dict[str, str]], batch: int):
    check(blocks, batch)


@settings(deadline=None, derandomize=True, max_examples=20)
@given(NAMES, st.sampled_from([1, 2]))
def test_one_name_in_all_roles(name: str, batch: int):
    check([dict.fromkeys(ROLES, name)] * 2, batch)


@pytest.mark.parametrize("part", range(8))
def test_each_name_in_each_role(part: int):
    """Blocks of which each has another name in each role; all parts have each name in each."""
    count = len(POOL)
    offsets = {role: i * count // len(ROLES) for i, role in enumerate(ROLES)}
    blocks = [
        {role: POOL[(k + offset) % count] for role, offset in offsets.items()}
        for k in range(part, count, 8)
    ]
    check(blocks)


@pytest.mark.parametrize(
    "pair", [("x_0", "x.0"), ("class", "class_"), ("tuple", "Tuple"), ("ch", "CH"), ("a", "A")]
)
@pytest.mark.parametrize("batch", [1, 2])
def test_names_that_become_one(pair: tuple[str, str], batch: int):
    first, second = (dict.fromkeys(ROLES, name) for name in pair)
    check([first, second], batch)
    check([second, first], batch)


def test_a_branch_called_as_a_builtin_leaves_the_annotations_of_later_methods():
    check([PLAIN | {"branch": "tuple", "loop": "list"}])


def test_inputs_with_defaults_of_any_names():
    scope = Scope()
    names = [scope.fresh(name) for name in POOL]
    x, y = (helper.make_tensor_value_info(scope.fresh(v), FLOAT, [1]) for v in ("in", "out"))
    inputs = [x, *(helper.make_tensor_value_info(name, FLOAT, [1]) for name in names)]
    ones = [numpy_helper.from_array(np.ones(1, np.float32), name) for name in names]
    node = helper.make_node("Sum", [x.name, *names], [y.name])
    model = helper.make_model(
        helper.make_graph([node], "g", inputs, [y], ones),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    program: Any = ramiel.compile(model, workers=2, schedule="linear")
    assert_hides_nothing(program.source)
    zero, two = torch.zeros(1), torch.full((1,), 2.0)
    with program:
        assert program(zero) == program.serial(zero) == len(names)
        for name in names:
            if name != "self":  # which is the program itself
                assert program(zero, **{name: two}) == len(names) + 1, name


@pytest.mark.parametrize("name", ["source", "report", "save"])
def test_parts_called_as_what_compile_adds(name: str):
    for role in ("linear", "vector", "branch"):
        check([PLAIN | {role: name}])


def test_a_class_hides_nothing():
    for name in {*POOL, *dir(builtins)}:
        made = class_name(name)
        assert made.isidentifier() and not keyword.iskeyword(made), name
        assert not hasattr(builtins, made) and not hasattr(ramiel.runtime, made), name


def test_identifiers_are_no_names_of_python_or_of_programs():
    public = {n for n in POOL if n.isidentifier() and n == n.lower() and not n.startswith("_")}
    for name in public:
        assert keyword.iskeyword(identifier(name, "x")) is False
        assert not hasattr(builtins, method_name(identifier(name, "x")))
        assert identifier(name, "x") not in dir(Program)
