"""The engine: turns, Stop, errors, owners who leave."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import torch

from segviz.engine import jobs
from segviz.engine.jobs import Engine, Job, State
from segviz.types import UserError


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)


def counting(steps: int, log: list | None = None, name: str = ""):
    """A run of `steps` numbers that ends early with "stopped"."""

    def start(stopped: Callable[[], bool]) -> Iterator[object]:
        for number in range(steps):
            if stopped():
                yield "stopped"
                return
            if log is not None:
                log.append((name, threading.current_thread().name))
            time.sleep(0.002)
            yield number

    return start


def test_runs_to_the_end_on_one_worker_thread():
    log: list = []
    job = Engine().submit("a", counting(5, log))
    wait_until(lambda: not job.active)
    assert job.state is State.DONE
    assert job.latest == 4
    assert {thread for _, thread in log} == {"segviz-engine"}


def test_two_users_take_turns():
    engine, log = Engine(), []
    gate = threading.Event()
    engine.submit("gate", lambda stopped: iter([gate.wait()]))
    both = [engine.submit(name, counting(20, log, name)) for name in "ab"]
    gate.set()
    wait_until(lambda: not any(job.active for job in both))
    order = [name for name, _ in log]
    # Neither is ever more than a step or two ahead of the other.
    assert max(abs(order[:k].count("a") - order[:k].count("b")) for k in range(len(order))) <= 2


def test_stop_ends_within_one_step_with_its_result():
    job = Engine().submit("a", counting(100000))
    wait_until(lambda: job.latest is not None)
    job.stop()
    wait_until(lambda: not job.active, 2)
    assert job.state is State.STOPPED
    assert job.latest == "stopped"


def test_a_new_run_replaces_the_owners_earlier_one():
    engine = Engine()
    first = engine.submit("a", counting(100000))
    wait_until(lambda: first.latest is not None)
    second = engine.submit("a", counting(3))
    wait_until(lambda: not first.active and not second.active)
    assert (first.state, second.state) == (State.STOPPED, State.DONE)


def test_more_runs_than_places_wait_in_line(monkeypatch):
    monkeypatch.setattr(jobs, "MAX_LIVE", 2)
    engine = Engine()
    runs = [engine.submit(str(number), counting(100000)) for number in range(4)]
    wait_until(lambda: runs[1].latest is not None)
    assert [run.state for run in runs[2:]] == [State.WAITING, State.WAITING]
    assert [engine.ahead_of(run) for run in runs] == [0, 0, 2, 3]
    assert engine.active() == 4
    runs[2].stop()
    wait_until(lambda: not runs[2].active)
    assert runs[2].state is State.STOPPED
    assert runs[2].latest is None
    runs[0].stop()
    wait_until(lambda: runs[3].latest is not None)
    for run in runs:
        run.stop()
    wait_until(lambda: engine.active() == 0)


@pytest.mark.parametrize("live", [True, False])
def test_run_of_an_owner_who_left_is_given_up(monkeypatch, live):
    monkeypatch.setattr(jobs, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(jobs, "MAX_LIVE", 1)
    engine = Engine()
    blocker = None if live else engine.submit("other", counting(100000))
    here = threading.Event()
    here.set()
    job = engine.submit("a", counting(100000), present=here.is_set)
    time.sleep(0.3)
    assert job.active
    here.clear()
    wait_until(lambda: not job.active)
    assert job.state is State.ABANDONED
    if blocker:
        blocker.stop()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UserError("take another class"), "take another class"),
        (torch.OutOfMemoryError("CUDA"), "out of memory"),
        (RuntimeError("secret detail"), "fault in the program"),
    ],
)
def test_errors_become_messages_and_the_worker_lives_on(error, message):
    def start(stopped: Callable[[], bool]) -> Iterator[int]:
        yield 1
        raise error

    engine = Engine()
    job: Job[int] = engine.submit("a", start)
    wait_until(lambda: not job.active)
    assert job.state is State.FAILED
    assert job.error is not None
    assert message in job.error
    assert job.latest == 1
    after = engine.submit("b", counting(2))
    wait_until(lambda: not after.active)
    assert after.state is State.DONE
