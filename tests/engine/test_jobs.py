"""The engine: turns, Stop, errors, owners who leave, runs that several watch."""

import functools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import runs
from waiting import wait_until

from segviz.engine import jobs
from segviz.engine.jobs import Engine, State
from segviz.engine.messages import Hello, Memory, Turn


def submit(engine: Engine, owner: str, steps: int, **options):
    return engine.submit(owner, runs.counting, (steps,), view=runs.counted, **options)


def test_runs_to_the_end(engine):
    job = submit(engine, "a", 5)
    wait_until(lambda: not job.active)
    assert job.state is State.DONE
    assert job.latest == 4
    assert job.run.news["figures"] == (("count", "4", ""),)


def test_latest_is_what_there_is_now(engine):
    job = submit(engine, "a", 100000)
    wait_until(lambda: job.latest is not None)
    before = job.latest
    wait_until(lambda: job.latest > before)
    job.stop()


def test_stop_ends_within_one_step_with_its_result(engine):
    job = submit(engine, "a", 100000)
    wait_until(lambda: job.latest is not None)
    job.stop()
    wait_until(lambda: not job.active)
    assert job.state is State.STOPPED
    assert job.latest == "stopped"


def test_a_new_run_replaces_the_owners_earlier_one_of_the_same_lane(engine):
    first, beside = submit(engine, "a", 100000), submit(engine, "a", 100000, lane="beside")
    wait_until(lambda: first.latest is not None)
    second = submit(engine, "a", 3)
    wait_until(lambda: not first.active and not second.active)
    assert (first.state, second.state) == (State.STOPPED, State.DONE)
    assert beside.active
    beside.stop()


def test_more_runs_than_places_wait_in_line(engine, monkeypatch):
    monkeypatch.setattr(jobs, "MAX_LIVE", 2)
    four = [submit(engine, str(number), 100000) for number in range(4)]
    wait_until(lambda: four[1].latest is not None)
    assert [job.state for job in four[2:]] == [State.WAITING, State.WAITING]
    assert [engine.ahead_of(job) for job in four] == [0, 0, 2, 3]
    assert engine.active() == 4
    four[2].stop()
    assert four[2].state is State.STOPPED
    assert four[2].latest is None
    four[0].stop()
    wait_until(lambda: four[3].latest is not None)
    for job in four:
        job.stop()
    wait_until(lambda: engine.active() == 0)


def test_a_user_with_many_runs_waits_behind_one_with_none(engine, monkeypatch):
    monkeypatch.setattr(jobs, "MAX_LIVE", 2)
    many = [submit(engine, "a", 100000, lane=str(number)) for number in range(4)]
    one = submit(engine, "b", 100000)
    many[0].stop()
    wait_until(lambda: one.latest is not None)
    assert [job.state for job in many[2:]] == [State.WAITING, State.WAITING]
    for job in [*many, one]:
        job.stop()


@pytest.mark.parametrize("live", [True, False])
def test_run_of_an_owner_who_left_is_given_up(engine, monkeypatch, live):
    monkeypatch.setattr(jobs, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(jobs, "MAX_LIVE", 1)
    blocker = None if live else submit(engine, "other", 100000)
    here = threading.Event()
    here.set()
    job = submit(engine, "a", 100000, present=here.is_set)
    time.sleep(0.8)
    assert job.active
    here.clear()
    wait_until(lambda: not job.active)
    assert job.state is State.ABANDONED
    if blocker:
        blocker.stop()


def test_run_whose_stream_is_open_is_not_given_up(engine, monkeypatch):
    monkeypatch.setattr(jobs, "GRACE_SECONDS", 0.1)
    job = submit(engine, "a", 100000, present=lambda: False)
    with jobs.listening(job.run, lambda: None):
        time.sleep(0.8)
        assert job.active
    wait_until(lambda: not job.active)


@pytest.mark.parametrize(
    ("kind", "message"), [("user", "take another class"), ("memory", "out of memory"), ("fault", "fault in the program")]
)
def test_errors_become_messages_and_the_worker_lives_on(engine, kind, message):
    job = engine.submit("a", runs.failing, (kind,))
    wait_until(lambda: not job.active)
    assert job.state is State.FAILED
    assert job.error is not None
    assert message in job.error
    assert job.latest == 1
    after = submit(engine, "b", 2)
    wait_until(lambda: not after.active)
    assert after.state is State.DONE


def test_who_asks_for_what_is_under_way_joins_it(engine):
    first, second = submit(engine, "a", 100000, key="k"), submit(engine, "b", 100000, key="k")
    assert first.run is second.run
    assert engine.active() == 1
    wait_until(lambda: second.latest is not None)
    second.stop()
    assert second.left
    assert (first.state, second.state) == (State.RUNNING, State.STOPPED)
    first.stop()
    wait_until(lambda: first.state is State.STOPPED)
    assert first.latest == "stopped"
    third = submit(engine, "c", 3, key="k")
    assert third.run is not first.run
    wait_until(lambda: third.state is State.DONE)


def test_after_a_reload_stop_ends_the_run(engine):
    before = submit(engine, "a", 100000, key="k", present=lambda: False)
    after = submit(engine, "b", 100000, key="k")
    wait_until(lambda: after.latest is not None)
    after.stop()
    wait_until(lambda: not after.active)
    assert not after.left
    assert before.state is State.STOPPED


def test_shared_run_goes_on_while_one_watcher_is_there(engine, monkeypatch):
    monkeypatch.setattr(jobs, "GRACE_SECONDS", 0.1)
    away = submit(engine, "a", 100000, key="k", present=lambda: False)
    here = submit(engine, "b", 100000, key="k")
    wait_until(lambda: not away.active)
    assert away.state is State.ABANDONED
    assert here.active
    here.stop()


def test_address_goes_with_the_run(engine):
    job = submit(engine, "a", 3)
    address = job.run.id
    assert engine.run_at(address) is job.run
    assert engine.run_at(address[:-1]) is None
    wait_until(lambda: not engine.active())
    assert engine.run_at(address) is job.run
    del job
    wait_until(lambda: engine.run_at(address) is None)


def test_a_run_says_what_it_waits_for_and_how_long_that_took_before(monkeypatch, tmp_path):
    monkeypatch.setattr(jobs, "MAX_LIVE", 2)
    monkeypatch.setenv("SEGVIZ_CACHE", str(tmp_path))
    told = []

    class Silent:
        """An engine that says what the test has it say."""

        def __init__(self, hear, device=None):
            told.append(hear)

        def send(self, message): ...

        def end(self): ...

    engine = Engine(Silent)
    first, second, third = (submit(engine, owner, 5).run for owner in "abc")
    assert engine.wait_of(first) == "The engine is starting …"
    assert engine.wait_of(third) == "Waiting in line: 2 runs are served first."
    (hear,) = told
    hear(Hello(1))
    assert engine.wait_of(first) == "The engine is loading its first model …"
    hear(Memory((), 1))
    assert engine.wait_of(second) == "Waiting for a turn beside 1 other run …"
    hear(Turn(first.id))
    assert engine.wait_of(first) == "Loading the model …"
    engine.close()
    (tmp_path / "waits.json").write_text('{"start": 6.2, "model": 3.1, "place": 5}')
    engine = Engine(Silent)
    first, second, third = (submit(engine, owner, 5).run for owner in "abc")
    assert engine.wait_of(first) == "The engine is starting … (6 s the last time)"
    assert engine.wait_of(third) == "Waiting in line: 2 runs are served first, about 5 s."
    told[-1](Hello(1))
    assert engine.wait_of(first) == "The engine is loading its first model … (3 s the last time)"
    engine.close()


def test_who_comes_first_at_the_same_moment_gets_the_one_engine(monkeypatch):
    def slow():
        time.sleep(0.05)
        return object()

    monkeypatch.setattr(jobs, "_engine", functools.cache(slow))
    with ThreadPoolExecutor(8) as threads:
        engines = list(threads.map(lambda _: jobs.engine(), range(8)))
    assert len(set(engines)) == 1
