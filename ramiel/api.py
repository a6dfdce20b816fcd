"""The Python interface: `ramiel.compile(model)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from ramiel.frontend.inputs import Shapes
from ramiel.frontend.model_file import ModelSource
from ramiel.pipelines import Options
from ramiel.programs.build import build
from ramiel.programs.loaded import CompiledProgram, load
from ramiel.programs.results import Result
from ramiel.runtime.surroundings import undisturbed

__all__ = ["CompiledProgram", "Result", "compile", "load"]


def compile(
    model: ModelSource | nn.Module,
    example_inputs: Sequence[Any] | Mapping[str, Any] | None = None,
    *,
    dynamic_shapes: Any = None,
    workers: int | None = None,
    schedule: str = "auto",
    shapes: Shapes | None = None,
    batch: int = 1,
    switched: bool = False,
    profile: bool = False,
    clone: bool = False,
    memory_limit: int | None = None,
    provider: str = "auto",
    dtype: str = "f32",
    freeze: bool = False,
    seconds: float = 2.0,
    tune: bool = False,
    device: str = "cpu",
    fuse_pointwise: bool = False,
    executor: str = "threads",
    objective: str = "latency",
    latency_limit: float | None = None,
    ranks: int = 1,
    link: tuple[float, ...] | None = None,
    configuration: str | None = None,
    capture: bool = True,
) -> CompiledProgram:
    """Compiles an ONNX model, or a torch.nn.Module, to a parallel program.

    `model` is a path, the bytes of a file or a ModelProto. A module is exported to ONNX by
    PyTorch, with `example_inputs` as its arguments, in order or by name, and `dynamic_shapes` as
    torch.export.export() takes them. Options:

    - `workers`: the number of threads, by default that of the cores.
    - `schedule`: one of `ramiel.pipelines.SCHEDULES`; `refine` searches for `seconds`.
    - `shapes`: the shapes of inputs whose dimensions are open.
    - `batch`: with N, a model for one sample takes any number of samples and runs N at a time as
      interleaved hyperclusters (`switched`: each sample's on other workers than the last one's).
    - `profile`: measure the costs of operations on this machine, once.
    - `tune`: profile, then measure whole programs with the best few schedules; take the fastest.
    - `clone`: clone cheap producers for their consumers.
    - `provider`: whose kernels may be used, `auto` (the best available) or `torch`.
    - `dtype`: the type a float32 model is computed in, `f32`, `bf16` or `f16`. Inputs and outputs
      keep their types; `ramiel check` reports the loss of accuracy.
    - `freeze`: initializers that the model lists as inputs are constants, which are folded and
      packed. Otherwise they are inputs with a default from version 4 of ONNX's IR on.
    - `device`: `cpu`; `cuda`, where a worker is a stream of the current CUDA device, and `workers`
      the number of streams at most; or `cuda:h100` and the like, to schedule by the costs of that.
    - `fuse_pointwise`: on a GPU, operations on each element that follow each other are one function
      of the program, which torch.compile makes one kernel.
    - `executor`: what workers on a CPU are, `threads`; `processes`, which are forked once a call
      has been captured; or `distributed`, threads of `ranks` processes that torchrun starts on as
      many machines, with `workers` each. A message between them takes `link`: µs until it begins
      to arrive, and the bytes a µs after that (30 and 1250 by default: 10 Gbit/s); and, if they
      are given, the µs of its sender and of its receiver each, and the bytes a µs that the sender
      copies (15 and 6250).
    - `configuration`: the device configuration of the model that the schedule `placed` follows, if
      there are several.
    - `objective`: what the schedule `auto` is best at: `latency`, a call that takes little time, or
      `throughput`, many requests a second in `stream()`, of which each takes at most
      `latency_limit` ms from when it is taken, as simulated.
    - `capture`: whether calls are recorded and replayed, on CUDA as one graph.
    - `memory_limit`: the most bytes that values may occupy at one time, as simulated; of several
      ranks, that values and weights may occupy on each.

    The result is a `torch.nn.Module` that takes the model's inputs in order or by name, as torch
    tensors or numpy arrays, and runs in parallel; `serial` does the same work in one thread,
    `close` ends the threads, `source` is the program, `save` writes it, and `report` has its
    expected times.

    Raises CompileError.
    """
    options = Options(
        workers=workers,
        schedule=schedule,
        shapes=shapes or {},
        batch=batch,
        switched=switched,
        profile=profile,
        clone=clone,
        memory_limit=memory_limit,
        provider=provider,
        dtype=dtype,
        freeze=freeze,
        refine_s=seconds,
        tune=tune,
        device=device,
        fuse_pointwise=fuse_pointwise,
        executor=executor,
        objective=objective,
        latency_limit=latency_limit,
        ranks=ranks,
        link=link,
        configuration=configuration,
        probe=True,
    )
    if isinstance(model, nn.Module):
        if example_inputs is None:
            raise TypeError("to compile a torch.nn.Module, give example inputs")
        from ramiel.frontend.torch_module import model_of_module

        model = model_of_module(model, example_inputs, dynamic_shapes)
    elif example_inputs is not None or dynamic_shapes is not None:
        raise TypeError("example inputs and dynamic shapes are for a torch.nn.Module")
    with undisturbed():
        return load(build(model, options), capture=capture)
