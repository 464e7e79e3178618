"""The recipe: learns, resumes where it stopped, and reads the ImageNet weights' names."""

import json
import shutil
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from segviz.data.label_sets import VOC7
from segviz.models.adapt import as_segmenter
from segviz.models.build import build_voc7
from segviz.models.encoder import EfficientNetLite0
from segviz.models.load import load_entry
from segviz.models.zoo import MODELS
from segviz.training import recipe as module
from segviz.training.__main__ import load_part, main
from segviz.training.augment import TrainingPairs
from segviz.training.recipe import Recipe, segmentation_loss, train
from segviz.types import VOID

CPU = torch.device("cpu")


@pytest.fixture
def tiny_recipe() -> Recipe:
    return Recipe(epochs=2, crop=64, batch=2, lr_encoder=1e-3, lr_head=1e-2)


def fresh():
    torch.manual_seed(0)
    return build_voc7()


def test_interrupted_run_ends_like_an_uninterrupted_one(small_data, tmp_path, tiny_recipe, monkeypatch):
    straight = train(fresh(), small_data, tmp_path / "straight", tiny_recipe, CPU)

    class InterruptedRunError(Exception):
        pass

    real, calls = module.segmentation_loss, []

    def interrupt_in_second_epoch(logits, labels):
        calls.append(1)
        if len(calls) > 3:
            raise InterruptedRunError
        return real(logits, labels)

    monkeypatch.setattr(module, "segmentation_loss", interrupt_in_second_epoch)
    with pytest.raises(InterruptedRunError):
        train(fresh(), small_data, tmp_path / "resumed", tiny_recipe, CPU)
    monkeypatch.setattr(module, "segmentation_loss", real)
    resumed = train(fresh(), small_data, tmp_path / "resumed", tiny_recipe, CPU)
    for name, value in straight.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, msg=name)
    assert (tmp_path / "resumed" / "log.jsonl").read_text().count("epoch") == 2
    with pytest.raises(ValueError, match="another recipe"):
        train(fresh(), small_data, tmp_path / "resumed", Recipe(), CPU)


def test_training_learns(small_data, tmp_path):
    """Three pictures by heart: the loss on the training pictures falls."""
    folder = tmp_path / "data"
    shutil.copytree(small_data, folder)
    data = TrainingPairs(folder, VOC7, 64, 0)
    x, labels = (torch.stack(part) for part in zip(*(data[index] for index in range(4)), strict=True))
    model = fresh()
    before = segmentation_loss(model.eval()(x), labels).item()
    trained = train(model, folder, tmp_path / "run", Recipe(epochs=8, crop=64, batch=4, lr_encoder=2e-3, lr_head=1e-2, ema=0.5), CPU)
    assert segmentation_loss(trained(x), labels).item() < before


def test_stopped_run_goes_on_later(small_data, tmp_path, tiny_recipe):
    half = train(fresh(), small_data, tmp_path, tiny_recipe, CPU, stop_after=1)
    assert (tmp_path / "log.jsonl").read_text().count("epoch") == 1
    whole = train(fresh(), small_data, tmp_path, tiny_recipe, CPU)
    assert (tmp_path / "log.jsonl").read_text().count("epoch") == 2
    assert not torch.equal(whole.head.classify.weight, half.head.classify.weight)


def test_crops_are_trained_on_with_noise_that_is_not_clipped(small_data, tmp_path):
    def crops(noise: float) -> torch.Tensor:
        model, seen = fresh(), []
        model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
        train(model, small_data, tmp_path / str(noise), Recipe(epochs=1, crop=64, batch=2, noise=noise), CPU)
        return torch.cat(seen)

    clean, noisy = crops(0.0), crops(0.25)
    assert (noisy - clean).std().item() == pytest.approx(0.25, rel=0.02)
    assert (noisy - clean).mean().item() == pytest.approx(0, abs=0.01)
    assert noisy.min() < 0 < 1 < noisy.max()


def test_a_run_from_before_a_setting_goes_on(small_data, tmp_path, tiny_recipe):
    train(fresh(), small_data, tmp_path, tiny_recipe, CPU, stop_after=1)
    file = tmp_path / "recipe.json"
    earlier = json.loads(file.read_text())
    del earlier["noise"]
    file.write_text(json.dumps(earlier))
    train(fresh(), small_data, tmp_path, tiny_recipe, CPU)
    assert (tmp_path / "log.jsonl").read_text().count("epoch") == 2


def test_frozen_encoder_stays_as_it_is(small_data, tmp_path):
    model = fresh()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trained = train(model, small_data, tmp_path, Recipe(epochs=1, crop=64, batch=2, frozen=16), CPU)
    changed = {name.split(".")[0] for name, value in trained.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"head"}


@pytest.mark.parametrize("key", ["voc7-pspnet", "voc7-enet"])
def test_without_dropout_two_passes_in_training_agree(small_data, tmp_path, key):
    model = as_segmenter(MODELS[key].build(), MODELS[key])
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(model.train()(x), model(x))
    train(model, small_data, tmp_path, Recipe(epochs=1, crop=64, batch=2, dropout=0), CPU)
    assert torch.equal(model.train()(x), model(x))


def test_weights_of_a_bundled_model_are_taken_over(model, tmp_path):
    encoder = EfficientNetLite0().eval()
    load_part(encoder, "encoder.", MODELS["voc7-lraspp"].weights)
    stored = load_file(MODELS["voc7-lraspp"].weights)
    for name, value in encoder.state_dict().items():
        if value.is_floating_point():
            assert torch.equal(value, stored[f"encoder.{name}"].float()), name
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(encoder(x)[32], model.encoder(x)[32], rtol=1e-3, atol=1e-4)
    file = tmp_path / "other.safetensors"
    save_file({"encoder.tail.weight": torch.zeros(1)}, file)
    with pytest.raises(SystemExit, match=r"no encoder\.tail\.weight"):
        load_part(encoder, "encoder.", file)
    with pytest.raises(SystemExit, match=r"has no encoder\.\* weights"):
        load_part(encoder, "encoder.", MODELS["voc7-enet"].weights)


def test_a_network_without_encoder_is_trained_from_the_terminal_and_goes_on_from_an_earlier_run(small_data, tmp_path, monkeypatch):
    """ENet: what is exported is what the catalogue loads."""
    shutil.copytree(small_data, tmp_path / "train")
    options = ["--data", str(tmp_path), "--epochs", "1", "--crop", "64", "--batch", "2"]
    exported = []
    for run, start in (("one", []), ("two", ["--encoder", str(tmp_path / "one" / "voc7-enet.safetensors"), "--lr-encoder", "0"])):
        monkeypatch.setattr(sys, "argv", ["training", "voc7-enet", "--out", str(tmp_path / run), *options, *start])
        main()
        exported.append(tmp_path / run / "voc7-enet.safetensors")
    model = load_entry(replace(MODELS["voc7-enet"], weights=exported[0], sha256=""), CPU)
    assert model(torch.rand(1, 3, 50, 70)).shape == (1, 7, 50, 70)
    before, after = (load_file(file)["fullconv.up_conv.0.0.weight"] for file in exported)
    assert torch.equal(before, after)
    assert not torch.equal(before, MODELS["voc7-enet"].build().fullconv.up_conv[0][0].weight.half())


def test_loss_ignores_void_and_knows_the_optimum():
    labels = torch.randint(0, 7, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    perfect = torch.nn.functional.one_hot(labels, 7).movedim(-1, 1) * 100.0
    assert segmentation_loss(perfect, labels).item() == pytest.approx(0, abs=1e-5)
    noisy = perfect.clone()
    noisy[:, :, 0] = torch.randn(2, 7, 8)
    labels[:, 0] = VOID
    assert segmentation_loss(noisy, labels).item() == pytest.approx(0, abs=1e-5)


def test_crops_are_aligned_repeatable_and_differ_by_epoch(small_data):
    data = TrainingPairs(small_data, VOC7, 64, 0)
    x, labels = data[0]
    assert x.shape == (3, 64, 64)
    assert labels.shape == (64, 64)
    assert x.min() >= 0
    assert x.max() <= 1
    assert torch.equal(data[0][0], x)
    data.epoch = 1
    assert not torch.equal(data[0][0], x)


def test_imagenet_weights_land_in_every_layer():
    """The published file's naming, filled with values that tell the layers apart."""
    encoder = EfficientNetLite0()
    state = published_names()
    encoder.load_imagenet(state)
    assert encoder.blocks[0].expand is None
    assert torch.equal(encoder.stem[0].weight, state["_conv_stem.weight"])
    assert torch.equal(encoder.blocks[3].depthwise[1].running_var, state["_blocks.3._bn1.running_var"])
    assert torch.equal(encoder.blocks[15].project[0].weight, state["_blocks.15._project_conv.weight"])
    del state["_blocks.7._expand_conv.weight"]
    with pytest.raises(KeyError, match=r"_blocks\.7"):
        encoder.load_imagenet(state)


def published_names() -> dict[str, torch.Tensor]:
    names = {"stem.0": "_conv_stem", "stem.1": "_bn0"}
    for index in range(16):
        for part, conv, bn in (
            ("expand", "_expand_conv", "_bn0"),
            ("depthwise", "_depthwise_conv", "_bn1"),
            ("project", "_project_conv", "_bn2"),
        ):
            names[f"blocks.{index}.{part}.0"] = f"_blocks.{index}.{conv}"
            names[f"blocks.{index}.{part}.1"] = f"_blocks.{index}.{bn}"
    state = {}
    for key, value in EfficientNetLite0().state_dict().items():
        path, tensor = key.rsplit(".", 1)
        state[f"{names[path]}.{tensor}"] = torch.rand_like(value) if value.is_floating_point() else value
    return state
