"""Where the files are that are no modules: beside the package in a checkout, inside it once segviz is installed."""

from pathlib import Path

CODE = Path(__file__).parents[1]
"""The folder that the package is imported from."""
_INSIDE = CODE / "segviz" / "app"
INSTALLED = _INSIDE.is_dir()
"""Whether this is an installed package; a checkout, also one installed with `pip install -e`, is none."""
HOME = _INSIDE if INSTALLED else CODE
"""The folder of app.py, pages/ and assets/."""
APP = HOME / "app.py"
ASSETS = HOME / "assets"


def folder_of_the_user() -> Path:
    """Where the user's own files are looked for: next to app.py in a checkout, the current folder where segviz is installed."""
    return Path.cwd() if INSTALLED else HOME
