"""The one exception that users see."""

from __future__ import annotations


class CompileError(Exception):
    """A model cannot be compiled; the message is one line that says why and what to do.

    Command line tools print it as `error: FILE: MESSAGE` and exit with 1.
    """

    def __init__(self, message: str, *, file: str | None = None) -> None:
        self.message = " ".join(message.split())
        self.file = file
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.file}: {self.message}" if self.file else self.message


def shorten(text: str, limit: int = 120) -> str:
    """Text from a model, fit for one line of a message."""
    flat = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return flat if len(flat) <= limit else f"{flat[: limit - 3]}..."
