"""Studies from files, and the order of their cells."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from segviz.places import ASSETS
from segviz.studies.grid import AttackRow, Images, cells, gradients, points, read_study
from segviz.types import UserError

GOOD = """
models = ["voc7-lraspp", "voc7-fcn8s"]
attacks = ["fgsm", {attack = "segpgd", steps = 3, transforms = ["di"], name = "gentle"}, "pgd"]
eps = [1, 2.5]
steps = [5, 10]
against = "prediction"
[images]
names = ["chelsea", "dog"]
"""


def read(tmp_path: Path, text: str):
    file = tmp_path / "grid.toml"
    file.write_text(text)
    return read_study(file)


def test_a_file_becomes_a_grid(tmp_path):
    study = read(tmp_path, GOOD)
    assert study.name == "grid"
    assert study.base.against == "prediction"
    assert study.attacks[1] == AttackRow("segpgd", steps=3, transforms=("di",), name="gentle")
    # FGSM takes one step and "gentle" three, whatever the steps of the study; only PGD has a curve over steps.
    assert [(point.row.title, point.settings.eps, point.settings.steps) for point in points(study)[:8]] == [
        ("fgsm", 1.0, 1),
        ("fgsm", 2.5, 1),
        ("gentle", 1.0, 3),
        ("gentle", 2.5, 3),
        ("pgd", 1.0, 5),
        ("pgd", 1.0, 10),
        ("pgd", 2.5, 5),
        ("pgd", 2.5, 10),
    ]
    assert len(cells(study)) == 2 * 8 * 2
    assert gradients(study) == 2 * 2 * 2 * (1 + 3 + 5 + 10)


def test_every_curve_has_one_more_image_after_every_image(study):
    order = cells(study)
    assert [cell.image.name for cell in order] == [name for name in ("astronaut", "chelsea", "horses", "person") for _ in range(4)]
    assert {cell.point for cell in order[:4]} == set(points(study))


def test_samples_and_folders_are_cut_to_the_wished_part(study):
    assert {cell.image.name for cell in cells(replace(study, images=replace(study.images, limit=2)))} == {"astronaut", "chelsea"}
    chosen = cells(replace(study, images=Images(names=("dog",))))
    assert {cell.settings.image for cell in chosen} == {"dog"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("eps = [1, 2.5]", 'eps = [1, "a"]'), "eps is 'a'; it must be a number"),
        (("eps = [1, 2.5]", ""), "eps is missing"),
        (("eps = [1, 2.5]", "eps = [300]"), "between 0 and 255"),
        (("eps = [1, 2.5]", "eps = []"), "eps is empty"),
        (("eps = [1, 2.5]", "eps = [1, 2.5"), "line 5"),
        (("eps = [1, 2.5]", "epsilon = [1]"), "Unknown key 'epsilon'"),
        (("steps = [5, 10]", "steps = [2.5]"), "steps is 2.5; it must be a whole number"),
        (('"fgsm"', '"fgms"'), "Unknown attack 'fgms'"),
        (('"voc7-fcn8s"', '"nothing"'), "Unknown model 'nothing'"),
        (("steps = 3", "step = 3"), "Unknown key 'step' in attacks"),
        (("steps = 3", 'steps = "3"'), "attacks.steps is '3'; it must be a whole number between 1 and 1000"),
        (('"gentle"}', '"gentle", variant = "no"}'), "has no variant 'no'"),
        (("steps = 3", "restarts = 99"), "attacks.restarts is 99; it must be a whole number between 1 and 20"),
        (('names = ["chelsea", "dog"]', "limit = 0"), "images.limit is 0; it must be a whole number of at least 1"),
        (('names = ["chelsea", "dog"]', 'names = "dog"'), "images.names is 'dog'; it must be a list of texts"),
        (('against = "prediction"', 'against = "nobody"'), "against is 'nobody'; it must be one of truth, prediction"),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path, change, message):
    assert change[0] in GOOD
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        read(tmp_path, GOOD.replace(*change))
    assert str(tmp_path / "grid.toml") in str(caught.value)


def test_a_missing_file_and_unknown_pictures_are_named(tmp_path, study):
    with pytest.raises(UserError, match=r"Cannot read the study .*none.toml: No such file"):
        read_study(tmp_path / "none.toml")
    with pytest.raises(UserError, match="Unknown sample 'cat'"):
        cells(replace(study, images=Images(names=("cat",))))
    with pytest.raises(UserError, match="is not a folder"):
        cells(replace(study, images=Images(str(tmp_path / "none"))))


@pytest.mark.parametrize("file", sorted((ASSETS / "studies").glob("*.toml")), ids=lambda file: file.stem)
def test_the_studies_that_ship_can_be_read(file):
    assert cells(read_study(file))
