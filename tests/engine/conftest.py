"""Shared by the tests of the engine: one on a thread, and one in a process as on a server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from segviz.engine.channel import Process
from segviz.engine.jobs import Engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine on a thread."""
    engine = Engine()
    yield engine
    for run in engine.runs():
        run.stopping = True
    engine.close()


@pytest.fixture(scope="module")
def process() -> Iterator[Engine]:
    """An engine in a process of its own, which can import the runs of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        patch.setenv("SEGVIZ_RUNS_MB", "0")
        engine = Engine(Process)
        yield engine
        engine.close()
