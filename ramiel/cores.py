"""The number of usable cores."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "RAMIEL_NUM_THREADS"
"""If set, the number of cores to use."""
AGE_S = 1.0
"""For how long an answer holds: affinities and the quotas of containers may change."""

_last = (0, -AGE_S)


def cores() -> int:
    """The number of cores that this process may use, at least 1.

    That is RAMIEL_NUM_THREADS if it is set, else what affinity and the quotas of its cgroups allow,
    where threads that share a core count once, and a part of a core as one.
    """
    given = os.environ.get(VARIABLE, "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    global _last
    count, since = _last
    now = time.monotonic()
    if now - since >= AGE_S:
        count = _usable()
        _last = (count, now)
    return count


def _usable() -> int:
    import loky  # takes a while to import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where the cores are not known, threads count
        physical = loky.cpu_count(only_physical_cores=True)
    # loky knows the quota of the root, which in a container is its own, but elsewhere is nobody's.
    return math.ceil(min([physical, *quotas()]))


def quotas(process: Path = Path("/proc/self")) -> Iterator[float]:
    """How many cores' time may be used in the cgroup of a process and in each one around it, of
    those that have a limit; nothing where there are no cgroups, or they cannot be read.

    `process` is its folder in /proc. For cgroups of versions 1 and 2: see cgroups(7).
    """
    try:
        memberships = (process / "cgroup").read_text().splitlines()
        mounts = (process / "mountinfo").read_text().splitlines()
    except OSError:
        return
    path_of: dict[str, str] = {}
    for membership in memberships:  # number:controllers:path
        _, controllers, path = membership.split(":", 2)
        path_of |= dict.fromkeys(controllers.split(","), path)
    for mount in mounts:  # number parent device root place ... - type source options
        before, _, after = mount.partition(" - ")
        (_, _, _, root, place, *_), (kind, _, options) = before.split(" "), after.split(" ", 2)
        if kind == "cgroup2":
            controller, quota_of = "", _quota
        elif kind == "cgroup" and "cpu" in options.split(","):
            controller, quota_of = "cpu", _quota_of_version_1
        else:
            continue
        path = Path(path_of.get(controller, ""))
        if path.is_relative_to(root) and ".." not in path.parts:
            inner = path.relative_to(root)
            for folder in (inner, *inner.parents):
                yield from quota_of(Path(place, folder))


def _quota(cgroup: Path) -> Iterator[float]:
    yield from _over(*_words(cgroup / "cpu.max"))


def _quota_of_version_1(cgroup: Path) -> Iterator[float]:
    yield from _over(*_words(cgroup / "cpu.cfs_quota_us"), *_words(cgroup / "cpu.cfs_period_us"))


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def _over(*numbers: str) -> Iterator[float]:
    """A quota over its period, in µs; nothing for `max` and -1, which are no limit."""
    if len(numbers) == 2 and all(number.isdecimal() for number in numbers):
        quota, period = map(int, numbers)
        if quota and period:
            yield quota / period
