"""Measured costs, kept between runs in one SQLite file in the user's cache folder.

A cost is the typical time, in µs, of one operation on a number of threads of one machine. The key
is (machine, operation, threads): `machine.py` writes the machine, the caller writes the operation
as a canonical text of callee, shapes, types and attributes.

The file is marked as Ramiel's in its header (`application_id`) and has a layout version
(`user_version`), as SQLite's file format, section 1.3, provides. It has a rollback journal instead
of a write-ahead log, which needs shared memory and so fails on network file systems, where home
folders often are; writes are few and short. Any number of processes may use the file at once: one
that finds it locked waits. Each call is atomic and survives a crash.

Three things can go wrong, each reported in one line:

- `CacheUnavailable`: the folder cannot be written, the disk is full, another process holds the
  lock. Costs already read stay valid, so a caller may warn and go on without the cache.
- `CacheDamaged`: the file is ours, but cannot be trusted; `clear_file` removes it.
- a plain CompileError: the file is another program's. It is never touched.
"""

from __future__ import annotations

import math
import os
import sqlite3
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

from platformdirs import user_cache_dir

from ramiel.errors import CompileError

APPLICATION_ID = int.from_bytes(b"Raml", "big")
LAYOUT = 1
WAIT_S = 30.0
"""How long a call waits for other processes, in seconds."""

Key = tuple[str, int]
"""An operation and the number of threads it runs on."""

_VALID = """(
    typeof(machine) = 'text' AND typeof(operation) = 'text'
    AND typeof(threads) = 'integer' AND threads > 0
    AND typeof(microseconds) = 'real' AND microseconds > 0 AND microseconds < 9e999
    AND typeof(samples) = 'integer' AND samples > 0
    AND typeof(measured) = 'integer' AND measured BETWEEN 0 AND 99999999999
)"""
# A valid row. SQLite refuses to store any other, and rows are tested again when they are read, as
# an edited or damaged file may hold anything: one bad cost makes all of them doubtful.

_CREATE = (
    f"""CREATE TABLE cost (
        machine TEXT, operation TEXT, threads INTEGER, microseconds REAL,
        samples INTEGER, measured INTEGER,
        PRIMARY KEY (machine, operation, threads), CHECK {_VALID}
    ) WITHOUT ROWID""",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {LAYOUT}",
)
_INSERT = "INSERT OR REPLACE INTO cost VALUES (?, ?, ?, ?, ?, ?)"
_THIS = "machine = ? AND operation = ? AND threads = ?"
_DELETE = f"DELETE FROM cost WHERE {_THIS}"
_MARKS = """SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)
    FROM pragma_application_id, pragma_user_version"""
_NEW = (0, 0, 0)

# SQLite's error codes that do not mean a damaged file.
_OUTSIDE = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
}


class CacheUnavailable(CompileError):
    """The cache cannot be read or written, for a reason outside of the file."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"measured costs cannot be kept here: {reason}; RAMIEL_CACHE_DIR names another folder",
            file=str(path),
        )


class CacheDamaged(CompileError):
    """The file is damaged or from another version of Ramiel: clearing the cache removes it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{reason}; `ramiel cache clear` removes it", file=str(path))


class Entry(NamedTuple):
    """A cost in µs, the number of runs behind it, and its Unix time in seconds."""

    operation: str
    threads: int
    microseconds: float
    samples: int
    measured: int


class MachineEntries(NamedTuple):
    """How many costs a machine has, and the Unix times of its oldest and its newest."""

    machine: str
    entries: int
    first: int
    last: int


def cache_path() -> Path:
    """The file, which need not exist: in RAMIEL_CACHE_DIR, else in the user's cache folder."""
    folder = os.environ.get("RAMIEL_CACHE_DIR") or user_cache_dir("ramiel", appauthor=False)
    return Path(folder, "costs.sqlite").absolute()


class CostCache:
    """An open cache, used by one thread. A context manager: leaving it closes the file.

    Each method is one transaction and raises CompileError as this module's docstring says. A
    write waits for the disk, so pass many costs in one call.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path | None = None) -> Self:
        """Opens a cache, by default the user's, and makes the file and its folder if need be."""
        path = (path or cache_path()).absolute()
        try:
            if path.exists() and not path.is_file():
                raise CacheUnavailable(path, "it exists, but is not a file")
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unavailable(path, error) from error
        try:
            connection = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)
        except sqlite3.DatabaseError as error:
            raise _explained(error, path) from error
        cache = cls(path, connection)
        try:
            cache._mark()
        except BaseException:
            cache.close()
            raise
        return cache

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get_many(self, machine: str, keys: Iterable[Key]) -> dict[Key, float]:
        """The known costs among the keys, in µs. O(k log n) for k keys and n entries."""
        with self._transaction("BEGIN") as connection:
            return self._known(connection, machine, keys)

    def is_over(self, machine: str, lasting: Key) -> bool:
        """Whether as many µs as a cost says have passed since it was measured."""
        with self._transaction("BEGIN") as connection:
            return self._is_over(connection, machine, lasting)

    def put_many(self, machine: str, costs: Mapping[Key, float], samples: int) -> None:
        """Stores costs (µs), each from `samples` runs, and replaces older ones.

        All or none of them. Raises ValueError if a cost is not positive and finite, or if
        threads or samples are below 1.
        """
        rows = _rows(machine, costs, samples)
        with self._transaction("BEGIN IMMEDIATE") as connection:
            connection.executemany(_INSERT, rows)

    def fill(
        self,
        machine: str,
        keys: Iterable[Key],
        measure: Callable[[Mapping[Key, float]], tuple[Mapping[Key, float], int]],
        lasting: Key | None = None,
    ) -> dict[Key, float]:
        """The costs of these keys. Unless all are known, those that `measure` returns, with the
        number of runs, replace them. Meanwhile other processes wait, and find them.

        `lasting` is one more, which need not be known; if it is and is_over(), so are the others.
        `measure` is given what is known.
        """
        wanted = set(keys)
        every = wanted if lasting is None else wanted | {lasting}
        with self._transaction("BEGIN IMMEDIATE") as connection:
            known = self._known(connection, machine, every)
            over = lasting is not None and self._is_over(connection, machine, lasting)
            if over or not known.keys() >= wanted:
                costs, samples = measure(known)
                connection.executemany(_DELETE, [(machine, *key) for key in every])
                connection.executemany(_INSERT, _rows(machine, costs, samples))
                known = dict(costs)
        return known

    def machines(self) -> list[MachineEntries]:
        """The machines that costs were measured on, by name. O(n)."""
        query = f"""SELECT min({_VALID}), machine, count(*), min(measured), max(measured)
            FROM cost GROUP BY machine ORDER BY machine"""
        return [MachineEntries(*row) for row in self._valid_rows(query)]

    def entries(self, machine: str) -> list[Entry]:
        """A machine's costs by operation, then by threads. O(k) for k of them."""
        query = f"""SELECT {_VALID}, operation, threads, microseconds, samples, measured
            FROM cost WHERE machine = ? ORDER BY operation, threads"""
        return [Entry(*row) for row in self._valid_rows(query, machine)]

    def clear(self, machine: str | None = None) -> int:
        """Forgets the costs of a machine, or all, and returns how many there were."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            deletion = "DELETE FROM cost WHERE ?1 IS NULL OR machine = ?1"
            count = connection.execute(deletion, (machine,)).rowcount
        with self._explaining() as connection:
            connection.execute("VACUUM")  # gives the space back
        return count

    def _known(
        self, connection: sqlite3.Connection, machine: str, keys: Iterable[Key]
    ) -> dict[Key, float]:
        query = f"SELECT microseconds, {_VALID} FROM cost WHERE {_THIS}"
        costs: dict[Key, float] = {}
        for key in keys:
            row = connection.execute(query, (machine, *key)).fetchone()
            if row is not None:
                self._require(row[1])
                costs[key] = row[0]
        return costs

    def _is_over(self, connection: sqlite3.Connection, machine: str, lasting: Key) -> bool:
        query = f"SELECT microseconds, measured, {_VALID} FROM cost WHERE {_THIS}"
        row = connection.execute(query, (machine, *lasting)).fetchone()
        if row is None:
            return False
        microseconds, measured, valid = row
        self._require(valid)
        return abs(time.time() - measured) * 1e6 >= microseconds  # a clock may have been set back

    def _mark(self) -> None:
        """Makes the table in a new file; refuses a foreign one or one of another layout."""
        with self._transaction("BEGIN") as connection:
            marks = connection.execute(_MARKS).fetchone()
        if marks == _NEW:
            # Again under the lock: another process may have been faster.
            with self._transaction("BEGIN IMMEDIATE") as connection:
                if connection.execute(_MARKS).fetchone() == _NEW:
                    for statement in _CREATE:
                        connection.execute(statement)
                marks = connection.execute(_MARKS).fetchone()
        application_id, layout, _ = marks
        if application_id != APPLICATION_ID:
            raise _foreign(self.path)
        if layout != LAYOUT:
            raise CacheDamaged(
                self.path, f"another version of Ramiel wrote this (layout {layout}, not {LAYOUT})"
            )

    def _valid_rows(self, query: str, *arguments: str) -> list[tuple[Any, ...]]:
        with self._transaction("BEGIN") as connection:
            rows = connection.execute(query, arguments).fetchall()
        for valid, *_ in rows:
            self._require(valid)
        return [row[1:] for row in rows]

    def _require(self, valid: int) -> None:
        if not valid:
            raise CacheDamaged(self.path, "is damaged: it holds a cost that is not valid")

    @contextmanager
    def _transaction(self, begin: str) -> Generator[sqlite3.Connection]:
        with self._explaining() as connection:
            try:
                connection.execute(begin)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # SQLite has already rolled back after some errors, and closing does, too.
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _explaining(self) -> Generator[sqlite3.Connection]:
        try:
            yield self._connection
        except sqlite3.ProgrammingError:
            raise  # closed, or used by another thread: the caller's mistake
        except sqlite3.DatabaseError as error:
            raise _explained(error, self.path) from error


def _rows(machine: str, costs: Mapping[Key, float], samples: int) -> list[tuple[Any, ...]]:
    """Rows of the table for costs that are measured now. Raises ValueError as put_many() does."""
    if samples < 1:
        raise ValueError(f"a cost is from 1 or more runs, not from {samples}")
    for (operation, threads), microseconds in costs.items():
        if not 0 < microseconds < math.inf or threads < 1:
            raise ValueError(f"{operation} cannot cost {microseconds} µs on {threads} threads")
    now = int(time.time())
    return [(machine, *key, float(cost), samples, now) for key, cost in costs.items()]


def clear_file(path: Path | None = None) -> int | None:
    """Empties a cache, by default the user's, and returns how many costs it held.

    None: the file was damaged or of another version, and has been removed. A file that is
    another program's database stays, whatever its state, and CompileError says so.
    """
    path = (path or cache_path()).absolute()
    if not os.path.lexists(path):
        return 0
    try:
        with CostCache.open(path) as cache:
            cache.machines()  # reads every row, and so fails for a table that is not ours
            return cache.clear()
    except CacheDamaged:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _unavailable(path, error) from error
        return None


def _explained(error: sqlite3.DatabaseError, path: Path) -> CompileError:
    # An error without a code is Python's own: a text that is not UTF-8.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code in _OUTSIDE:
        return CacheUnavailable(path, str(error))
    try:
        with path.open("rb") as file:
            header = file.read(72)
    except OSError as unreadable:
        return _unavailable(path, unreadable)
    # SQLite's file format, section 1.3: the application's number is at byte 68. This identifies
    # even a damaged database of another program.
    is_database = header.startswith(b"SQLite format 3\0") and len(header) == 72
    if is_database and int.from_bytes(header[68:], "big") != APPLICATION_ID:
        return _foreign(path)
    return CacheDamaged(path, f"is damaged: {error}")


def _unavailable(path: Path, error: OSError) -> CacheUnavailable:
    return CacheUnavailable(path, (error.strerror or str(error)).lower())


def _foreign(path: Path) -> CompileError:
    return CompileError(
        "is another program's database, not a cache of Ramiel: move it away, or name another "
        "folder in RAMIEL_CACHE_DIR",
        file=str(path),
    )
