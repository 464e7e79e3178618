"""The lines that the charts of a study draw."""

import numpy as np
import pytest
from table_rows import row

from segviz.settings import Settings
from segviz.studies.grid import AttackRow, GridPoint
from segviz.studies.lines import broken_over_eps, classes_over_eps, clean_values, lines_over_cost, lines_over_eps, sizes_over_eps
from segviz.studies.smallest import Found
from segviz.studies.store import CellResult, CurvePoint


def test_lines_over_eps_by_model_attack_and_steps_in_rising_order():
    rows = [row("pgd", 4, 0.1), row("pgd", 1, 0.3), row("pgd", 1, 0.5, steps=3), row("fgsm", 1, 0.6, steps=1, model="voc7-fcn8s")]
    lines = lines_over_eps(rows, "mIoU")
    assert [(line.model, line.name) for line in lines] == [("LR-ASPP", "PGD, 20 steps"), ("LR-ASPP", "PGD, 3 steps"), ("FCN-8s", "FGSM")]
    marks = lines[0].marks
    assert [(mark.x, mark.y, mark.key) for mark in marks] == [(1, 0.3, "1"), (4, 0.1, "0")]
    assert (marks[0].low, marks[0].high) == pytest.approx((0.25, 0.35))


@pytest.mark.parametrize(
    ("quantity", "value", "banded"),
    [
        ("mIoU", 0.4, True),
        ("IoU ratio", 0.5, True),
        ("NmIoU", 0.2, False),
        ("pixel accuracy", 0.5, False),
        ("IoU of one class", 0.4, False),
    ],
)
def test_quantities_and_their_value_without_an_attack(quantity, value, banded):
    (line,) = lines_over_eps([row("pgd", 2, 0.4)], quantity, "background")
    assert line.marks[0].y == pytest.approx(value)
    assert (line.marks[0].low is not None) == banded
    clean = {"mIoU": 0.8, "IoU ratio": 1, "NmIoU": 0.4, "pixel accuracy": 0.9, "IoU of one class": 0.8}[quantity]
    assert clean_values([row("pgd", 2, 0.4)], quantity, "background") == {"LR-ASPP": pytest.approx(clean)}


def test_a_class_that_is_nowhere_has_no_line():
    assert lines_over_eps([row("pgd", 2, 0.4)], "IoU of one class", "cat") == ()
    assert classes_over_eps([row("pgd", 2, 0.4), row("pgd", 1, 0.5)]) == {"background": [(1, 0.5), (2, 0.4)]}


def test_seeds_share_a_line_of_their_mean_in_the_envelope_of_their_bands():
    (line,) = lines_over_eps([row("pgd", 2, 0.4), row("pgd", 2, 0.2, seed=1)], "mIoU")
    (mark,) = line.marks
    assert (mark.y, mark.low, mark.high) == pytest.approx((0.3, 0.15, 0.45))
    assert mark.note == "6 photos, each with 2 seeds"


def test_lines_over_steps_and_gradients_at_one_eps():
    sea = AttackRow("sea")
    rows = [row("pgd", 1, 0.5, steps=2), row("pgd", 1, 0.3, steps=20), row("pgd", 4, 0.1), row(sea, 1, 0.2, gradients=60)]
    results = {one.point: [] for one in rows}
    pgd, suite = lines_over_cost(rows, results, 1, "iterations", "NmIoU")
    assert [(mark.x, mark.y) for mark in pgd.marks] == [(2, 0.25), (20, 0.15)]
    assert [mark.x for mark in suite.marks] == [20]
    assert lines_over_cost(rows, results, 1, "gradient evaluations", "NmIoU")[1].marks[0].x == 60


def result(hits: list[list[int]], sizes: np.ndarray) -> CellResult:
    """A result on one picture of ten pixels of one of two classes, with its accuracy along the way."""
    none = np.zeros((0, 0), np.int64)
    labelled = np.tile([6, 4], (len(hits), 1))
    curve = tuple(CurvePoint(k, k, 0, 0, 0) for k in range(len(hits)))
    return CellResult("x", ("a", "b"), none, none, none, none[None], np.array(hits), labelled, labelled, sizes, curve=curve)


def test_a_single_number_of_steps_shows_the_way_there():
    one = row("pgd", 1, 0.05, steps=2)
    found = {one.point: [result([[6, 4], [3, 2], [3, 0]], np.zeros((2, 6, 4))), None]}
    (line,) = lines_over_cost([one], found, 1, "iterations", "pixel accuracy")
    assert [(mark.x, mark.y) for mark in line.marks] == [(1, 0.5), (2, pytest.approx(0.15))]
    (line,) = lines_over_cost([one], found, 1, "iterations", "NmIoU")
    assert [mark.x for mark in line.marks] == [2]


def test_sizes_pool_pixels_and_leave_empty_bins_out():
    sizes = np.zeros((2, 6, 4))
    sizes[0, 0] = [2, 10, 8, 1]
    sizes[1, 0] = [1, 30, 12, 3]
    sizes[1, 4] = [1, 100, 90, 80]
    one = row("pgd", 2, 0.4)
    lines = sizes_over_eps([one], {one.point: [result([[6, 4]], sizes)]}, (1, 64, 256, 1024, 4096, 16384))
    assert lines == {"clean": [(0, 0.5), (4, 0.9)], "ε = 2/255": [(0, 0.1), (4, 0.8)]}


def test_pictures_broken_go_from_nothing_to_the_largest_eps():
    point = GridPoint(Settings(attack="pgd", eps=8), AttackRow("pgd"))
    found = [Found("a", 1, ()), Found("b", 4, ()), Found("c", None, ()), Found("d", 4, ())]
    assert broken_over_eps({point: found}) == {"LR-ASPP · PGD, 20 steps": [(0, 0), (1, 0.25), (4, 0.75), (8, 0.75)]}
