"""Networks that would fool the measurement: what is said of them, what is refused, and what the right scores are."""

import os
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from segviz.data.label_sets import plain_label_set
from segviz.defences.catalog import wrap
from segviz.models.adapt import scores_of
from segviz.models.entry import ModelEntry
from segviz.models.load import load_entry
from segviz.models.own import OwnModel, described_entry
from segviz.models.segmenter import Segmenter
from segviz.models.zoo import model_entry
from segviz.types import UserError

CPU = torch.device("cpu")
THREE = plain_label_set("three", ["ground", "cat", "dog"])
TWO = plain_label_set("two", ["ground", "cat"])
X = torch.rand(1, 3, 40, 56, generator=torch.Generator().manual_seed(5))


class Net(nn.Module):
    """A smooth network; `change` is what happens to its scores on their way out, `before` to the picture on its way in."""

    def __init__(self, change=lambda scores: scores, before=lambda x: x, classes=3):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv2d(3, classes, 3, padding=1)
        self.change, self.before = change, before

    def scores(self, x: Tensor) -> Tensor:
        return 4 * self.layer(x)

    def forward(self, x):
        return self.change(self.scores(self.before(x)))


def loaded(network: nn.Module, label_set=THREE, **stated: object) -> Segmenter:
    entry = described_entry("net", Path("net.py"), "net", OwnModel(network, label_set, (0.0,) * 3, (1.0,) * 3, **stated))
    return load_entry(ModelEntry(**{**vars(entry), "build": lambda: network}), CPU)


def said(network: nn.Module, label_set=THREE, **stated: object) -> str:
    return "\n".join(loaded(network, label_set, **stated).notices)


def test_nothing_is_said_where_all_is_well():
    assert loaded(Net().eval()).notices == ()
    assert loaded(nn.Sequential(Net(), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 3, 1))).notices == ()
    assert loaded(Net(lambda scores: scores.log_softmax(1))).notices == ()


def test_what_is_said_goes_along_with_wrappers():
    model = loaded(Net(lambda scores: scores.softmax(1)))
    assert wrap(model, "jpeg").notices == wrap(model, "multiscale").notices == model.notices != ()


def one_hot(scores: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(scores.argmax(1), 3).permute(0, 3, 1, 2).float() + 0 * scores


def left_half_lost(x: Tensor) -> Tensor:
    return torch.cat([x[..., : x.shape[3] // 2].detach(), x[..., x.shape[3] // 2 :]], 3)


@pytest.mark.parametrize(
    ("network", "share"),
    [
        (Net(one_hot), "all"),
        (Net(before=lambda x: (x * 255).round() / 255), "all"),
        (Net(before=left_half_lost), "(49|50)%"),
        (Net(before=lambda x: torch.cat([x[:, :1].detach(), x[:, 1:]], 1)), "33%"),
    ],
    ids=["one-hot", "rounding", "half of the picture", "one channel"],
)
def test_a_gradient_that_is_zero_where_scores_change(network, share):
    assert re.search(rf"gradient is zero at {share} of the picture's values", said(network))


def test_what_a_network_does_not_look_at_is_no_masked_gradient():
    assert said(Net(before=lambda x: x * torch.tensor([0.0, 1.0, 1.0]).view(1, 3, 1, 1))) == ""
    assert "gradient is zero at all" in said(Net(lambda scores: 0 * scores + torch.arange(3.0).view(1, 3, 1, 1)))


def test_a_gradient_that_is_not_finite():
    assert "not finite" in said(Net(before=lambda x: (x - x.mean(1, keepdim=True)).square().sum(1, keepdim=True).sqrt() + x))


class Counting(Net):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x) * (1 if self.calls % 2 else -1)


class OfTheBatch(Net):
    def forward(self, x):
        return super().forward(x - x.mean(0, keepdim=True).mean((2, 3), keepdim=True))


@pytest.mark.parametrize(
    "network", [Counting(), Net(before=lambda x: nn.functional.dropout(x, 0.3, training=True)), Net(lambda scores: scores + torch.rand(1))]
)
def test_calls_that_differ(network):
    assert "gives other scores when it is called again" in said(network)


def test_pictures_that_see_each_other():
    assert "other scores beside another one" in said(OfTheBatch())
    assert "one picture at a time only" in said(Net(before=lambda x: x.view(1, 3, *x.shape[2:])))


def test_probabilities_are_said_and_their_logarithm_offered():
    network = Net(lambda scores: scores.softmax(1))
    assert "are probabilities already (they sum to 1)" in said(network)
    assert "outputs = 'probabilities'" in said(network)
    assert "all lie between 0 and 1, as after a sigmoid" in said(Net(torch.sigmoid))
    model = loaded(network, outputs="probabilities")
    assert model.notices == ()
    torch.testing.assert_close(model(X), network.scores(X).log_softmax(1))
    assert loaded(network, outputs="scores").notices == ()
    with pytest.raises(UserError, match="is said to return probabilities, but returns values of -"):
        loaded(Net(), outputs="probabilities")


def test_one_output_is_a_mask_of_two_classes():
    plain, sigmoid = Net(classes=1), Net(torch.sigmoid, classes=1)
    model = loaded(plain, TWO)
    wanted = torch.cat([torch.zeros_like(plain.scores(X)), plain.scores(X)], 1)
    torch.testing.assert_close(model(X), wanted)
    assert model.notices == ("The network has one output; it was taken for the score of cat, and ground is the rest.",)
    model = loaded(sigmoid, TWO)
    torch.testing.assert_close(model(X).softmax(1), wanted.softmax(1))
    assert model.notices == ("The network has one output; it was taken for the probability of cat, and ground is the rest.",)
    with pytest.raises(UserError, match="1 outputs, but its label set three has 3"):
        loaded(plain)


@pytest.mark.parametrize("border", [1, 2, 20])
def test_scores_that_cover_less_than_the_picture_are_refused(border):
    with pytest.raises(UserError, match=r"cover less than the picture.*Pad within the network"):
        loaded(Net(lambda scores: scores[..., border:-border, border:-border]))


@pytest.mark.parametrize("network", [nn.Conv2d(3, 3, 3, stride=2, padding=1), nn.Conv2d(3, 3, 7, stride=8), nn.Conv2d(3, 3, 1, stride=4)])
def test_coarser_scores_that_cover_the_picture_are_not(network):
    assert loaded(network)(X).shape == (1, 3, 40, 56)


def turning_gradients_off(x: Tensor) -> Tensor:
    torch.set_grad_enabled(False)
    return x


def turning_dtype(scores: Tensor) -> Tensor:
    torch.set_default_dtype(torch.float64)
    return scores


def test_switches_of_the_process_are_put_back(tmp_path):
    with pytest.raises(UserError, match="set_grad_enabled"):
        loaded(Net(before=turning_gradients_off))
    assert torch.is_grad_enabled()
    assert "turns gradients for the whole process; that was put back" in said(Net(turning_gradients_off))
    assert torch.is_grad_enabled()
    model = loaded(Net(turning_dtype))
    assert "turns the default dtype for the whole process" in model.notices[0]
    assert model(X).dtype == torch.float32
    assert torch.get_default_dtype() == torch.float32
    here = os.getcwd()
    (tmp_path / "net.py").write_text(
        "import os, torch\nfrom torch import nn\n\n\ndef build():\n    torch.set_default_dtype(torch.float64)\n"
        "    os.chdir(os.sep)\n    return nn.Conv2d(3, 3, 1)\n"
    )
    model = load_entry(model_entry(f"{tmp_path}/net.py:build"), CPU)
    assert (torch.get_default_dtype(), os.getcwd()) == (torch.float32, here)
    assert "turns the default dtype and the working folder for the whole process" in model.notices[0]
    assert "weights are in float64; it was run in float32" in model.notices[1]
    assert model(X).dtype == torch.float32


class Later(Net):
    """Turns gradients off at the `calls`-th call that an attack makes."""

    def __init__(self, calls):
        super().__init__()
        self.calls = calls

    def forward(self, x):
        self.calls -= x.requires_grad
        if self.calls < 0:
            torch.set_grad_enabled(False)
        return super().forward(x)


def test_a_network_that_turns_gradients_off_during_an_attack_is_told_so():
    model = loaded(Later(30))

    def attack():
        for _ in range(40):
            model(X.clone().requires_grad_())

    with pytest.raises(UserError, match="no gradient with respect to the picture, as it switches gradients off for the whole process"):
        attack()
    assert torch.is_grad_enabled()
    assert "turns gradients for the whole process" in model.notices[-1]


def test_another_network_for_attacks_than_for_figures():
    assert "other scores while gradients are taken" in said(Net(lambda scores: scores if torch.is_grad_enabled() else -scores))


def with_gradient_of(scale: float):
    def hooked(scores: Tensor) -> Tensor:
        scores.register_hook(lambda gradient: scale * gradient) if scores.requires_grad else None
        return scores

    return hooked


def test_a_gradient_that_leads_elsewhere():
    assert "is not that of the scores: a small step along it changes them by -100%" in said(Net(with_gradient_of(-1.0)))
    # A stand-in for rounding leads where the scores go, and so does any part of the gradient.
    assert loaded(Net(before=lambda x: x + ((16 * x).round() / 16 - x).detach())).notices == ()
    assert loaded(Net(with_gradient_of(0.5))).notices == ()


@pytest.mark.parametrize(
    "stated",
    [
        {"input_size": (0, 0)},
        {"input_size": (96,)},
        {"multiple": 0},
        {"working_size": None},
        {"input_range": -1},
        {"input_range": "255"},
        {"mean": (0.5,)},
        {"mean": (124.0, 116.0, 104.0)},
        {"std": (0.0, 0.2, 0.2)},
        {"std": 0.5},
        {"channels": "grb"},
        {"outputs": "logits"},
        {"output": 1},
    ],
    ids=str,
)
def test_what_a_factory_states_is_checked(stated):
    ((field, value),) = stated.items()
    # Numbers of any kind will do.
    assert described_entry("net", Path("net.py"), "net", OwnModel(Net(), THREE, torch.full((3,), 0.5))).mean == (0.5, 0.5, 0.5)
    with pytest.raises(UserError, match=re.escape(f"{field} = {value!r} of net.py:net is not ")):
        described_entry("net", Path("net.py"), "net", OwnModel(Net(), THREE, **stated))


class Leaving(Net):
    def forward(self, x):
        raise SystemExit(3)


def test_a_network_that_ends_the_process_does_not(tmp_path):
    with pytest.raises(UserError, match="fails on 128x96 pixels: SystemExit: 3"):
        loaded(Leaving())


def test_what_a_network_prints_is_no_result(capsys):
    loaded(Net(before=lambda x: (print("hello"), x)[1]))
    out, err = capsys.readouterr()
    assert "hello" not in out
    assert "hello" in err


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_run_in_float32(dtype):
    model = loaded(Net().to(dtype))
    assert model(X).dtype == torch.float32
    assert f"weights are in {str(dtype).removeprefix('torch.')}; it was run in float32" in model.notices[0]
    assert loaded(Net(lambda scores: scores.half()))(X).dtype == torch.float32


def test_one_of_several_outputs():
    several = Net(lambda scores: (scores, -scores))
    model = loaded(several)
    torch.testing.assert_close(model(X), several.scores(X))
    assert "returns 2 outputs; the first was taken" in model.notices[0]
    second = loaded(several, output="1")
    torch.testing.assert_close(second(X), -several.scores(X))
    assert second.notices == ()
    with pytest.raises(UserError, match="'7' is none of their numbers, 0 to 1"):
        loaded(several, output="7")
    assert "returns 2 outputs" in said(Net(lambda scores: [scores, scores]))
    assert loaded(Net(lambda scores: (scores,))).notices == ()


def test_scores_by_name():
    named = Net(lambda scores: {"sem_seg": scores, "depth": scores[:, :1]})
    torch.testing.assert_close(loaded(named, output="sem_seg")(X), named.scores(X))
    with pytest.raises(UserError, match=r"returned 'sem_seg', 'depth', and nothing called 'out' or 'logits'.*output = "):
        loaded(named)
    with pytest.raises(UserError, match="nothing called 'nope'"):
        loaded(named, output="nope")
    with pytest.raises(UserError, match="returned as 'out' is a list, no tensor of class scores"):
        loaded(Net(lambda scores: {"out": [scores, scores]}))
    record = type("Record", (), {"seg": torch.zeros(1)})()
    assert scores_of(record, "seg") is record.seg


def test_order_and_range_of_the_input():
    network = Net()
    torch.testing.assert_close(loaded(network, channels="bgr")(X), network.scores(X.flip(1)))
    torch.testing.assert_close(loaded(network, input_range=255)(X), network.scores(255 * X))
    with pytest.raises(UserError, match="channels = 'grb'"):
        loaded(network, channels="grb")


def test_what_is_stated_behind_a_key(tmp_path):
    (tmp_path / "net.py").write_text(
        "import torch\nfrom torch import nn\n\n\ndef build():\n    torch.manual_seed(0)\n"
        "    return nn.Sequential(nn.Conv2d(3, 3, 1), nn.Softmax(1))\n"
    )
    plain, key = f"{tmp_path}/net.py:build", f"{tmp_path}/net.py:build@outputs=probabilities@channels=bgr@input_range=2"
    first, model = load_entry(model_entry(plain), CPU), load_entry(model_entry(key), CPU)
    torch.testing.assert_close(model(X), first.encoder[0](2 * X.flip(1)).log_softmax(1))
    assert model.notices == ()
    assert model_entry(key) is model_entry(key)
    assert model_entry(f"{key}+crf").outputs == "probabilities"
    with pytest.raises(UserError, match="outputs=logits behind the model's key is not 'scores' or 'probabilities'"):
        model_entry(f"{plain}@outputs=logits")
    with pytest.raises(UserError, match="only of your own models"):
        model_entry("voc7-lraspp@channels=bgr")


class Trained(Net):
    def __init__(self):
        super().__init__()
        self.normalise = nn.BatchNorm2d(3)

    def forward(self, x):
        return self.normalise(super().forward(x))


class AlwaysTraining(Trained):
    def train(self, mode=True):
        return super().train(True)


def test_training_mode_is_noticed():
    assert "came in training mode; it was put into evaluation mode" in said(Trained().train())
    assert loaded(Trained().eval()).notices == ()
    assert "stays in training mode although" in said(AlwaysTraining())


def test_weights_without_values():
    with torch.device("meta"):
        network = Net()
    with pytest.raises(UserError, match="weights without values"):
        loaded(network)
