"""ONNX's backend tests, run against Ramiel one by one."""

from __future__ import annotations

import functools
import os
import tempfile
import unittest
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnx
import torch

PASSING = Path(__file__).parent / "passing.txt"
"""The names of the cases that pass. It may only grow."""

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"

RANDOM = "test_bernoulli"
"""What the names of cases begin with that expect the random numbers of one implementation."""
WHY: Mapping[str, str] = {
    RANDOM: "it expects the random numbers of one implementation",
    "test_attention_4d_causal_fp16": "two numbers are one unit of float16's last place away, which "
    "is more than the tolerance; ONNX Runtime's are as far away, and ours nearer to the results in "
    "float64",
    "test_dft_inverse": "1e-6 of rounding where zero is expected; ONNX Runtime's is 2e-5",
    "test_gradient": "no lowering: training is left to PyTorch, which differentiates programs",
    "test_loop16_seq_none": "the result is as expected, but ONNX's test runner takes the lengths "
    "of a list's items, one of which is a scalar",
    "test_resize_downsample_scales": "with align_corners, ONNX's reference divides by the length "
    "before it is rounded down; ONNX Runtime by the length of the result, and so do we",
}
"""What is known of cases that fail, by what their names begin with."""


@functools.cache
def cases() -> Mapping[str, Callable[[], None]]:
    """The cases by name, each as a function that raises if it fails."""
    # Expected results of the light models are written to where models would be downloaded to.
    os.environ.setdefault("ONNX_HOME", tempfile.mkdtemp(prefix="onnx-backend-test-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, of the cases' own arithmetic
        from onnx.backend.test import BackendTest

        from ramiel.onnx_backend import RamielBackend

        suites = BackendTest(RamielBackend, __name__).test_cases.values()
    found: dict[str, Callable[[], None]] = {}
    for suite in suites:
        for name in unittest.defaultTestLoader.getTestCaseNames(suite):
            if name.endswith("_cpu"):
                found[name.removesuffix("_cpu")] = getattr(suite(name), name)
    return found


@functools.cache
def operators() -> Mapping[str, tuple[str, ...]]:
    """The operators of each case whose model is at hand, as often as they occur in it."""
    from onnx.backend.test.loader import load_model_tests

    found: dict[str, tuple[str, ...]] = {}
    for kind in ("node", "simple", "pytorch-converted", "pytorch-operator", "real"):
        for case in load_model_tests(kind=kind):
            model: Any = case.model
            if model is None and case.model_dir is not None:
                model = onnx.load(Path(case.model_dir) / "model.onnx")
            if model is not None:
                found[case.name] = tuple(_operators(model.graph))
    return found


def _operators(graph: onnx.GraphProto) -> Counter[str]:
    found: Counter[str] = Counter()
    for node in graph.node:
        domain = "" if node.domain in ("", "ai.onnx") else f"{node.domain}::"
        found[f"{domain}{node.op_type}"] += 1
        for attribute in node.attribute:
            found += _operators(attribute.g)
    return found


def failure_of(name: str) -> str | None:
    """Why a case fails, in a line; None if it passes."""
    if name.startswith(RANDOM):
        return WHY[RANDOM]
    torch.set_num_threads(1)
    try:
        cases()[name]()
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[0] if lines else ""
        if isinstance(error, AssertionError):
            # numpy's: "Not equal to tolerance ..." and then by how much.
            reason = "; ".join(lines[:4])
        return f"{type(error).__name__}: {reason}"[:300]
    return None


def passing() -> frozenset[str]:
    return frozenset(PASSING.read_text(encoding="utf-8").split())
