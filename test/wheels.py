"""Installs the wheels of dist/ in a fresh environment, and runs the demo and quick tests there.

`python test/wheels.py python3.12`. What runs is in an empty folder, so that it cannot import the
checkout. The wheel with the native part is tested, then the pure one.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
QUICK = ("test/unit/api", "test/unit/runtime/replay", "test/unit/analysis", "test/unit/dialects")
IS_NATIVE = (
    "import ramiel; from ramiel.runtime.replay.native import native, why_not;"
    "print(ramiel.__version__, 'replayed natively' if native() else why_not());"
    "raise SystemExit((native() is not None) != {expected})"
)


def check(python: str, wheels: Path, folder: Path) -> None:
    """Raises CalledProcessError if one of the commands fails."""

    def run(*command: str | Path) -> None:
        print("$", *command, flush=True)
        subprocess.run(list(map(str, command)), cwd=folder, check=True)

    own = folder / "environment" / "bin"
    constraints = ROOT / "constraints.txt"
    install = (own / "python", "-m", "pip", "install", "--quiet", "-c", constraints)
    run(python, "-m", "venv", folder / "environment")
    shutil.copytree(ROOT / "test", folder / "test")
    shutil.copy(ROOT / "pyproject.toml", folder)
    (native,) = wheels.glob("*-py3-none-manylinux*.whl")
    (pure,) = wheels.glob("*-py3-none-any.whl")
    run(*install, f"{native}[test]")
    run(own / "python", "-c", IS_NATIVE.format(expected=True))
    run(own / "python", "-m", "ramiel.tools.demo")
    run(own / "pytest", *QUICK)
    run(*install, "--no-deps", "--force-reinstall", pure)
    run(own / "python", "-c", IS_NATIVE.format(expected=False))
    run(own / "python", "-m", "ramiel.tools.demo")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python")
    parser.add_argument("--wheels", type=Path, default=ROOT / "dist")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        check(options.python, options.wheels.resolve(), Path(folder))


if __name__ == "__main__":
    main()
