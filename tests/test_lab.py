"""One attack on one picture: figures, stored iterations, Stop."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from segviz import metrics
from segviz.lab import MAX_FRAMES, attack_picture, sample_picture, stored_iterations, to_tensor
from segviz.models.zoo import MODELS
from segviz.records import figures_of_frame
from segviz.settings import Settings
from segviz.types import VOID, UserError

ENTRY = MODELS["voc7-lraspp"]


@pytest.fixture
def picture():
    """A corner of a sample, small enough for many runs."""
    whole = sample_picture("astronaut", ENTRY)
    return replace(whole, pixels=np.ascontiguousarray(whole.pixels[:160, 40:200]), labels=whole.labels[:160, 40:200])


def test_report_is_measured_on_the_8bit_picture(model, picture):
    *live, final = attack_picture(Settings(steps=4, eps=3), picture, model)
    assert [point.index for point in final.curve] == [0, 1, 2, 3, 4]
    assert [frame.index for frame in final.frames] == [0, 1, 2, 3, 4]
    assert all(trajectory.report is None for trajectory in live)
    report = final.report
    again = model(to_tensor(final.final.pixels, torch.device("cpu"))).argmax(1)
    assert np.array_equal(again[0].numpy(), final.final.prediction)
    assert report.adversarial == figures_of_frame(final.final, picture.labels, 7)
    change = final.final.pixels.astype(int) - picture.pixels
    assert report.linf == np.abs(change).max() == 3
    assert report.l2 == pytest.approx(np.linalg.norm(change / 255), rel=1e-4)
    assert report.psnr == pytest.approx(10 * np.log10(1 / np.mean((change / 255) ** 2)), rel=1e-4)
    assert report.gradient_evaluations == 4
    assert report.iou_ratio == pytest.approx(report.adversarial.miou / final.clean.miou)
    assert report.adversarial.miou < final.clean.miou
    assert report.seconds > 0
    assert not report.stopped


def test_figures_of_one_image_are_those_of_the_metrics(model, picture):
    final = list(attack_picture(Settings(steps=0), picture, model))[-1]
    counts = metrics.confusion_matrix(torch.from_numpy(final.frames[0].prediction)[None], torch.from_numpy(picture.labels)[None], 7)
    assert final.clean.miou == pytest.approx(metrics.mean_iou(counts).item())
    assert final.clean == final.report.adversarial
    assert final.report.psnr is None
    assert final.report.gradient_evaluations == 0


def test_without_label_map_the_reference_is_the_clean_prediction(model, picture):
    bare = replace(picture, labels=None)
    for settings, shown in ((Settings(steps=1), bare), (Settings(steps=1, against="prediction"), picture)):
        final = list(attack_picture(settings, shown, model))[-1]
        assert final.own_prediction
        assert final.clean.miou == final.clean.pixel_accuracy == 1
        assert np.array_equal(final.reference, final.frames[0].prediction)


def test_targets(model, picture):
    final = list(attack_picture(Settings(goal="everywhere", target="sheep", steps=20, eps=8), picture, model))[-1]
    assert (final.target == 6).all()
    assert final.report.success > 0.8
    assert final.report.success == pytest.approx((final.final.prediction == 6).mean())
    final = list(attack_picture(Settings(goal="remove", target="person", steps=20, eps=8), picture, model))[-1]
    before, after = (np.mean(frame.prediction == 5) for frame in (final.frames[0], final.final))
    assert after < 0.2 * before
    with pytest.raises(UserError, match="own target"):
        next(attack_picture(Settings(attack="fgsm-ll", goal="everywhere", target="sheep"), picture, model))


def test_one_class_is_broken_and_the_others_do_not_count(model, picture):
    final = list(attack_picture(Settings(goal="class", target="person", steps=10, eps=4), picture, model))[-1]
    person = picture.labels == 5
    assert final.target is None
    assert final.report.success == pytest.approx((final.final.prediction[person] != 5).mean())
    assert final.report.success > 0.9


def test_a_region_confines_the_change_and_nothing_else(model, picture):
    final = list(attack_picture(Settings(region="outside:person", steps=10, eps=8), picture, model))[-1]
    changed = (final.final.pixels != picture.pixels).any(2)
    assert not changed[picture.labels == 5].any()
    assert changed[(picture.labels != 5) & (picture.labels != VOID)].any()
    assert final.report.adversarial.pixel_accuracy < final.clean.pixel_accuracy


def test_perturbed_here_and_judged_there_alone(model, picture):
    """Only what is not the person changes, and only the person counts, whatever the labels to break."""
    person = picture.labels == 5
    for against in ("truth", "prediction"):
        settings = Settings(region="outside:person", break_region="class:person", steps=10, eps=8, against=against)
        final = list(attack_picture(settings, picture, model))[-1]
        clean = final.frames[0].prediction
        counted = person if against == "truth" else clean == 5
        assert not (final.final.pixels != picture.pixels).any(2)[counted].any()
        wrong = final.final.prediction[counted] != 5
        assert final.report.success == pytest.approx(wrong.mean())
        assert final.report.adversarial.pixel_accuracy == pytest.approx(1 - wrong.mean())
        assert final.clean.pixel_accuracy == pytest.approx((clean[counted] == 5).mean())
        assert final.report.success > 1 - final.clean.pixel_accuracy
        assert np.array_equal(final.reference != VOID, counted)


def test_a_target_counts_only_where_it_is_to_be_reached(model, picture):
    left = "polygon:0,0 50,0 50,100 0,100"
    final = list(attack_picture(Settings(goal="everywhere", target="cat", break_region=left, steps=5), picture, model))[-1]
    half = picture.pixels.shape[1] // 2
    assert (final.target[:, half:] == VOID).all()
    assert (final.target[:, :half] == 1).all()
    assert final.report.success == pytest.approx((final.final.prediction[:, :half] == 1).mean())


def test_a_region_to_break_that_is_the_whole_picture_changes_no_number(model, picture):
    plain, whole = (
        list(attack_picture(Settings(steps=3, break_region=region), picture, model))[-1]
        for region in ("", "polygon:0,0 100,0 100,100 0,100")
    )
    assert np.array_equal(plain.final.pixels, whole.final.pixels)
    assert plain.report.adversarial == whole.report.adversarial


def test_a_region_without_a_pixel_gets_a_message(model, picture):
    with pytest.raises(UserError, match="holds no pixel"):
        next(attack_picture(Settings(region="class:sheep"), picture, model))


def test_suite_reports_its_attacks_and_the_worst_is_the_result(model, picture):
    final = list(attack_picture(Settings(attack="sea", steps=3, eps=1), picture, model))[-1]
    assert [outcome.member for outcome in final.outcomes] == ["apgd-mce-bal", "apgd-mce", "apgd-js"]
    assert final.report.success == max(outcome.success for outcome in final.outcomes)
    assert final.report.adversarial.pixel_accuracy == min(outcome.pixel_accuracy for outcome in final.outcomes)
    assert [point.member for point in final.curve][1::3] == [outcome.member for outcome in final.outcomes]
    assert final.report.gradient_evaluations == final.curve[-1].gradients == 9


def test_stop_ends_within_one_step_with_an_honest_result(model, picture):
    seen = []
    for trajectory in attack_picture(Settings(steps=300, eps=4), picture, model, stopped=lambda: len(seen) >= 3):
        seen.append(trajectory)
    assert len(seen) == 4
    report = seen[-1].report
    assert report.stopped
    assert report.iterations == 2
    assert report.linf <= 4
    assert report.adversarial == figures_of_frame(seen[-1].final, picture.labels, 7)


def test_l2_result_is_reported_within_its_ball(model, picture):
    for eps in (0.7, 2.5):
        final = list(attack_picture(Settings(norm="l2", eps=eps, steps=3), picture, model))[-1]
        radius = eps / 255 * np.sqrt(picture.pixels.size)
        assert 0.95 * radius < final.report.l2 <= radius


def test_all_void_label_map_is_refused(model, picture):
    with pytest.raises(UserError, match="void"):
        next(attack_picture(Settings(), replace(picture, labels=np.full_like(picture.labels, VOID)), model))


@pytest.mark.parametrize("total", [0, 1, 20, 40, 41, 300, 6000])
def test_stored_iterations_are_bounded_and_hold_both_ends(total):
    stored = stored_iterations(total)
    assert {0, total} <= stored
    assert len(stored) == min(total, MAX_FRAMES) + 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"eps": -1},
        {"eps": float("nan")},
        {"eps": 300},
        {"steps": 1001},
        {"alpha": 0},
        {"restarts": 0},
        {"seed": -1},
        {"goal": "win"},
        {"goal": "remove"},
        {"goal": "swap", "target": "cat"},
        {"goal": "swap", "target": "cat", "other": "cat"},
        {"against": "fate"},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UserError):
        Settings(**wrong)


def test_the_strongest_iteration_is_the_one_with_most_pixels_won(model, picture):
    final = list(attack_picture(Settings(attack="cira", steps=6, eps=2), picture, model))[-1]
    won = [point.success for point in final.curve]
    assert won[final.report.strongest] == max(won)
