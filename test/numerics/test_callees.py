"""The closed lists of what emitted programs call: all of it is there, and all of it is used."""

import re
from pathlib import Path

import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import Builtin
from xdsl.dialects.func import Func
from xdsl.parser import Parser
from xdsl.traits import is_side_effect_free

from ramiel import runtime, transforms
from ramiel.analysis.static_cost import static_cost
from ramiel.conversion import onnx_to_torch as lowering
from ramiel.dialects.torch import CallOp, torch_dialect
from ramiel.dialects.torch.callees import CALLEES, LAYERS, Kind, Trait
from ramiel.execution.evaluator import resolve
from ramiel.runtime import Layer, ops
from ramiel.torch_level.candidates import candidates
from ramiel.torch_level.work import WORK, work_of

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


def test_each_kind_of_work_has_a_cost() -> None:
    assert WORK.keys() == set(Kind)


def cost(text: str) -> float:
    """The static cost of the last operation of a function, in µs."""
    context = Context()
    for dialect in (Builtin, Func, torch_dialect()):
        context.load_dialect(dialect)
    module = Parser(context, f"builtin.module {{ func.func @main{text} }}").parse_module()
    *_, op = (o for o in module.walk() if isinstance(o, CallOp))
    return static_cost(work_of(op))


def test_quantised_products_cost_what_products_do() -> None:
    shapes = "(%a: tensor<512x768x{0}>, %b: tensor<768x3072x{0}>) {{ %c = torch.call {1}(%a, %b) : "
    types = "(tensor<512x768x{0}>, tensor<768x3072x{0}>) -> tensor<512x3072x{2}> func.return }}"
    whole = shapes + types
    floats = cost(whole.format("f32", "operator.matmul", "f32"))
    integers = cost(whole.format("ui8", "ops.matmul_integer", "i32"))
    assert 0.5 < integers / floats < 2
    packed = cost(
        "(%x: tensor<512x768xf32>, %w: tensor<3072x24x16xui8>, %s: tensor<3072x24xf32>) {"
        "%c = torch.call ops.matmul_n_bits(%x, %w, %s, none, none, 4, 32) : (tensor<512x768xf32>, "
        "tensor<3072x24x16xui8>, tensor<3072x24xf32>) -> tensor<512x3072xf32> func.return }"
    )
    assert 0.9 < packed / floats < 2


def test_the_letters_of_an_einsum_are_its_cost() -> None:
    types = ": (tensor<8x64x32xf32>, tensor<8x32x128xf32>) -> tensor<8x64x128xf32> func.return }"
    args = "(%a: tensor<8x64x32xf32>, %b: tensor<8x32x128xf32>) { %c = torch.call "
    wanted = cost(f"{args} operator.matmul(%a, %b) {types}")
    for equation in ("bij,bjk->bik", "...ij,...jk->...ik", "b i j, b j k"):
        assert cost(f'{args} torch.einsum("{equation}", %a, %b) {types}') == pytest.approx(wanted)


RANDOM = [name for name, callee in CALLEES.items() if callee.is_a(Trait.RANDOM)]


@pytest.mark.parametrize("callee", RANDOM)
def test_draws_have_effects(callee: str) -> None:
    draw = CallOp.of(callee, [], {}, [])
    assert not is_side_effect_free(draw)
    assert is_side_effect_free(CallOp.of("torch.zeros", [], {}, []))


def test_what_draws_is_random() -> None:
    """What makes numbers by torch's generators is marked so in the table."""
    text = Path(ops.__file__).parent.joinpath("random.py").read_text()
    assert {f"ops.{name}" for name in re.findall(r"^def ([a-z]\w*)", text, re.M)} <= set(RANDOM)


def test_operators_of_the_runtime_are_listed() -> None:
    listed = {c.removeprefix("ops.") for c in CALLEES if c.startswith("ops.")}
    assert listed | OF_LOOPS == set(ops.OPERATORS)
    assert all(callable(getattr(ops, name)) for name in ops.OPERATORS)


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_layer_exists(name: str) -> None:
    assert issubclass(getattr(runtime, name), Layer)


KERNELS = frozenset(c for c in CALLEES if c.startswith("kernels."))


def test_functions_of_other_providers_are_listed() -> None:
    """Those that torch-choose-kernels may choose instead of PyTorch's of the same name."""
    chosen = (c for c in CALLEES.keys() - KERNELS if candidates(CallOp.of(c, [], {}, []), "auto"))
    assert {f"kernels.{c.partition('.')[2]}" for c in chosen} == KERNELS


def test_everything_listed_is_used() -> None:
    # The table spells "F.conv{w.dims}d" for the three of them.
    listed = sorted(CALLEES.keys() - KERNELS | LAYERS.keys())
    names = re.sub(r"[1-3]d\b", "{w.dims}d", " ".join(listed)).split()
    table = TABLE.replace("{rank - 2}", "{w.dims}")
    table += " ".join(f'"{c.unsigned}"' for c in CALLEES.values() if isinstance(c.unsigned, str))
    assert [n for n in sorted(set(names)) if f'"{n}"' not in table] == []
