"""Files of a model that tensors are read from when they are needed.

They are read rather than mapped: a file that is cut while it is mapped ends the process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ramiel.errors import CompileError, shorten

Bytes = npt.NDArray[np.uint8]


class DataFile:
    """A file that must stay as it is while a model is compiled.

    It is open only while it is read, as a model may have a file for each of its tensors.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self.path = path
        with self.opened() as file:
            self._state = _state_of(os.fstat(file.fileno()))
        self.length = self._state[0]

    def read(self, offset: int, length: int) -> Bytes:
        """Bytes of the file, in memory of their own. Raises CompileError if it has been changed,
        cut or removed, or if memory is short."""
        name = shorten(self.path.name)
        try:
            data = np.empty(length, np.uint8)
            with self.opened() as file:
                if _state_of(os.fstat(file.fileno())) == self._state:
                    file.seek(offset)
                    if file.readinto(data.data) == length:
                        return data
        except MemoryError as error:
            raise CompileError(f"{length} bytes of {name} are too large for the memory") from error
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise CompileError(f"{name} cannot be read any longer: {reason}") from error
        raise CompileError(f"{name} has been changed since the model was read: compile it again")

    @contextmanager
    def opened(self) -> Generator[BufferedReader]:
        """The open file."""
        with self.path.open("rb") as file:
            yield file


class OpenFile(DataFile):
    """A file that stays open, and may therefore be replaced by another of its name."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._file = path.open("rb")
        self._turn = threading.Lock()
        super().__init__(path)

    @contextmanager
    def opened(self) -> Generator[BufferedReader]:
        with self._turn:
            yield self._file


State = tuple[int, int, int, int]


def _state_of(file: os.stat_result) -> State:
    """What changes when a file is written to, cut or replaced; its length is the first."""
    return file.st_size, file.st_mtime_ns, file.st_dev, file.st_ino
