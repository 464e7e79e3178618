"""Adversarial training: it lowers the robust loss, attacks the share it says, and resumes to the same weights."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from segviz.models.build import build_voc7
from segviz.models.segmenter import Segmenter
from segviz.models.zoo import MODELS
from segviz.settings import Settings
from segviz.training.__main__ import load_part
from segviz.training.adversarial import ADVERSARIES, N_FGSM, adversarial_batch, n_fgsm_batch
from segviz.training.augment import TrainingPairs
from segviz.training.recipe import Recipe, radius, segmentation_loss, train
from segviz.types import VOID

CPU = torch.device("cpu")


def trainable() -> Segmenter:
    """The bundled model's weights, to go on from."""
    network = build_voc7()
    load_part(network.encoder, "encoder.", MODELS["voc7-lraspp"].weights)
    load_part(network.head, "head.", MODELS["voc7-lraspp"].weights)
    return network


def batch_of(folder: Path, model: Segmenter, count: int) -> tuple[Tensor, Tensor]:
    data = TrainingPairs(folder, model.label_set, 64, 0)
    x, labels = zip(*(data[index % len(data)] for index in range(count)), strict=True)
    return torch.stack(x), torch.stack(labels)


@pytest.fixture
def eight_pictures(small_data, tmp_path) -> Path:
    """The folders train and val of eight pictures each: the small data set twice."""
    for part in ("train", "val"):
        for kind in ("images", "labels"):
            (tmp_path / part / kind).mkdir(parents=True)
            for file in (small_data / kind).iterdir():
                for copy in "ab":
                    shutil.copy(file, tmp_path / part / kind / f"{copy}-{file.name}")
    return tmp_path


def robust_loss(model: Segmenter, x: Tensor, labels: Tensor) -> float:
    attacked = adversarial_batch(model, x, labels, Settings(attack="pgd", eps=2, steps=10), 1.0)
    with torch.no_grad():
        return segmentation_loss(model(attacked), labels).item()


def test_a_short_run_lowers_the_robust_loss(eight_pictures):
    """Crops of nearly one scale and enough steps, so that the batch statistics follow: attacks see the network in eval mode."""
    model = trainable()
    data = TrainingPairs(eight_pictures / "train", model.label_set, 64, 0, (0.9, 1.1), 0.1)
    x, labels = (torch.stack(part) for part in zip(*(data[index] for index in range(8)), strict=True))
    before = robust_loss(model, x, labels)
    recipe = Recipe(
        epochs=40,
        crop=64,
        min_scale=0.9,
        max_scale=1.1,
        jitter=0.1,
        batch=8,
        lr_encoder=1e-3,
        ema=0.0,
        bn_momentum=0.1,
        adversarial="pgd",
        eps=2,
        watch=1,
        watch_steps=2,
        watch_scale=0.5,
    )
    out = eight_pictures / "run"
    trained = train(model, eight_pictures / "train", out, recipe, CPU)
    assert robust_loss(trained, x, labels) < 0.8 * before
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert len(lines) == 40
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert all(0 <= line["robust_miou"] <= line["clean_miou"] <= 1 for line in lines)


def test_an_interrupted_run_ends_like_an_uninterrupted_one(eight_pictures):
    recipe = Recipe(epochs=2, crop=64, batch=4, adversarial="segpgd", fraction=0.5, attack_steps=2)
    data = eight_pictures / "train"
    straight = train(trainable(), data, eight_pictures / "straight", recipe, CPU)
    train(trainable(), data, eight_pictures / "resumed", recipe, CPU, stop_after=1)
    resumed = train(trainable(), data, eight_pictures / "resumed", recipe, CPU)
    for name, value in straight.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, msg=name)


@pytest.mark.parametrize("adversary", ADVERSARIES)
def test_the_first_part_of_a_batch_is_attacked_within_the_ball(model, small_data, adversary):
    x, labels = batch_of(small_data, model, 4)
    attacked = adversarial_batch(model, x, labels, Settings(attack=adversary, eps=4, steps=3), 0.5)
    change = ((attacked - x).abs() * 255).amax((1, 2, 3))
    assert (change[:2] > 3).all()
    assert (change[:2] <= 4.5 + 1e-3).all()
    assert (change[2:] <= 0.5 + 1e-3).all()
    assert not attacked.requires_grad
    with torch.no_grad():
        assert segmentation_loss(model(attacked[:2]), labels[:2]) > segmentation_loss(model(x[:2]), labels[:2])


def test_no_share_changes_nothing_but_the_rounding(model, small_data):
    x, labels = batch_of(small_data, model, 2)
    attacked = adversarial_batch(model, x, labels, Settings(attack="pgd", eps=4, steps=3), 0.0)
    assert (attacked - x).abs().max() <= 0.5 / 255 + 1e-6


def test_a_crop_of_nothing_but_void_survives(model):
    x = torch.full((1, 3, 64, 64), 127 / 255)
    labels = torch.full((1, 64, 64), VOID)
    assert adversarial_batch(model, x, labels, Settings(attack="pgd", eps=4, steps=2), 1.0).isfinite().all()


def test_n_fgsm_steps_by_eps_from_noise_of_twice_eps(model, small_data):
    x, labels = batch_of(small_data, model, 4)
    attacked = n_fgsm_batch(model, x, labels, 4, seed=1, fraction=0.5)
    change = ((attacked - x).abs() * 255).amax((1, 2, 3))
    assert (change[:2] > 10).all()
    assert (change[:2] <= 12 + 1e-3).all()
    assert torch.equal(attacked[2:], x[2:])
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    assert not attacked.requires_grad
    noise = n_fgsm_batch(model, x, torch.full_like(labels, VOID), 4, seed=1, fraction=0.5)
    step = ((attacked - noise)[:2] * 255)[(attacked[:2] > 0) & (attacked[:2] < 1)]
    assert step.abs().max() <= 4 + 1e-3
    with torch.no_grad():
        assert segmentation_loss(model(attacked[:2]), labels[:2]) > segmentation_loss(model(noise[:2]), labels[:2])


def test_the_weights_of_the_best_watched_epoch_are_kept(eight_pictures, monkeypatch):
    figures = iter([0.3, 0.5, 0.4])
    monkeypatch.setattr("segviz.training.recipe.watch", lambda *_: {"clean_miou": 0.6, "robust_miou": next(figures)})
    recipe = Recipe(epochs=3, crop=64, batch=4, adversarial=N_FGSM, eps=2, watch=1)
    best = eight_pictures / "run" / "best.safetensors"
    for epochs in (1, 2, 3):
        model = train(trainable(), eight_pictures / "train", eight_pictures / "run", recipe, CPU, stop_after=epochs)
        if epochs == 2:
            expected = {name: value.half() for name, value in model.state_dict().items() if value.is_floating_point()}
    kept = load_file(best)
    assert kept.keys() == expected.keys()
    assert all(torch.equal(kept[name], expected[name]) for name in kept)


def test_n_fgsm_training_watches_under_pgd(eight_pictures):
    recipe = Recipe(epochs=1, crop=64, batch=4, adversarial=N_FGSM, eps=2, ramp=0.5, watch=1, watch_steps=2, watch_eps=1)
    train(trainable(), eight_pictures / "train", eight_pictures / "run", recipe, CPU)
    (line,) = (json.loads(line) for line in (eight_pictures / "run" / "log.jsonl").read_text().splitlines())
    assert 0 <= line["robust_miou"] <= line["clean_miou"] <= 1


def test_the_radius_grows_to_eps_and_stays_there():
    recipe = Recipe(adversarial="pgd", eps=4, ramp=0.5)
    radii = [radius(recipe, step, 100) for step in range(100)]
    assert radii[0] == pytest.approx(4 / 50)
    assert radii == sorted(radii)
    assert radii[49:] == [4] * 51
    assert radius(Recipe(adversarial="pgd", eps=4), 0, 100) == 4
