"""ramiel serve: models as a service; ramiel triton-model: a model for Triton."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from ramiel.errors import CompileError
from ramiel.pipelines import Options
from ramiel.tools.compiling import Debug, Model, compiled, note, out, progress
from ramiel.tools.options import compiling, size_of
from ramiel.tools.summary import summary

MaxBatch = Annotated[
    int, typer.Option("--max-batch", min=1, help="Requests that are computed together, at most.")
]
_NEEDED = ("fastapi", "prometheus_client", "uvicorn")
"""The packages of the extra `serve`, as they are imported."""
_LOCAL = (
    "workers schedule shape batch switched profile tune clone memory_limit provider dtype freeze "
    "objective latency_limit seconds"
).split()
"""The compiler's options for a program of this process, on the CPU."""


@compiling(*_LOCAL)
def serve(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL.onnx ...",
            help="MODEL.onnx, NAME=MODEL.onnx, NAME/VERSION=MODEL.onnx, or a folder with "
            "NAME/VERSION/model.onnx.",
            show_default=False,
        ),
    ],
    options: Options,
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for all.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8000,
    max_batch: MaxBatch = 64,
    max_delay_us: Annotated[
        int, typer.Option("--max-delay-us", min=0, help="How long the first waits for others.")
    ] = 0,
    queue: Annotated[
        int, typer.Option(min=1, help="Requests that wait for a model, at most; then 503.")
    ] = 256,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="For a request; then 504.")
    ] = 30.0,
    max_request: Annotated[
        str, typer.Option("--max-request", metavar="SIZE", help="Of a request; then 413.")
    ] = "64MB",
    access_log: Annotated[bool, typer.Option(help="Print a line for each request.")] = True,
    debug: Debug = False,
) -> None:
    """Serve models by the Open Inference Protocol (KServe's and Triton's, version 2) over HTTP.

    They are compiled first. SIGTERM or Ctrl-C stops the server once accepted requests are answered.
    """
    if not 0 < timeout < float("inf"):
        raise CompileError(f"--timeout {timeout:g}: it must be more than 0")
    size = size_of(max_request, "--max-request")
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise CompileError(f"serving needs {', '.join(missing)}: pip install 'ramiel[serve]'")
    from ramiel.api import load
    from ramiel.runtime.memory import give_back_free
    from ramiel.serving import server
    from ramiel.serving.engine import Gathering
    from ramiel.serving.limits import Limits
    from ramiel.serving.models import sources_of, warm_up
    from ramiel.serving.signature import signature_of

    sources = sources_of(models)
    with server.bind(host, port) as listening:
        programs: list[server.Served] = []
        for source in sources:
            compilation = compiled(source.path, options, debug)
            try:
                program = load(compilation)
                signature = signature_of(program)
            except CompileError as error:
                error.file = error.file or str(source.path)
                raise
            with progress.status("warming up"):
                if (failure := warm_up(program, signature)) is not None:
                    note(f"{source.path} fails for zeros, so it is not warmed up: {failure}")
            out.print(f"model     {source}, from {source.path}", markup=False)
            out.print(summary(compilation.report))
            programs.append(server.Served(source, signature, program))
        settings = server.Settings(
            Gathering(max_batch, max_delay_us / 1e6, queue), Limits(size, timeout), access_log
        )
        give_back_free()  # much was in use only while calls were captured
        out.print(f"serving   {server.url_of(listening)}/v2", markup=False)
        server.Server(programs, settings).run(listening)


@compiling(*_LOCAL)
def triton_model(
    model: Model,
    folder: Annotated[Path, typer.Argument(metavar="OUT", show_default=False)],
    options: Options,
    max_batch: MaxBatch = 64,
    debug: Debug = False,
) -> None:
    """Write a model's program as a model of Triton's Python backend: the folder OUT, whose name is
    the model's there, with config.pbtxt, 1/model.py, 1/program.py and its weights."""
    compilation = compiled(model, options, debug)
    from ramiel.api import load
    from ramiel.serving.triton import write_model

    with load(compilation) as program:
        try:
            written = write_model(program, folder, max_batch)
        except CompileError as error:
            error.file = error.file or str(model)
            raise
    for path in written:
        out.print(f"wrote {path}", markup=False)
    out.print(summary(compilation.report))
