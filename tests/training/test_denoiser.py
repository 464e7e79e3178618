"""The denoiser's recipe: it lowers its loss, and an interrupted run ends at the weights of an uninterrupted one."""

import json
import shutil

import pytest
import torch

from segviz.training.denoiser import DenoiserRecipe, attacked_pictures, train_denoiser

CPU = torch.device("cpu")
RECIPE = DenoiserRecipe(steps=3, batch=2, crop=48, max_attack_steps=2)


@pytest.fixture(scope="module")
def run(small_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    return train_denoiser(small_data, out, RECIPE, CPU, save_every=1), out


def test_an_interrupted_run_ends_at_the_same_weights(run, small_data, tmp_path, monkeypatch):
    denoiser, _ = run
    seen = []

    def until_the_third(*arguments):
        seen.append(arguments)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return attacked_pictures(*arguments)

    monkeypatch.setattr("segviz.training.denoiser.attacked_pictures", until_the_third)
    with pytest.raises(KeyboardInterrupt):
        train_denoiser(small_data, tmp_path, RECIPE, CPU, save_every=1)
    monkeypatch.undo()
    again = train_denoiser(small_data, tmp_path, RECIPE, CPU, save_every=1)
    for one, other in zip(denoiser.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    steps = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3]


def test_another_recipe_in_the_same_folder_is_refused(run, small_data, tmp_path):
    shutil.copytree(run[1], tmp_path / "copy")
    with pytest.raises(ValueError, match="another recipe"):
        train_denoiser(small_data, tmp_path / "copy", DenoiserRecipe(steps=9), CPU)


def test_training_pictures_stay_in_their_balls(model):
    torch.manual_seed(0)
    x = (torch.rand(2, 3, 32, 32) * 255).round() / 255
    labels = torch.zeros(2, 32, 32, dtype=torch.long)
    eps = torch.tensor([0.0, 8 / 255]).view(2, 1, 1, 1)
    for steps in (1, 3):
        x_adv = attacked_pictures(model, x, labels, eps, steps)
        assert torch.equal(x_adv[0], x[0])
        assert 7.5 < (x_adv[1] - x[1]).abs().max() * 255 < 8.001
