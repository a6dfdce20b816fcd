"""How passes that take long say how far they are.

Most passes take no time worth a word. Those that measure or search report to the context that
they run in, if it is one that listens.
"""

from __future__ import annotations

from collections.abc import Callable

from xdsl.context import Context

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many steps of it are done, and of how many."""


class ListeningContext(Context):
    """A context for passes whose progress somebody wants to know."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress


def progress_of(ctx: Context) -> Progress:
    """Where a pass that runs in a context reports to."""
    return ctx.progress if isinstance(ctx, ListeningContext) else _ignore


def _ignore(what: str, done: int, total: int) -> None:
    pass
