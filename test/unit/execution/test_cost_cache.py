"""The cache of measured costs: what is put is got, by any number of processes; damage is said."""

from __future__ import annotations

import os
import pty
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from pathlib import Path

import commands
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel.errors import CompileError
from ramiel.execution.cost_cache import (
    APPLICATION_ID,
    CacheDamaged,
    CacheUnavailable,
    CostCache,
    Key,
    cache_path,
    clear_file,
)

KEYS = st.tuples(st.text(max_size=20), st.integers(1, 1024))
POSITIVE = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
SOME: dict[Key, float] = {(f"conv {i}", n): 100.0 + i / n for i in range(200) for n in (1, 2)}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, which does not exist yet."""
    monkeypatch.setenv("RAMIEL_CACHE_DIR", str(tmp_path / "made" / "when needed"))
    return cache_path()


@pytest.fixture
def filled(file: Path) -> Path:
    with CostCache.open() as cache:
        cache.put_many("here", SOME, samples=5)
    return file


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.dictionaries(KEYS, POSITIVE, max_size=8))))
def test_the_newest_cost_put_is_got(batches: list[tuple[str, dict[Key, float]]]) -> None:
    known: dict[str, dict[Key, float]] = {"a": {}, "b": {}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "costs.sqlite")
        for machine, costs in batches:
            with CostCache.open(path) as cache:
                cache.put_many(machine, costs, samples=3)
            known[machine].update(costs)
        with CostCache.open(path) as cache:
            for machine, costs in known.items():
                asked = [*known["a"], *known["b"]]
                assert cache.get_many(machine, asked) == costs
                listed = cache.entries(machine)
                assert {(e.operation, e.threads): e.microseconds for e in listed} == costs
                assert [e[:2] for e in listed] == sorted(e[:2] for e in listed)
            assert [(m.machine, m.entries) for m in cache.machines()] == [
                (machine, len(costs)) for machine, costs in known.items() if costs
            ]


@pytest.mark.parametrize("cost", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_cost_is_not_kept(filled: Path, cost: float) -> None:
    with CostCache.open() as cache:
        with pytest.raises(ValueError, match=r"cannot cost .* µs on 2 threads"):
            cache.put_many("here", {("add", 1): 1.0, ("conv 0", 2): cost}, samples=5)
        with pytest.raises(ValueError, match="on 0 threads"):
            cache.put_many("here", {("add", 0): 1.0}, samples=5)
        with pytest.raises(ValueError, match="not from 0"):
            cache.put_many("here", {("add", 1): 1.0}, samples=0)
        assert cache.get_many("here", [*SOME, ("add", 1)]) == SOME


def test_clearing_gives_the_space_back(filled: Path) -> None:
    size = filled.stat().st_size
    with CostCache.open() as cache:
        cache.put_many("there", SOME, samples=5)
        assert cache.clear("here") == len(SOME)
        assert [m.machine for m in cache.machines()] == ["there"]
        assert cache.clear() == len(SOME) and cache.machines() == []
    assert filled.stat().st_size < size


def test_the_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RAMIEL_CACHE_DIR", raising=False)
    assert cache_path().is_absolute() and "ramiel" in cache_path().parts
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAMIEL_CACHE_DIR", "here")
    assert cache_path() == tmp_path / "here" / "costs.sqlite"


# --- several processes, and crashes ---

WRITER = """
import sys
from ramiel.execution.cost_cache import CostCache
name, batches = sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for i in range(batches):
    with CostCache.open() as cache:
        cache.put_many("here", {(f"{name} {i} {j}", 1): 1.0 + j for j in range(40)}, samples=1)
    print(i, flush=True)
"""


def writer(name: str, batches: int) -> subprocess.Popen[str]:
    """A process that writes batches of 40 costs, each with a connection of its own, once told."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, name, str(batches)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def test_processes_write_at_once(file: Path) -> None:
    """From the first moment: each finds no file, and one of them makes it."""
    processes = [writer(name, 25) for name in ("left", "right", "third")]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    with CostCache.open() as cache:
        assert len(cache.entries("here")) == 3 * 25 * 40


def test_a_killed_process_loses_nothing_that_was_written(file: Path) -> None:
    process = writer("killed", 1_000_000)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    for _ in range(20):
        process.stdout.readline()
    process.kill()
    said = 20 + len(process.communicate(timeout=60)[0].splitlines())
    with CostCache.open() as cache:
        entries = cache.entries("here")
        assert len(entries) % 40 == 0, "a batch is there as a whole or not at all"
        assert len(entries) // 40 - said in (0, 1), "one may be written and not yet said"
        cache.put_many("here", SOME, samples=1)


def test_a_locked_file_is_waited_for_and_then_given_up(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ramiel.execution.cost_cache.WAIT_S", 0.05)
    with closing(sqlite3.connect(filled, isolation_level=None)) as other, CostCache.open() as cache:
        other.execute("BEGIN IMMEDIATE")
        assert cache.get_many("here", SOME) == SOME
        with pytest.raises(CacheUnavailable, match="database is locked"):
            cache.put_many("here", {("add", 1): 1.0}, samples=5)
        other.execute("COMMIT")
        cache.put_many("here", {("add", 1): 1.0}, samples=5)
        assert cache.get_many("here", [("add", 1)]) == {("add", 1): 1.0}


# --- bad files: what each is called, and whether clearing removes it ---


def cut(size: int) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, size)


def overwritten(offset: int, data: bytes) -> Callable[[Path], None]:
    def overwrite(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(data)

    return overwrite


def edited(*statements: str) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in ("PRAGMA ignore_check_constraints = ON", *statements):
                connection.execute(statement)

    return edit


def cost_of_all(value: str) -> Callable[[Path], None]:
    return edited(f"UPDATE cost SET microseconds = {value}")


def foreign(path: Path) -> None:
    path.unlink()
    edited("CREATE TABLE mail (subject)", "INSERT INTO mail VALUES ('hello')")(path)


def damaged_foreign(path: Path) -> None:
    foreign(path)
    os.truncate(path, 4096)


DAMAGED = {
    "not SQLite": (lambda path: path.write_text("hello " * 500), "is damaged: file is not a data"),
    "no header": (overwritten(0, bytes(100)), "is damaged: file is not a database"),
    "cut to half": (cut(8192), "is damaged: database disk image is malformed"),
    "cut in a page": (cut(5000), "is damaged: database disk image is malformed"),
    "cut in the header": (cut(50), "is damaged: database disk image is malformed"),
    "pages of noise": (overwritten(4096, b"\xa5" * 40960), "is damaged: database disk image is"),
    "no table": (edited("DROP TABLE cost"), "is damaged: no such table: cost"),
    "other columns": (edited("ALTER TABLE cost RENAME samples TO runs"), "is damaged: "),
    "no text": (edited("UPDATE cost SET operation = CAST(x'ff' || threads AS TEXT), threads = 1 "
                       "WHERE operation = 'conv 0'"), "is damaged: Could not decode to UTF-8"),
    "negative": (cost_of_all("-1.0"), "is damaged: it holds a cost that is not valid"),
    "zero": (cost_of_all("0"), "is damaged: it holds a cost that is not valid"),
    "infinite": (cost_of_all("9e999"), "is damaged: it holds a cost that is not valid"),
    "not a number": (cost_of_all("NULL"), "is damaged: it holds a cost that is not valid"),
    "a word": (cost_of_all("'fast'"), "is damaged: it holds a cost that is not valid"),
    "no date": (edited("UPDATE cost SET measured = 1e300"), "is damaged: it holds a cost that"),
    "newer": (edited("PRAGMA user_version = 2"), r"another version .* \(layout 2, not 1\)"),
}  # fmt: skip


def read(path: Path) -> None:
    with CostCache.open(path) as cache:
        cache.machines()
        cache.entries("here")


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file_is_refused_and_can_be_cleared(filled: Path, kind: str) -> None:
    damage, message = DAMAGED[kind]
    damage(filled)
    with pytest.raises(CacheDamaged, match=message) as caught:
        read(filled)
    assert str(caught.value).startswith(f"{filled}: ")
    assert str(caught.value).endswith("; `ramiel cache clear` removes it")
    # Clearing repairs, be it by removing the file or by forgetting its rows.
    clear_file()
    with CostCache.open() as cache:
        cache.put_many("here", SOME, samples=5)
        assert cache.get_many("here", SOME) == SOME


def test_a_bad_cost_is_not_got(filled: Path) -> None:
    cost_of_all("-1.0")(filled)
    with CostCache.open() as cache, pytest.raises(CacheDamaged, match="not valid"):
        cache.get_many("here", [("conv 0", 1)])


@pytest.mark.parametrize("make", [foreign, damaged_foreign])
def test_a_foreign_database_is_never_touched(filled: Path, make: Callable[[Path], None]) -> None:
    make(filled)
    data = filled.read_bytes()
    for use in (read, clear_file):
        with pytest.raises(CompileError, match="another program's database") as caught:
            use(filled)
        assert not isinstance(caught.value, CacheDamaged | CacheUnavailable)
    assert filled.read_bytes() == data


def test_an_empty_file_is_a_new_cache(file: Path) -> None:
    """As a crash before the first write leaves it."""
    file.parent.mkdir(parents=True)
    file.touch()
    read(file)


# --- bad places: the caller may go on without the cache ---


def test_something_else_in_its_place(file: Path) -> None:
    file.mkdir(parents=True)
    for use in (CostCache.open, clear_file):
        with pytest.raises(CacheUnavailable, match="not a file"):
            use()
    file.rmdir()
    os.mkfifo(file)
    with pytest.raises(CacheUnavailable, match="not a file"):
        CostCache.open()
    file.unlink()
    file.parent.rmdir()
    file.parent.touch()
    with pytest.raises(CacheUnavailable, match=r"file exists; RAMIEL_CACHE_DIR names another"):
        CostCache.open()


@pytest.fixture
def read_only() -> Generator[Path]:
    """A cache in a folder that may be read and not written, seen by a user who is not root."""
    folder = Path(tempfile.mkdtemp())
    path = folder / "costs.sqlite"
    with CostCache.open(path) as cache:
        cache.put_many("here", SOME, samples=5)
    path.chmod(0o444)
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield path
    finally:
        os.seteuid(user)
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_read_only_folder(read_only: Path) -> None:
    with CostCache.open(read_only) as cache:
        assert cache.get_many("here", SOME) == SOME
        for write in (cache.clear, lambda: cache.put_many("here", SOME, samples=5)):
            with pytest.raises(CacheUnavailable, match="readonly database"):
                write()
    for name in ("other.sqlite", "folder/costs.sqlite"):
        with pytest.raises(CacheUnavailable, match=r"unable to open|permission denied"):
            CostCache.open(read_only.parent / name)


FULL_DISK = """
import resource
from ramiel.execution.cost_cache import CacheUnavailable, CostCache
with CostCache.open() as cache:
    resource.setrlimit(resource.RLIMIT_FSIZE, (cache.path.stat().st_size,) * 2)
    try:
        cache.put_many("here", {(f"add {i}", 1): 1.0 for i in range(100_000)}, samples=1)
    except CacheUnavailable as error:
        print(error)
    print(len(cache.entries("here")))
"""


def test_a_full_disk(filled: Path) -> None:
    """A file that cannot grow fails as a full disk does: all that was there stays there."""
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK], capture_output=True, text=True, timeout=60
    )
    message, entries = result.stdout.splitlines()
    assert "measured costs cannot be kept here" in message and int(entries) == len(SOME)


# --- the command ---


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return partial(commands.run, "cache", cwd=tmp_path)


def test_looking_makes_no_file(file: Path, run: Run) -> None:
    for arguments in ([], ["list"], ["clear"]):
        result = run(*arguments)
        assert result.returncode == 0
        assert result.stdout == f"{file}: nothing has been measured yet\n"
    assert run("path").stdout == f"{file}\n"
    assert not file.parent.exists()


def test_list(filled: Path, run: Run) -> None:
    with CostCache.open() as cache:
        cache.put_many("there", {("[bold]gelu\x1b[31m", 1): 12345.67}, samples=5)
    overview = run()
    assert overview.stdout.startswith(f"{filled} (")
    assert [line.split("│")[1:3] for line in overview.stdout.splitlines() if "here" in line] == [
        [" here    ", " 400   "],
        [" there   ", " 1     "],
    ]
    listed = run("list", "--limit", "2")
    assert "conv 199" in listed.stdout and "conv 198" in listed.stdout
    assert "conv 197" not in listed.stdout and "and 198 more" in listed.stdout
    assert "299.0" in listed.stdout and "199.5" in listed.stdout
    only = run("list", "--machine-contains", "ther")
    assert "conv" not in only.stdout and "[bold]gelu\N{REPLACEMENT CHARACTER}[31m" in only.stdout
    assert "12345.7" in only.stdout
    assert "name contains 'mars'" in run("list", "--machine-contains", "mars").stdout


def test_clear_asks(filled: Path, tmp_path: Path) -> None:
    clear = partial(commands.run_alone, "cache", "clear", cwd=tmp_path)
    refused = clear()
    assert refused.returncode == 1
    assert refused.stderr == "error: give --yes: there is no terminal to ask on\n"
    master, terminal = pty.openpty()
    try:
        for answer, code, left in ((b"n\n", 1, len(SOME)), (b"y\n", 0, 0)):
            os.write(master, answer)
            result = clear(stdin=terminal)
            assert result.returncode == code
            assert f"Forget 400 measured cost(s) in {filled}?" in result.stderr
            with CostCache.open() as cache:
                assert len(cache.entries("here")) == left
    finally:
        os.close(master)
        os.close(terminal)


def test_clear_on_bad_files(filled: Path, run: Run) -> None:
    cut(5000)(filled)
    shown = run()
    assert shown.returncode == 1 and len(shown.stderr.splitlines()) == 1
    assert shown.stderr.startswith(f"error: {filled}: is damaged: ")
    with pytest.raises(CacheDamaged):
        run("list", "--debug")
    cleared = run("clear", "--yes")
    assert cleared.stdout == f"{filled}: the file is removed\n" and not filled.exists()
    edited("CREATE TABLE mail (subject)")(filled)
    refused = run("clear", "--yes")
    assert refused.returncode == 1 and "another program's database" in refused.stderr
    assert filled.exists()


def test_the_file_says_whose_it_is(filled: Path) -> None:
    """As `file` and any SQLite tool show it."""
    with closing(sqlite3.connect(filled)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
