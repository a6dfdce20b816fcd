"""The table of the functions that a `torch.call` may call, with their properties.

A module's text may be untrusted and its callees end up in a program that runs, so a name that is
not in this table does not verify. A lowering that needs a new function adds its name to a row
here. Passes, the cost model, the verifier and the evaluator all use this table.
The prefix determines how a call prints:

| prefix      | prints as                  | is                                           |
|-------------|----------------------------|----------------------------------------------|
| `torch.`    | `torch.cat([a, b], dim=1)` | a function of torch                          |
| `F.`        | `F.relu(x)`                | a function of torch.nn.functional            |
| `Tensor.`   | `x.reshape(1, -1)`         | a method                                     |
| `operator.` | `a + b`, `-a`, `a[...]`    | a Python operator                            |
| `ops.`      | `ops.reshape(x, shape)`    | ONNX semantics that PyTorch has no call for  |
| `kernels.`  | `kernels.max_pool2d(x, 3)` | a function of torch, by another provider     |

One rule stands beside the rows, for operators that the import of PyTorch's own graphs has no
lowering for: `aten.roll.default(x, ...)` prints as `torch.ops.aten.roll.default(x, ...)`. Any
operator of PyTorch's library of tensors may be called so if, by its name, it changes no tensor in
place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, Flag, auto
from functools import cache
from types import MappingProxyType

UNARY_OPERATORS = {"operator.neg": "-", "operator.invert": "~"}

BINARY_OPERATORS = {
    "operator.add": "+",
    "operator.sub": "-",
    "operator.mul": "*",
    "operator.truediv": "/",
    "operator.pow": "**",
    "operator.matmul": "@",
    "operator.and_": "&",
    "operator.or_": "|",
    "operator.xor": "^",
    "operator.eq": "==",
    "operator.lt": "<",
    "operator.le": "<=",
    "operator.gt": ">",
    "operator.ge": ">=",
}


class Kind(Enum):
    """The kind of work that a call does, from which its cost follows by its shapes
    (ramiel.torch_level.work)."""

    VIEW = "moves no data"
    MOVES = "reads its operands and writes its results"
    CONVOLUTION = "x [N, C, size...] with a weight [out, in / groups, kernel...]"
    TRANSPOSED = "a transposed convolution"
    PRODUCT = "[..., m, k] times [..., k, n]"
    LINEAR = "a product with a weight [n, k]"
    PACKED_PRODUCT = "a product with a weight that is unpacked first"
    EINSUM = "a product by Einstein's convention"
    ATTENTION = "products with keys and with values, each [..., keys, d]"
    RECURRENT = "a product for each step"
    WINDOWS = "reads an element once for each window that it is in"
    PAIRS = "looks at each pair of a row [k] of either operand"
    SOLVED = "eliminates rows of square matrices"
    SORTED = "sorts"
    SPECTRUM = "Fourier transforms"
    SAMPLED = "reads several elements for each that it writes"
    TEXT = "goes through elements one by one in Python"


class Trait(Flag):
    """Further properties of a call."""

    NONE = 0
    RANDOM = auto()
    """It draws random numbers: calls are neither merged nor removed."""
    ELEMENTWISE = auto()
    """Each element of its result depends only on the operands' elements at the same position, so
    that it commutes with permutations of dimensions."""
    KEEPS_ORDER = auto()
    """The elements of its result are those of its first operand, in the same order."""
    PICKS = auto()
    """The elements of its result are taken from its first operand, so that applied to a weight it
    gives a weight."""
    TRANSCENDENTAL = auto()
    """It takes an exponential function, a sine or the like of each element."""
    NO_HALVES = auto()
    """PyTorch has no kernel for 16-bit floats on the CPU."""


class Unsigned(Enum):
    """How a call on unsigned integers of 16, 32 and 64 bits is computed."""

    ITSELF = "PyTorch supports it"
    MODULAR = "as int64, which is correct modulo 2**64"
    ORDERED = "as int64 in the same order, since it only compares elements"


@dataclass(frozen=True)
class Callee:
    """The properties of a function that may be called."""

    kind: Kind
    traits: Trait = Trait.NONE
    unsigned: Unsigned | str | Mapping[str, Unsigned] | None = None
    """A string names the function for 64 bits. A mapping is by mode, the first string among the
    arguments. None: 16 and 32 bits are computed in int64, 64 bits are refused."""
    float32: str | Mapping[str, str] | None = None
    """Why it stays in float32 if a model is compiled to a lower precision; a mapping is by mode,
    as above."""
    numbers_from: int | None = None
    """The operands from this index on are sizes, scales or single numbers and stay in float32."""

    def is_a(self, trait: Trait) -> bool:
        return bool(self.traits & trait)


@dataclass(frozen=True)
class Layer:
    """The properties of a layer of ramiel.runtime: a callable that is made once, with weights."""

    kind: Kind
    has_weights: bool = True
    """Whether it must have weights; the tables of other layers are in their configuration."""
    float32: str | None = None
    """Why it stays in float32, including its input."""
    float32_weights: str | None = None
    """Why its weights stay in float32."""


ACTIVATIONS: Mapping[str, str] = {
    "clip": "torch.clamp",
    "gelu": "F.gelu",
    "gelu_tanh": "F.gelu",
    "hardsigmoid": "F.hardsigmoid",
    "hardswish": "F.hardswish",
    "leaky_relu": "F.leaky_relu",
    "relu": "F.relu",
    "sigmoid": "torch.sigmoid",
    "silu": "F.silu",
    "tanh": "torch.tanh",
}
"""What layers may apply to their results, by the name of the option `activation`, or the first of
its list, and the function that computes it."""

_INTEGERS = "its operands may be sizes, indices or counts"
_POWERS = "it computes powers, or stores intermediate results of long sums or products"
_EXACT = "it compares its input with constants of the model"

_REDUCED = {
    "Sum": Unsigned.MODULAR,
    "Prod": Unsigned.MODULAR,
    "SumSquare": Unsigned.MODULAR,
    "Max": Unsigned.ORDERED,
    "Min": Unsigned.ORDERED,
}
_KEPT_REDUCTIONS = dict.fromkeys(["Prod", "L1", "L2", "LogSum", "SumSquare"], _POWERS)
_SCATTERED = {
    "none": Unsigned.MODULAR,
    "add": Unsigned.MODULAR,
    "mul": Unsigned.MODULAR,
    "max": Unsigned.ORDERED,
    "min": Unsigned.ORDERED,
}


def _row(
    names: str,
    kind: Kind,
    traits: Trait = Trait.NONE,
    unsigned: Unsigned | str | Mapping[str, Unsigned] | None = None,
    float32: str | Mapping[str, str] | None = None,
    numbers_from: int | None = None,
) -> Iterator[tuple[str, Callee]]:
    callee = Callee(kind, traits, unsigned, float32, numbers_from)
    return ((name, callee) for name in names.split())


class _Callees(Mapping[str, Callee]):
    """The rows, which are what it iterates over, and the rule for other operators of aten."""

    def __init__(self, rows: tuple[Iterator[tuple[str, Callee]], ...]) -> None:
        self._table: dict[str, Callee] = {}
        for row in rows:
            for name, callee in row:
                if name in self._table:
                    raise AssertionError(f"{name} stands in two rows")
                self._table[name] = callee

    def __getitem__(self, name: str) -> Callee:
        if name not in self._table and is_aten(name):
            return _OF_ATEN
        return self._table[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


_ATEN = re.compile(r"aten\.([a-z_][a-zA-Z0-9_]*)\.([a-zA-Z_][a-zA-Z0-9_]*)")
_OF_ATEN = Callee(Kind.MOVES, unsigned=Unsigned.ITSELF)


def is_aten(name: str) -> bool:
    """Whether a name is that of an operator of aten with its overload, such as `aten.roll.default`,
    and not of one that writes to its operands: those end in an underscore, or have an overload for
    results that are given."""
    match = _ATEN.fullmatch(name)
    return match is not None and not match[1].endswith("_") and "out" not in match[2].split("_")


_ROWS = (
    _row("Tensor.unflatten", Kind.VIEW),
    _row("ops.shape ops.size", Kind.VIEW, unsigned=Unsigned.ITSELF),
    _row(
        "Tensor.expand Tensor.reshape Tensor.squeeze Tensor.unsqueeze ops.expand ops.flatten "
        "ops.reshape ops.squeeze ops.unsqueeze torch.flatten torch.squeeze",
        Kind.VIEW,
        Trait.KEEPS_ORDER | Trait.PICKS,
        unsigned=Unsigned.ITSELF,
    ),
    _row("Tensor.mT", Kind.VIEW, Trait.PICKS),
    _row(
        "Tensor.permute operator.getitem ops.split torch.split",
        Kind.VIEW,
        Trait.PICKS,
        unsigned=Unsigned.ITSELF,
    ),
    _row("torch.div", Kind.MOVES, unsigned="ops.unsigned_div"),
    _row("torch.fmod torch.remainder", Kind.MOVES, unsigned="ops.unsigned_remainder"),
    _row("torch.bitwise_right_shift", Kind.MOVES, unsigned="ops.unsigned_right_shift"),
    _row(
        "F.adaptive_avg_pool1d F.adaptive_avg_pool2d F.adaptive_avg_pool3d F.affine_grid "
        "F.batch_norm F.fold F.group_norm F.instance_norm F.prelu F.rms_norm F.softsign "
        "kernels.adaptive_avg_pool2d ops.adagrad ops.adam ops.affine_grid ops.attention_mask "
        "ops.batch_norm ops.col2im ops.compress ops.cumprod ops.dynamic_quantize ops.first_rows "
        "ops.get_element ops.global_lp_pool ops.hardmax ops.has_element ops.instance_norm "
        "ops.layer_norm ops.lp_normalize ops.mask_lengths ops.max_unpool ops.mel_weight_matrix "
        "ops.momentum ops.normalize ops.nothing ops.positive ops.post_transform ops.prelu "
        "ops.refuse ops.requantize ops.reverse_sequence ops.rotary ops.rows ops.same_pad "
        "ops.sequence ops.sequence_at ops.sequence_erase ops.sequence_insert ops.sequence_length "
        "ops.shrink ops.simplified_layer_norm ops.split_to_sequence ops.svm_vote "
        "ops.take_features ops.tensor_scatter ops.transpose ops.two_scores ops.unordered "
        "torch.ceil torch.cumprod torch.floor torch.group_norm torch.isinf torch.isnan torch.mean "
        "torch.repeat_interleave torch.round torch.sign torch.stack torch.sum torch.zeros",
        Kind.MOVES,
    ),
    _row(
        "F.celu F.log_softmax F.softmax ops.legacy_softmax torch.acos torch.acosh torch.asin "
        "torch.asinh torch.atan torch.atanh torch.cos torch.cosh torch.sin torch.sinh torch.tan",
        Kind.MOVES,
        Trait.TRANSCENDENTAL,
    ),
    _row("ops.impute", Kind.MOVES, float32=_EXACT),
    _row("ops.one_hot ops.range", Kind.MOVES, float32=_INTEGERS),
    _row(
        "ops.local_response_norm ops.mean_variance_norm ops.svm_probabilities torch.cumsum",
        Kind.MOVES,
        float32=_POWERS,
    ),
    _row(
        "Tensor.type_as Tensor.view operator.and_ operator.eq operator.or_ operator.xor ops.cast "
        "ops.constant_of_shape ops.depth_to_space ops.dequantize ops.eye_like ops.length "
        "ops.ordered ops.part ops.quantize ops.sign ops.space_to_depth ops.unsigned_div "
        "ops.unsigned_remainder ops.unsigned_right_shift torch.cat torch.full torch.movedim "
        "torch.ones_like torch.where",
        Kind.MOVES,
        unsigned=Unsigned.ITSELF,
    ),
    _row("ops.pad", Kind.MOVES, unsigned=Unsigned.MODULAR, numbers_from=1),
    _row(
        "F.pixel_shuffle F.pixel_unshuffle operator.invert operator.neg ops.non_zero ops.trilu "
        "torch.bitwise_left_shift torch.flip",
        Kind.MOVES,
        unsigned=Unsigned.MODULAR,
    ),
    _row("ops.cumsum", Kind.MOVES, unsigned=Unsigned.MODULAR, float32=_POWERS),
    _row(
        "operator.ge operator.gt operator.le operator.lt ops.arg_reduce ops.clip torch.amax "
        "torch.amin torch.argmax torch.argmin torch.maximum torch.minimum",
        Kind.MOVES,
        unsigned=Unsigned.ORDERED,
    ),
    _row(
        "ops.reduce",
        Kind.MOVES,
        unsigned=_REDUCED,
        float32=_KEPT_REDUCTIONS,
    ),
    _row(
        "ops.scatter_elements ops.scatter_nd",
        Kind.MOVES,
        unsigned=_SCATTERED,
    ),
    _row(
        "F.hardsigmoid F.hardswish F.leaky_relu F.relu operator.pow operator.truediv torch.abs "
        "torch.clamp torch.reciprocal torch.sqrt",
        Kind.MOVES,
        Trait.ELEMENTWISE,
    ),
    _row(
        "F.elu F.gelu F.mish F.silu F.softplus torch.erf torch.exp torch.log torch.sigmoid "
        "torch.tanh",
        Kind.MOVES,
        Trait.ELEMENTWISE | Trait.TRANSCENDENTAL,
    ),
    _row("operator.mul", Kind.MOVES, Trait.ELEMENTWISE, unsigned=Unsigned.ITSELF),
    _row(
        "operator.add operator.sub",
        Kind.MOVES,
        Trait.ELEMENTWISE,
        unsigned=Unsigned.MODULAR,
    ),
    _row("Tensor.to", Kind.MOVES, Trait.KEEPS_ORDER, unsigned=Unsigned.ITSELF),
    _row("F.pad ops.tile", Kind.MOVES, Trait.PICKS, unsigned=Unsigned.ITSELF),
    _row(
        "ops.gather ops.gather_elements ops.gather_nd ops.slice torch.tril torch.triu",
        Kind.MOVES,
        Trait.PICKS,
        unsigned=Unsigned.MODULAR,
    ),
    _row(
        "ops.bernoulli ops.dropout ops.multinomial ops.random_normal ops.random_uniform",
        Kind.MOVES,
        Trait.RANDOM,
    ),
    _row("F.conv1d F.conv2d F.conv3d ops.conv_integer ops.deform_conv", Kind.CONVOLUTION),
    _row(
        "F.conv_transpose1d F.conv_transpose2d F.conv_transpose3d ops.conv_transpose",
        Kind.TRANSPOSED,
    ),
    _row("ops.matmul_integer", Kind.PRODUCT),
    _row("operator.matmul", Kind.PRODUCT, unsigned=Unsigned.MODULAR),
    _row("ops.matmul_n_bits", Kind.PACKED_PRODUCT),
    _row("torch.einsum", Kind.EINSUM, unsigned=Unsigned.MODULAR),
    _row(
        "F.scaled_dot_product_attention kernels.scaled_dot_product_attention "
        "ops.group_query_attention",
        Kind.ATTENTION,
    ),
    _row("ops.gru ops.lstm ops.rnn", Kind.RECURRENT),
    _row(
        "F.avg_pool1d F.avg_pool2d F.max_pool1d F.max_pool2d F.max_pool3d kernels.avg_pool2d "
        "kernels.max_pool2d ops.avg_pool ops.lp_pool ops.max_pool",
        Kind.WINDOWS,
    ),
    _row("F.avg_pool3d", Kind.WINDOWS, Trait.NO_HALVES),
    _row("torch.cdist", Kind.PAIRS),
    _row("ops.svm_kernel", Kind.PAIRS, float32=_POWERS),
    _row("torch.inverse", Kind.SOLVED),
    _row("torch.det", Kind.SOLVED, Trait.NO_HALVES),
    _row("ops.non_max_suppression ops.unique ops.unique_in_order", Kind.SORTED),
    _row("ops.top_k", Kind.SORTED, unsigned=Unsigned.ITSELF),
    _row("ops.dft ops.stft", Kind.SPECTRUM),
    _row("ops.resize", Kind.SAMPLED, numbers_from=1),
    _row(
        "F.grid_sample F.interpolate ops.crop_and_resize ops.grid_sample_cubic ops.max_roi_pool "
        "ops.roi_align",
        Kind.SAMPLED,
    ),
    _row(
        "ops.decode_image ops.format_numbers ops.join_features ops.parse_numbers "
        "ops.regex_full_match ops.string_concat ops.string_normalize ops.string_split ops.strings "
        "ops.tokenize ops.vectorize ops.zip_map",
        Kind.TEXT,
    ),
    _row("ops.encode", Kind.TEXT, float32=_EXACT),
)

CALLEES: Mapping[str, Callee] = _Callees(_ROWS)

LAYERS: Mapping[str, Layer] = MappingProxyType(
    {
        "BatchNorm": Layer(
            Kind.MOVES,
            float32_weights="variances leave the range of f16, and PyTorch takes both types",
        ),
        "Conv1d": Layer(Kind.CONVOLUTION),
        "Conv2d": Layer(Kind.CONVOLUTION),
        "Conv3d": Layer(Kind.CONVOLUTION),
        "ConvTranspose1d": Layer(Kind.TRANSPOSED),
        "ConvTranspose2d": Layer(Kind.TRANSPOSED),
        "ConvTranspose3d": Layer(Kind.TRANSPOSED),
        "Embedding": Layer(Kind.MOVES),
        "GRU": Layer(Kind.RECURRENT),
        "LSTM": Layer(Kind.RECURRENT),
        "LabelEncoder": Layer(Kind.TEXT, has_weights=False),
        "LayerNorm": Layer(Kind.MOVES),
        "Linear": Layer(Kind.LINEAR),
        "PReLU": Layer(Kind.MOVES),
        "RNN": Layer(Kind.RECURRENT),
        "TfIdfVectorizer": Layer(Kind.TEXT, has_weights=False),
        "TreeClassifier": Layer(Kind.MOVES, float32=_EXACT),
        "TreeEnsemble": Layer(Kind.MOVES, float32=_EXACT),
    }
)
"""The layers of ramiel.runtime."""


@cache
def callees_with(trait: Trait) -> frozenset[str]:
    """The names of the functions that have a trait."""
    return frozenset(name for name, callee in CALLEES.items() if callee.is_a(trait))
