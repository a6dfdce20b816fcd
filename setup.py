"""What pyproject.toml cannot say of the native part, which is a library and no extension module.

It uses nothing of Python, so it is `_native.so` for all versions, and one wheel serves all. With
RAMIEL_NATIVE=0 it is left out, and the wheel is for any machine.
"""

import os

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext


class _Distribution(Distribution):
    def has_ext_modules(self) -> bool:
        return os.environ.get("RAMIEL_NATIVE") != "0" and bool(super().has_ext_modules())


class _Library(build_ext):
    def get_ext_filename(self, fullname: str) -> str:
        return os.path.join(*fullname.split(".")) + ".so"


class _Wheel(bdist_wheel):
    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


setup(distclass=_Distribution, cmdclass={"build_ext": _Library, "bdist_wheel": _Wheel})
