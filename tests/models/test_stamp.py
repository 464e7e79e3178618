"""The stamp of all models: it changes with what may change their numbers."""

import dataclasses

from segviz.models.stamp import stamp
from segviz.models.zoo import MODELS


def test_models_whose_weights_somebody_else_may_change_have_no_stamp():
    assert stamp(["voc7-lraspp", "chelsea"]) is not None
    for key in ("hf:nvidia/segformer", "smp:some/model", "folder/factory.py:make"):
        assert stamp(["chelsea", key]) is None


def test_other_weights_give_another_stamp(monkeypatch, tmp_path):
    before = stamp([])
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"one")
    monkeypatch.setitem(MODELS, "voc7-lraspp", dataclasses.replace(MODELS["voc7-lraspp"], weights=weights))
    other = stamp([])
    weights.write_bytes(b"another")
    assert len({before, other, stamp([])}) == 3


def test_a_configured_factory_that_was_edited_gives_another_stamp(monkeypatch, tmp_path):
    (tmp_path / "net.py").write_text("import torch\n\n\ndef make():\n    return torch.nn.Conv2d(3, 2, 1)\n")
    (tmp_path / "labels.toml").write_text('classes = ["background", "cat"]\n')
    (tmp_path / "segviz.toml").write_text('[models.mine]\nfactory = "net.py:make"\nlabels = "labels.toml"\n')
    monkeypatch.setenv("SEGVIZ_CONFIG", str(tmp_path / "segviz.toml"))
    before = stamp(["mine"])
    assert before == stamp(["mine"])
    (tmp_path / "net.py").write_text("import torch\n\n\ndef make():\n    return torch.nn.Conv2d(3, 2, 3, padding=1)\n")
    assert stamp(["mine"]) != before
