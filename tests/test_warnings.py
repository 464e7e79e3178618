"""What is noticed but not refused stands where the figures stand: in the JSON of every command, and on stderr."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segviz.cli import main
from segviz.data.samples import samples
from segviz.records import Point, gathered, lost_again, still_loss

SIZE = (96, 64)
NET = """
import torch
from torch import nn
from segviz.data.label_sets import VOC7
from segviz.models.own import OwnModel


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv2d(3, 7, 3, padding=1)

    def forward(self, x):
        return (20 * self.layer(x)).softmax(1)


def build():
    return OwnModel(Net(), VOC7, (0.0,) * 3, (1.0,) * 3)


def one_hot():
    class OneHot(Net):
        def forward(self, x):
            scores = super().forward(x)
            return nn.functional.one_hot(scores.argmax(1), 7).permute(0, 3, 1, 2).float() + 0 * scores

    return OwnModel(OneHot(), VOC7, (0.0,) * 3, (1.0,) * 3)


def blind():
    class Blind(Net):
        def forward(self, x):
            return super().forward(x) + 100 * torch.eye(7)[2].view(1, 7, 1, 1)

    return OwnModel(Blind(), VOC7, (0.0,) * 3, (1.0,) * 3, outputs="scores")
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data-set folder of two small photos: one with a mask of 0 and 255 in place of a label map; and a network beside it."""
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    for key in ("chelsea", "horses"):
        sample = samples()[key]
        Image.open(sample.photo).convert("RGB").resize(SIZE).save(tmp_path / "images" / f"{key}.png")
        ids = np.array(Image.fromarray(np.array(Image.open(sample.labels))).resize(SIZE, Image.Resampling.NEAREST))
        if key == "chelsea":
            ids = np.where(ids == 8, 255, 0).astype(np.uint8)
        Image.fromarray(ids).save(tmp_path / "labels" / f"{key}.png")
    (tmp_path / "net.py").write_text(NET)
    return tmp_path


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict, str]:
    assert main(list(arguments)) == 0
    out, err = capsys.readouterr()
    return json.loads(out), err


def test_attack(data, capsys):
    photo, mask = str(data / "images" / "chelsea.png"), str(data / "labels" / "chelsea.png")
    command = ["attack", "--attack", "fgsm", "--image", photo]
    result, said = ran(capsys, *command, "--labels", mask)
    assert "holds 255 and 0 alone" in result["warnings"][0]
    assert f"warning: {result['warnings'][0]}" in said
    assert set(result["clean"]["iou"]) == set(result["adversarial"]["iou"])
    read, said = ran(capsys, *command, "--labels", mask, "--mask-class", "cat")
    assert read["warnings"] == []
    assert "warning" not in said
    assert read["clean"]["iou"]["cat"] > 0.3
    target, _ = ran(capsys, *command, "--target-map", mask, "--steps", "1")
    assert "Target map: The label map holds 255 and 0 alone" in target["warnings"][0]
    softmax, _ = ran(capsys, *command, "--model", f"{data}/net.py:build", "--eps", "1")
    assert any("are probabilities already" in warning for warning in softmax["warnings"])


def test_attack_says_what_masks_gradients(data, capsys):
    photo = str(data / "images" / "horses.png")
    result, _ = ran(capsys, "attack", "--attack", "pgd", "--steps", "2", "--image", photo, "--model", f"{data}/net.py:one_hot")
    assert any("gradient is zero at all of the picture's values" in warning for warning in result["warnings"])
    result, _ = ran(capsys, "attack", "--attack", "pgd", "--steps", "2", "--image", photo, "--model", f"{data}/net.py:blind")
    assert any("sees" in warning and "everywhere before any attack" in warning for warning in result["warnings"])
    assert any("Masked gradients? The loss of the attack hardly moves" in warning for warning in result["warnings"])


def test_evaluate(data, capsys):
    result, said = ran(capsys, "evaluate", "--data", str(data))
    (warning,) = result["warnings"]
    assert warning.startswith("1 of 2 pictures (chelsea): The label map holds 255 and 0 alone")
    assert f"warning: {warning}" in said
    result, _ = ran(capsys, "evaluate", "--data", str(data), "--model", f"{data}/net.py:blind")
    assert any("everywhere before any attack" in warning for warning in result["warnings"])
    (data / "labels.toml").write_text('classes = ["ground", "cat"]\nids = [0, 8]\nmask_class = "unicorn"\n')
    assert main(["evaluate", "--data", str(data)]) == 2
    assert "mask_class = 'unicorn'" in capsys.readouterr().err


def test_transfer_and_defences(data, capsys):
    result, _ = ran(capsys, "transfer", "--data", str(data), "--attack", "fgsm", "--victims", f"{data}/net.py:build")
    assert any("net.py:build: The network's outputs are probabilities" in warning for warning in result["warnings"])
    assert any("1 of 2 pictures (chelsea)" in warning for warning in result["warnings"])
    command = ["defences", "--data", str(data), "--attack", "fgsm", "--budget", "1", "--defence", "median"]
    result, said = ran(capsys, *command, "--json", "-")
    assert [row["defence"] for row in result["rows"]] == ["", "median"]
    assert "1 of 2 pictures (chelsea)" in result["warnings"][0]
    assert "1 of 2 pictures (chelsea)" in said


def test_scale_attack(data, capsys):
    broken = data / "broken.png"
    Image.open(data / "images" / "horses.png").save(broken, exif=b"Exif\0\0nonsense")
    target = data / "target.png"
    Image.new("RGB", (32, 32), (200, 30, 30)).save(target)
    result, _ = ran(capsys, "scale-attack", "--source", str(broken), "--target", str(target), "--kernel", "nearest")
    assert result["warnings"] == ["source: The photo's EXIF data are damaged; it is shown as it is stored."]
    result, _ = ran(capsys, "scale-attack", "--source", str(data / "images" / "horses.png"), "--target", str(target), "--kernel", "nearest")
    assert result["warnings"] == []


def test_study(data, capsys, monkeypatch):
    monkeypatch.setenv("SEGVIZ_STUDIES", str(data / "store"))
    (data / "study.toml").write_text(
        f'name = "masks"\nmodels = ["voc7-lraspp"]\neps = [2]\nattacks = ["fgsm"]\nimages = {{ folder = "{data}" }}\n'
    )
    for _ in range(2):
        # Computed, and then from the store.
        assert main(["study", str(data / "study.toml"), "--out", str(data / "out")]) == 0
        (row,) = json.loads((data / "out" / "table.json").read_text())
        assert "1 of 2 pictures (chelsea): The label map holds 255" in row["warnings"][0]
    assert "warning: 1 of 2 pictures" in capsys.readouterr().err


def test_what_many_pictures_say_is_said_once():
    assert gathered([("a", ("odd",))]) == ("odd",)
    assert gathered([("a", ()), ("b", ())]) == ()
    assert gathered([("a", ("odd",)), ("b", ("odd", "even")), ("c", ())]) == ("2 of 3 pictures (a, b): odd", "1 of 3 pictures (b): even")
    assert gathered((str(n), ("odd",)) for n in range(5)) == ("5 of 5 pictures (0, 1, 2, ...): odd",)


def points(losses: list[float], wins: list[float]) -> list[Point]:
    return [Point(index, loss, won, 0.0, 0.0) for index, (loss, won) in enumerate(zip(losses, wins, strict=True))]


def test_signs_in_a_curve():
    assert still_loss(points([1.0, 1.004, 1.002], [0.1] * 3))
    assert not still_loss(points([1.0, 1.5, 2.0], [0.1] * 3))
    assert "had won 50.0% of the pixels and ended at 20.0%" in lost_again(points([1.0] * 3, [0.1, 0.5, 0.2]))
    assert lost_again(points([1.0] * 3, [0.1, 0.5, 0.46])) == ""
