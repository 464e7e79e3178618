"""The bundled model: encoder, loading, quality on the samples."""

import dataclasses
import re

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from segviz.data.datasets import labelled_pairs
from segviz.data.label_sets import CAMVID11
from segviz.data.samples import samples
from segviz.defences.load import load_model
from segviz.lab import figures_of, sample_picture, to_tensor
from segviz.models.build import FAMILY, build_voc7
from segviz.models.encoder import CHANNELS, STRIDES, EfficientNetLite0
from segviz.models.heads import FrontEnd, FrontEndWithContext
from segviz.models.load import load_entry
from segviz.models.zoo import FAMILY_KEYS, MODELS, STREETS
from segviz.studies.evaluate import evaluate
from segviz.training.__main__ import load_part
from segviz.types import UserError
from tests.shared import shared

ENTRY = MODELS["voc7-lraspp"]


@pytest.mark.parametrize(("height", "width"), [(64, 96), (65, 97), (213, 320), (33, 500)])
def test_logits_have_the_size_of_the_image(model, height, width):
    x = torch.rand(1, 3, height, width)
    assert model(x).shape == (1, 7, height, width)
    for stride, feature in model.features(x).items():
        assert feature.shape == (1, CHANNELS[stride], -(-height // stride), -(-width // stride))
    assert tuple(model.features(x)) == STRIDES


@pytest.mark.parametrize("decoder", FAMILY)
@pytest.mark.parametrize(("height", "width"), [(65, 97), (33, 50)])
def test_every_decoder_gives_logits_of_the_size_of_the_image(decoder, height, width):
    model = build_voc7(decoder).eval()
    x = torch.rand(2, 3, height, width)
    assert model(x).shape == (2, 7, height, width)
    assert {stride: feature.shape[1] for stride, feature in model.features(x).items()}.items() <= CHANNELS.items()


@pytest.mark.parametrize("dilated", [(32,), (16, 32)])
def test_dilation_keeps_the_features_on_a_finer_grid(model, dilated):
    """With the same weights, every cell of the plain encoder's features is found again on the dilated encoder's grid."""
    encoder = EfficientNetLite0(dilated).eval()
    load_part(encoder, "encoder.", ENTRY.weights)
    x = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        plain, fine = model.encoder(x)[32], encoder(x)[32]
    step = 2 ** len(dilated)
    assert fine.shape[-2:] == (plain.shape[-2] * step, plain.shape[-1] * step)
    torch.testing.assert_close(fine[..., step - 1 :: step, step - 1 :: step], plain, rtol=1e-3, atol=1e-4)


def test_a_network_may_look_at_the_picture_at_another_scale():
    """Its scores for the smaller picture, brought to the size of the larger one; gradients pass through."""
    torch.manual_seed(0)
    plain, half = build_voc7().eval(), build_voc7(scale=0.5).eval()
    half.load_state_dict(plain.state_dict())
    x = torch.rand(1, 3, 97, 130, requires_grad=True)
    small = F.interpolate(x, (48, 65), mode="bilinear")
    features = plain.features(small)
    torch.testing.assert_close(half.features(x)[4], features[4])
    torch.testing.assert_close(half(x), F.interpolate(plain.head(features), (97, 130), mode="bilinear"))
    (gradient,) = torch.autograd.grad(half(x).square().sum(), x)
    assert (gradient != 0).float().mean() > 0.9


def test_context_module_starts_as_the_identity():
    """On scores that are positive, which the truncation in between leaves alone."""
    head = FrontEndWithContext(7).eval()
    with torch.no_grad():
        head.classify.bias.fill_(50.0)
        features = {32: torch.rand(1, 320, 9, 11)}
        torch.testing.assert_close(head(features), FrontEnd.forward(head, features))


def test_cascade_sees_the_picture_at_two_sizes():
    """The coarse branches are the plain encoder's on the picture itself, the light one is on the doubled picture; scores depend on both."""
    torch.manual_seed(0)
    model = build_voc7("icnet").eval()
    x = torch.rand(1, 3, 66, 98)
    plain = EfficientNetLite0().eval()
    plain.load_state_dict({name: value for name, value in model.encoder.state_dict().items() if not name.startswith("light.")})
    normalised = (x - model.mean) / model.std
    features, expected = model.features(x), plain(normalised)
    assert tuple(features) == (4, 16, 32)
    assert torch.equal(features[16], expected[16])
    assert torch.equal(features[32], expected[32])
    assert torch.equal(features[4], model.encoder.light(F.interpolate(normalised, (132, 196), mode="bilinear")))
    light = torch.autograd.grad(model.head({**features, 4: features[4].requires_grad_()}).square().sum(), features[4])[0]
    assert (light != 0).float().mean() > 0.5


def test_pooling_indices_are_all_that_the_decoder_knows_of_the_finer_levels():
    """Features with their maxima at the same places give the same scores, whatever their values; other places give others."""
    model = load_model("voc7-segnet", torch.device("cpu"))
    picture = sample_picture("chelsea", dataclasses.replace(MODELS["voc7-segnet"], working_size=160))
    with torch.no_grad():
        features = model.features(to_tensor(picture.pixels, torch.device("cpu")))
        scores = model.head(features)
        assert torch.equal(model.head({**features, 8: 4 * features[8], 4: features[4] / 2}), scores)
        elsewhere = model.head({**features, 4: features[4].flip(-1)})
    assert (elsewhere - scores).abs().mean() > 0.05


@pytest.mark.parametrize("key", FAMILY_KEYS)
def test_bundled_models_find_the_cat(key):
    """Weights load strictly, fit in the box, and see chelsea, an easy cat, at half its size: with an IoU of 0.8, or as much as the card
    says of the cats of the validation set, where that is less."""
    entry = MODELS[key]
    on_card = re.search(r"^\| cat \| ([\d.]+) \|$", entry.weights.with_suffix(".md").read_text(), re.MULTILINE)
    assert on_card is not None
    model = load_model(key, torch.device("cpu"))
    picture = sample_picture("chelsea", dataclasses.replace(entry, working_size=160))
    with torch.no_grad():
        prediction = model(to_tensor(picture.pixels, torch.device("cpu"))).argmax(1)
    iou = figures_of(prediction, torch.from_numpy(picture.labels).unsqueeze(0), 7).iou
    assert iou[entry.label_set.classes.index("cat")] > min(0.8, float(on_card[1]) / 100)
    assert entry.weights.stat().st_size < 10e6


def test_bundled_models_fit_in_the_box_together():
    assert sum(MODELS[key].weights.stat().st_size for key in FAMILY_KEYS) <= 60e6
    assert MODELS[STREETS].weights.stat().st_size < 10e6


def drawn_street() -> tuple[np.ndarray, np.ndarray]:
    """A street drawn in perspective, (360,480,3) uint8, and its label map (360,480): sky, rows of houses with windows, a road."""
    rng = np.random.default_rng(0)
    fade = np.linspace(0, 1, 360)[:, None, None]
    picture = np.ascontiguousarray(np.broadcast_to((1 - fade) * (150, 180, 215) + fade * (225, 230, 235), (360, 480, 3)))
    labels = np.full((360, 480), CAMVID11.classes.index("sky"), np.uint8)

    def fill(corners, colour, name):
        mask = cv2.fillPoly(np.zeros((360, 480), np.uint8), [np.array(corners, np.int32)], 1) > 0
        picture[mask], labels[mask] = colour, CAMVID11.classes.index(name)

    for outer, inner, colour in ((0, 200, (150, 110, 90)), (479, 280, (165, 150, 130))):
        fill([(outer, 10), (inner, 145), (inner, 190), (outer, 335)], colour, "building")
        for left in np.arange(0.05, 0.95, 0.11):
            at = [(outer + (inner - outer) * t, 10 + 135 * t, 325 - 280 * t) for t in (left, left + 0.06)]
            for floor in (0.2, 0.45, 0.7):
                windows = [(x, top + floor * tall) for x, top, tall in at] + [(x, top + (floor + 0.14) * tall) for x, top, tall in at[::-1]]
                fill(windows, (60, 65, 75), "building")
    fill([(200, 190), (280, 190), (479, 335), (479, 359), (0, 359), (0, 335)], (95, 95, 98), "road")
    picture += cv2.GaussianBlur(rng.normal(0, 20, picture.shape), (0, 0), 1.2)
    return cv2.GaussianBlur(picture.clip(0, 255), (0, 0), 0.7).round().astype(np.uint8), labels


def test_a_drawn_street_is_seen():
    picture, labels = drawn_street()
    with torch.no_grad():
        found = load_model(STREETS, torch.device("cpu"))(to_tensor(picture, torch.device("cpu"))).argmax(1)[0].numpy()
    assert (found == labels).mean() > 0.7
    for name in ("sky", "building", "road"):
        mask = labels == CAMVID11.classes.index(name)
        assert (found[mask] == labels[mask]).mean() > 0.6, name


def test_frames_of_streets_are_seen_as_well_as_the_card_says():
    """A few frames, nearly as well as all that the card speaks of."""
    pairs = labelled_pairs(shared("camvid-sample"))[::6]
    found = evaluate(pairs, MODELS[STREETS], load_model(STREETS, torch.device("cpu")), None, lambda count: None).clean
    assert found.miou > MODELS[STREETS].val_miou - 0.1


def test_model_is_frozen_shared_and_small(model):
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert load_model("voc7-lraspp", torch.device("cpu")) is model
    assert ENTRY.weights.stat().st_size <= 10 * 2**20


def test_model_sees_the_samples(model):
    """On every sample most pixels are right, and every class of the label map is found."""
    for key in samples():
        picture = sample_picture(key, ENTRY)
        assert picture.labels is not None
        with torch.no_grad():
            prediction = model(to_tensor(picture.pixels, torch.device("cpu"))).argmax(1)
        figures = figures_of(prediction, torch.from_numpy(picture.labels).unsqueeze(0), 7)
        assert figures.pixel_accuracy > 0.8, key


def test_weights_that_do_not_fit_get_a_message(tmp_path):
    with pytest.raises(UserError, match="missing"):
        load_entry(dataclasses.replace(ENTRY, weights=tmp_path / "none.safetensors"), torch.device("cpu"))
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(ENTRY.weights.read_bytes()[:-1])
    with pytest.raises(UserError, match="damaged"):
        load_entry(dataclasses.replace(ENTRY, weights=damaged), torch.device("cpu"))
    state = load_file(ENTRY.weights)
    removed = next(iter(state))
    del state[removed]
    check_refused(tmp_path / "short.safetensors", state, removed)
    check_refused(tmp_path / "other.safetensors", {**load_file(ENTRY.weights), removed: torch.zeros(1)}, "do not fit")


def check_refused(file, state, message):
    import hashlib

    save_file(state, file)
    entry = dataclasses.replace(ENTRY, weights=file, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    with pytest.raises(UserError, match=message):
        load_entry(entry, torch.device("cpu"))


def test_unknown_key():
    with pytest.raises(UserError, match="Known: voc7-lraspp"):
        load_model("resnet", torch.device("cpu"))
