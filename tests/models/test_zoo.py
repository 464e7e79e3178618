"""The catalogue's downloaded entries: strict loading, accuracy, statistics, gradients."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from segviz.data.datasets import labelled_pairs
from segviz.data.label_sets import CITYSCAPES19, VOC7, VOC21
from segviz.models import fetch
from segviz.models.adapt import AdaptedSegmenter, RelabelledSegmenter
from segviz.models.enet import ENet
from segviz.models.espnetv2 import WIDTHS, ESPNetv2
from segviz.models.load import load_entry
from segviz.models.zoo import MODELS
from segviz.studies.evaluate import evaluate
from segviz.types import UserError
from tests.shared import shared

CPU = torch.device("cpu")
PUBLISHED = {
    "espnetv2-voc-2.0-384": "espnetv2_s_2.0_pascal_384x384.pth",
    "espnetv2-voc-0.5-256": "espnetv2_s_0.5_pascal_256x256.pth",
    "espnetv2-city-2.0-1024x512": "espnetv2_s_2.0_city_1024x512.pth",
    "espnetv2-city-0.5-512x256": "espnetv2_s_0.5_city_512x256.pth",
    "enet-city": "enet_crop-1024_800epoch.pth",
}


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Loads an entry from the file that a user put into the cache by hand, without a network."""
    monkeypatch.setenv("SEGVIZ_CACHE", str(tmp_path))
    monkeypatch.setattr(fetch, "download", lambda *arguments: pytest.fail("a download was tried"))

    def load(key):
        shutil.copy(shared(f"weights/{PUBLISHED[key]}"), tmp_path)
        return load_entry(MODELS[key], CPU)

    return load


@pytest.mark.parametrize("key", PUBLISHED)
def test_published_weights_load_strictly(published, key):
    model = published(key)
    entry = MODELS[key]
    assert entry.state == "cached"
    assert entry.size == pytest.approx(entry.bytes, rel=0.05)
    assert model(torch.rand(1, 3, 70, 100)).shape == (1, len(entry.label_set.classes), 70, 100)


@pytest.mark.parametrize(
    ("key", "limit", "accuracy", "miou"),
    [("espnetv2-city-2.0-1024x512", 2, 0.9340, 0.5777), ("espnetv2-city-0.5-512x256", 2, 0.8554, 0.4054), ("enet-city", 2, 0.9467, None)],
)
def test_accuracy_on_street_scenes(published, key, limit, accuracy, miou):
    """Figures at the frames' own size; mIoU over the 13 classes that are in the labels."""
    pairs = labelled_pairs(shared("cityscapes-sample"))
    entry = dataclasses.replace(MODELS[key], working_size=2048)
    found = evaluate(pairs, entry, published(key), None, lambda count: None).clean
    assert found.pixel_accuracy == pytest.approx(accuracy, abs=0.01)
    labels = set.union(*(set(np.unique(np.array(Image.open(path))).tolist()) for _, path in pairs)) - {255}
    assert len(labels) == 13
    if miou is not None:
        assert np.mean([found.iou[label] for label in labels]) == pytest.approx(miou, abs=0.01)


@pytest.mark.parametrize(("key", "accuracy", "miou"), [("espnetv2-voc-2.0-384", 0.9211, 0.7163)])
def test_accuracy_on_photos_read_in_seven_classes(published, key, accuracy, miou):
    """The first 60 of the 445 photos; all of them give 93.2 % and 73.1 %."""
    pairs = labelled_pairs(shared("voc7/val"))[:60]
    entry = dataclasses.replace(MODELS[key], label_set=VOC7)
    found = evaluate(pairs, entry, RelabelledSegmenter(published(key), VOC7), None, lambda count: None).clean
    assert found.pixel_accuracy == pytest.approx(accuracy, abs=0.01)
    assert found.miou == pytest.approx(miou, abs=0.01)


def test_every_entry_says_where_its_weights_come_from():
    for entry in MODELS.values():
        assert entry.licence
        assert entry.file is not None
        if entry.url is not None:
            assert len(entry.sha256) in (8, 64)
            assert entry.size > 100_000
        if not entry.key.startswith("torchvision"):
            with torch.device("meta"):
                assert entry.parameters == sum(parameter.numel() for parameter in entry.build().parameters())
        assert len(entry.label_set.palette) == len(entry.label_set.classes)


def test_torchvision_entries_are_those_of_its_enums():
    segmentation = pytest.importorskip("torchvision.models.segmentation", exc_type=(ImportError, RuntimeError))
    enums = {
        "fcn-resnet50": segmentation.FCN_ResNet50_Weights,
        "fcn-resnet101": segmentation.FCN_ResNet101_Weights,
        "deeplabv3-resnet50": segmentation.DeepLabV3_ResNet50_Weights,
        "deeplabv3-resnet101": segmentation.DeepLabV3_ResNet101_Weights,
        "deeplabv3-mobilenetv3": segmentation.DeepLabV3_MobileNet_V3_Large_Weights,
        "lraspp-mobilenetv3": segmentation.LRASPP_MobileNet_V3_Large_Weights,
    }
    for key, enum in enums.items():
        entry, weights = MODELS[f"torchvision-{key}"], enum.COCO_WITH_VOC_LABELS_V1
        assert entry.url == weights.url
        assert entry.size == round(weights.meta["_file_size"] * 2**20)
        assert entry.published.startswith(str(weights.meta["_metrics"]["COCO-val2017-VOC-labels"]["miou"]))
        assert entry.parameters == weights.meta["num_params"]
        transforms = weights.transforms()
        assert (entry.mean, entry.std) == (tuple(transforms.mean), tuple(transforms.std))
        names = [{"__background__": "background"}.get(name, name) for name in weights.meta["categories"]]
        assert tuple(names) == entry.label_set.classes


@pytest.mark.parametrize("key", ["torchvision-lraspp-mobilenetv3", "torchvision-deeplabv3-mobilenetv3"])
def test_torchvision_network_behind_the_face(key):
    pytest.importorskip("torchvision", exc_type=(ImportError, RuntimeError))
    model = AdaptedSegmenter(MODELS[key].build(), MODELS[key]).eval()
    x = torch.rand(1, 3, 65, 97, requires_grad=True)
    assert model(x).shape == (1, 21, 65, 97)
    features = model.features(x)
    assert tuple(features) == MODELS[key].layers
    sum(feature.mean() for feature in features.values()).backward()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("width", WIDTHS)
def test_espnetv2_widths(width):
    network = ESPNetv2(width, 20, 19).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 3, 64, 96)).shape == (1, 19, 64, 96)


@pytest.mark.parametrize(("build", "options"), [(lambda: ESPNetv2(0.5, 21), {"input_size": (64, 32)}), (lambda: ENet(21), {"multiple": 8})])
def test_input_gradient_agrees_with_finite_differences(build, options):
    """Through squash, network and upsampling, in float64."""
    torch.manual_seed(0)
    entry = dataclasses.replace(MODELS["espnetv2-voc-0.5-256"], **{"input_size": None, "layers": (), **options})
    model = AdaptedSegmenter(build(), entry).eval().double()
    x = torch.rand(1, 3, 37, 50, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(1, 21, 37, 50, dtype=torch.float64)
    (model(x) * weight).sum().backward()
    direction = torch.randn_like(x)
    step = 1e-8
    with torch.no_grad():
        difference = ((model(x + step * direction) - model(x - step * direction)) * weight).sum() / (2 * step)
    assert (x.grad * direction).sum().item() == pytest.approx(difference.item(), rel=1e-3)


def test_squash_is_what_pillow_does():
    """Resizing inside the model agrees with Pillow's bilinear resize to within its rounding to 8 bits."""
    levels = torch.randint(0, 256, (90, 140, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    seen = []

    class Look(torch.nn.Module):
        def forward(self, x):
            seen.append(x)
            return x.repeat(1, 7, 1, 1)

    entry = dataclasses.replace(MODELS["espnetv2-voc-0.5-256"], input_size=(64, 48), mean=(0, 0, 0), std=(1, 1, 1))
    AdaptedSegmenter(Look(), entry)(levels.permute(2, 0, 1).unsqueeze(0) / 255)
    expected = np.array(Image.fromarray(levels.numpy()).resize((64, 48), Image.Resampling.BILINEAR))
    assert np.abs(seen[0][0].permute(1, 2, 0).numpy() * 255 - expected).max() <= 1


def test_relabelled_prediction_is_the_translated_prediction():
    class Given(AdaptedSegmenter):
        def forward(self, x):
            return scores

    scores = torch.randn(1, 21, 9, 11, generator=torch.Generator().manual_seed(2))
    model = Given(torch.nn.Identity(), MODELS["espnetv2-voc-0.5-256"])
    found = RelabelledSegmenter(model, VOC7)(torch.rand(1, 3, 9, 11)).argmax(1)
    expected = torch.tensor([VOC7.index_of.get(index, 0) for index in range(21)])[scores.argmax(1)]
    assert torch.equal(found, expected)
    with pytest.raises(UserError, match="no meaningful counterpart"):
        RelabelledSegmenter(model, CITYSCAPES19)
    assert model.label_set is VOC21
