"""Pictures on their way to a target map: the four-photo figure, batches, sizes, every kind of map, errors, Stop."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from segviz.attacks.catalog import alpha_of
from segviz.data.label_sets import VOC7
from segviz.lab import figures_of, sample_picture, to_tensor
from segviz.models.zoo import MODELS
from segviz.settings import GIVEN, Settings
from segviz.studies.target_maps import Everywhere, Given, Mirrored, Painted, PredictionOn, Without
from segviz.studies.targets import PASSED, mean_curve, mean_now, morph
from segviz.types import UserError

ENTRY = MODELS["voc7-lraspp"]
CAT, PERSON = VOC7.classes.index("cat"), VOC7.classes.index("person")


def crop(key: str, height: int, width: int, top: int = 0, left: int = 0):
    """A piece of a sample, small enough for many runs."""
    whole = sample_picture(key, ENTRY)
    place = np.s_[top : top + height, left : left + width]
    return replace(whole, pixels=np.ascontiguousarray(whole.pixels[place]), labels=np.ascontiguousarray(whole.labels[place]))


@pytest.fixture
def pair():
    """Two pieces of one size."""
    return [crop("astronaut", 96, 96, 20, 60), crop("horses", 96, 96, 60, 100)]


def settings(**changes) -> Settings:
    return Settings(**{"goal": GIVEN, "eps": 8, "steps": 6} | changes)


def run(target, pictures, model, **changes):
    return list(morph(settings(**changes), target, pictures, model))


def test_every_photo_segments_as_photo_two(model):
    """The four-photo figure at 8/255: the first of its 200 steps. The strongest iterate counts, so that the others can only add to it."""
    pictures = [sample_picture(key, ENTRY) for key in ("astronaut", "chelsea", "dog", "horses")]
    victims = run(Given(pictures[1].labels), pictures, model, steps=24, alpha=alpha_of(settings(steps=200)))[-1]
    assert mean_now(victims, "target_accuracy") >= 0.9
    assert mean_now(victims, "target_miou") >= 0.9
    for victim in victims:
        if victim.picture.name == "chelsea":
            # Its own labels: there is nothing to lead it to.
            assert victim.there_before
            continue
        assert victim.passed is not None
        assert victim.curve[victim.passed].target_accuracy >= PASSED
        assert all(moment.target_accuracy < PASSED for moment in victim.curve[: victim.passed])
        assert victim.result.moment.target_accuracy >= PASSED
        assert np.abs(victim.pixels.astype(int) - victim.picture.pixels).max() <= 8
        assert victim.target.shape == victim.picture.pixels.shape[:2]
    others = [victim for victim in victims if victim.picture.name != "chelsea"]
    assert all(victim.curve[0].target_accuracy < 0.6 and victim.result.moment.original_miou < 0.5 for victim in others)


def test_results_are_measured_on_the_8bit_pictures(model, pair):
    victims = run(Everywhere("cat"), [pair[0], replace(pair[1], labels=None)], model)[-1]
    for victim in victims:
        prediction = model(to_tensor(victim.pixels, torch.device("cpu"))).argmax(1)
        assert np.array_equal(prediction[0], victim.prediction)
        moment = victim.result.moment
        for reference, found in (
            (victim.target, (moment.target_accuracy, moment.target_miou)),
            (victim.clean, (moment.original_accuracy, moment.original_miou)),
        ):
            figures = figures_of(prediction, torch.from_numpy(reference)[None], 7)
            assert found == pytest.approx((figures.pixel_accuracy, figures.miou))
        assert victim.result.linf == np.abs(victim.pixels.astype(int) - victim.picture.pixels).max()
        assert (victim.curve[0].original_accuracy, victim.curve[0].original_miou) == (1, 1)
    truth = figures_of(torch.from_numpy(victims[0].prediction)[None], torch.from_numpy(pair[0].labels)[None], 7)
    assert victims[0].result.moment.true_miou == pytest.approx(truth.miou)
    assert victims[1].result.moment.true_miou is None
    assert mean_now(victims, "true_accuracy") == pytest.approx(truth.pixel_accuracy)


@pytest.mark.parametrize("attack", ["pgd", "padam-ce"])
def test_a_batch_comes_out_as_its_pictures_alone(model, pair, attack):
    together = run(Mirrored(), pair, model, attack=attack, steps=3)[-1]
    for picture, victim in zip(pair, together, strict=True):
        (alone,) = run(Mirrored(), [picture], model, attack=attack, steps=3)[-1]
        assert np.array_equal(alone.target, victim.target)
        # Convolutions round a batch a little differently, which the sign of a tiny gradient may show.
        assert (alone.pixels != victim.pixels).mean() < 0.02
        for mine, its in zip(victim.curve, alone.curve, strict=True):
            assert mine.loss == pytest.approx(its.loss, rel=1e-3)
            assert mine.target_accuracy == pytest.approx(its.target_accuracy, abs=0.01)


def test_pictures_of_other_sizes_get_the_map_in_theirs_and_take_turns(model):
    given = np.zeros((2, 4), np.uint8)
    given[:, 2:], given[1, 0] = CAT, PERSON
    pictures = [crop("astronaut", 64, 96), crop("chelsea", 96, 64), crop("dog", 64, 96)]
    seen = run(Given(given), pictures, model, steps=3)
    assert Given(given).size == (2, 4)
    for victim in seen[-1]:
        height, width = victim.picture.pixels.shape[:2]
        assert np.array_equal(victim.target, np.kron(given, np.ones((height // 2, width // 4), np.uint8)))
    for victims in seen:
        at_work = [victim.spent for victim in victims if victim.result is None]
        assert not at_work or max(at_work) - min(at_work) <= 1
    assert [victim.spent for victim in seen[-1]] == [3, 3, 3]


def test_nearest_neighbour_takes_the_pixel_centres_of_an_odd_ratio(model):
    given = np.arange(7, dtype=np.uint8)[None].repeat(5, 0)
    victim = run(Given(given), [crop("dog", 64, 96)], model, steps=0)[-1][0]
    assert victim.target[0].tolist() == [int((column + 0.5) * 7 / 96) for column in range(96)]
    assert (victim.target == victim.target[0]).all()


def test_maps_made_of_the_pictures_own_prediction(model, pair):
    clean = [victim.clean for victim in run(Mirrored(), pair, model, steps=0)[-1]]
    assert [
        np.array_equal(victim.target, map_[:, ::-1]) for victim, map_ in zip(run(Mirrored(), pair, model, steps=0)[-1], clean, strict=True)
    ]
    victim = run(PredictionOn(pair[0]), pair[:1], model, steps=0)[-1][0]
    assert np.array_equal(victim.target, victim.clean)
    victim = run(Without("person"), pair[:1], model, steps=0)[-1][0]
    assert PERSON in victim.clean
    assert PERSON not in victim.target
    kept = victim.clean != PERSON
    assert np.array_equal(victim.target[kept], victim.clean[kept])
    painted = Painted((("cat", "0,0 50,0 50,100 0,100"), ("dog", "0,0 100,0 100,50 0,50")), base="person")
    target = run(painted, pair[:1], model, steps=0)[-1][0].target
    assert [VOC7.classes[target[y, x]] for y, x in ((10, 10), (10, 80), (80, 10), (80, 80))] == ["dog", "dog", "cat", "person"]
    target = run(Painted((("cat", "0,0 50,0 50,100 0,100"),)), pair[:1], model, steps=0)[-1][0].target
    assert (target[:, :47] == CAT).all()
    assert np.array_equal(target[:, 49:], clean[0][:, 49:])


def test_where_the_target_is_what_the_model_sees_nothing_needs_to_change(model, pair):
    victim = run(PredictionOn(pair[0]), pair[:1], model, steps=2)[-1][0]
    assert victim.there_before
    assert victim.passed is None
    assert victim.result.moment.target_accuracy == victim.result.moment.target_miou == 1
    still = run(Everywhere("cat"), pair, model, eps=0, steps=2)[-1]
    assert all(victim.result.linf == 0 and victim.result.psnr is None for victim in still)
    assert all(np.array_equal(victim.prediction, victim.clean) and victim.passed is None for victim in still)


def test_without_a_target_the_clean_pictures_are_looked_at(model, pair):
    (victims,) = run(None, pair, model)
    for victim in victims:
        assert np.array_equal(victim.clean, victim.prediction)
        assert np.array_equal(victim.pixels, victim.picture.pixels)
        assert (victim.target, victim.curve, victim.result, victim.now, victim.spent) == (None, (), None, None, -1)


def test_void_pixels_of_a_target_do_not_count(model, pair):
    half = np.full((96, 96), 255, np.uint8)
    half[:, :48] = CAT
    victim = run(Given(half), pair[:1], model, steps=0)[-1][0]
    assert victim.curve[0].target_accuracy == pytest.approx((victim.clean[:, :48] == CAT).mean())


def test_a_picture_without_such_a_target_gets_an_error_and_the_others_go_on(model, pair):
    victims = run(Without("person"), pair, model)[-1]
    assert "sees no person" in victims[1].error
    assert victims[1].target is None
    assert np.array_equal(victims[1].prediction, victims[1].clean)
    assert victims[0].result is not None
    assert mean_curve(victims, "target_accuracy") == [moment.target_accuracy for moment in victims[0].curve]
    void = run(Given(np.full((8, 8), 255, np.uint8)), pair, model)[-1]
    assert all("is void" in victim.error for victim in void)
    with pytest.raises(UserError, match="cannot reach this goal"):
        run(Mirrored(), pair, model, attack="fgsm-ll")


def test_stop_gives_every_picture_what_was_reached(model):
    stop = []
    pictures, victims = [crop("astronaut", 64, 96), crop("chelsea", 96, 64)], ()
    for victims in morph(settings(steps=100), Everywhere("dog"), pictures, model, stopped=lambda: bool(stop)):
        if min(victim.spent for victim in victims) >= 2:
            stop.append(True)
    assert all(victim.result.stopped and 2 <= victim.result.moment.index <= 3 for victim in victims)
