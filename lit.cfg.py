"""lit's configuration for the .mlir tests: run `lit test`, or `lit test/transforms` for a part."""

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

# Use ramiel-opt, filecheck and python of the environment that runs lit, and ramiel from PYTHONPATH,
# if set. lit itself passes on HOME, TMPDIR and the like.
bin_dir = str(Path(sys.executable).parent)
config.environment["PATH"] = os.pathsep.join([bin_dir, config.environment["PATH"]])
config.environment["RAMIEL_PROBE"] = "0"  # the same costs on any machine
if "PYTHONPATH" in os.environ:
    config.environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
