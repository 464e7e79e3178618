"""Transfer: agreement with the lab, equal cost, partial results, Stop, label sets, single scales."""

import shutil
from collections import deque
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from segviz.attacks.catalog import gradients_of
from segviz.data.datasets import labelled_pairs
from segviz.data.label_sets import CITYSCAPES19, VOC7, VOC21
from segviz.data.samples import samples
from segviz.defences.load import load_model
from segviz.lab import attack_picture, figures_of, open_picture
from segviz.models.zoo import MODELS, model_entry
from segviz.results import transfer_csv, transfer_rows
from segviz.settings import Settings
from segviz.studies.evaluate import evaluate, in_label_set
from segviz.studies.transfer import (
    PhotoFile,
    Plan,
    batches,
    by_scale,
    by_source,
    by_transform,
    common_label_set,
    over_iterations,
    sample_files,
    transfer,
)
from segviz.types import UserError
from tests.shared import shared

CPU = torch.device("cpu")
LRASPP, FCN = "voc7-lraspp", "voc7-fcn8s"


@pytest.fixture(scope="module")
def files(small_data):
    """The four small pictures."""
    return [PhotoFile(photo.stem, photo, labels) for photo, labels in labelled_pairs(small_data)]


def result(plan, photos, **options):
    return deque(transfer(plan, photos, CPU, **options), maxlen=1).pop()


def test_white_box_is_what_the_lab_reports_and_victims_see_its_very_picture(files):
    settings = Settings(attack="pgd", eps=6, steps=3, seed=4)
    study = result(by_source([settings], [LRASPP, FCN], [LRASPP, FCN]), files[:1])
    for number, source in enumerate((LRASPP, FCN)):
        picture = open_picture("", files[0].photo, files[0].labels, model_entry(source))
        *_, alone = attack_picture(replace(settings, model=source), picture, load_model(source, CPU))
        cell = study.cell(number, number)
        assert cell.adversarial.miou == alone.report.adversarial.miou
        assert cell.clean.miou == alone.clean.miou
        assert cell.iou_ratio == alone.report.iou_ratio
        exhibit = study.exhibits[number]
        assert np.array_equal(exhibit.adversarial, alone.final.pixels)
        assert np.array_equal(exhibit.maps[number], alone.final.prediction)
    other = load_model(FCN, CPU)
    x_adv = torch.from_numpy(study.exhibits[0].adversarial).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        assert np.array_equal(study.exhibits[0].maps[1], other(x_adv).argmax(1)[0].byte().numpy())


def test_the_mean_over_a_folder_is_that_of_evaluate(files, small_data):
    settings = Settings(attack="fgsm", eps=4)
    study = result(by_source([settings], [LRASPP], [LRASPP, f"{LRASPP}+multiscale"]), files)
    alone = evaluate(labelled_pairs(small_data), MODELS[LRASPP], load_model(LRASPP, CPU), settings, lambda done: None)
    cell = study.cell(0, 0)
    assert (cell.clean.miou, cell.adversarial.miou) == pytest.approx((alone.clean.miou, alone.adversarial.miou))
    assert cell.iou_ratio == pytest.approx(alone.iou_ratio)
    assert study.exhibits == ()
    assert (study.pictures, study.spent, study.ended) == (4, 4, True)


def test_nothing_changed_is_ratio_one(files):
    study = result(by_source([Settings(attack="ifgsm", eps=0, steps=1)], [LRASPP], [LRASPP, FCN]), files[:2])
    assert [cell.iou_ratio for cell in study.cells] == [1, 1]


def test_snapshots_grow_and_compare_the_same_pictures_only(files):
    plan = by_source([Settings(attack="ifgsm", eps=4, steps=2)], [LRASPP, FCN], [LRASPP, FCN])
    seen = list(transfer(plan, files[:2], CPU))
    assert {len(study.cells) for study in seen if study.spent < 4} == {0, 1, 2}
    assert all(study.pictures == 1 for study in seen if study.cells and study.spent <= 4)
    assert [study.spent for study in seen] == sorted(study.spent for study in seen)
    assert seen[-1].spent == seen[-1].budget == 2 * 2 * 2
    # While the second picture is at work the figures stay those of the first.
    at_work = [study for study in seen if study.spent > 4 and study.pictures == 1]
    assert len(at_work) > 4
    assert {study.cells for study in at_work} == {result(plan, files[:1]).cells}
    assert (seen[-1].pictures, len(seen[-1].cells)) == (2, 4)


def test_stop_between_runs_begins_no_other(files):
    plan = by_source([Settings(attack="ifgsm", eps=4, steps=2)], [LRASPP, FCN], [LRASPP])
    stop = []
    for study in transfer(plan, files[:1], CPU, lambda: bool(stop)):
        if study.cells:
            stop.append(True)
    assert (study.ended, study.stopped_after) == (True, None)
    assert [cell.run for cell in study.cells] == [0]


def test_stop_in_the_first_picture_keeps_what_was_reached(files):
    plan = by_source([Settings(attack="ifgsm", eps=4, steps=50)], [LRASPP, FCN], [LRASPP, FCN])
    stop = []
    for study in transfer(plan, files[:1], CPU, lambda: bool(stop)):
        if study.spent >= 3:
            stop.append(True)
    assert study.ended
    assert study.stopped_after == 3
    assert [(cell.run, cell.victim) for cell in study.cells] == [(0, 0), (0, 1)]
    assert study.cells[0].iou_ratio < 1


def test_stop_later_drops_the_unfinished_picture(files):
    plan = by_source([Settings(attack="ifgsm", eps=4, steps=3)], [LRASPP], [LRASPP])
    stop = []
    for study in transfer(plan, files[:3], CPU, lambda: bool(stop)):
        if study.pictures == 1 and study.spent > 3:
            stop.append(True)
    assert (study.ended, study.pictures, study.stopped_after) == (True, 1, None)
    assert study.cells == result(plan, files[:1]).cells


def test_without_a_label_map_a_victim_is_measured_against_itself(files):
    study = result(by_source([Settings(attack="fgsm", eps=8)], [LRASPP], [LRASPP, FCN]), [replace(files[0], labels=None)])
    assert study.own_prediction
    assert all(cell.clean.miou == 1 > cell.adversarial.miou for cell in study.cells)


def test_transforms_have_equal_cost(files):
    settings = Settings(attack="pgd", eps=8)
    plan = by_transform(settings, [("momentum",), ("si",), ("scale",), ("di", "ti")], [FCN], 10)
    assert [run.name for run in plan.runs] == ["plain", "momentum", "si", "scale", "di + ti"]
    assert [gradients_of(run.settings) for run in plan.runs] == [10] * 5
    assert [run.settings.steps for run in plan.runs] == [10, 10, 2, 10, 10]
    assert plan.victims == (LRASPP, FCN)
    with pytest.raises(UserError, match="needs at least 5"):
        by_transform(settings, [("si",)], [FCN], 4)


def test_victims_look_at_rounded_iterates(files):
    plan = over_iterations(Settings(attack="ifgsm", eps=4, alpha=1.3, steps=5, transforms=("ti",)), [FCN])
    assert [run.name for run in plan.runs] == ["plain", "ti"]
    study = result(plan, files[:1])
    cell = study.cell(0, 0)
    assert [at for at, _ in cell.curve] == [0, 1, 2, 3, 4, 5]
    assert cell.curve[0] == (0, cell.clean.miou)
    picture = open_picture("", files[0].photo, files[0].labels, MODELS[LRASPP])
    *_, alone = attack_picture(plan.runs[0].settings, picture, load_model(LRASPP, CPU))
    x_adv = torch.from_numpy(alone.frames[3].pixels).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        prediction = load_model(FCN, CPU)(x_adv).argmax(1)
    seen = figures_of(prediction, torch.from_numpy(picture.labels)[None], 7)
    assert study.cell(0, 1).curve[3][1] == pytest.approx(seen.miou)
    rows = transfer_rows(study)
    assert [row["iteration"] for row in rows[:7]] == [0, 1, 2, 3, 4, 5, "result"]
    assert len(transfer_csv(study).splitlines()) == 1 + 2 * 2 * 7
    assert study.passes[0] == alone.report.passes == rows[0]["passes"]


def test_table_of_scales(files):
    plan = by_scale(Settings(eps=8), [FCN])
    assert plan.victims == (f"{LRASPP}+scale50", f"{LRASPP}+scale75", LRASPP, f"{LRASPP}+multiscale", FCN)
    fgsm, least = plan.runs[0].settings, plan.runs[4].settings
    assert (fgsm.model, fgsm.attack, fgsm.against) == (f"{LRASPP}+scale50", "fgsm", "prediction")
    assert (least.attack, least.alpha, least.steps) == ("ifgsm-ll", 1, 10)
    iterative = [run for run in plan.runs if run.name in ("50 %", "100 %") and run.settings.attack == "ifgsm-ll"]
    chosen = Plan(tuple(iterative), plan.victims[:3:2])
    study = result(chosen, [sample_files(["chelsea"], VOC7)[0]])
    # Arnab et al.: an iterative attack breaks the scale that it was made at far more than the other.
    assert study.cell(0, 0).iou_ratio < 0.5 * study.cell(0, 1).iou_ratio
    assert study.cell(1, 1).iou_ratio < 0.5 * study.cell(1, 0).iou_ratio


def test_single_scale_sees_the_resized_picture(model):
    half = load_model(f"{LRASPP}+scale50", CPU)
    x = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        small = model(F.interpolate(x, (32, 48), mode="bilinear", align_corners=False))
        assert torch.equal(half(x), F.interpolate(small, (64, 96), mode="bilinear", align_corners=False))


def test_batches_hold_pictures_of_one_shape(tmp_path):
    photos = []
    for number, (size, turned) in enumerate([((64, 48), 1), ((48, 64), 1), ((64, 48), 1), ((64, 48), 6), ((64, 48), 1)]):
        file = tmp_path / f"{number}.jpg"
        exif = Image.Exif()
        exif[0x0112] = turned
        Image.new("RGB", size).save(file, exif=exif)
        photos.append(PhotoFile(str(number), file, None))
    assert sorted(sorted(file.name for file in batch) for batch in batches(photos, 2)) == [["0", "2"], ["1"], ["3"], ["4"]]
    assert [batch[0].name for batch in batches(photos, 1)] == ["0", "1", "2", "3", "4"]


def test_a_label_set_for_all():
    assert common_label_set([LRASPP, FCN]) is VOC7
    assert common_label_set(["espnetv2-voc-0.5-256", LRASPP]) is VOC7
    assert common_label_set(["espnetv2-voc-0.5-256"]) is VOC21
    with pytest.raises(UserError, match="no label set in common"):
        common_label_set([LRASPP, "enet-city"])
    with pytest.raises(UserError, match="no label set in common"):
        common_label_set([LRASPP], CITYSCAPES19)


def test_a_model_of_more_classes_is_read_in_those_of_the_others(files, small_data, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGVIZ_CACHE", str(tmp_path))
    shutil.copy(shared("weights/espnetv2_s_0.5_pascal_256x256.pth"), tmp_path)
    stranger = "espnetv2-voc-0.5-256"
    study = result(by_source([Settings(attack="fgsm", eps=8)], [LRASPP, stranger], [LRASPP, stranger]), files)
    entry, read = in_label_set(MODELS[stranger], load_model(stranger, CPU), None, VOC7)
    alone = evaluate(labelled_pairs(small_data), entry, read, Settings(attack="fgsm", eps=8), lambda done: None)
    cell = study.cell(1, 1)
    assert (cell.clean.miou, cell.adversarial.miou) == pytest.approx((alone.clean.miou, alone.adversarial.miou))
    assert study.cell(0, 1).clean == cell.clean


def test_samples_have_labels_where_they_can_be_read():
    assert all(file.labels is not None for file in sample_files(list(samples()), VOC7))
    assert all(file.labels is None for file in sample_files(list(samples()), CITYSCAPES19))
    with pytest.raises(UserError, match="Unknown sample"):
        sample_files(["zebra"], VOC7)


def test_a_victim_that_draws_at_random_has_a_range_and_one_that_does_not_has_none(files):
    plan = by_source([Settings(attack="fgsm", eps=4)], [LRASPP], [LRASPP, f"{LRASPP}+random-noise"])
    study = result(plan, files[:1])
    assert study.cell(0, 0).draws is None
    low, high = study.cell(0, 1).draws
    assert low < high
    assert low <= study.cell(0, 1).adversarial.miou <= high
    alone, random = transfer_rows(study)
    assert (alone["low_draw"], alone["high_draw"]) == (None, None)
    assert (random["low_draw"], random["high_draw"]) == (low, high)
    assert any(f"{LRASPP}+random-noise draws at random. Its figures are over 8 draws" in said for said in study.warnings)
