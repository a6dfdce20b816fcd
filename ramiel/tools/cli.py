"""ramiel: compile, check and measure a model."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ramiel.errors import CompileError
from ramiel.pipelines import Options
from ramiel.tools.cache import group as cache_group
from ramiel.tools.compiling import (
    Debug,
    Model,
    compiled,
    out,
    progress,
    progress_bar,
    refusals_shown,
)
from ramiel.tools.opt import run_tool
from ramiel.tools.options import compiling
from ramiel.tools.serve import serve, triton_model
from ramiel.tools.summary import costs_told, summary

app = typer.Typer(
    help="Compiles ONNX models to readable, parallel PyTorch programs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cache_group, name="cache")

Runs = Annotated[int | None, typer.Option("--runs", min=1, help="Timed runs of each form.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the random inputs.")]
Integers = Annotated[
    str, typer.Option("--integers", metavar="LOW,HIGH", help="The range of integer inputs.")
]
Replay = Annotated[
    bool,
    typer.Option(help="Trace a replay of the program if it can be captured, or a run in Python."),
]


@app.command("compile")
@compiling()
def compile_command(
    model: Model,
    options: Options,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT.py", help="By default MODEL.py.")
    ] = None,
    dump_ir: Annotated[
        Path | None, typer.Option("--dump-ir", metavar="DIR", help="Write the IR of each stage.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Compile a model to OUT.py, with its weights beside it in OUT.safetensors."""
    from ramiel.programs.files import write_program

    path = output or Path(f"{model.stem}.py")
    compilation = compiled(model, options, debug, dump_ir)
    with progress.status("writing the weights"):
        weights = write_program(compilation.emitted, path)
    size = weights.stat().st_size / 1e6
    out.print(f"wrote {path} and {weights} ({size:.1f} MB)", markup=False)
    out.print(summary(compilation.report))
    if costs := costs_told(options):
        out.print(costs)


@app.command()
@compiling()
def check(
    model: Model,
    options: Options,
    seed: Seed = 0,
    integers: Integers = "0,2",
    calls: Annotated[int, typer.Option(min=1, help="Calls of the parallel program.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Threads that make the calls.")] = 1,
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="The largest difference, relative to an output's largest value. By default "
            "0.001, and 0.1 for --dtype bf16 or f16."
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Compile a model, run it, and compare it with onnxruntime or onnx's reference.

    The exit code is 1 if the parallel and the serial program differ in one bit, or either from
    the reference by more than the tolerance. With --dtype bf16 or f16 it reports the loss.
    """
    compilation = compiled(model, options, debug)
    from ramiel.tools.check import TOLERANCES, Inputs, compare

    if tolerance is None:
        tolerance = TOLERANCES[options.dtype]
    how = Inputs(options.shapes, seed, _range(integers))
    with progress.status("running"):
        comparison = compare(model, compilation, how, calls, threads)
    table = Table("output", "shape", "largest difference", "relative", "parallel = serial")
    for row in comparison.rows:
        table.add_row(
            row.name,
            "x".join(map(str, row.shape)) or "scalar",
            f"{row.difference:.2e}",
            f"{row.relative:.2e}",
            "bit for bit" if row.same_bits else "NO",
        )
    out.print(table)
    out.print(summary(compilation.report))
    failed = [r.name for r in comparison.rows if not r.same_bits or not r.relative <= tolerance]
    if failed:
        raise CompileError(
            f"differs from {comparison.reference}: {', '.join(failed)}", file=str(model)
        )
    if calls * threads > 1:
        out.print(f"{calls} call(s) from each of {threads} thread(s): all the same bits")
    if options.dtype != "f32":
        loss = max((row.relative for row in comparison.rows), default=0.0)
        out.print(
            f"loss      {options.dtype} is off by up to {loss:.2%} of an output's largest value"
        )
    out.print(f"equal to {comparison.reference} within {tolerance:g} of the largest value")


@app.command()
@compiling(profile=True)
def bench(
    model: Model,
    options: Options,
    runs: Runs = None,
    measure_seconds: Annotated[
        float, typer.Option("--measure-seconds", help="Seconds for each form, without --runs.")
    ] = 1.0,
    top: Annotated[int, typer.Option(min=0, help="How many operations to list.")] = 10,
    seed: Seed = 0,
    integers: Integers = "0,2",
    output: Annotated[
        Path | None,
        typer.Option("--json", metavar="OUT.json", help="Also write it all as JSON; - prints it."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Time a model's parallel program against its serial one, and show where the time goes."""
    if not 0 < measure_seconds < float("inf"):
        raise CompileError(f"--measure-seconds {measure_seconds:g}: it must be more than 0")
    how = (options.shapes, seed, _range(integers))
    if ":" in options.device:  # the costs of a GPU that need not be here
        options = replace(options, profile=False)
    compilation = compiled(model, options, debug)
    from ramiel.tools import bench as tool
    from ramiel.tools.bench_tables import show
    from ramiel.tools.check import Inputs
    from ramiel.weights.store import replacing

    profiled = options.profile or options.tune
    with progress.status("measuring"):
        found = tool.bench(model, compilation, profiled, Inputs(*how), runs, measure_seconds)
    document = json.dumps(found.as_json(), indent=2)
    if output == Path("-"):
        print(document)
        return
    show(found, out, top)
    if output is not None:
        with replacing(output) as temporary:
            temporary.write_text(f"{document}\n", encoding="utf-8")
        out.print(f"wrote {output}", markup=False)


@app.command("export-partition")
@compiling(schedule="linear")
def export_partition_command(
    model: Model,
    options: Options,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT.json", help="By default MODEL.partition.json."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Write a model's schedule as ONNX Runtime's node partition config, one stream a worker."""
    with progress.status("compiling, and asking onnxruntime for its graph"):
        from ramiel.tools.partition import CONFIG, export_partition

        path = output or Path(f"{model.stem}.partition.json")
        with refusals_shown(debug):
            partition = export_partition(model, path, options)
    streams = len(partition.streams)
    out.print(f"wrote {path}", markup=False)
    out.print(
        f"streams   {streams}, of {', '.join(str(len(s)) for s in partition.streams)} nodes; "
        f"{partition.matched} of {partition.nodes} matched by name, the others to a neighbour"
    )
    out.print(f"to use    {CONFIG}, ORT_PARALLEL, inter_op_num_threads {streams + 1}")


@app.command("export-stages")
@compiling(schedule="pipeline")
def export_stages_command(
    model: Model,
    options: Options,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT.onnx", help="By default MODEL.stages.onnx."),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", help="What the device configuration is called.")
    ] = "ramiel",
    debug: Debug = False,
) -> None:
    """Write a model with its schedule as ONNX's device configuration, one stage a worker or rank.

    `--schedule placed` compiles it as it is placed there.
    """
    with progress.status("compiling"):
        from ramiel.tools.stages import described, export_stages

        path = output or model.with_suffix(".stages.onnx")
        with refusals_shown(debug):
            stages = export_stages(model, path, name, options)
    out.print(f"wrote {path}", markup=False)
    out.print(f"stages    {described(stages)}", markup=False)


@app.command()
@compiling()
def report(
    model: Model,
    options: Options,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT.html", help="By default MODEL.html."),
    ] = None,
    run: Annotated[
        bool, typer.Option("--run", help="Also run the program, and show its timeline.")
    ] = False,
    replay: Replay = True,
    seed: Seed = 0,
    integers: Integers = "0,2",
    debug: Debug = False,
) -> None:
    """Write a page that shows the schedule: Gantt chart, graph, critical path and source."""
    compilation = compiled(model, options, debug)
    from ramiel.tools.report import write_report

    path = output or Path(f"{model.stem}.html")
    measured = None
    if run:
        from ramiel.tools.check import Inputs
        from ramiel.tools.trace import run_traced

        with progress.status("running"):
            how = Inputs(options.shapes, seed, _range(integers))
            measured = run_traced(compilation, how, model, replay)
    write_report(compilation, model.stem, options.most_workers * options.ranks, measured, path)
    form = f"; the run was {measured.form}" if measured else ""
    out.print(f"wrote {path}{form}", markup=False)


@app.command()
@compiling()
def trace(
    model: Model,
    options: Options,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT.json", help="By default MODEL.trace.json."),
    ] = None,
    replay: Replay = True,
    seed: Seed = 0,
    integers: Integers = "0,2",
    debug: Debug = False,
) -> None:
    """Run a model and write its timeline, as predicted and as measured, for ui.perfetto.dev."""
    compilation = compiled(model, options, debug)
    from ramiel.tools.check import Inputs
    from ramiel.tools.trace import run_traced, write_trace

    path = output or Path(f"{model.stem}.trace.json")
    with progress.status("running"):
        how = Inputs(options.shapes, seed, _range(integers))
        measured = run_traced(compilation, how, model, replay)
    write_trace(compilation, measured, path)
    out.print(f"wrote {path}; the run was {measured.form}", markup=False)


@app.command()
@compiling("shape", "profile", "dtype", "freeze", "provider")
def explain(model: Model, options: Options, debug: Debug = False) -> None:
    """Say what is to be gained by running a model in parallel: on 2 to 16 cores, and on a GPU.

    Nothing is run, and nothing but its operations measured, with --profile.
    """
    from ramiel.tools.explain import explain as explanation_of
    from ramiel.tools.explain_text import lines_of

    with progress_bar() as (on_stage, on_progress), refusals_shown(debug):
        explanation = explanation_of(model, options, on_stage, on_progress)
    for part in lines_of(explanation):
        out.print(part, markup=False)


app.command()(serve)
app.command("triton-model")(triton_model)


@app.command()
def passes() -> None:
    """List the passes of ramiel-opt, in the order in which the compiler runs them."""
    from xdsl.passes import get_pass_option_infos

    from ramiel.transforms import PASS_NAMES, pass_factory

    table = Table("pass", "options", "what it does", show_lines=False)
    for name in PASS_NAMES:
        pass_class = pass_factory(name)()
        options = [
            f"{o.name.replace('_', '-')}={o.default_value}"
            for o in get_pass_option_infos(pass_class)
        ]
        text = (pass_class.__doc__ or "").strip().splitlines()
        first = " ".join(line.strip() for line in text[: text.index("") if "" in text else None])
        table.add_row(name, "\n".join(options), first)
    out.print(table)


def _range(given: str) -> tuple[int, int]:
    low, comma, high = given.partition(",")
    if not comma or not all(v.removeprefix("-").isdecimal() for v in (low, high)):
        raise CompileError(f"--integers {given}: expected LOW,HIGH")
    if int(low) >= int(high):
        raise CompileError(f"--integers {given}: LOW must be below HIGH")
    return int(low), int(high)


def main() -> None:
    """The console script: an expected error is one line on stderr and exit code 1."""
    sys.exit(run_tool(lambda: app(standalone_mode=True), "--debug" in sys.argv))


if __name__ == "__main__":
    main()
