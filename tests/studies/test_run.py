"""Running studies: they go on where they stopped, equal the attack lab, and do not depend on the size of batches."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from waiting import wait_until

from segviz import metrics
from segviz.lab import attack_picture
from segviz.models.zoo import model_entry
from segviz.settings import Settings
from segviz.studies import cell as cell_module
from segviz.studies.cell import compute, picture_of, size_counts
from segviz.studies.grid import AttackRow, Images, Study, cells
from segviz.studies.ledger import keyed_cells
from segviz.studies.run import cost, run
from segviz.studies.store import ARRAYS, SIZE_EDGES, Store
from segviz.studies.table import as_csv, table
from segviz.types import UserError

CPU = torch.device("cpu")


def last(study, store, **options):
    *_, progress = run(study, store, device=CPU, **options)
    return progress


def without_seconds(result):
    return {name: getattr(result, name) for name in ("curve", "success", "linf", "gradient_evaluations", "error", "member_gradients")}


def alike(one, other):
    return without_seconds(one) == without_seconds(other) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ARRAYS
    )


def results(study, store):
    return [store.get(key) for _, key in keyed_cells(study)]


@pytest.fixture
def counted(monkeypatch):
    """The cells that were computed, in order."""
    computed = []

    def counting(cells, *arguments):
        computed.extend(cells)
        return compute(cells, *arguments)

    monkeypatch.setattr("segviz.studies.run.compute", counting)
    return computed


FILE = """
models = ["voc7-lraspp"]
attacks = ["fgsm", "pgd"]
eps = [2, 8]
steps = [2]
images = "FOLDER"
"""


def test_a_killed_study_goes_on_and_no_cell_is_computed_twice(study, small_data, tmp_path, counted):
    file = tmp_path / "killed.toml"
    file.write_text(FILE.replace("FOLDER", str(small_data)))
    store = tmp_path / "store"
    command = [sys.executable, "-m", "segviz", "study", str(file), "--out", str(tmp_path), "--store", str(store)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_until(lambda: len(list(store.rglob("*.npz"))) >= 3 or process.poll() is not None)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    left_behind = {path.stem for path in store.rglob("*.npz")}
    assert 3 <= len(left_behind) < 16
    progress = last(study, Store(store))
    assert (progress.done, progress.total, progress.reused) == (16, 16, len(left_behind))
    assert len(counted) == len(set(counted)) == 16 - len(left_behind)
    counted.clear()
    assert last(study, Store(store)).reused == 16
    assert counted == []
    last(study, Store(tmp_path / "through"))
    assert len(counted) == 16
    assert as_csv(table(study, Store(store))) == as_csv(table(study, Store(tmp_path / "through")))


def test_two_runs_at_once_share_the_cells(study, tmp_path, counted):
    runs = [run(study, Store(tmp_path), device=CPU) for _ in range(2)]
    latest = [next(one) for one in runs]
    going = [0, 1]
    while going:
        for number in list(going):
            newest = next(runs[number], None)
            if newest is None:
                going.remove(number)
            else:
                latest[number] = newest
    assert len(counted) == len(set(counted)) == 16
    assert [(progress.done, progress.total) for progress in latest] == [(16, 16)] * 2


def test_stop_keeps_what_is_done(study, tmp_path):
    stop = threading.Event()
    for progress in run(study, Store(tmp_path), stopped=stop.is_set, device=CPU):
        if progress.done == 1 and progress.gradients > 1:
            # The second cell is under way.
            stop.set()
    assert progress.done == 1
    assert last(study, Store(tmp_path)).reused == 1


ROWS = (
    AttackRow("pgd"),
    AttackRow("apgd-mce"),
    AttackRow("cira-plus"),
    AttackRow("quick"),
    AttackRow("padam-ce", steps=3),
    AttackRow("dag"),
    AttackRow("pgd", transforms=("di",)),
)


@pytest.mark.parametrize("base", [Settings(), Settings(against="prediction"), Settings(goal="everywhere", target="cat")], ids=str)
def test_numbers_are_those_of_the_attack_lab(base, small_data, tmp_path, model):
    rows = ROWS if base == Settings() else ROWS[:1]
    study = Study("lab", ("voc7-lraspp",), rows, (4.0,), (4,), (3,), Images(str(small_data), limit=1), base)
    store = Store(tmp_path)
    assert last(study, store).failed == 0
    for cell, result in zip(cells(study), results(study, store), strict=True):
        picture = picture_of(cell.image, model_entry("voc7-lraspp"))
        *_, trajectory = attack_picture(cell.settings, picture, model)
        report = trajectory.report
        counts = torch.from_numpy(result.adversarial if base.against == "truth" else result.agreement)
        assert metrics.mean_iou(counts).item() == report.adversarial.miou
        assert metrics.pixel_accuracy(counts).item() == report.adversarial.pixel_accuracy
        assert (result.success, result.linf, result.smallest) == (report.success, report.linf, report.smallest)
        assert result.gradient_evaluations == report.gradient_evaluations
        assert [point.index for point in result.curve] == [point.index for point in trajectory.curve]
        assert [point.gradients for point in result.curve] == [point.gradients for point in trajectory.curve]
        assert len(result.members) == len(trajectory.outcomes)
        for counts, outcome in zip(result.members, trajectory.outcomes, strict=True):
            assert metrics.pixel_accuracy(torch.from_numpy(counts)).item() == outcome.pixel_accuracy


def test_curves_are_those_of_the_strongest_iterate(study, tmp_path):
    *_, progress = run(replace(study, attacks=(AttackRow("mi-fgsm", steps=8),)), Store(tmp_path), device=CPU)
    curve = progress.newest[0][1].curve
    assert [point.index for point in curve] == list(range(9))
    assert [point.success for point in curve] == sorted(point.success for point in curve)
    assert [point.pixel_accuracy for point in curve] == sorted((point.pixel_accuracy for point in curve), reverse=True)


@pytest.mark.usefixtures("one_thread")
def test_batches_halve_until_they_fit_and_results_stay_the_same(study, tmp_path, monkeypatch):
    study = replace(study, eps=(8.0,))
    last(study, Store(tmp_path / "alone"))
    sizes = []
    whole = cell_module.attack_batch

    def tight(cell, pictures, *rest):
        sizes.append(len(pictures))
        if len(pictures) > 1:
            raise torch.OutOfMemoryError
        return whole(cell, pictures, *rest)

    monkeypatch.setattr(cell_module, "attack_batch", tight)
    monkeypatch.setattr(cell_module, "LIMITS", {})
    # Three pictures are 128x96 and one is 96x96.
    last(study, Store(tmp_path / "tight"), largest=4)
    # Once three are too many, one is tried, and that is remembered for the other attacks.
    assert sizes == [1, 3, 1, 1, 1] + [1] * 4
    monkeypatch.setattr(cell_module, "LIMITS", {})
    monkeypatch.setattr(cell_module, "attack_batch", whole)
    last(study, Store(tmp_path / "wide"), largest=4)
    for name in ("tight", "wide"):
        for one, other in zip(results(study, Store(tmp_path / "alone")), results(study, Store(tmp_path / name)), strict=True):
            assert alike(one, other)


def test_a_picture_that_does_not_fit_the_goal_fails_alone(study, tmp_path):
    study = replace(study, attacks=(AttackRow("pgd"),), eps=(2.0,), base=Settings(goal="class", target="person"))
    store = Store(tmp_path)
    progress = last(study, store, largest=4)
    assert (progress.done, progress.failed) == (4, 2)
    (row,) = table(study, store)
    assert row.images == 2
    assert row.pending == 0
    assert row.errors == ("No pixel is labelled person, so there is nothing to break. Choose another class.",)
    again = last(study, store)
    assert (again.reused, again.failed) == (4, 2)


def test_a_transfer_attack_is_made_on_one_model_and_shown_to_another(study, tmp_path, model):
    study = replace(study, attacks=(AttackRow("pgd", source="voc7-fcn8s"), AttackRow("pgd")), eps=(4.0,))
    store = Store(tmp_path)
    last(study, store)
    transferred, white_box = table(study, store)
    assert transferred.clean == white_box.clean
    assert white_box.adversarial.pixel_accuracy < transferred.adversarial.pixel_accuracy < transferred.clean.pixel_accuracy


def test_the_cost_is_known_before_and_shrinks(study, tmp_path):
    store = Store(tmp_path)
    before = cost(study, store)
    assert (before.cells, before.total, before.gradients) == (16, 16, 4 * 2 * (1 + 2))
    assert before.seconds is None
    assert cost(study, store, pace=0.5).seconds == before.gradients / 2
    last(replace(study, images=replace(study.images, limit=3)), store)
    after = cost(study, store, "CPU")
    assert after.seconds > 0
    assert (after.cells, after.gradients) == (4, 2 * (1 + 2))
    last(study, store)
    assert cost(study, store).seconds == 0


def test_nothing_is_downloaded_to_know_the_cost(study, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGVIZ_CACHE", str(tmp_path / "cache"))
    found = cost(
        replace(study, models=("voc7-lraspp", "espnetv2-voc-0.5-256"), images=replace(study.images, label_set="VOC7")), Store(tmp_path)
    )
    assert found.downloads == ("espnetv2-voc-0.5-256",)


def test_progress_counts_gradients_and_time(study, tmp_path):
    seen = list(run(study, Store(tmp_path), device=CPU))
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)
    assert seen[0].eta is None
    assert seen[-1].eta == 0
    assert [progress.gradients for progress in seen] == sorted(progress.gradients for progress in seen)
    assert seen[-1].gradients == seen[-1].all_gradients == 24


def test_components_are_counted_by_class_and_size():
    labels = np.zeros((40, 40), np.uint8)
    labels[0:2, 0:2] = 1
    labels[10:20, 10:20] = 1
    labels[30:, :] = 255
    clean = np.where(labels == 255, 0, labels)
    adversarial = clean.copy()
    adversarial[0, 0] = 0
    adversarial[10:15, 10:20] = 2
    counts = size_counts(labels, clean, adversarial, 3)
    assert counts.shape == (3, len(SIZE_EDGES), 4)
    assert counts[1, 0].tolist() == [1, 4, 4, 3]
    assert counts[1, 1].tolist() == [1, 100, 100, 50]
    assert counts[0].sum(0).tolist() == [1, 30 * 40 - 104, 30 * 40 - 104, 30 * 40 - 104]
    assert not counts[2].any()


def test_an_unknown_engine_is_named(study, tmp_path):
    with pytest.raises(UserError, match=r"Unknown engine 'cloud'\. Known: local, ray"):
        next(run(study, Store(tmp_path), engine="cloud"))
