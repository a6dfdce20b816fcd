"""One model of benchmarks/gpu.py, measured in this process, a JSON line for each row."""

from __future__ import annotations

import gc
import importlib.util
import inspect
import json
import re
import statistics
import sys
import time
import types
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gpu_prepare import SCHEDULES, SHAPES
from gpu_verdicts import BASE, CALLED, COMPILED, EXACT, OWN, dtype_of, tolerance

CALLS = 20
"""So many calls of each form must give the same bits: a race would show as one that does not."""


def say(**row: object) -> None:
    print(json.dumps(row), flush=True)


@contextmanager
def plain_kernels() -> Generator[None]:
    """Layers make PyTorch's plain calls."""
    from ramiel.runtime.prepared import Prepared

    own = Prepared._on_cuda  # pyright: ignore[reportPrivateUsage]
    Prepared._on_cuda = lambda self, x, other: self._plainly(x, other)  # pyright: ignore
    try:
        yield
    finally:
        Prepared._on_cuda = own  # pyright: ignore


def classes(folder: Path) -> Iterator[tuple[str, Any]]:
    """The program of each schedule."""
    for path in sorted(folder.glob("*.py")) if folder.is_dir() else [folder]:
        spec = importlib.util.spec_from_file_location(f"program_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        found = re.search(r"^class (\w+)\(StreamProgram\):", path.read_text(), re.MULTILINE)
        if found is None:
            raise SystemExit(f"{path} is not a program for CUDA")
        yield path.stem, getattr(module, found[1])


def weights_of(folder: Path, device: Any) -> Any:
    """The weights beside a program, or random ones of the shapes that are known."""
    import torch

    from ramiel.runtime import Weights

    if not folder.is_dir():
        return Weights.open(folder.with_suffix(".safetensors"))
    generator = torch.Generator(device).manual_seed(0)
    tensors: dict[str, torch.Tensor] = {}
    for name, (shape, dtype) in json.loads((folder / SHAPES).read_text()).items():
        kind = getattr(torch, dtype)
        if kind.is_floating_point:
            fan = max(1, int(torch.Size(shape[1:]).numel()))
            values = torch.randn(shape, generator=generator, device=device) * (1.0 / fan) ** 0.5
            values = values * (0.1 if len(shape) < 2 else 1.4)
            if name.endswith(".running_var"):
                values = values.abs() + 0.5
            tensors[name] = values.to(kind)
        else:
            tensors[name] = torch.zeros(shape, dtype=kind, device=device)
    return Weights.from_tensors(tensors)


def do_without_safetensors() -> None:
    """Random weights need no file: where the package is missing, its names are enough."""
    if importlib.util.find_spec("safetensors") is None:
        whole, part = types.ModuleType("safetensors"), types.ModuleType("safetensors.torch")
        vars(whole).update(SafetensorError=OSError, safe_open=None)
        vars(part).update(save_file=None)
        sys.modules |= {"safetensors": whole, "safetensors.torch": part}


def set_tf32(is_on: bool) -> None:
    """Convolutions use TF32 or not, products never do: PyTorch's default, or all 24 bits."""
    import torch

    torch.backends.cudnn.allow_tf32 = is_on
    torch.backends.cuda.matmul.allow_tf32 = False


class Measuring:
    """The programs of a model, and what their results should be."""

    def __init__(self, folder: Path, seconds: float) -> None:
        import torch

        from ramiel.runtime.measure import random_inputs
        from ramiel.runtime.streams.device import device_of_programs

        self.name, self.seconds = folder.stem, seconds
        where = device_of_programs().torch_device
        self.weights = weights_of(folder, where)
        self.programs = dict(classes(folder))
        first: Any = self.programs.get(SCHEDULES[0]) or next(iter(self.programs.values()))
        self.first = first(self.weights)
        self.first.captures = self.first.compares = False
        self.device = self.first._target
        self.inputs = [x.to(where) for x in random_inputs(self.first.inputs, {}, 0)]
        self.held_mb = sum(x.nbytes for x in self.first.buffers()) / 1e6
        self.expected: list[torch.Tensor] = []

    def median_ms(self, run: Callable[[], object]) -> float:
        """ms of a run, by the device's clock."""
        for _ in range(3):
            run()
        self.device.synchronize()
        times: list[float] = []
        end = time.perf_counter() + self.seconds
        while time.perf_counter() < end or len(times) < 5:
            started, ended = self.device.timer(), self.device.timer()
            started.record(self.device.current())
            run()
            ended.record(self.device.current())
            self.device.synchronize()
            times.append(started.elapsed_time(ended))
        return statistics.median(times)

    def plain(self) -> None:
        """PyTorch's plain calls one by one, whose results are expected of all others, and as
        graphs."""
        serial, inputs = self.first.serial, self.inputs
        with plain_kernels():
            self.expect()
            say(way="eager", call=self.median_ms(lambda: serial(*inputs)))
            for way, is_serial in ((BASE, True), ("plain calls on streams", False)):
                try:
                    plan = self.first.plan(*inputs, serial=is_serial)
                    say(way=way, replay=self.median_ms(plan.replay))
                except Exception as error:
                    say(way=way, failed=told(error))

    def expect(self) -> None:
        with plain_kernels():
            self.expected = [y.clone() for y in tensors(self.first.serial(*self.inputs))]

    def error(self, got: Sequence[Any]) -> float:
        """The largest error, relative to the largest value of each result."""
        return max(
            float((a - b).abs().max()) / (float(b.abs().max()) or 1.0)
            for a, b in zip(got, self.expected, strict=True)
        )

    def measure(self, way: str, program: Any, *, serial: bool = False, compares: bool) -> None:
        """A program as a graph, that of `serial` or of its streams."""
        import torch

        model = program(self.weights)
        model.compares = compares
        gc.collect()
        self.device.synchronize()
        torch.cuda.empty_cache()
        before = torch.cuda.memory_reserved()
        start = time.perf_counter()
        form = model.serial if serial else model
        form(*self.inputs)
        plan = model.plan(*self.inputs, serial=serial)
        capture_s = time.perf_counter() - start
        got = tensors(form(*self.inputs))
        again = [tensors(form(*self.inputs)) for _ in range(CALLS)]
        self.device.synchronize()
        differing = sum(
            not torch.equal(a, b) for run in again for a, b in zip(run, got, strict=True)
        )
        error = self.error(got)
        del again
        torch.cuda.empty_cache()
        memory = (torch.cuda.memory_reserved() - before) / 1e6
        say(
            way=way,
            replay=self.median_ms(plan.replay),
            call=self.median_ms(lambda: form(*self.inputs)),
            error=error,
            differing=differing,
            streams=plan.form.streams,
            told=plan.told,
            reserved_mb=round(memory, 1),
            weights_mb=round(self.held_mb, 1),
            capture_s=round(capture_s, 2),
            **predicted(program),
        )
        if not error <= tolerance(self.name, way):
            say(way=way, failed=f"differs from the plain calls by {error:.2e}")
        model.close()

    def exact(self) -> None:
        """The error of the streams without TF32."""
        set_tf32(False)
        self.expect()
        model = type(self.first)(self.weights)
        model.compares = False
        model(*self.inputs)  # is captured
        got = tensors(model(*self.inputs))
        say(way=EXACT, error=self.error(got), told=model.captured_form(*self.inputs))
        model.close()

    def compiled(self) -> None:
        """torch.compile of the plain calls, in channels_last where they are, as it chooses."""
        import torch

        serial = inspect.unwrap(type(self.first).serial)
        with plain_kernels():
            run = torch.compile(lambda *x: serial(self.first, *x), mode="reduce-overhead")
            start = time.perf_counter()
            for _ in range(4):
                run(*self.inputs)
            self.first.synchronize()
            spent = time.perf_counter() - start
            call = self.median_ms(lambda: run(*self.inputs))
        say(way=COMPILED, call=call, capture_s=round(spent, 1))


def one(folder: Path, seconds: float, tf32: bool, compiled: bool) -> None:
    """All ways but torch.compile, or with `compiled` that alone."""
    import torch

    set_tf32(tf32)
    torch.backends.cudnn.benchmark = True
    torch.set_grad_enabled(False)
    do_without_safetensors()
    measuring = Measuring(folder, seconds)
    if compiled:
        attempt(COMPILED, measuring.compiled)
        return
    measuring.plain()
    measuring.first.close()
    chosen = type(measuring.first)
    attempt(OWN, lambda: measuring.measure(OWN, chosen, serial=True, compares=False))
    for schedule, program in measuring.programs.items():
        attempt(schedule, lambda p=program, s=schedule: measuring.measure(s, p, compares=False))
    attempt(CALLED, lambda: measuring.measure(CALLED, chosen, compares=True))
    if dtype_of(folder.stem) == "f32":
        attempt(EXACT, measuring.exact)


def attempt(way: str, run: Callable[[], None]) -> None:
    """Says what fails, and the others follow."""
    try:
        run()
    except Exception as error:
        say(way=way, failed=told(error))


def told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]


def tensors(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple) else [result]


def predicted(program: Any) -> dict[str, str]:
    """What the program's header expects."""
    found = re.search(r"parallel ([\d.]+) ms", sys.modules[program.__module__].__doc__ or "")
    return {} if found is None else {"expected_ms": found[1]}
