"""How lit runs the .mlir tests: `lit test` from the root, or `lit test/transforms` for a part."""

import os
import sys
from pathlib import Path

import lit.formats

root = Path(__file__).resolve().parent

config.name = "ramiel"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "unit", "numerics"]

# The folder of this file, not test/: lit joins it with the path it walked down from here.
config.test_source_root = str(root)
config.test_exec_root = str(root / ".lit")

# ramiel-opt, filecheck and python of the environment that runs lit, and the ramiel that PYTHONPATH
# names, if it does. lit itself passes HOME, TMPDIR and the like on.
bin_dir = str(Path(sys.executable).parent)
config.environment["PATH"] = os.pathsep.join([bin_dir, config.environment["PATH"]])
if "PYTHONPATH" in os.environ:
    config.environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
