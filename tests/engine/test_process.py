"""The engine process: models that misbehave, crashes, the end of the server."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import runs
from waiting import LIMIT, wait_until

from segviz.engine.jobs import Engine, State

MESSAGES = {
    "exit": "tried to end the whole program",
    "gradients": "changed whether gradients are computed",
    "number type": "changed the default number type",
    "memory": "out of memory",
    "killed": "lost with it",
    "endless": "longer than 8 s",
}


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_model_that_misbehaves_ends_its_own_run_and_no_other(process: Engine, monkeypatch, kind):
    other = process.submit("b", runs.counting, (400, 0.01))
    wait_until(lambda: other.latest is not None)
    rogue = process.submit("a", runs.rogue, (kind,))
    if kind == "endless":
        # From now on, and for this step alone: beside other load the first step of a new process may take as long.
        wait_until(lambda: rogue.latest is not None)
        monkeypatch.setenv("SEGVIZ_STEP_SECONDS", "8")
    wait_until(lambda: not rogue.active)
    monkeypatch.delenv("SEGVIZ_STEP_SECONDS", raising=False)
    assert rogue.state is State.FAILED
    assert rogue.error is not None
    assert MESSAGES[kind] in rogue.error
    wait_until(lambda: not other.active)
    assert (other.state, other.latest) == (State.DONE, 399)
    after = process.submit("a", runs.sound)
    wait_until(lambda: not after.active)
    assert after.latest[:2] == (True, "torch.float32")


def test_a_killed_process_loses_its_run_and_the_next_one_works(process: Engine):
    job = process.submit("a", runs.counting, (100000,))
    wait_until(lambda: job.latest is not None)
    os.kill(process._devices[0].channel.pid, signal.SIGKILL)
    wait_until(lambda: not job.active)
    assert job.state is State.FAILED
    assert "lost with it" in job.error
    after = process.submit("a", runs.counting, (3,))
    wait_until(lambda: not after.active)
    assert after.latest == 2


SERVER = """
import sys, time
sys.path.insert(0, {folder!r})
import runs
from segviz.engine.jobs import Engine
engine = Engine()
job = engine.submit("a", runs.counting, (10**9, 0.01))
while job.latest is None:
    time.sleep(0.05)
print(engine._devices[0].channel.pid, "torch" in sys.modules, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_process_ends_with_the_server(how):
    folder = str(Path(__file__).parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), folder])}
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER.format(folder=folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert server.stdout is not None
    pid = int(server.stdout.readline().split()[0])
    server.send_signal(how)
    _, errors = server.communicate(timeout=LIMIT)
    assert "terminate called" not in errors

    def gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        # Nobody has waited for an orphan in a container without an init.
        return Path(f"/proc/{pid}/stat").is_file() and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"

    wait_until(gone)


def test_stop_is_heard_during_a_step(process: Engine):
    job = process.submit("a", runs.counting, (1000, 0.3))
    wait_until(lambda: job.latest is not None)
    job.stop()
    wait_until(lambda: not job.active)
    assert job.latest == "stopped"
