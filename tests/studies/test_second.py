"""A second network sees the pictures of an attack: its figures are of the files, and a twin sees what the first network saw."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from segviz.lab import attack_picture, sample_picture, to_tensor
from segviz.models.load import load_model
from segviz.models.zoo import MODELS
from segviz.records import figures_of_frame
from segviz.settings import Settings
from segviz.studies.second import as_seen_by

STEPS = Settings(steps=2, eps=4)


@pytest.fixture(scope="module")
def picture():
    whole = sample_picture("astronaut", MODELS["voc7-lraspp"])
    return replace(whole, pixels=np.ascontiguousarray(whole.pixels[:96, 60:156]), labels=whole.labels[:96, 60:156])


def test_a_twin_sees_what_the_attacked_network_saw(model, picture):
    attack = list(attack_picture(STEPS, picture, model))
    seen = list(as_seen_by("voc7-lraspp", model, attack))
    assert [len(snapshot.curve) for snapshot in seen] == [len(snapshot.curve) for snapshot in attack]
    assert (seen[-1].final.prediction == attack[-1].final.prediction).all()
    assert seen[-1].report.success == pytest.approx(attack[-1].report.success, abs=1e-6)
    assert replace(seen[-1].report, success=0) == replace(attack[-1].report, success=0)
    assert seen[0].clean == attack[0].clean


@pytest.mark.parametrize("labelled", [True, False])
def test_another_network_is_measured_on_the_same_files(model, picture, labelled):
    other = load_model("voc7-enet", torch.device("cpu"))
    shown = picture if labelled else replace(picture, labels=None)
    attack = list(attack_picture(STEPS, shown, model))
    last = list(as_seen_by("voc7-enet", other, attack))[-1]
    assert (last.final.pixels == attack[-1].final.pixels).all()
    with torch.no_grad():
        clean, now = (other(to_tensor(pixels, torch.device("cpu"))).argmax(1)[0].numpy() for pixels in (picture.pixels, last.final.pixels))
    assert (last.final.prediction == now).all()
    assert last.settings == replace(STEPS, model="voc7-enet")
    reference = picture.labels if labelled else clean
    assert last.report.adversarial == figures_of_frame(last.final, reference, 7)
    assert last.report.linf == attack[-1].report.linf
    # The curve is that of its own maps, and begins at its own clean figures.
    assert last.curve[0].miou == last.clean.miou == figures_of_frame(last.frames[0], reference, 7).miou
    assert last.curve[-1].gradients == attack[-1].curve[-1].gradients
