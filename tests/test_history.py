"""The runs of a visitor: the last ones and the pinned ones, found by a secret, as one file."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from segviz import history
from segviz.engine.kept import to_bytes
from segviz.history import FRAMES, LAST, History, is_token, new_token
from segviz.studies import first_views
from segviz.types import UserError


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGVIZ_CACHE", str(tmp_path))
    monkeypatch.setenv("SEGVIZ_RUNS_MB", "512")


@pytest.fixture(scope="module")
def run():
    """The run that ships with the project, a quarter as large."""
    found = first_views.load("lab")

    def small(frame):
        return replace(frame, **{name: getattr(frame, name)[::8, ::8].copy() for name in ("pixels", "prediction", "confidence")})

    return replace(
        found,
        picture=replace(found.picture, pixels=found.picture.pixels[::8, ::8].copy(), labels=None),
        reference=found.reference[::8, ::8].copy(),
        frames=tuple(map(small, found.frames)),
        final=small(found.final),
    )


def remembered(mine, run, *called):
    """Keep runs of these names, which differ in their seeds, and return them as kept."""
    for name in called:
        mine.remember(replace(run, settings=replace(run.settings, seed=sum(name.encode()))), name)
    return sorted((one for one in mine.runs() if one.name in called), key=lambda one: called.index(one.name))


def names(token):
    return [one.name for one in History(token).runs()]


def test_the_last_runs_stay_and_the_pinned_ones(run):
    token = new_token()
    mine = History(token)
    (first,) = remembered(mine, run, "first")
    mine.pin(first.key, True)
    remembered(mine, run, *map(str, range(LAST + 3)))
    assert names(token) == [*map(str, range(LAST + 2, 2, -1)), "first"]
    kept = History(token).runs()[-1]
    assert kept.pinned
    assert (kept.trajectory.final.pixels == run.final.pixels).all()
    assert kept.trajectory.report == run.report
    assert kept.trajectory.curve == run.curve
    indices = [frame.index for frame in kept.trajectory.frames]
    assert len(indices) == FRAMES
    assert (indices[0], indices[-1]) == (0, run.frames[-1].index)


def test_names_pins_and_deleting(run):
    token = new_token()
    mine = History(token)
    one, two = remembered(mine, run, "one", "two")
    mine.rename(one.key, "  mine  ")
    mine.rename(two.key, " ")
    assert names(token) == ["two", "mine"]
    mine.pin(two.key, True)
    mine.pin(two.key, False)
    assert not any(kept.pinned for kept in History(token).runs())
    mine.delete([one.key])
    assert names(token) == ["two"]


def test_another_browser_sees_nothing_of_it(run):
    History(new_token()).remember(run, "mine")
    assert names(new_token()) == []
    for wrong in ("", "../../etc", "a" * 100, "0123456789/123456789"):
        assert not is_token(wrong)
        with pytest.raises(ValueError, match="token"):
            History(wrong)


def test_as_one_file_to_another_browser(run):
    mine, theirs = History(new_token()), History(new_token())
    keys = [kept.key for kept in remembered(mine, run, "one", "two", "three")]
    assert theirs.load(mine.exported(keys[:2])) == 2
    found = theirs.runs()
    assert [(kept.name, kept.pinned) for kept in found] == [("one", True), ("two", True)]
    assert (found[0].trajectory.picture.pixels == run.picture.pixels).all()


def test_files_of_others_are_refused(run):
    mine = History(new_token())
    (kept,) = remembered(mine, run, "mine")
    unknown = replace(run, settings=replace(run.settings, model="nobody's"))
    with pytest.raises(UserError, match="nobody's"):
        mine.load(to_bytes((replace(kept, trajectory=unknown),)))
    narrow = replace(run, reference=run.reference[:, 1:])
    huge = json.dumps({"version": 1, "arrays": [{"kind": "uint8", "shape": [10**6, 10**6], "like": None, "bytes": 1}], "tree": []})
    wrong = (
        b"",
        b"\x00" * 100,
        to_bytes(run),
        to_bytes((run,)),
        to_bytes((replace(kept, trajectory=narrow),)),
        to_bytes((replace(kept, trajectory=replace(run, final=None)),)),
        huge.encode() + b"\nx",
    )
    for data in wrong:
        with pytest.raises(UserError, match="no file of runs"):
            mine.load(data)
    assert [one.name for one in mine.runs()] == ["mine"]


def test_there_is_room_for_so_many_pins(run, monkeypatch):
    monkeypatch.setattr(history, "MAX_PINNED", 1)
    mine = History(new_token())
    one, two = remembered(mine, run, "one", "two")
    mine.pin(one.key, True)
    with pytest.raises(UserError, match="Unpin or delete one"):
        mine.pin(two.key, True)
    with pytest.raises(UserError, match="Unpin or delete some"):
        mine.load(mine.exported([two.key]))


def test_those_who_came_least_lately_make_room(run, monkeypatch):
    tokens = [new_token() for _ in range(3)]
    for token in tokens[:2]:
        History(token).remember(run, "old")
    monkeypatch.setattr(history, "limit", lambda: 1)
    History(tokens[2]).remember(run, "new")
    assert [names(token) for token in tokens] == [[], [], ["new"]]


def test_damaged_files_are_left_out(run):
    mine = History(new_token())
    (kept,) = remembered(mine, run, "mine")
    shutil.copy(mine.folder / f"{kept.key}.run", mine.folder / "0.run")
    (mine.folder / "0.run").write_bytes(np.random.default_rng(0).bytes(1000))
    assert [one.name for one in History(mine.folder.name).runs()] == ["mine"]


def test_the_same_run_again_is_no_other_one(run, monkeypatch):
    token = new_token()
    mine = History(token)
    mine.remember(run, "mine")
    mine.remember(run, "again")
    mine.remember(replace(run, settings=replace(run.settings, seed=1)), "another")
    assert names(token) == ["another", "mine"]
    monkeypatch.setenv("SEGVIZ_RUNS_MB", "0")
    mine.remember(replace(run, settings=replace(run.settings, seed=2)), "not kept")
    assert len(mine.runs()) == 2
