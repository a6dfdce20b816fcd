"""oneDNN's C API by way of ctypes: finding the library, checking it, calling it.

Any oneDNN 3.x that is built with OpenMP will do. It is looked for in the file that
RAMIEL_ONEDNN names, then in the environment's `lib` folder (where the package
`onednn-cpu-gomp` puts it), then where the system's loader looks. RAMIEL_ONEDNN=off switches
it off. A library that is missing, of another version or kind, or that fails a test product in a
separate process is not used, and `why_not()` says why.

Numbers are those of the C headers, which are stable within a major version.
"""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

OFF = "off"
VARIABLE = "RAMIEL_ONEDNN"

Dims = c_int64 * 12

_CPU = 1
IN_ORDER = 1
_OPENMP = 2
_QUERY_IMPLEMENTATION = 8

_P = c_void_p
_OUT = POINTER(c_void_p)
_PROTOTYPES: dict[str, tuple[Any, ...]] = {
    "dnnl_engine_create": (_OUT, c_int, c_size_t),
    "dnnl_stream_create": (_OUT, _P, c_int),
    "dnnl_stream_destroy": (_P,),
    "dnnl_memory_desc_create_with_tag": (_OUT, c_int, Dims, c_int, c_int),
    "dnnl_memory_desc_create_with_strides": (_OUT, c_int, Dims, c_int, Dims),
    "dnnl_memory_desc_destroy": (_P,),
    "dnnl_memory_create": (_OUT, _P, _P, _P),
    "dnnl_memory_destroy": (_P,),
    "dnnl_memory_set_data_handle": (_P, _P),
    "dnnl_primitive_attr_create": (_OUT,),
    "dnnl_primitive_attr_destroy": (_P,),
    "dnnl_primitive_attr_set_scratchpad_mode": (_P, c_int),
    "dnnl_primitive_attr_set_post_ops": (_P, _P),
    "dnnl_post_ops_create": (_OUT,),
    "dnnl_post_ops_destroy": (_P,),
    "dnnl_post_ops_append_eltwise": (_P, c_int, c_float, c_float),
    "dnnl_post_ops_append_binary": (_P, c_int, _P),
    "dnnl_primitive_desc_query": (_P, c_int, c_int, _P),
    "dnnl_primitive_desc_next_impl": (_P,),
    "dnnl_primitive_desc_destroy": (_P,),
    "dnnl_primitive_create": (_OUT, _P),
    "dnnl_primitive_execute": (_P, _P, c_int, _P),
    "dnnl_primitive_destroy": (_P,),
    "dnnl_convolution_forward_primitive_desc_create": (
        *(_OUT, _P, c_int, c_int, _P, _P, _P, _P, Dims, Dims, Dims, Dims, _P),
    ),
    "dnnl_matmul_primitive_desc_create": (_OUT, _P, _P, _P, _P, _P, _P),
    "dnnl_pooling_forward_primitive_desc_create": (
        *(_OUT, _P, c_int, c_int, _P, _P, Dims, Dims, Dims, Dims, Dims, _P),
    ),
    "dnnl_reorder_primitive_desc_create": (_OUT, _P, _P, _P, _P, _P),
}


class Unusable(Exception):
    """There is no usable oneDNN; the message says why, in one line."""


class _Version(ctypes.Structure):
    _fields_ = (
        ("major", c_int),
        ("minor", c_int),
        ("patch", c_int),
        ("hash", c_char_p),
        ("cpu_runtime", ctypes.c_uint),
        ("gpu_runtime", ctypes.c_uint),
    )


_AVX512 = 0x27
"""The bits of AVX-512 in oneDNN's numbers of instruction sets, which have those of their parts."""


class Library:
    """A loaded library with one engine, the CPU, and one stream.

    `quick` holds the same functions for short calls: they keep the GIL, which ctypes otherwise
    releases at each call and may have to wait for.
    """

    def __init__(self, path: str) -> None:
        """Raises Unusable if the file is not oneDNN 3.x with OpenMP."""
        try:
            self.functions, self.quick = ctypes.CDLL(path), ctypes.PyDLL(path)
            for library in (self.functions, self.quick):
                for name, types in _PROTOTYPES.items():
                    function = getattr(library, name)
                    function.argtypes, function.restype = types, c_int
                library.dnnl_primitive_desc_query_md.argtypes = (_P, c_int, c_int)
                library.dnnl_primitive_desc_query_md.restype = c_void_p
                library.dnnl_memory_desc_equal.argtypes = (_P, _P)
                library.dnnl_memory_desc_get_size.argtypes = (_P,)
                library.dnnl_memory_desc_get_size.restype = c_size_t
            self.functions.dnnl_version.restype = POINTER(_Version)
        except (OSError, AttributeError) as error:
            raise Unusable(f"{path} is not oneDNN 3.x: {error}") from None
        version = self.functions.dnnl_version().contents
        self.version = f"{version.major}.{version.minor}.{version.patch}"
        self.path = path
        isa = getattr(self.functions, "dnnl_get_effective_cpu_isa", None)
        self.has_avx512 = isa is None or isa() & _AVX512 == _AVX512
        if version.major != 3 or version.cpu_runtime != _OPENMP:
            raise Unusable(f"{path} is oneDNN {self.version}; 3.x is needed, built with OpenMP")
        self.engine = self.create("dnnl_engine_create", _CPU, 0)
        self.stream = self.create("dnnl_stream_create", self.engine, IN_ORDER)

    def create(self, name: str, *args: object) -> c_void_p:
        """The object that a function of the API makes. RuntimeError if it fails."""
        made = c_void_p()
        if status := getattr(self.functions, name)(byref(made), *args):
            raise RuntimeError(f"{name}: status {status}")
        return made

    def do(self, name: str, *args: object) -> None:
        """Call a function of the API. RuntimeError if it fails."""
        if status := getattr(self.functions, name)(*args):
            raise RuntimeError(f"{name}: status {status}")

    def implementation(self, descriptor: c_void_p) -> str:
        """The name of the kernel that a primitive descriptor stands for."""
        text = c_char_p()
        self.do("dnnl_primitive_desc_query", descriptor, _QUERY_IMPLEMENTATION, 0, byref(text))
        return (text.value or b"").decode(errors="replace")


def dims(values: Sequence[int]) -> Any:
    return Dims(*values)


@functools.cache
def library() -> Library | None:
    """The library, loaded and tried once for the process; None if none is usable."""
    try:
        return _find()
    except Unusable:
        return None


@functools.cache
def why_not() -> str:
    """Why there is no usable library, in one line; `` if there is one."""
    try:
        _find()
    except Unusable as reason:
        return str(reason)
    return ""


@functools.cache
def _find() -> Library:
    given = os.environ.get(VARIABLE)
    if given == OFF:
        raise Unusable(f"{VARIABLE} is {OFF!r}")
    reason = "no oneDNN library was found: pip install onednn-cpu-gomp"
    for path in [given] if given else _places():
        if not given and not _is_there(path):
            continue
        if why := _try_apart(path):
            reason = why
            continue
        return Library(path)
    raise Unusable(reason)


def _is_there(path: str) -> bool:
    return "/" not in path or Path(path).is_file()


def _places() -> Iterator[str]:
    for folder in dict.fromkeys((sys.prefix, sys.base_prefix)):
        yield str(Path(folder) / "lib" / "libdnnl.so.3")
    yield "libdnnl.so.3"


def _try_apart(path: str) -> str:
    """Why a library cannot be used, tested in a process that it may crash; `` if it can."""
    command = [sys.executable, "-S", "-c", _TRIAL, str(Path(__file__)), path]
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{path} could not be tried: {type(error).__name__}"
    if run.returncode == 0 and run.stdout.endswith(_RIGHT):
        return ""
    last = run.stderr.strip().splitlines()[-1:] or [f"it ended the process ({run.returncode})"]
    return last[0] if last[0].startswith(path) else f"{path} does not work: {last[0]}"


_RIGHT = "right"
_TRIAL = """
import ctypes, importlib.util, sys
spec = importlib.util.spec_from_file_location("onednn_library", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
spec.loader.exec_module(module)
try:
    if not module.multiplies(module.Library(sys.argv[2])):
        sys.exit(f"{sys.argv[2]} computes a wrong product")
    print(module._RIGHT, end="")
except module.Unusable as reason:
    sys.exit(str(reason))
"""


class Argument(ctypes.Structure):
    """dnnl_exec_arg_t: what a memory is to a primitive."""

    _fields_ = (("kind", c_int), ("memory", c_void_p))


SOURCE, WEIGHTS, BIAS, DESTINATION, SCRATCHPAD = 1, 33, 41, 17, 80
F32, PLAIN_2D = 3, 3


def multiplies(lib: Library) -> bool:
    """Whether a library gets a small product of matrices right."""
    n = 24
    a = (c_float * (n * n))(*(float(i % 7 - 3) for i in range(n * n)))
    b = (c_float * (n * n))(*(float(i % 5 - 2) for i in range(n * n)))
    c = (c_float * (n * n))()
    desc = lib.create("dnnl_memory_desc_create_with_tag", 2, dims((n, n)), F32, PLAIN_2D)
    product = lib.create(
        "dnnl_matmul_primitive_desc_create", lib.engine, desc, desc, None, desc, None
    )
    primitive = lib.create("dnnl_primitive_create", product)
    kinds = ((SOURCE, a), (WEIGHTS, b), (DESTINATION, c))
    memories = [
        (k, lib.create("dnnl_memory_create", desc, lib.engine, ctypes.addressof(x)))
        for k, x in kinds
    ]
    args = (Argument * 3)(*((kind, memory) for kind, memory in memories))
    lib.do("dnnl_primitive_execute", primitive, lib.stream, 3, ctypes.addressof(args))
    rows = (range(i * n, i * n + n) for i in range(n))
    wanted = [sum(a[p] * b[q * n + j] for q, p in enumerate(row)) for row in rows for j in range(n)]
    return list(c) == wanted
