"""How long an idle thread of OpenMP spins before it sleeps.

After an operator on several threads, the helpers stay ready for the next one: libgomp, with which
PyTorch is built on Linux, has them spin for 300,000 rounds, some milliseconds, and meanwhile they
take half of a core from the worker that lent it. With 20,000 rounds, some hundred µs, they are
still awake for the next operator of their own worker; with 2000 they sleep in between, and prepared
kernels on two threads take 6 to 9 % longer. docs/decisions.md has the times.

libgomp reads its settings when it is loaded, so this must run before the first import of torch.
"""

from __future__ import annotations

import os
import sys

SPINS = "20000"


def spin_briefly() -> None:
    """Set GOMP_SPINCOUNT, unless the user has set it or OMP_WAIT_POLICY, or torch is loaded."""
    if "torch" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)


def waiting() -> str:
    """This process's setting, such as `GOMP_SPINCOUNT=2000`, or `` if nothing is set."""
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    return " ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ)
