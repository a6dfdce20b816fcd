"""`ramiel cache`: shows and clears the costs that were measured on each machine."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ramiel.errors import CompileError, shorten

if TYPE_CHECKING:
    from ramiel.execution.cost_cache import Entry

group = typer.Typer(invoke_without_command=True)
out = Console(highlight=False, soft_wrap=True)

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@group.callback()
def overview(context: typer.Context, debug: Debug = False) -> None:
    """Show, list or clear the measured costs that are kept between runs."""
    if context.invoked_subcommand is not None:
        return
    from ramiel.execution.cost_cache import CostCache, cache_path

    path = cache_path()
    if _is_missing(path):
        return
    with CostCache.open(path) as cache:
        machines = cache.machines()
        entries = {row.machine: cache.entries(row.machine) for row in machines}
    out.print(f"{path} ({path.stat().st_size / 1e3:.1f} kB)", markup=False)
    table = Table("machine", "costs", "first", "last")
    for row in machines:
        table.add_row(_cell(row.machine), str(row.entries), _date(row.first), _date(row.last))
    out.print(table)
    for machine, found in entries.items():
        _print_probed(machine, found)


def _print_probed(machine: str, entries: Sequence[Entry]) -> None:
    """What the probe has found on a machine, if it has been there."""
    from ramiel.execution.probe import probed_again_at, rates

    by_threads = rates(entries)
    if not by_threads:
        return
    out.print(f"{machine} was probed:", markup=False)
    table = Table("", *(f"{n} thread(s)" for n in by_threads))
    for column in table.columns[1:]:
        column.justify = "right"
    for name in next(iter(by_threads.values())):
        table.add_row(name, *(f"{rate[name]:.1f}" for rate in by_threads.values()))
    out.print(table)
    again = probed_again_at(entries)
    if again is not None:
        out.print(
            "Other programs took the cores meanwhile, so these are rough: the first compilation "
            f"after {_date(again)} probes it again."
        )


@group.command("list")
def list_command(
    machine_contains: Annotated[
        str, typer.Option(metavar="TEXT", help="Only machines whose name contains this.")
    ] = "",
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="Operations for each machine, costliest first.")
    ] = 50,
    debug: Debug = False,
) -> None:
    """List operations with their time, in µs, on each number of threads."""
    from ramiel.execution.cost_cache import CostCache, cache_path

    path = cache_path()
    if _is_missing(path):
        return
    with CostCache.open(path) as cache:
        names = [m.machine for m in cache.machines() if machine_contains in m.machine]
        entries = {name: cache.entries(name) for name in names}
    if not names:
        which = f" whose name contains {machine_contains!r}" if machine_contains else ""
        out.print(f"{path}: no costs of a machine{which}", markup=False)
    for name in names:
        costs: defaultdict[str, dict[int, float]] = defaultdict(dict)
        for entry in entries[name]:
            costs[entry.operation][entry.threads] = entry.microseconds
        threads = sorted({entry.threads for entry in entries[name]})
        table = Table("operation", *(f"µs on {n}" for n in threads))
        for column in table.columns[1:]:
            column.justify = "right"
        ranked = sorted(costs, key=lambda o: max(costs[o].values()), reverse=True)
        for operation in ranked[:limit]:
            known = costs[operation]
            times = (f"{known[n]:.1f}" if n in known else "" for n in threads)
            table.add_row(_cell(operation), *times)
        out.print(name, markup=False)
        out.print(table)
        if len(ranked) > limit:
            out.print(f"and {len(ranked) - limit} more: --limit {len(ranked)} shows all")


@group.command()
def clear(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    debug: Debug = False,
) -> None:
    """Forget all measured costs. A damaged file is removed, another program's is not."""
    from ramiel.execution.cost_cache import CacheDamaged, CostCache, cache_path, clear_file

    path = cache_path()
    if _is_missing(path):
        return
    if not yes:
        if not sys.stdin.isatty():
            raise CompileError("give --yes: there is no terminal to ask on")
        try:
            with CostCache.open(path) as cache:
                count = sum(m.entries for m in cache.machines())
            question = f"Forget {count} measured cost(s) in {path}?"
        except CacheDamaged as error:
            question = f"{error}. Remove the file?"
        typer.confirm(question, abort=True, err=True)
    count = clear_file(path)
    done = "the file is removed" if count is None else f"forgot {count} measured cost(s)"
    out.print(f"{path}: {done}", markup=False)


@group.command("path")
def path_command(debug: Debug = False) -> None:
    """Print the file's path, whether it exists or not."""
    from ramiel.execution.cost_cache import cache_path

    print(cache_path())


def _is_missing(path: Path) -> bool:
    """Whether there is no cache yet, with a message: showing the cache should not create it."""
    if os.path.lexists(path):
        return False
    out.print(f"{path}: nothing has been measured yet", markup=False)
    return True


def _cell(text: str) -> Text:
    return Text(shorten(text, 400))


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")
