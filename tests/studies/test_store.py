"""Results on disk: found by content, whole, shared by processes."""

import multiprocessing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from segviz.data.label_sets import VOC21
from segviz.settings import Settings
from segviz.studies import store as store_module
from segviz.studies.grid import AttackRow, Cell, ImageRef, cells
from segviz.studies.ledger import keyed_cells
from segviz.studies.run import run
from segviz.studies.store import ARRAYS, Store, default_folder, failed, key_of
from segviz.types import Reading, UserError


def test_a_result_comes_back_as_it_was(study, tmp_path):
    *_, progress = run(replace(study, attacks=(AttackRow("quick"),), eps=(2.0,), images=replace(study.images, limit=1)), Store(tmp_path))
    cell, result = progress.newest[0]
    again = Store(tmp_path).get(key_of(cell))
    for name in ARRAYS:
        assert np.array_equal(getattr(again, name), getattr(result, name)), name
    assert repr(replace(again, **dict.fromkeys(ARRAYS))) == repr(replace(result, **dict.fromkeys(ARRAYS)))


def test_the_key_goes_by_content(study, small_data, tmp_path):
    cell = next(cell for cell in cells(study) if cell.row.attack == "pgd")
    key = key_of(cell)
    assert key_of(replace(cell, row=replace(cell.row, name="other"))) == key
    assert key_of(replace(cell, settings=replace(cell.settings, image="elsewhere.png", alpha=cell.settings.alpha))) == key
    copy = tmp_path / "copy.png"
    copy.write_bytes(cell.image.photo.read_bytes())
    assert key_of(replace(cell, image=replace(cell.image, photo=copy))) == key
    unsaid = replace(cell, image=replace(cell.image, stored=VOC21))
    others = [
        unsaid,
        replace(unsaid, image=replace(unsaid.image, stored=replace(VOC21, reading=Reading(mask_class="cat")))),
        *(replace(cell, settings=replace(cell.settings, **{name: value})) for name, value in (("eps", 3.0), ("steps", 3), ("seed", 1))),
        replace(cell, settings=replace(cell.settings, model="voc7-fcn8s")),
        replace(cell, settings=replace(cell.settings, model="voc7-lraspp+multiscale")),
        replace(cell, row=replace(cell.row, source="voc7-fcn8s")),
        replace(cell, label_set="VOC7"),
        replace(cell, image=replace(cell.image, labels=None)),
        replace(cell, image=replace(cell.image, photo=small_data / "images" / "horses.png")),
        replace(cell, image=replace(cell.image, labels=small_data / "labels" / "horses.png")),
    ]
    assert len({key, *map(key_of, others)}) == 1 + len(others)


def test_steps_and_step_size_count_as_they_turn_out(study):
    cell = next(cell for cell in cells(study) if cell.row.attack == "fgsm")
    assert key_of(replace(cell, settings=replace(cell.settings, steps=7))) == key_of(cell)
    assert key_of(replace(cell, settings=replace(cell.settings, alpha=cell.settings.eps))) == key_of(cell)


PHOTO = ImageRef("photo", Path("photo.png"), Path("labels.png"), VOC21, sample=True)
KEYS = {
    "cdef1d63fe9a5f03690988a81e04ce44063427133694c8e9243b8a3ae959e08b": Cell(Settings(image="chelsea"), PHOTO, AttackRow("pgd")),
    "85e3df3ac305f6bf3bcb9e83e6c6b2be11637f3c0c14ef71aa53672ec26127cc": Cell(
        Settings(
            attack="fgsm",
            eps=8,
            steps=5,
            goal="remove",
            target="cat",
            region="class:cat",
            against="prediction",
            seed=3,
            transforms=("ti",),
        ),
        replace(PHOTO, labels=None, stored=None),
        AttackRow("fgsm", transforms=("ti",), source="voc7-fcn8s", name="own"),
        "VOC7",
    ),
    "2aadd4c8c833f40cd44526749310b38b351111c8c909596f31c21101c07cff54": Cell(
        Settings(attack="pdpgd", clip=False, alpha=0.5, restarts=2), PHOTO, AttackRow("pdpgd")
    ),
}
"""Keys as they were made in November 2026, for files and weights whose content hashes are their names."""


@dataclass(frozen=True)
class LaterSettings(Settings):
    """Settings as they may be one day, with one more field."""

    patience: int = 3


@pytest.fixture
def named_content(monkeypatch):
    monkeypatch.setattr(store_module, "file_hash", lambda file: f"content of {file.name}")
    monkeypatch.setattr(store_module, "weights_hash", lambda key: f"weights of {key}")


@pytest.mark.parametrize("key", KEYS)
def test_results_stored_before_a_setting_was_added_are_found(key, named_content, tmp_path, monkeypatch):
    Store(tmp_path).put(key, failed("photo", "stored long ago"))
    assert Store(tmp_path).get(key_of(KEYS[key])).error == "stored long ago"
    monkeypatch.setitem(store_module.DEFAULTS, "patience", 3)
    later = replace(KEYS[key], settings=LaterSettings(**asdict(KEYS[key].settings)))
    assert Store(tmp_path).get(key_of(later)).error == "stored long ago"
    assert key_of(replace(later, settings=replace(later.settings, patience=4))) != key


@pytest.mark.parametrize("damage", ["cut", "empty", "changed", "other"])
def test_a_damaged_file_counts_as_absent(tmp_path, damage):
    store = Store(tmp_path)
    store.put("ab", failed("picture", "because"))
    file = store.file("ab")
    whole = file.read_bytes()
    middle = len(whole) // 2
    contents = {"cut": whole[:middle], "empty": b"", "changed": whole[:100] + bytes(9) + whole[109:], "other": b"no result"}
    file.write_bytes(contents[damage])
    with pytest.warns(UserWarning, match="damaged"):
        assert Store(tmp_path).get("ab") is None
    store.put("ab", failed("picture", "because"))
    assert Store(tmp_path).get("ab").error == "because"


def write_often(folder: Path, letter: str) -> None:
    store = Store(folder)
    for _ in range(40):
        for key in ("aa", "ab", "bc"):
            store.put(key, failed("picture", letter * 20_000))


@pytest.mark.filterwarnings("error:The result")
def test_two_processes_write_whole_results(tmp_path):
    writers = [multiprocessing.get_context("fork").Process(target=write_often, args=(tmp_path, letter)) for letter in "xy"]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        # A damaged file would give a warning.
        found = Store(tmp_path).get("ab")
        assert found is None or found.error in ("x" * 20_000, "y" * 20_000)
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["aa.npz", "ab.npz", "bc.npz"]


def hold(folder: Path, claimed, release) -> None:
    with Store(folder).claim("ab") as mine:
        assert mine
        claimed.set()
        release.wait(60)


def test_a_claim_holds_until_its_process_is_gone(tmp_path):
    context = multiprocessing.get_context("fork")
    claimed, release = context.Event(), context.Event()
    holder = context.Process(target=hold, args=(tmp_path, claimed, release))
    holder.start()
    assert claimed.wait(60)
    store = Store(tmp_path)
    with store.claim("ab") as mine, store.claim("bc") as other:
        assert (mine, other) == (False, True)
        with store.claim("bc") as again:
            assert not again
    holder.kill()
    holder.join()
    for _ in range(2):
        with store.claim("ab") as mine:
            assert mine
    assert not list((tmp_path / "claims").iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file")
    with pytest.raises(UserError, match=r"Cannot write results to .*file: .*SEGVIZ_STUDIES"):
        store.put("ab", failed("picture", "because"))
    with pytest.raises(UserError, match="Cannot write results"), store.claim("ab"):
        pass


def test_the_folder_comes_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGVIZ_CACHE", str(tmp_path))
    assert default_folder() == tmp_path / "studies"
    monkeypatch.setenv("SEGVIZ_STUDIES", str(tmp_path / "mine"))
    assert Store().folder == tmp_path / "mine"


def test_keys_follow_a_picture_that_changes(study, small_data, tmp_path):
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
        for file in (small_data / part).iterdir():
            (tmp_path / part / file.name).write_bytes(file.read_bytes())
    mine = replace(study, images=replace(study.images, folder=str(tmp_path)))
    before = dict(keyed_cells(mine))
    (tmp_path / "images" / "person.png").write_bytes((tmp_path / "images" / "chelsea.png").read_bytes())
    after = dict(keyed_cells(mine))
    assert {cell.image.name for cell in before if before[cell] != after[cell]} == {"person"}
