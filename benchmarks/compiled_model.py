"""One model of compiled_zoo.py, computed in one way, in a process of its own.

    python benchmarks/compiled_model.py MODEL WAY [--threads 2]

It computes the model in eager PyTorch, makes it ready in its way, compares three calls, of which
the last is replayed where calls are, and reports on stdout, in one line of JSON. For each line
`run SECONDS` on stdin it then runs for that long and answers {"ms": [..]}, as contestants.py does.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

CALLS = 3


def eager(model: Any) -> Any:
    return model


def inductor(model: Any) -> Any:
    import torch
    import torch._inductor.config as settings

    settings.freezing = True  # weights are constants and may be laid out differently
    return torch.compile(model)


def ramiel(model: Any) -> Any:
    import torch

    return torch.compile(model, backend=importlib.import_module("ramiel.torch_backend").ramiel)


WAYS: Mapping[str, Callable[[Any], Any]] = {
    "eager": eager,
    "inductor": inductor,
    "ramiel": ramiel,
}


def tensors(results: Any) -> list[Any]:
    """The tensors of a model's results, those in a cache of a transformer too."""
    from torch import Tensor
    from torch.utils._pytree import tree_leaves

    found: list[Any] = []
    for leaf in tree_leaves(results):
        if isinstance(leaf, Tensor):
            found.append(leaf)
        elif hasattr(leaf, "layers"):
            found += [x for layer in leaf.layers for x in vars(layer).values()
                      if isinstance(x, Tensor)]  # fmt: skip
    return found


def difference(got: Any, expected: Any) -> float:
    """The largest difference over the largest value of its tensor; infinite for other shapes,
    types, or another place of infinities."""
    found, wanted = tensors(got), tensors(expected)
    if len(found) != len(wanted):
        return float("inf")
    largest = 0.0
    for x, y in zip(found, wanted, strict=True):
        if (x.shape, x.dtype) != (y.shape, y.dtype) or not x.isfinite().equal(y.isfinite()):
            return float("inf")
        if x.numel():
            x, y = x.double().nan_to_num(), y.double().nan_to_num()
            largest = max(largest, float((x - y).abs().max() / y.abs().max().clamp(min=1e-30)))
    return largest


def facts() -> dict[str, object]:
    """What became of the graphs, in the order in which they were captured."""
    from ramiel.torch_backend import graphs

    made = sorted(graphs(), key=lambda graph: graph.title)
    unknown: dict[str, int] = {}
    for graph in made:
        for name, count in graph.unknown.items():
            unknown[name] = unknown.get(name, 0) + count
    return {
        "graphs": len(made),
        "programs": sum(bool(graph.programs) and not graph.reasons for graph in made),
        "reasons": list(dict.fromkeys(reason for graph in made for reason in graph.reasons)),
        "unknown": dict(sorted(unknown.items())),
        "schedules": [p.report.schedule for graph in made for p in graph.programs],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    # Answers go to the original stdout, and libraries' output to stderr.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**values: object) -> None:
        print(json.dumps(values), file=answers)

    if options.way == "ramiel":
        importlib.import_module("ramiel.torch_backend")  # it sets how OpenMP's threads wait
    else:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    import torch
    from compiled_zoo import make
    from contestants import burst

    torch.set_num_threads(options.threads)
    try:
        model, inputs = make(options.model)
        with torch.no_grad():
            expected = model(**inputs)
            start = time.perf_counter()
            run = WAYS[options.way](model)
            differences = [difference(run(**inputs), expected)]
            ready_s = time.perf_counter() - start
            differences += [difference(run(**inputs), expected) for _ in range(CALLS - 1)]
    except Exception as error:
        text = str(error).strip().splitlines() or [""]
        answer(absent=f"{type(error).__name__}: {text[0][:300]}")
        raise
    found = facts() if options.way == "ramiel" else {}
    answer(ready_s=ready_s, relative=max(differences), facts=found)
    gc.collect()
    gc.freeze()
    with torch.no_grad():
        for line in sys.stdin:
            command, _, seconds = line.strip().partition(" ")
            if command != "run":
                break
            answer(ms=burst(lambda: run(**inputs), float(seconds)))


if __name__ == "__main__":
    main()
