"""The number of usable cores."""

from __future__ import annotations

import os
import time
import warnings

VARIABLE = "RAMIEL_NUM_THREADS"
"""If set, the number of cores to use."""
AGE_S = 1.0
"""For how long an answer holds: affinities and the quotas of containers may change."""

_last = (0, -AGE_S)


def cores() -> int:
    """The number of cores that this process may use, at least 1.

    That is RAMIEL_NUM_THREADS if it is set, else what affinity and the quota of a container's
    cgroup allow, where threads that share a core count once.
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
        return loky.cpu_count(only_physical_cores=True)
