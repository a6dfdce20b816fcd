"""Models some of whose initializers are inputs as well, which calls may override."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx
from case import Case
from chooser import Chooser
from contents import Array
from onnx import helper, numpy_helper
from oracles import all_nodes, run_by_node, run_model, type_of

MOST = 3


def with_defaults(choose: Chooser, case: Case) -> Case:
    """The case with up to three of the model's initializers as inputs, called without them, with
    one, and with all; the inputs that have to be given stand first, or in any order."""
    arrays = {t.name: numpy_helper.to_array(t) for t in case.model.graph.initializer}
    # Bodies declare shapes, which other integers may give the lie to.
    has_bodies = any(a.HasField("g") for n in all_nodes(case.model.graph.node) for a in n.attribute)
    kinds = "fb" if has_bodies else "fbiu"
    constants = {n: a for n, a in arrays.items() if a.dtype.kind in kinds and _may_change(a)}
    if not constants:
        return case
    names = list(dict.fromkeys(choose.some(list(constants), 1, MOST)))
    inputs = [
        *case.model.graph.input,
        *(helper.make_value_info(name, type_of(constants[name])) for name in names),
    ]
    if choose.chance(3):
        inputs = [inputs[i] for i in choose.permutation(len(inputs))]
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    feeds = [dict(feed) for feed in case.feeds]
    for some in (names[:1], names):
        given = {name: _other(choose, constants[name]) for name in some}
        feed = {**case.feeds[0], **given}
        if not _runs(model, feed):
            # Other sizes or indices may make no sense; what is the default always does.
            floats = {n: a for n, a in given.items() if a.dtype.kind == "f"}
            feed = {**case.feeds[0], **{n: constants[n] for n in some}, **floats}
        if _runs(model, feed):
            feeds.append(feed)
    return replace(case, model=model, feeds=feeds, kind=f"defaults of {case.kind}")


def _other(choose: Chooser, array: Array) -> Array:
    """Another value for a default: the same numbers in another order, or other ones.

    Of axes neither makes another one twice, or one out of range, which ONNX Runtime lets pass.
    """
    if array.size > 1 and (array.dtype.kind in "iu" or choose.flag()):
        return np.ascontiguousarray(np.roll(array.reshape(-1), 1).reshape(array.shape))
    if array.dtype.kind == "b":
        return ~array
    if array.dtype.kind == "f":
        return array * np.array(0.5, array.dtype)
    return np.zeros_like(array)


def _may_change(array: Array) -> bool:
    """Not what is at the limits of its type: another step makes a range of all integers of it."""
    return array.dtype.kind not in "iu" or bool(np.all(np.abs(array.astype(np.float64)) <= 100))


def _runs(model: onnx.ModelProto, feed: Mapping[str, Array]) -> bool:
    outputs = run_model(model, feed) or run_by_node(model, feed)
    return outputs is not None and all(
        a.dtype.kind != "f" or np.abs(a[np.isfinite(a)]).max(initial=0) < 1e3 for a in outputs
    )
