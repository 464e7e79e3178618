"""The user's own models: configuration, factories, checkpoints, and a message for each way to go wrong."""

import pickle
import re
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from segviz.cli import main
from segviz.defences.load import load_model
from segviz.models.checkpoint import read_checkpoint
from segviz.models.load import load_entry
from segviz.models.own import OwnModel, run_factory
from segviz.models.zoo import catalogue, configured, model_entry
from segviz.places import ASSETS, HOME
from segviz.types import UserError

CPU = torch.device("cpu")
FACTORY = """
import torch
from torch import nn
from segviz.models.own import OwnModel, run_factory


class Tiny(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv2d(3, classes, 3, padding=1)

    def forward(self, x):
        return self.layer(x)


def build():
    return Tiny()


def with_statistics():
    return OwnModel(Tiny(), "labels.toml", mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


def seven():
    return Tiny(7)


def coarse():
    return nn.Sequential(Tiny(), nn.AvgPool2d(4))


def other_size():
    return nn.Sequential(Tiny(), nn.AdaptiveAvgPool2d(10))


def vector():
    return nn.Sequential(Tiny(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def not_finite():
    network = Tiny()
    nn.init.constant_(network.layer.weight, float("nan"))
    return network


def broken():
    raise RuntimeError("no such luck")


def leaves():
    raise SystemExit(3)


class Through(Tiny):
    # Something happens to the scores on their way out.

    def __init__(self, change, classes=3):
        super().__init__(classes)
        self.change = change

    def forward(self, x):
        return self.change(super().forward(x))


def whole_numbers():
    return Through(lambda scores: scores.long())


def empty():
    return Through(lambda scores: scores[:, :, :0, :0])


def without_gradient():
    return Through(torch.Tensor.detach)


def multiples_of_eight():
    # A skip over three poolings, as in a U-Net.
    return Through(lambda scores: scores + nn.functional.interpolate(nn.functional.max_pool2d(scores, 8), scale_factor=8))


def not_finite_on_wide_pictures():
    return Through(lambda scores: scores * (float("nan") if scores.shape[3] > 200 else 1))


def mapping():
    return Through(lambda scores: {"out": scores})


def one_output():
    return Tiny(1)


def too_many():
    return Tiny(300)


def number():
    return 3
"""
LABELS = 'classes = ["ground", "cat", "dog"]\nids = [0, 8, 12]\n'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a factory and a label file, and `segviz.toml` beside them through the environment."""
    (tmp_path / "tiny.py").write_text(FACTORY)
    (tmp_path / "labels.toml").write_text(LABELS)
    monkeypatch.setenv("SEGVIZ_CONFIG", str(tmp_path / "segviz.toml"))
    return tmp_path


def configure(folder: Path, **fields: object) -> None:
    lines = "\n".join(f"{name} = {value!r}" for name, value in {"factory": "tiny.py:build", "labels": "labels.toml", **fields}.items())
    (folder / "segviz.toml").write_text(f"[models.tiny]\n{lines}\n")


def test_configured_model_with_checkpoint(folder, capsys):
    """Listed, loaded with the weights of its checkpoint, attacked from the terminal."""
    weight = torch.full((3, 3, 3, 3), 0.5)
    save_file({"layer.weight": weight, "layer.bias": torch.zeros(3)}, folder / "tiny.safetensors")
    configure(folder, title="Tiny", checkpoint="tiny.safetensors", mean=[0.5, 0.5, 0.5], std=[0.25, 0.25, 0.25], working_size=64)
    entry = catalogue()["tiny"]
    assert entry.label_set.classes == ("ground", "cat", "dog")
    assert entry.label_set.index_of == {0: 0, 8: 1, 12: 2}
    assert (entry.state, entry.working_size, entry.title) == ("own", 64, "Tiny")
    model = load_model("tiny", CPU)
    assert torch.equal(model.encoder.layer.weight, weight)
    x = torch.rand(1, 3, 40, 50)
    assert torch.allclose(model(x), model.encoder((x - 0.5) / 0.25))
    assert set(model.features(x)) == {"layer"}
    sample = str(ASSETS / "samples" / "chelsea.png")
    assert main(["attack", "--model", "tiny", "--image", sample, "--attack", "fgsm", "--against", "prediction"]) == 0
    assert '"dog"' in capsys.readouterr().out


def test_configuration_is_read_again_after_a_change(folder):
    assert "tiny" not in catalogue()
    configure(folder, working_size=64)
    assert catalogue()["tiny"].working_size == 64
    first = load_model("tiny", CPU)
    configure(folder, working_size=100)
    assert catalogue()["tiny"].working_size == 100
    assert load_model("tiny", CPU) is not first


def test_files_that_the_configuration_names_are_read_again_after_a_change(folder):
    """Checkpoint, label file, factory, and a file that the factory imports."""
    (folder / "gain.py").write_text("GAIN = 1.0\n")
    (folder / "tiny.py").write_text(
        FACTORY + "\n\ndef gained():\n    from gain import GAIN\n    return Through(lambda scores: GAIN * scores)\n"
    )
    weights = {"layer.weight": torch.ones(3, 3, 3, 3), "layer.bias": torch.zeros(3)}
    save_file(weights, folder / "tiny.safetensors")
    configure(folder, factory="tiny.py:gained", checkpoint="tiny.safetensors")
    x = torch.rand(1, 3, 40, 50)
    first = load_model("tiny", CPU)(x)
    assert load_model("tiny", CPU) is load_model("tiny", CPU)
    save_file({name: 2 * value for name, value in weights.items()}, folder / "tiny.safetensors")
    torch.testing.assert_close(load_model("tiny", CPU)(x), 2 * first)
    (folder / "gain.py").write_text("GAIN = 3\n")
    torch.testing.assert_close(load_model("tiny", CPU)(x), 6 * first)
    (folder / "labels.toml").write_text(LABELS.replace("dog", "cow"))
    assert load_model("tiny", CPU).label_set.classes[2] == "cow"
    (folder / "tiny.py").write_text("")
    with pytest.raises(UserError, match="no callable gained"):
        load_model("tiny", CPU)


def test_what_the_factory_says_counts_where_the_table_says_nothing(folder):
    (folder / "segviz.toml").write_text('[models.tiny]\nfactory = "tiny.py:with_statistics"\nworking_size = 64\n')
    entry = model_entry("tiny")
    assert (entry.mean, entry.std, entry.working_size) == ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25), 64)
    assert entry.label_set.classes == ("ground", "cat", "dog")
    configure(folder, factory="tiny.py:with_statistics", mean=[0.1, 0.1, 0.1])
    assert (model_entry("tiny").mean, model_entry("tiny").std) == ((0.1, 0.1, 0.1), (0.25, 0.25, 0.25))
    (folder / "segviz.toml").write_text('[models.tiny]\nfactory = "tiny.py:build"\n')
    with pytest.raises(UserError, match="field labels is missing"):
        model_entry("tiny")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"colour": 1}, "unknown field colour"),
        ({"factory": "tiny.build"}, "is no factory"),
        ({"labels": "none.toml"}, "There is no label file"),
        ({"mean": [0.5]}, "not a list of three numbers"),
        ({"mean": [123.7, 116.3, 103.5]}, "divide those of grey levels by 255"),
        ({"std": [0.5, 0, 0.5]}, "not a list of three numbers above 0"),
        ({"input_size": [64, 64, 64]}, "not \\[width, height\\]"),
        ({"working_size": 0}, "not a whole number above 0"),
        ({"checkpoint": 5}, "checkpoint = 5 is no text"),
        ({"checkpoint": "lost.pt"}, "there is no checkpoint .*lost"),
        ({"factory": "lost.py:build"}, "There is no file .*lost"),
        ({"factory": "tiny.py:broken"}, "no such luck"),
        ({"hub": "hf:x/y"}, "leave out factory and checkpoint"),
        ({"channels": "grb"}, "channels = 'grb' is not 'rgb' or 'bgr'"),
        ({"input_range": 0}, "input_range = 0 is not a number above 0"),
        ({"outputs": "logits"}, "outputs = 'logits' is not 'scores' or 'probabilities'"),
        ({"output": 1}, "output = 1 is not a text"),
    ],
)
def test_a_mistake_in_the_configuration_costs_that_model_alone(folder, capsys, fields, message):
    configure(folder, **fields)
    with (folder / "segviz.toml").open("a") as file:
        file.write('[models.good]\nfactory = "tiny.py:build"\nlabels = "labels.toml"\n')
    with pytest.raises(UserError, match=rf"\[models\.tiny\] in .*segviz\.toml: .*{message}"):
        model_entry("tiny")
    assert "tiny" not in catalogue()
    assert model_entry("good").state == "own"
    assert main(["models"]) == 0
    printed = capsys.readouterr()
    assert "good" in printed.out
    assert "[models.tiny]" in printed.err


@pytest.mark.parametrize("key", ["voc7-lraspp", "'net+crf'", "'hf:x'", "upload-1"])
def test_keys_that_mean_something_else_are_refused(folder, key):
    (folder / "segviz.toml").write_text(f'[models.{key}]\nfactory = "tiny.py:build"\nlabels = "labels.toml"\n')
    ((name, fault),) = configured().faults.items()
    assert name == key.strip("'")
    assert "key" in fault
    assert name not in configured().entries


def test_a_file_that_is_no_configuration_is_named(folder):
    (folder / "segviz.toml").write_text("[models")
    with pytest.raises(UserError, match=r"Unknown model 'tiny'.*segviz\.toml is no TOML"):
        model_entry("tiny")
    (folder / "segviz.toml").write_text("[model.tiny]\n")
    with pytest.raises(UserError, match="nothing else; it has model"):
        model_entry("tiny")
    (folder / "segviz.toml").unlink()
    with pytest.raises(UserError, match=r"SEGVIZ_CONFIG names the file .*, which is not there"):
        model_entry("tiny")
    assert load_model("voc7-lraspp", CPU)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("seven", "7 outputs, but its label set labels has 3 classes"),
        ("other_size", "10x10 for a picture of 128x96"),
        ("vector", r"shape \(1, 3\)"),
        ("not_finite", "not finite"),
        ("broken", "RuntimeError: no such luck"),
        ("leaves", "SystemExit: 3"),
        ("number", "returned int"),
        ("missing", "no callable missing"),
        ("whole_numbers", "torch.int64; expected floating-point scores"),
        ("empty", "0x0 for a picture"),
        ("without_gradient", "no gradient with respect to the picture"),
        ("multiples_of_eight", "works on 128x96 pixels, but not on all sizes.*fails on 149x107 pixels: RuntimeError.* state multiple = 32"),
    ],
)
def test_networks_that_do_not_fit(folder, name, message):
    configure(folder, factory=f"tiny.py:{name}")
    with pytest.raises(UserError, match=message):
        load_entry(model_entry("tiny"), CPU)


def test_a_multiple_helps_networks_that_need_one(folder):
    configure(folder, factory="tiny.py:multiples_of_eight", multiple=8)
    assert load_entry(model_entry("tiny"), CPU)(torch.rand(1, 3, 50, 70)).shape == (1, 3, 50, 70)


def test_what_shows_on_large_pictures_only_is_no_result(folder, capsys):
    """A run over scores that are not finite would report that nothing happened."""
    configure(folder, factory="tiny.py:not_finite_on_wide_pictures")
    sample = str(ASSETS / "samples" / "chelsea.png")
    assert main(["attack", "--model", "tiny", "--image", sample, "--attack", "fgsm"]) == 2
    assert "pixels are not finite" in capsys.readouterr().err


def test_layers_must_be_there(folder):
    configure(folder, layers=["layer"])
    assert set(load_entry(model_entry("tiny"), CPU).features(torch.rand(1, 3, 40, 50))) == {"layer"}
    configure(folder, layers=["layer", "nope"])
    with pytest.raises(UserError, match="no layer nope"):
        load_entry(model_entry("tiny"), CPU)


def test_even_coarser_scores_are_upsampled(folder):
    configure(folder, factory="tiny.py:coarse")
    assert load_entry(model_entry("tiny"), CPU)(torch.rand(1, 3, 40, 52)).shape == (1, 3, 40, 52)


def test_factory_by_path(folder):
    plain = model_entry(f"{folder}/tiny.py:build")
    assert plain.label_set.classes == ("class 0", "class 1", "class 2")
    x = torch.rand(1, 3, 40, 50)
    model = load_entry(plain, CPU)
    assert torch.equal(model(x), model.encoder(x))
    described = load_entry(model_entry(f"{folder}/tiny.py:with_statistics"), CPU)
    assert described.label_set.classes == ("ground", "cat", "dog")
    assert torch.allclose(described(x), described.encoder((x - 0.5) / 0.25))
    with pytest.raises(UserError, match="There is no file"):
        model_entry(f"{folder}/other.py:build")
    assert load_entry(model_entry(f"{folder}/tiny.py:mapping"), CPU)(x).shape == (1, 3, 40, 50)
    assert load_entry(model_entry(f"{folder}/tiny.py:one_output"), CPU)(x).shape == (1, 2, 40, 50)
    with pytest.raises(UserError, match="tells 300 classes apart; a map of 8 bits takes 2 to 255"):
        load_entry(model_entry(f"{folder}/tiny.py:too_many"), CPU)


def test_factory_as_projects_write_them(folder):
    """Files beside it are imported, and annotations are strings."""
    (folder / "parts_of_it.py").write_text("CLASSES = 5\n")
    (folder / "project.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom parts_of_it import CLASSES\nfrom torch import nn\n\n\n"
        "@dataclass\nclass Options:\n    classes: int = CLASSES\n\n\n"
        "def build():\n    return nn.Conv2d(3, Options().classes, 1)\n"
    )
    before = list(sys.path)
    assert len(model_entry(f"{folder}/project.py:build").label_set.classes) == 5
    assert sys.path == before


def test_checkpoints_hold_tensors_and_nothing_else(tmp_path):
    network = nn.Conv2d(3, 2, 1)
    torch.save({"state_dict": network.state_dict(), "epoch": 3}, tmp_path / "good.pth")
    assert set(read_checkpoint(tmp_path / "good.pth")) == {"weight", "bias"}

    torch.save(network, tmp_path / "module.pth")
    with pytest.raises(UserError, match="more than tensors"):
        read_checkpoint(tmp_path / "module.pth")
    (tmp_path / "pickle.pth").write_bytes(pickle.dumps(Path("x")))
    with pytest.raises(UserError, match="more than tensors"):
        read_checkpoint(tmp_path / "pickle.pth")
    for name, data in (("empty.pt", b""), ("text.pt", b"hello"), ("cut.pt", (tmp_path / "good.pth").read_bytes()[:200])):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match=f"{name} cannot be read as weights alone: it is damaged"):
            read_checkpoint(tmp_path / name)
    for name, content in (("list.pth", [1, 2]), ("numbered.pth", {0: torch.zeros(1)}), ("none.pth", {}), ("tensor.pth", torch.zeros(2))):
        torch.save(content, tmp_path / name)
        with pytest.raises(UserError, match="no state_dict"):
            read_checkpoint(tmp_path / name)
    torch.jit.script(network).save(str(tmp_path / "script.pt"))
    with pytest.raises(UserError, match="TorchScript"):
        read_checkpoint(tmp_path / "script.pt")


@pytest.mark.parametrize("container", ["state_dict", "model_state_dict", "model"])
def test_checkpoints_of_training_scripts(folder, container):
    """Under the usual names, and as DataParallel saves them."""
    weight = torch.full((3, 3, 3, 3), 0.5)
    torch.save({container: {"module.layer.weight": weight, "module.layer.bias": torch.zeros(3)}, "epoch": 7}, folder / "run.pt")
    configure(folder, checkpoint="run.pt")
    assert torch.equal(load_entry(model_entry("tiny"), CPU).encoder.layer.weight, weight)


def test_checkpoint_of_another_network(folder):
    save_file({"layer.weight": torch.zeros(3, 3, 3, 3)}, folder / "short.safetensors")
    configure(folder, checkpoint="short.safetensors")
    with pytest.raises(UserError, match=r"do not fit its network: layer\.bias is missing"):
        load_entry(model_entry("tiny"), CPU)
    weights = {"layer.weight": torch.zeros(3, 3, 3, 3), "layer.bias": torch.zeros(3), "head.bias": torch.zeros(3)}
    save_file(weights, folder / "short.safetensors")
    with pytest.raises(UserError, match=r"do not fit its network, which has no head\.bias"):
        load_entry(model_entry("tiny"), CPU)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes = [", "no TOML"),
        ("name = 'x'", "needs classes"),
        ("classes = ['a', 'b']\npalette = [[0, 0, 0]]", "one \\[r, g, b\\]"),
        ("classes = ['a', 'b']\nids = [1, 1]", "each once"),
    ],
)
def test_label_file_mistakes(folder, text, message):
    (folder / "labels.toml").write_text(text)
    configure(folder)
    with pytest.raises(UserError, match=message):
        model_entry("tiny")


def test_own_model_may_name_a_known_label_set():
    assert OwnModel(nn.Identity(), "VOC21").working_size == 320


def test_example_of_the_documentation(tmp_path, monkeypatch, capsys):
    """The files as they stand there, weights saved as it says, and its command."""
    section = (HOME / "docs" / "own-models.md").read_text()
    blocks = re.findall(r"```(?:python|toml)?\n(.*?)```", section, re.DOTALL)
    for name, block in zip(("my_net.py", "my_labels.toml", "segviz.toml"), blocks, strict=False):
        assert f"`{name}`" in section
        (tmp_path / name).write_text(block)
    network = run_factory(tmp_path / "my_net.py", "build")
    save_file(network.state_dict(), tmp_path / "my_net.safetensors")
    monkeypatch.setenv("SEGVIZ_CONFIG", str(tmp_path / "segviz.toml"))
    assert torch.equal(load_model("my-net", CPU).encoder[0].weight, network[0].weight)
    assert main([*blocks[3].split()[1:], "--steps", "1"]) == 0
    assert '"dog"' in capsys.readouterr().out
