"""How OpenMP's threads wait: settled before torch is loaded, unless the user did."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def spins(code: str, **settings: str) -> str:
    env = {k: v for k, v in os.environ.items() if k not in SETTINGS} | settings
    code = f"{code}; import os; print(os.environ.get('GOMP_SPINCOUNT'))"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_threads_spin_briefly_if_ramiel_comes_before_torch() -> None:
    assert spins("import ramiel") == "20000"
    assert spins("import ramiel.runtime") == "20000"


@pytest.mark.parametrize(
    ("code", "settings", "spin"),
    [
        ("import torch, ramiel", {}, "None"),
        ("import ramiel", {"GOMP_SPINCOUNT": "7"}, "7"),
        ("import ramiel", {"OMP_WAIT_POLICY": "passive"}, "None"),
    ],
)
def test_what_is_settled_already_stays(code: str, settings: dict[str, str], spin: str) -> None:
    assert spins(code, **settings) == spin
