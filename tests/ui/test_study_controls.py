"""A grid in a link, and attacks as text."""

from dataclasses import replace

import pytest

from segviz.settings import Settings
from segviz.studies.grid import AttackRow, Images, Study, points
from segviz.studies.precomputed import FIRST, STANDINGS
from segviz.types import UserError
from segviz.ui.curves.presets import FIGURES
from segviz.ui.kit.links import read_link
from segviz.ui.study.controls import TABLE, attack_text, link_of_grid, numbers, read_grid, written_attack


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("pgd", AttackRow("pgd")),
        ("pgd@3", AttackRow("pgd", steps=3)),
        ("apgd-js constant@5", AttackRow("apgd-js", variant="constant", steps=5)),
        ("fgsm<voc7-fcn8s", AttackRow("fgsm", source="voc7-fcn8s")),
        ("pgd+di+eot-noise@7<voc7-lraspp+crf", AttackRow("pgd", transforms=("di", "eot-noise"), steps=7, source="voc7-lraspp+crf")),
    ],
)
def test_attacks_as_text_and_back(text, row):
    assert written_attack(text) == row
    assert attack_text(row) == text


@pytest.mark.parametrize("text", ["", "nonsense", "pgd@0", "pgd@9999", "pgd variant", "pgd+nonsense", "pgd<nowhere", "pgd@x"])
def test_text_that_is_no_attack_is_refused(text):
    with pytest.raises(UserError):
        written_attack(text)


GRID = Study(
    "page",
    ("voc7-fcn8s", "voc7-lraspp+crf"),
    (AttackRow("fgsm"), AttackRow("pgd", steps=3, source="voc7-lraspp")),
    (0.25, 3.5),
    (1, 300),
    (0, 1, 2),
    Images(names=("dog", "camera")),
    Settings(norm="l2", against="prediction"),
)


@pytest.mark.parametrize(
    "grid", [GRID, replace(GRID, images=Images("/some where/VOC", split="val", limit=7)), *(figure.study for figure in FIGURES)]
)
def test_grid_and_link_are_inverse(grid):
    assert read_grid(read_link(link_of_grid(grid, FIRST), TABLE).values, FIRST) == grid


def test_the_grid_of_a_page_needs_no_link():
    assert link_of_grid(FIRST, FIRST) == {}
    assert read_grid({}, STANDINGS) == replace(STANDINGS, name="page")


@pytest.mark.parametrize(
    "query",
    [{"eps": "x"}, {"eps": "999"}, {"models": "none"}, {"attacks": "nonsense"}, {"steps": "0"}, {"seeds": "-1"}, {"images": "none"}],
)
def test_nonsense_in_a_link_leaves_the_default(query):
    link = read_link(query, TABLE)
    assert read_grid(link.values, FIRST) == replace(FIRST, name="page")
    assert len(link.refused) == 1


def test_numbers_are_sorted_checked_and_named():
    assert numbers(TABLE["eps"], ["4", "0.5", "4"]) == (0.5, 4)
    with pytest.raises(UserError, match=r"eps is 'x'; it must be a number between 0\.01 and 255"):
        numbers(TABLE["eps"], ["x"])
    with pytest.raises(UserError, match="eps is nan"):
        numbers(TABLE["eps"], ["nan"])


def test_every_figure_of_a_paper_is_a_study_that_can_be_run():
    for figure in FIGURES:
        assert all(point.settings.eps in figure.study.eps for point in points(figure.study))
        assert figure.axis == "ε" or figure.eps in figure.study.eps
