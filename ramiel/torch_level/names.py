"""Python names from a model's names.

A model's names are untrusted: here they become identifiers, and only what this module returns ever
appears in an emitted program outside of a string literal.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from ramiel.dialects.torch.callees import LAYERS

LONGEST = 29
"""Identifiers are cut to this many characters, so that `a = ch.a.recv()` is one line."""

BUILTINS = frozenset(["dict", "float", "int", "list", "slice", "str", "super", "tuple", "type"])
"""Builtins that an emitted program may use. A value may shadow others: `input` and `max` are good
names, and no line uses those builtins."""

PROGRAM_NAMES = BUILTINS | frozenset(
    "F T_destination Tensor add_module apply batch bfloat16 bind buffers call_super_init capture "
    "capture_status captured_form captures ch channels children close compares compile cpu cuda "
    "device double dump_patches eval extra_repr float forward get_buffer get_extra_state "
    "get_parameter get_submodule half inputs ipu kernels load_state_dict main modules mtia "
    "named_buffers named_children named_modules named_parameters nodes one_stream one_thread "
    "operator ops outputs parameters plan register_backward_hook register_buffer "
    "register_forward_hook register_forward_pre_hook register_full_backward_hook "
    "register_full_backward_pre_hook register_load_state_dict_post_hook "
    "register_load_state_dict_pre_hook register_module register_parameter "
    "register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ self serial "
    "serial_capture_status set_extra_state set_submodule share_memory state_dict stream "
    "synchronize to to_empty told tolerance torch train training weights with_defaults xpu "
    "zero_grad inf nan fail workers_form worker_codes undisturbed replay_times device_name "
    "restart connect serve identity ranks remote streaming compiled".split()
)
"""Names that an emitted program, its base class or its imports already use. They are listed since
importing torch takes long; a test compares them with nn.Module and Program."""

COMPILED_NAMES = frozenset(["report", "results", "save", "source"])
"""What ramiel.compile() adds to a program: taken as attributes, but free as names of values."""

CLASS_NAMES = LAYERS.keys() | frozenset(
    "Channel Channels DistributedProgram Events F Input Layer OpError OpIndexError ProcessProgram "
    "Program Remote Stopped StreamProgram Streaming Strings Tensor Weights".split()
)
"""Classes of ramiel.runtime, and an emitted program's imports that are capitalised like them."""

_WORD = re.compile(r"[A-Za-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NUMBERED = re.compile(r"(.*?)_?(\d*)$")
_WORKER = re.compile(r"worker(_\d+)?")
"""The methods of a program, and names that a distinguishing number would turn into one."""


def snake(text: str) -> str:
    """`LayerNormalization` -> `layer_normalization`."""
    return _CAMEL.sub("_", text).lower()


def identifier(text: str, fallback: str, suffix: str = "") -> str:
    """An identifier close to a text, in lower case: letters, digits and single underscores.

    If it is too long, the suffix is dropped first, then the first words.
    """
    words = [w.lower() for w in _WORD.findall(text) if w.isascii()]
    whole = "_".join([*words, suffix] if suffix else words)
    name = whole if len(whole) <= LONGEST else _cut(words)
    if not name:
        name = fallback
    if name[0].isdigit():
        name = f"{fallback}_{name}"[:LONGEST].rstrip("_")
    taken = name in PROGRAM_NAMES or _WORKER.fullmatch(name)
    if taken or keyword.iskeyword(name) or keyword.issoftkeyword(name):
        name = f"{name}_"
    return name


def _cut(words: Sequence[str]) -> str:
    """The words joined, without the first ones if it would be too long."""
    kept = list(words)
    while len(kept) > 1 and sum(map(len, kept)) + len(kept) - 1 > LONGEST:
        kept.pop(0)
        while len(kept) > 1 and kept[0].isdigit():
            kept.pop(0)
    return "_".join(kept)[:LONGEST].strip("_")


def class_name(text: str) -> str:
    """A class name close to a text: `inception-v3` -> `InceptionV3`."""
    words = [w for w in _WORD.findall(text[:LONGEST]) if w.isascii()]
    name = "".join(w[0].upper() + w[1:] for w in words)
    if not name or not name[0].isalpha():
        name = f"Model{name}"
    taken = keyword.iskeyword(name) or name in CLASS_NAMES or hasattr(builtins, name)
    return f"{name}_" if taken else name


def attribute_name(name: str) -> str:
    """The name of a layer, a weight or a method in the class."""
    return f"{name}_" if name in COMPILED_NAMES else name


def method_name(name: str) -> str:
    """As attribute_name(), and not a builtin, which a method would shadow in the rest of the
    class body."""
    return f"{name}_" if hasattr(builtins, name) else attribute_name(name)


def node_words(node: str, op_type: str) -> tuple[str, str]:
    """A node's path, without repetitions by the exporter, and a suffix.

    `/features/features.0/Conv` of a Conv -> `features.0`; `/layer1/Relu_1` of a Relu ->
    `layer1` with the suffix `relu`.
    """
    path = [part for part in node.split("/") if part]
    if not path:
        return "", ""
    suffix = ""
    match = _NUMBERED.match(path[-1])
    last_is_type = match is not None and match.group(1).lower() == op_type.lower()
    if last_is_type:
        path = path[:-1]
        suffix = "" if path and op_type in _NAMED_BY_MODULE else snake(op_type)
    # Names of nested modules repeat their parents': `features/features.0`.
    words = [
        part for part, following in pairwise([*path, ""]) if not following.startswith(f"{part}.")
    ]
    return " ".join(words), suffix


def says_something(node: str, op_type: str) -> bool:
    """Whether a node's name is more than a number or its operator's name. `n12` and `Conv_3`
    are not: the name of the node's result may be better."""
    core = node.lower().removeprefix(op_type.lower()).strip("0123456789_.@:-/")
    return len(core) > 1


_NAMED_BY_MODULE = frozenset(
    [
        "Conv",
        "ConvTranspose",
        "Gemm",
        "MatMul",
        "BatchNormalization",
        "LayerNormalization",
        "Gather",
        "native_batch_norm_legit_no_training",
        "addmm",
        "convolution",
        "embedding",
        "mm",
        "native_group_norm",
        "native_layer_norm",
    ]
)
"""Operators that do all the work of a module, whose path then names them."""


def common_prefix(nodes: Iterable[str]) -> str:
    """The leading path that all names with a path share, with its final slash."""
    paths = [node.split("/")[:-1] for node in nodes if "/" in node]
    if len(paths) < 2:
        return ""
    shortest, longest = min(paths), max(paths)
    shared: list[str] = []
    for a, b in zip(shortest, longest, strict=False):
        if a != b:
            break
        shared.append(a)
    return "/".join(shared) + "/" if any(shared) else ""


class Names:
    """Hands out distinct names: `conv`, `conv_2`, `conv_3`."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def unique(self, name: str, *beside: Names) -> str:
        """The name, or a numbered one, that is free here and in the others; it is taken in all."""
        spaces = (self, *beside)
        candidate, count = name, self._next.get(name, 2)
        while any(candidate in space._taken for space in spaces):
            candidate, count = f"{name}_{count}", count + 1
        self._next[name] = count
        for space in spaces:
            space._taken.add(candidate)
        return candidate
