"""One rule for every case, in all that attack: the lab, cells of studies, data sets, transfer, defences, target maps."""

from collections import deque
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from segviz.data.datasets import labelled_pairs
from segviz.data.samples import samples
from segviz.lab import attack_picture, open_picture, prepare
from segviz.models.zoo import MODELS
from segviz.records import LeftOut
from segviz.results import targets_result, transfer_result
from segviz.settings import GIVEN, Settings
from segviz.studies.cell import compute
from segviz.studies.defences import survey
from segviz.studies.evaluate import evaluate
from segviz.studies.grid import AttackRow, Images, Study, cells
from segviz.studies.target_maps import Everywhere, Mirrored, Without
from segviz.studies.targets import morph
from segviz.studies.transfer import PhotoFile, by_source, transfer
from segviz.types import VOID, UserError

CPU = torch.device("cpu")
KEY = "voc7-lraspp"
ENTRY = MODELS[KEY]
HAVE, LACK, BLANK = "astronaut", "chelsea", "void"
"""The pictures: one with a person, one without, one whose label map is void."""

CASES = {
    "class": (Settings(model=KEY, image="", attack="fgsm", goal="class", target="person"), "No pixel is labelled person"),
    "remove": (Settings(model=KEY, image="", attack="fgsm", goal="remove", target="person"), "The model sees no person"),
    "break": (Settings(model=KEY, image="", attack="fgsm", break_region="class:person"), "holds no pixel of the picture"),
    "region": (Settings(model=KEY, image="", attack="fgsm", region="class:person"), "holds no pixel of the picture"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three pictures of one size, so that they share a batch wherever there are batches."""
    folder = tmp_path_factory.mktemp("three")
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    for name, key in ((HAVE, HAVE), (LACK, LACK), (BLANK, HAVE)):
        Image.open(samples()[key].photo).convert("RGB").resize((128, 96)).save(folder / "images" / f"{name}.png")
        labels = Image.fromarray(np.array(Image.open(samples()[key].labels))).resize((128, 96), Image.Resampling.NEAREST)
        (labels if name != BLANK else Image.new("L", (128, 96), VOID)).save(folder / "labels" / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def pictures(folder):
    return {photo.stem: open_picture(photo.stem, photo, labels, ENTRY) for photo, labels in labelled_pairs(folder)}


def in_lab(settings, folder, pictures, model):
    left_out = []
    for picture in pictures.values():
        try:
            deque(attack_picture(settings, picture, model), maxlen=1)
        except UserError as error:
            left_out.append(LeftOut(picture.name, str(error)))
    return left_out


def in_cells(settings, folder, pictures, model):
    images = Images(str(folder))
    study = Study("three", (KEY,), (AttackRow("fgsm"),), (settings.eps,), (1,), images=images, base=settings)
    computing = compute(cells(study), CPU, largest=3)
    while True:
        try:
            next(computing)
        except StopIteration as end:
            return [LeftOut(result.image, result.error) for result in end.value if result.error]


def in_data_set(settings, folder, pictures, model):
    evaluation = evaluate(labelled_pairs(folder), ENTRY, model, settings, lambda _: None)
    assert evaluation.images == 1
    return evaluation.left_out


def in_transfer(settings, folder, pictures, model):
    photos = [PhotoFile(photo.stem, photo, labels) for photo, labels in labelled_pairs(folder)]
    study = deque(transfer(by_source([settings], [KEY], [KEY]), photos, CPU), maxlen=1).pop()
    assert (study.pictures, study.spent, study.budget) == (1, 1, 1)
    assert transfer_result(study)["left_out"] == [{"picture": one.picture, "why": one.why} for one in study.left_out]
    return study.left_out


def in_survey(settings, folder, pictures, model):
    last = deque(survey(settings, ["bits"], list(pictures.values()), model, 1), maxlen=1).pop()
    assert last.done == last.total == 6
    assert [row.pictures for row in last.rows] == [1, 1]
    return last.left_out


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("attacked", [in_lab, in_cells, in_data_set, in_transfer, in_survey])
def test_pictures_that_lack_what_the_settings_speak_of_are_left_out_alike(attacked, case, folder, pictures, model):
    settings, why = CASES[case]
    left_out = attacked(settings, folder, pictures, model)
    found = {lacking.picture: lacking.why for lacking in left_out}
    assert set(found) == {LACK, BLANK}
    assert why in found[LACK]
    assert "void everywhere" in found[BLANK]


def test_target_maps_leave_pictures_out_by_the_same_rules(pictures, model):
    settings = Settings(goal=GIVEN, attack="fgsm", region="class:person")
    last = deque(morph(settings, Mirrored(), list(pictures.values()), model), maxlen=1).pop()
    found = {victim.picture.name: victim.error for victim in last}
    assert found[HAVE] is None
    assert "holds no pixel of the picture" in found[LACK]
    assert "void everywhere" in found[BLANK]
    result = targets_result(last, settings, "mirrored")
    assert result["counted"] == 1
    assert {one["picture"]: one["why"] for one in result["left_out"]} == {LACK: found[LACK], BLANK: found[BLANK]}
    without = deque(morph(replace(settings, region=""), Without("person"), list(pictures.values()), model), maxlen=1).pop()
    assert "sees no person" in {victim.picture.name: victim.error for victim in without}[LACK]


def outside(picture, changed) -> bool:
    """Whether anything outside the person has changed."""
    return bool((changed != picture.pixels).any(2)[picture.labels != ENTRY.label_set.classes.index("person")].any())


def test_transfer_and_target_maps_keep_to_the_region(folder, pictures, model):
    settings, _ = CASES["region"]
    photo = next(PhotoFile(photo.stem, photo, labels) for photo, labels in labelled_pairs(folder) if photo.stem == HAVE)
    for region, expected in (("class:person", False), ("", True)):
        study = deque(transfer(by_source([replace(settings, region=region)], [KEY], [KEY]), [photo], CPU), maxlen=1).pop()
        assert outside(pictures[HAVE], study.exhibits[0].adversarial) == expected
        target = replace(settings, goal=GIVEN, region=region)
        (victim,) = deque(morph(target, Everywhere("cat"), [pictures[HAVE]], model), maxlen=1).pop()
        assert outside(pictures[HAVE], victim.pixels) == expected
        assert (victim.pixels != pictures[HAVE].pixels).any()


def test_where_no_picture_is_left_it_says_why(folder, pictures, model):
    settings = Settings(attack="fgsm", goal="class", target="sheep")
    told = r"No picture of the data set can be used: 3 are left out\. The first, astronaut: No pixel is labelled sheep"
    with pytest.raises(UserError, match=told):
        evaluate(labelled_pairs(folder), ENTRY, model, settings, lambda _: None)
    photos = [PhotoFile(photo.stem, photo, labels) for photo, labels in labelled_pairs(folder)]
    with pytest.raises(UserError, match=told):
        deque(transfer(by_source([settings], [KEY], [KEY]), photos, CPU), maxlen=1)
    with pytest.raises(UserError, match=told):
        deque(survey(settings, ["bits"], list(pictures.values()), model, 1), maxlen=1)


def test_what_fits_no_picture_is_told_at_once(pictures, model):
    for settings, told in (
        (Settings(goal="class", target="zebra"), "no class 'zebra'"),
        (Settings(region="class:zebra"), "no class 'zebra'"),
        (Settings(attack="ifgsm-ll", goal="everywhere", target="cat"), "cannot reach this goal"),
    ):
        with pytest.raises(UserError, match=told):
            prepare(settings, list(pictures.values()), model)


def test_a_batch_is_prepared_as_its_pictures_are_alone(pictures, model):
    settings = Settings(goal="remove", target="person", region="outside:person")
    both = [pictures[HAVE], replace(pictures[HAVE], pixels=np.ascontiguousarray(pictures[HAVE].pixels[:, ::-1]), labels=None)]
    together, left_out = prepare(settings, both, model)
    assert left_out == ()
    for number, picture in enumerate(both):
        alone, _ = prepare(settings, [picture], model)
        assert torch.equal(together.goal.labels[number], alone.goal.labels[0])
        assert torch.equal(together.region[number], alone.region[0])
        assert torch.equal(together.reference[number], alone.reference[0])
    assert torch.equal(together.reference[1], together.clean[1])
