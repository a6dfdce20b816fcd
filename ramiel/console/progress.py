"""Progress of long-running passes.

Most passes are fast. Those that measure or search report to the context that they run in, if it
listens.
"""

from __future__ import annotations

from collections.abc import Callable

from xdsl.context import Context

Progress = Callable[[str, int, int], None]
"""Called with a description, the number of steps done, and their total."""


class ListeningContext(Context):
    """A context that passes report their progress to."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress


def progress_of(ctx: Context) -> Progress:
    """The callback that a pass in a context reports to."""
    return ctx.progress if isinstance(ctx, ListeningContext) else _ignore


def _ignore(what: str, done: int, total: int) -> None:
    pass
