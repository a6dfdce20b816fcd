"""Sphinx's settings. `make docs` builds the pages that docs/pages.py puts together."""

import os
from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer

from ramiel.version import __version__

project = "Ramiel"
release = version = __version__
html_title = f"Ramiel {__version__}"
html_theme = "furo"
html_show_copyright = False
html_copy_source = False
extensions = ["myst_nb", "sphinx.ext.autodoc"]
root_doc = "index"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_execution_in_temp = True
nb_merge_streams = True
# IR has no lexer.
highlight_language = "text"

default_role = "code"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"exclude-members": "__init__, __new__"}

# The notebooks run in folders of their own, and import docs/tours.py.
_folders = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, _folders))


def setup(app: Any) -> None:
    app.add_lexer("mlir", TextLexer)  # Pygments has none for it
