"""The table of a study equals an evaluation of the same pictures; its band, and its files."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from segviz.data.datasets import labelled_pairs
from segviz.defences.load import load_model
from segviz.lab import DRAWS
from segviz.models.zoo import model_entry
from segviz.settings import Settings
from segviz.studies import cell as cell_module
from segviz.studies import worst_case
from segviz.studies.counts import mious
from segviz.studies.evaluate import evaluate
from segviz.studies.grid import AttackRow, Images, cells
from segviz.studies.run import run
from segviz.studies.store import SIZE_EDGES, Store
from segviz.studies.table import accuracy_by_size, as_csv, as_values, bootstrap_bands, curve_over_iterations, results_at, row_of, table


def done(study, folder):
    store = Store(folder)
    for _ in run(study, store, device=torch.device("cpu")):
        pass
    return store


@pytest.mark.usefixtures("one_thread")
def test_rows_equal_an_evaluation_of_the_same_pictures(study, small_data, tmp_path, model):
    study = replace(study, attacks=(AttackRow("pgd"), AttackRow("quick")), eps=(8.0,))
    rows = table(study, done(study, tmp_path))
    for row, cell in zip(rows, cells(study)[:2], strict=True):
        evaluation = evaluate(labelled_pairs(small_data), model_entry("voc7-lraspp"), model, cell.settings, lambda count: None)
        # Another order of the pictures gives another last bit of the means.
        for ours, theirs in ((row.clean, evaluation.clean), (row.adversarial, evaluation.adversarial)):
            assert ours.miou == pytest.approx(theirs.miou, abs=1e-12)
            assert ours.nmiou == pytest.approx(theirs.nmiou, abs=1e-12)
            assert ours.pixel_accuracy == theirs.pixel_accuracy
            assert ours.iou == theirs.iou
        assert row.iou_ratio == pytest.approx(evaluation.iou_ratio)
        assert row.success == pytest.approx(evaluation.success, abs=1e-6)
        assert (row.images, row.linf, row.gradient_evaluations) == (evaluation.images, evaluation.linf, evaluation.gradient_evaluations)
        low, high = row.band
        assert low < row.adversarial.miou <= high


def test_a_study_that_is_not_done_has_rows_of_what_is_there(study, tmp_path):
    store = done(replace(study, images=replace(study.images, limit=1)), tmp_path)
    for row in table(study, store):
        assert (row.images, row.pending, row.band) == (1, 3, None)
    empty = table(study, Store(tmp_path / "none"))
    assert [(row.images, row.pending, row.adversarial) for row in empty] == [(0, 4, None)] * 4
    assert len(as_csv(empty).splitlines()) == 5
    assert json.loads(json.dumps(as_values(empty)))[0]["clean"] is None


def test_the_band_is_that_of_resampled_images():
    # Two classes; half the images are all right, half all wrong: the mIoU of k right ones of 40 is k/40 / (2 - k/40).
    right, wrong = np.array([[50, 0], [0, 50]]), np.array([[0, 50], [50, 0]])
    clean = np.stack([right] * 40)
    (low, high), ratio = bootstrap_bands(np.stack([right, wrong] * 20)[None], clean)

    def miou(share):
        return share / (2 - share)

    # 1.96 standard deviations of a share of 40.
    assert low == pytest.approx(miou(0.5 - 0.155), abs=0.03)
    assert high == pytest.approx(miou(0.5 + 0.155), abs=0.03)
    assert ratio == (low, high)
    assert bootstrap_bands(clean[None], clean) == ((1.0, 1.0), (1.0, 1.0))
    assert bootstrap_bands(clean[None, :1], clean[:1]) == (None, None)


def test_the_band_of_a_ratio_is_paired():
    # What is wrong without an attack is wrong under it as well: the ratio is 1 in every resample, though the mIoU is not.
    right, wrong = np.array([[50, 0], [0, 50]]), np.array([[0, 50], [50, 0]])
    counts = np.stack([right, right, right, wrong] * 5)
    (low, high), ratio = bootstrap_bands(counts[None], counts)
    assert low < high
    assert ratio == (1.0, 1.0)


def test_every_resample_of_a_suite_chooses_its_attacks_anew():
    generator = torch.Generator().manual_seed(0)
    counts = torch.randint(0, 50, (3, 6, 4, 4), generator=generator).numpy()
    once = worst_case.resampled_miou(counts, np.ones((2, 6)))
    greedy = worst_case.chosen(counts, worst_case.greedy_miou(counts)).sum(0)
    assert once == pytest.approx(float(mious(greedy)), abs=1e-2)
    only = np.eye(6)[:1] * 6
    assert worst_case.resampled_miou(counts, only)[0] == pytest.approx(mious(counts[:, 0]).min())


def test_curves_and_sizes_end_where_the_table_is(study, tmp_path):
    study = replace(study, attacks=(AttackRow("pgd"),), eps=(8.0,))
    store = done(study, tmp_path)
    ((point, pairs),) = results_at(study, store).items()
    results = [result for _, result in pairs]
    row = row_of(point, results)
    curve = curve_over_iterations(results)
    assert [(moment.index, moment.gradients) for moment in curve] == [(0, 0), (1, 1), (2, 2)]
    assert curve[0].miou == pytest.approx(row.clean.miou)
    # eps is whole grey levels and the step size a part of it, so rounding to 8 bits moves the last iterate a little.
    assert curve[-1].miou == pytest.approx(row.adversarial.miou, abs=0.01)
    sizes = accuracy_by_size(results, SIZE_EDGES)
    assert [size.smallest for size in sizes] == list(SIZE_EDGES)
    pixels = sum(result.sizes[..., 1].sum() for result in results)
    right = sum(result.sizes[..., 3].sum() for result in results)
    assert right / pixels == pytest.approx(row.adversarial.pixel_accuracy)
    without_background = accuracy_by_size(results, SIZE_EDGES, range(1, 7))
    assert sum(size.components for size in without_background) < sum(size.components for size in sizes)


def test_files_hold_the_rows(study, tmp_path):
    rows = table(study, done(study, tmp_path))
    read = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert [float(line["miou"]) for line in read] == [row.adversarial.miou for row in rows]
    assert [(line["attack"], float(line["eps"]), line["images"]) for line in read] == [
        ("fgsm", 2, "4"),
        ("fgsm", 8, "4"),
        ("pgd", 2, "4"),
        ("pgd", 8, "4"),
    ]
    assert float(read[0]["iou_cat"]) == rows[0].adversarial.iou[1]
    assert [float(line["passes"]) for line in read] == [row.passes for row in rows]
    assert read[0]["left_out"] == "0"
    values = json.loads(json.dumps(as_values(rows)))
    assert values[3]["adversarial"]["iou"]["cat"] == rows[3].adversarial.iou[1]
    assert Settings(**values[3]["settings"]) == replace(rows[3].point.settings, image=Settings().image)


def test_without_a_label_map_figures_refer_to_the_clean_prediction(study, tmp_path, monkeypatch):
    whole = cell_module.picture_of
    monkeypatch.setattr(cell_module, "picture_of", lambda image, entry: replace(whole(image, entry), labels=None))
    study = replace(study, attacks=(AttackRow("pgd"),), eps=(8.0,), images=Images(names=("dog",)))
    (row,) = table(study, done(study, tmp_path))
    assert row.own_prediction
    assert row.clean.miou == 1
    assert row.adversarial.miou < 0.5


def test_a_random_defence_is_judged_by_several_draws_in_studies_and_evaluations(study, tmp_path):
    key = "voc7-lraspp+random-noise=16,1"
    study = replace(study, models=(key,), attacks=(AttackRow("fgsm"),), eps=(8.0,), images=replace(study.images, limit=1))
    (row,) = table(study, done(study, tmp_path))
    (cell,) = cells(study)
    pair = [(cell.image.photo, cell.image.labels)]
    defended = load_model(key, torch.device("cpu"))
    evaluation = evaluate(pair, model_entry(key), defended, cell.settings, lambda count: None)
    assert len(evaluation.adversarial_by_draw) == DRAWS
    assert row.draws == (min(evaluation.adversarial_by_draw), max(evaluation.adversarial_by_draw))
    assert row.draws[0] < row.adversarial.miou < row.draws[1]
    assert row.adversarial.miou == pytest.approx(evaluation.adversarial.miou)
    assert row.success == pytest.approx(evaluation.success)
    assert any(f"over {DRAWS} draws, whose mIoU under attack" in warning for warning in evaluation.warnings)
