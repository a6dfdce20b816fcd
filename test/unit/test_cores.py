"""The number of usable cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ramiel import cores as under_test
from ramiel.cores import VARIABLE, cores, quotas


@pytest.fixture(autouse=True)
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(under_test, "_last", (0, -under_test.AGE_S))


def test_no_more_than_the_affinity() -> None:
    assert 1 <= cores() <= len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("given", "expected"), [("3", 3), ("64", 64)])
def test_the_variable_decides(monkeypatch: pytest.MonkeyPatch, given: str, expected: int) -> None:
    monkeypatch.setenv(VARIABLE, given)
    assert cores() == expected


@pytest.mark.parametrize("given", ["0", "-1", "many", ""])
def test_what_is_no_number_of_cores_is_ignored(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    usual = cores()
    monkeypatch.setenv(VARIABLE, given)
    assert cores() == usual


def test_changes_are_seen_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([4, 2])
    monkeypatch.setattr(under_test, "_usable", lambda: next(counts))
    now = [100.0]
    monkeypatch.setattr(under_test.time, "monotonic", lambda: now[0])
    assert [cores(), cores()] == [4, 4]
    now[0] += under_test.AGE_S
    assert cores() == 2


def cgroups_of(process: Path, memberships: str, mounts: str) -> list[float]:
    process.mkdir()
    (process / "cgroup").write_text(memberships)
    (process / "mountinfo").write_text(f"21 1 8:1 / / rw - ext4 /dev/root rw\n{mounts}")
    return list(quotas(process))


def limited(cgroup: Path, **files: str) -> None:
    cgroup.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (cgroup / name.replace("__", ".")).write_text(f"{text}\n")


def test_every_quota_around_the_process_counts(tmp_path: Path) -> None:
    limited(tmp_path / "a/b/c", cpu__max="max 100000")
    limited(tmp_path / "a/b", cpu__max="150000 100000")
    limited(tmp_path / "a", cpu__max="400000 100000")
    limited(tmp_path / "other", cpu__max="10000 100000")
    mounts = f"31 21 0:29 / {tmp_path} rw,relatime - cgroup2 cgroup2 rw"
    assert cgroups_of(tmp_path / "self", "0::/a/b/c\n", mounts) == [1.5, 4.0]


def test_quotas_of_version_1(tmp_path: Path) -> None:
    limited(tmp_path / "a/b", cpu__cfs_quota_us="50000", cpu__cfs_period_us="100000")
    limited(tmp_path / "a", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    memberships = "4:memory:/m\n3:cpu,cpuacct:/a/b\n0::/\n"
    mounts = (
        f"31 21 0:29 / {tmp_path} rw - cgroup cgroup rw,cpu,cpuacct\n"
        f"32 21 0:30 / {tmp_path / 'none'} rw - cgroup2 cgroup2 rw"
    )
    assert cgroups_of(tmp_path / "self", memberships, mounts) == [0.5]


def test_a_container_sees_the_cgroups_from_its_own_on(tmp_path: Path) -> None:
    limited(tmp_path, cpu__max="200000 100000")
    limited(tmp_path / "inner", cpu__max="100000 100000")
    mounts = f"31 21 0:29 /pod/one {tmp_path} rw - cgroup2 cgroup2 rw"
    assert cgroups_of(tmp_path / "self", "0::/pod/one/inner\n", mounts) == [1.0, 2.0]
    assert cgroups_of(tmp_path / "another", "0::/pod/two\n", mounts) == []
    assert cgroups_of(tmp_path / "outside", "0::/pod/one/../two\n", mounts) == []


def test_without_cgroups_there_is_no_quota(tmp_path: Path) -> None:
    assert list(quotas(tmp_path / "absent")) == []


def test_a_part_of_a_core_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "quotas", lambda: iter([0.5, 3.0]))
    assert cores() == 1
