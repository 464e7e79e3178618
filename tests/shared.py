"""Where the published weights and sample data for tests are, if they are on this machine."""

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("SEGVIZ_SHARED") or Path(__file__).parents[2] / "shared")


def shared(path: str) -> Path:
    """A file or folder of the test material; skips the test where it is absent."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"no {path} in {SHARED}; set SEGVIZ_SHARED to the folder with the test material")
    return found
