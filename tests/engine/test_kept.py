"""Results on disk: plain data only, bounded in size."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import runs
from waiting import wait_until

from segviz.engine import kept
from segviz.engine.jobs import State
from segviz.engine.keys import content_key
from segviz.settings import Settings
from segviz.studies import first_views


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGVIZ_CACHE", str(tmp_path))
    monkeypatch.delenv("SEGVIZ_RUNS_MB", raising=False)


def test_a_trajectory_comes_back_as_it_was():
    run = first_views.load("lab")
    data = kept.to_bytes(run)
    back = kept.from_bytes(data)
    assert replace(back, picture=run.picture, reference=run.reference, frames=(), final=None) == replace(run, frames=(), final=None)
    for frame, before in zip((*back.frames, back.final), (*run.frames, run.final), strict=True):
        assert np.array_equal(frame.pixels, before.pixels)
        assert np.array_equal(frame.prediction, before.prediction)
        assert np.array_equal(frame.confidence, before.confidence)
    assert len(data) < 0.75 * sum(frame.pixels.nbytes + 2 * frame.prediction.nbytes for frame in run.frames)


@pytest.mark.parametrize(
    "record",
    ["os:system", "segviz.engine.jobs:Engine", "segviz.engine.kept:restore", "segviz.nowhere:Thing", "subprocess:Popen"],
)
def test_a_file_that_names_anything_but_records_is_removed(record):
    file = kept.kept_file("bad")
    file.parent.mkdir(parents=True)
    tree = {"record": record, "fields": {}}
    file.write_bytes(json.dumps({"version": kept.VERSION, "arrays": [], "tree": tree}).encode() + b"\n")
    assert kept.restore(file) is None
    assert not file.exists()


def test_a_damaged_file_is_no_result():
    file = kept.kept_file("cut")
    kept.write(file, np.arange(1000))
    file.write_bytes(file.read_bytes()[:-20])
    assert kept.restore(file) is None
    assert not file.exists()


def test_the_oldest_are_given_up(monkeypatch):
    monkeypatch.setenv("SEGVIZ_RUNS_MB", "1")
    noise = np.random.default_rng(0).integers(0, 255, 400_000, np.uint8)
    for number in range(4):
        kept.write(kept.kept_file(str(number)), noise)
        os.utime(kept.kept_file(str(number)), (number, number))
    assert [kept.kept_file(str(number)).exists() for number in range(4)] == [False, False, True, True]


def test_what_is_no_plain_data_is_not_kept():
    kept.write(kept.kept_file("thing"), object())
    assert not kept.kept_file("thing").exists()


def test_a_finished_run_is_shown_at_once_and_can_be_made_again(engine):
    first = engine.submit("a", runs.counting, (4,), key="k", keep=True)
    wait_until(lambda: not first.active and kept.kept_file("k").exists())
    assert not first.before
    second = engine.submit("b", runs.counting, (4,), key="k", keep=True)
    assert second.before
    assert (second.state, second.latest) == (State.DONE, 3)
    third = engine.submit("b", runs.counting, (4,), key="k", keep=True, again=True)
    assert not third.before
    wait_until(lambda: not third.active)


def test_a_stopped_run_is_not_kept(engine):
    job = engine.submit("a", runs.counting, (100000,), key="k", keep=True)
    wait_until(lambda: job.latest is not None)
    job.stop()
    wait_until(lambda: not job.active)
    assert not kept.kept_file("k").exists()


def test_everything_that_decides_a_run_is_in_its_key():
    pixels = np.zeros((2, 3, 3), np.uint8)
    base = content_key(runs.counting, (Settings(), pixels), "weights")
    assert base == content_key(runs.counting, (Settings(), pixels.copy()), "weights")
    others = [
        content_key(runs.counting, (Settings(seed=1), pixels), "weights"),
        content_key(runs.counting, (Settings(), pixels + np.uint8(1)), "weights"),
        content_key(runs.counting, (Settings(), pixels.reshape(3, 2, 3)), "weights"),
        content_key(runs.failing, (Settings(), pixels), "weights"),
        content_key(runs.counting, (Settings(), pixels), "other weights"),
    ]
    assert len({base, *others}) == 6
    assert content_key(runs.counting, (object(),), "weights") is None
