"""Optional extras, from folders with tiny random networks."""

import builtins
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from segviz.data.label_sets import CITYSCAPES19
from segviz.models.load import load_entry
from segviz.models.zoo import model_entry
from segviz.types import UserError

CPU = torch.device("cpu")


def labels(names):
    return {"id2label": dict(enumerate(names)), "label2id": {name: index for index, name in enumerate(names)}}


def save_segformer(transformers, folder, names, size):
    config = transformers.SegformerConfig(
        num_encoder_blocks=4, depths=[1] * 4, hidden_sizes=[8] * 4, num_attention_heads=[1] * 4, decoder_hidden_size=8, **labels(names)
    )
    transformers.SegformerForSemanticSegmentation(config).save_pretrained(folder)
    save_processor(transformers, folder, size)


def save_processor(transformers, folder, size):
    options = {"do_resize": size is not None, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4]}
    if size:
        options["size"] = {"height": size[1], "width": size[0]}
    transformers.SegformerImageProcessor(**options).save_pretrained(folder)


def check(key, classes):
    model = load_entry(model_entry(key), CPU)
    x = torch.rand(1, 3, 50, 70, requires_grad=True)
    logits = model(x)
    assert logits.shape == (1, classes, 50, 70)
    logits.square().mean().backward()
    assert x.grad.abs().sum() > 0
    assert model.features(x.detach())
    return model


def test_segformer(tmp_path):
    transformers = pytest.importorskip("transformers")
    save_segformer(transformers, tmp_path, CITYSCAPES19.classes, (96, 64))
    entry = model_entry(f"hf:{tmp_path}")
    assert entry.label_set is CITYSCAPES19
    assert (entry.mean, entry.std, entry.input_size) == ((0.4, 0.5, 0.6), (0.2, 0.3, 0.4), (96, 64))
    model = check(f"hf:{tmp_path}", 19)
    # The same as through the package itself.
    network = transformers.SegformerForSemanticSegmentation.from_pretrained(tmp_path).eval()
    x = torch.rand(1, 3, 64, 96)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (entry.mean, entry.std))
    assert torch.allclose(model.scores(x), network(pixel_values=(x - mean) / std).logits, atol=1e-5)


def test_listed_in_the_configuration(tmp_path, monkeypatch):
    """With its processor's statistics and its label set, but for what the file states."""
    transformers = pytest.importorskip("transformers")
    save_segformer(transformers, tmp_path / "net", ["a", "b", "c"], (96, 64))
    (tmp_path / "labels.toml").write_text('classes = ["x", "y", "z"]')
    net = f'hub = "hf:{tmp_path / "net"}"\n'
    (tmp_path / "segviz.toml").write_text(
        f'[models.hubbed]\n{net}\n[models.stated]\n{net}labels = "labels.toml"\nmean = [0.1, 0.2, 0.3]\nworking_size = 100\n'
    )
    monkeypatch.setenv("SEGVIZ_CONFIG", str(tmp_path / "segviz.toml"))
    plain, hubbed, stated = model_entry(f"hf:{tmp_path / 'net'}"), model_entry("hubbed"), model_entry("stated")
    assert hubbed == replace(plain, key="hubbed")
    assert stated.label_set.classes == ("x", "y", "z")
    assert stated == replace(plain, key="stated", label_set=stated.label_set, mean=(0.1, 0.2, 0.3), working_size=100)
    x = torch.rand(1, 3, 64, 96)
    assert torch.equal(check("hubbed", 3)(x), load_entry(plain, CPU)(x))


def test_a_hub_model_that_was_not_to_be_had_is_tried_again_once_the_configuration_is_saved(tmp_path, monkeypatch):
    transformers = pytest.importorskip("transformers")
    (tmp_path / "segviz.toml").write_text(f'[models.hubbed]\nhub = "hf:{tmp_path / "net"}"\n')
    monkeypatch.setenv("SEGVIZ_CONFIG", str(tmp_path / "segviz.toml"))
    with pytest.raises(UserError, match=r"\[models.hubbed\].*could not be loaded"):
        model_entry("hubbed")
    save_segformer(transformers, tmp_path / "net", ["a", "b", "c"], (96, 64))
    (tmp_path / "segviz.toml").touch()
    assert model_entry("hubbed").label_set.classes == ("a", "b", "c")


def test_weights_of_another_task_are_refused(tmp_path):
    """A classifier would get a decoder of random weights, and figures that mean nothing."""
    transformers = pytest.importorskip("transformers")
    config = transformers.SegformerConfig(
        num_encoder_blocks=4, depths=[1] * 4, hidden_sizes=[8] * 4, num_attention_heads=[1] * 4, decoder_hidden_size=8, **labels(["a", "b"])
    )
    transformers.SegformerForImageClassification(config).save_pretrained(tmp_path)
    save_processor(transformers, tmp_path, (64, 64))
    with pytest.raises(UserError, match=r"lacks \d+ weights of a segmentation network, the first of them decode_head"):
        load_entry(model_entry(f"hf:{tmp_path}"), CPU)


def test_channels_in_reverse(tmp_path):
    """MobileViT's processor makes BGR of RGB."""
    transformers = pytest.importorskip("transformers")
    config = transformers.MobileViTConfig(
        image_size=64,
        hidden_sizes=[16, 16, 16],
        neck_hidden_sizes=[8] * 7,
        num_attention_heads=2,
        aspp_out_channels=16,
        atrous_rates=[1, 2, 3],
        initializer_range=0.3,
        **labels(["a", "b", "c"]),
    )
    transformers.MobileViTForSemanticSegmentation(config).save_pretrained(tmp_path)
    transformers.MobileViTImageProcessor(size={"height": 64, "width": 64}, do_center_crop=False).save_pretrained(tmp_path)
    model = load_entry(model_entry(f"hf:{tmp_path}"), CPU)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    inputs = transformers.AutoImageProcessor.from_pretrained(tmp_path)(Image.fromarray(pixels), return_tensors="pt")
    network = transformers.MobileViTForSemanticSegmentation.from_pretrained(tmp_path).eval()
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        wanted = network(**inputs).logits
        torch.testing.assert_close(model.scores(x), wanted, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(model.scores(x.flip(1)), wanted, atol=1e-4)


def test_class_names_without_a_known_set(tmp_path):
    transformers = pytest.importorskip("transformers")
    save_segformer(transformers, tmp_path, ["sea", "land", "ship"], None)
    entry = model_entry(f"hf:{tmp_path}")
    assert entry.label_set.classes == ("sea", "land", "ship")
    assert len(set(entry.label_set.palette)) == 3
    assert entry.input_size is None


def test_label_maps_of_a_processor_that_reduces_labels_begin_at_1(tmp_path):
    transformers = pytest.importorskip("transformers")
    save_segformer(transformers, tmp_path, ["sea", "land", "ship"], None)
    transformers.SegformerImageProcessor(do_resize=False, do_reduce_labels=True).save_pretrained(tmp_path)
    label_set = model_entry(f"hf:{tmp_path}").label_set
    assert label_set.classes == ("sea", "land", "ship")
    assert label_set.from_stored(np.array([[0, 1, 3, 255]])).tolist() == [[255, 0, 2, 255]]
    with pytest.raises(UserError, match="values 4"):
        label_set.from_stored(np.array([[4]]))


@pytest.mark.parametrize(
    "options",
    [
        {"do_rescale": False, "image_mean": [120.0, 110.0, 100.0], "image_std": [60.0, 61.0, 62.0]},
        {"rescale_factor": 1 / 127.5, "image_mean": [1.0, 0.9, 0.8], "image_std": [1.0, 0.5, 0.4]},
        {"do_rescale": False, "do_normalize": False},
        {"rescale_factor": 1 / 127.5, "do_normalize": False},
    ],
    ids=["not rescaled", "another factor", "grey levels", "0 to 2"],
)
def test_the_rescaling_of_a_processor_counts(tmp_path, options):
    transformers = pytest.importorskip("transformers")
    save_segformer(transformers, tmp_path, ["sea", "land", "ship"], None)
    processor = transformers.SegformerImageProcessor(do_resize=False, **options)
    processor.save_pretrained(tmp_path)
    model = load_entry(model_entry(f"hf:{tmp_path}"), CPU)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    wanted = processor(Image.fromarray(pixels), return_tensors="pt")["pixel_values"].float()
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
    torch.testing.assert_close((x - model.mean) / model.std, wanted, rtol=1e-4, atol=1e-3)


def test_weights_in_half_precision_run_in_single(tmp_path):
    transformers = pytest.importorskip("transformers")
    save_segformer(transformers, tmp_path, ["a", "b", "c"], None)
    network = transformers.SegformerForSemanticSegmentation.from_pretrained(tmp_path).half()
    network.save_pretrained(tmp_path)
    model = load_entry(model_entry(f"hf:{tmp_path}"), CPU)
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    assert model(torch.rand(1, 3, 64, 64)).dtype == torch.float32


def test_upernet(tmp_path):
    transformers = pytest.importorskip("transformers")
    backbone = transformers.ConvNextConfig(hidden_sizes=[8] * 4, depths=[1] * 4, out_features=["stage1", "stage2", "stage3", "stage4"])
    config = transformers.UperNetConfig(
        backbone_config=backbone, hidden_size=16, auxiliary_in_channels=8, auxiliary_channels=8, **labels(["a", "b", "c"])
    )
    transformers.UperNetForSemanticSegmentation(config).save_pretrained(tmp_path)
    save_processor(transformers, tmp_path, (64, 64))
    check(f"hf:{tmp_path}", 3)


def test_mask2former(tmp_path):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("scipy")
    backbone = transformers.SwinConfig(
        embed_dim=8, depths=[1] * 4, num_heads=[1] * 4, window_size=4, out_features=["stage1", "stage2", "stage3", "stage4"]
    )
    config = transformers.Mask2FormerConfig(
        backbone_config=backbone,
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=16,
        dim_feedforward=16,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        num_queries=5,
        **labels(["a", "b", "c"]),
    )
    transformers.Mask2FormerForUniversalSegmentation(config).save_pretrained(tmp_path)
    save_processor(transformers, tmp_path, (64, 64))
    model = check(f"hf:{tmp_path}", 3)
    # The scores are the logarithms of sums of probabilities times masks in [0,1].
    assert model.scores(torch.rand(1, 3, 64, 64)).exp().sum(1).max() <= 5


def test_smp(tmp_path):
    smp = pytest.importorskip("segmentation_models_pytorch")
    smp.Unet("resnet18", encoder_weights=None, classes=4, decoder_channels=(32, 16, 8, 8, 8)).save_pretrained(tmp_path)
    assert check(f"smp:{tmp_path}", 4).label_set.classes == ("class 0", "class 1", "class 2", "class 3")
    smp.Unet("resnet18", encoder_weights=None, classes=1, decoder_channels=(32, 16, 8, 8, 8)).save_pretrained(tmp_path / "mask")
    model = check(f"smp:{tmp_path / 'mask'}", 2)
    assert model.label_set.classes == ("background", "object")
    assert any("has one output; it was taken for the score of object" in notice for notice in model.notices)


def test_smp_gives_scores_where_the_checkpoint_makes_probabilities(tmp_path):
    smp = pytest.importorskip("segmentation_models_pytorch")
    smp.Unet("resnet18", encoder_weights=None, classes=4, decoder_channels=(32, 16, 8, 8, 8), activation="softmax2d").save_pretrained(
        tmp_path
    )
    model = load_entry(model_entry(f"smp:{tmp_path}"), CPU)
    network = smp.from_pretrained(tmp_path).eval()
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model.scores(x).softmax(1), network((x - model.mean) / model.std), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("prefix", ["hf:", "smp:"])
def test_folder_without_a_model(prefix, tmp_path):
    pytest.importorskip("transformers")
    pytest.importorskip("segmentation_models_pytorch")
    with pytest.raises(UserError, match="could not be loaded"):
        model_entry(f"{prefix}{tmp_path}")


@pytest.mark.parametrize(("key", "command"), [("hf:x/y", "pip install transformers"), ("smp:x/y", "pip install segmentation-models")])
def test_missing_package_names_the_command(key, command, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name in ("transformers", "segmentation_models_pytorch"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=command):
        model_entry(key)
