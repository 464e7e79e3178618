"""The lab's second network: chosen by link or widget, it sees the first one's pictures or is attacked alike."""

import numpy as np
import pytest
import torch
from app_page import control, finish, open_page, pictures, text, until

from segviz.data.label_sets import VOC7
from segviz.lab import to_tensor
from segviz.models.load import load_model
from segviz.ui.lab.second import SecondRun, twins_of


def test_only_networks_of_the_same_classes_can_look_on():
    assert "voc7-lraspp-pgd" in twins_of("voc7-lraspp")
    assert not {"voc7-lraspp", "camvid11-lraspp", "selfie"} & set(twins_of("voc7-lraspp"))


@pytest.mark.parametrize("alike", [False, True])
def test_two_networks_one_attack(alike):
    link = {"second": "voc7-lraspp-pgd", **({"alike": "True"} if alike else {})}
    app = finish(open_page(image="camera", steps="1", attack="fgsm", **link))
    until(app, lambda: pictures(app, "Adversarial map, second network"))
    assert dict(app.query_params).items() >= link.items()
    assert control(app, "Second network").value == "voc7-lraspp-pgd"
    assert ("attacked with the same settings" if alike else "which sees the same pictures") in text(app)
    first, second = pictures(app, "Adversarial")[0], app.session_state[f"{SecondRun.__module__}.SecondRun"].job.latest
    assert np.array_equal(second.final.pixels, first) != alike
    with torch.no_grad():
        seen = load_model("voc7-lraspp-pgd", torch.device("cpu"))(to_tensor(second.final.pixels, torch.device("cpu"))).argmax(1)[0].numpy()
    assert (second.final.prediction == seen).all()
    assert len(VOC7.classes) == len(second.clean.iou)
