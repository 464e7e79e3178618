"""What is shown of runs under way."""

from collections import deque
from dataclasses import replace

import numpy as np
import pytest

from segviz.attacks.regions import pixels_of_region
from segviz.engine.telling import Teller
from segviz.lab import attack_picture
from segviz.live.views import VIEWS, attack_view, certificate_view, comparison_view, morph_view, with_gaps
from segviz.models.zoo import model_entry
from segviz.records import Picture, Point, figures_of_frame
from segviz.settings import Settings
from segviz.studies import first_views, runs
from segviz.studies.certify import CertifySettings, certify
from segviz.studies.compare import compare
from segviz.studies.targets import Victim


@pytest.fixture(scope="module")
def picture():
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    return Picture("noise", pixels, None, (64, 48))


def test_every_run_of_a_page_has_a_view():
    functions = {function for name, function in vars(runs).items() if name.startswith("run_")}
    assert functions < set(VIEWS)


def test_attack_is_told_step_by_step(model, picture):
    teller, points, sources = Teller(), [], set()
    for run in attack_picture(Settings(steps=3, image="own"), picture, model):
        view = attack_view(run)
        news, files = teller.tell(view)
        (series,) = [one for one in news["series"] if one["name"] == "mIoU of this image"]
        assert series["from"] == len(points)
        points += series["y"]
        assert all(fact["src"] in files or fact["src"] in sources for fact in news["pictures"].values())
        sources |= set(files)
    assert points == [round(point.miou, 5) for point in run.curve]
    assert view.doing == "Iteration 3 of 3"
    assert view.figures[0][1] == f"{run.curve[-1].miou:.1%}"
    assert news["pictures"]["adversarial"]["base"] == "photo"
    assert "labels" not in news["pictures"]


def test_first_view_shows_labels_and_frames():
    run = first_views.load("lab")
    pictures = attack_view(run).pictures
    assert np.array_equal(pictures["labels"].pixels, run.reference)
    assert np.array_equal(pictures["adversarial"].pixels, run.frames[-1].pixels)


def test_classes_and_regions_are_shown_as_they_are_at_the_newest_stored_iteration():
    run = first_views.load("lab")
    label_set = model_entry(run.settings.model).label_set
    run = replace(run, settings=replace(run.settings, region="outside:background"))
    for frames in (run.frames[:1], run.frames):
        view, frame = attack_view(replace(run, frames=frames)), frames[-1]
        titles, *rows = view.table
        assert titles[2] == f"IoU, iteration {frame.index}"
        found = figures_of_frame(frame, run.reference, len(label_set.classes)).iou
        told = {name: iou for name, iou in zip(label_set.classes, found, strict=True) if iou is not None}
        assert {row[0]: row[2] for row in rows if row[2] != "–"} == {name: f"{iou:.1%}" for name, iou in told.items()}
    inside = pixels_of_region("outside:background", run.whole_reference, label_set)
    assert np.array_equal((view.pictures["region"].pixels == run.picture.pixels).all(2) | ~inside, np.ones_like(inside))
    teller = Teller()
    first, files = teller.tell(attack_view(run))
    again, others = teller.tell(attack_view(run), last=True)
    assert first["pictures"]["region"]["src"] in files
    assert again["pictures"]["region"] == first["pictures"]["region"]
    assert not others


def test_curves_break_where_an_attack_begins_anew():
    curve = [Point(index, 0.0, 0.0, 0.0, 0.0, stage=stage) for index, stage in enumerate((0, 0, 1))]
    assert with_gaps([1.0, 2.0, 3.0], curve) == [1.0, 2.0, None, 3.0]


def test_comparison_names_equal_attacks_apart(model, picture):
    settings = Settings(steps=1, image="own", attack="pgd")
    entrants = deque(compare([settings, replace(settings, seed=1)], picture, model), maxlen=1).pop()
    view = comparison_view(entrants)
    assert [series.name for series in view.series] == ["pgd 1", "pgd 2"]
    assert [row[0] for row in view.table] == ["attack", "pgd 1", "pgd 2"]
    assert (view.done, view.total) == (2, 2)


def test_a_certificate_is_told_look_by_look(model, picture):
    settings = CertifySettings(sigma=0.05, first_looks=4, looks=64)
    views = [certificate_view(found, settings) for found in certify(settings, picture, model)]
    assert [view.done for view in views] == list(range(0, 69, 4))
    assert views[1].doing == "4 of 68 noisy looks"
    assert "certified" not in views[1].pictures
    share = (views[-1].pictures["certified"].pixels == 255).all(2).mean()
    assert ("Abstains at", f"{share:.1%}", "") in views[-1].figures


def test_noise_alone_is_told_by_its_draws(model, picture):
    """It takes no gradient, by which attacks side by side are told."""
    views = list(map(comparison_view, compare([Settings(attack="noise", restarts=2, image="own")], picture, model)))
    assert [(view.done, view.total) for view in views] == [(0, 2), (1, 2), (2, 2), (2, 2)]
    assert views[1].doing == "1 of 2 looks"


def test_pictures_that_have_not_begun_are_shown_as_they_are(picture):
    view = morph_view((Victim(picture),), Settings(steps=3))
    assert list(view.pictures) == ["noise photo"]
    assert view.table[1] == ("noise", "–", "–", "–", "–")


def test_full_colour_is_paced_and_the_last_view_leaves_nothing_out():
    now = [0.0]
    teller = Teller(lambda: now[0])
    run = first_views.load("lab")
    first, second, third = (attack_view(replace(run, frames=run.frames[:count])) for count in (1, 2, 3))
    teller.tell(first)
    shown = teller.tell(second)[0]["pictures"]["adversarial"]["src"]
    now[0] = 0.1
    news, _ = teller.tell(third)
    assert news["pictures"]["adversarial"]["src"] == shown
    assert news["pictures"]["map"]["src"] not in (None, shown)
    news, files = teller.tell(third, last=True)
    assert news["pictures"]["adversarial"]["src"] != shown
    assert news["pictures"]["adversarial"]["src"] in files
