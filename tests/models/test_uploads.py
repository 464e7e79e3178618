"""Weights through the browser: what is refused, and that models of others are left alone."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save

from segviz.models import uploads
from segviz.models.load import load_entry
from segviz.models.uploads import upload
from segviz.models.zoo import MODELS
from segviz.types import UserError

CPU = torch.device("cpu")
LRASPP, TWIN, FCN = (MODELS[key] for key in ("voc7-lraspp", "voc7-lraspp-pgd", "voc7-fcn8s"))


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGVIZ_CACHE", str(tmp_path))
    monkeypatch.setattr(uploads, "UPLOADED", {})
    return tmp_path


def test_the_same_weights_in_two_networks_are_two_models():
    """`voc7-lraspp-pgd` has the layers of `voc7-lraspp`, but looks at the picture at half its size."""
    data = TWIN.weights.read_bytes()
    plain, small = upload(LRASPP, "hard.safetensors", data), upload(TWIN, "hard.safetensors", data)
    assert plain.key != small.key
    assert upload(LRASPP, "again.safetensors", data) is plain
    x = torch.rand(1, 3, 64, 96)
    assert torch.allclose(load_entry(small, CPU)(x), load_entry(TWIN, CPU)(x), atol=1e-3)
    assert not torch.allclose(load_entry(plain, CPU)(x), load_entry(TWIN, CPU)(x), atol=0.1)


def test_a_refused_upload_leaves_the_weights_of_others_alone(fresh):
    data = TWIN.weights.read_bytes()
    kept = upload(LRASPP, "hard.safetensors", data)
    with pytest.raises(UserError, match=r"hard\.safetensors do not fit voc7-fcn8s"):
        upload(FCN, "hard.safetensors", data)
    assert load_entry(kept, CPU)
    assert [file.name for file in (fresh / "uploads").iterdir()] == [kept.weights.name]
    kept.weights.unlink()
    assert upload(LRASPP, "hard.safetensors", data) == kept
    assert load_entry(kept, CPU)


def test_weights_that_give_no_finite_scores_are_refused(fresh):
    weights = load_file(LRASPP.weights)
    weights["head.classify.bias"] = torch.full_like(weights["head.classify.bias"], float("nan"))
    with pytest.raises(UserError, match=r"broken\.safetensors returns scores that are not finite"):
        upload(LRASPP, "broken.safetensors", save(weights))
    for data in (b"", save(weights)[:1000]):
        with pytest.raises(UserError, match=r"cut\.safetensors is damaged"):
            upload(LRASPP, "cut.safetensors", data)
    assert not (fresh / "uploads").exists()


def test_weights_that_were_trained_otherwise_are_fed_so():
    data = LRASPP.weights.read_bytes()
    plain, other = upload(LRASPP, "w.safetensors", data), upload(LRASPP, "w.safetensors", data, "bgr", 2.0)
    assert plain.key != other.key
    network, fed = load_entry(plain, CPU), load_entry(other, CPU)
    x = torch.rand(1, 3, 64, 96)
    wanted = ((x - network.mean) / network.std * 2).flip(1) * network.std + network.mean
    torch.testing.assert_close(fed(x), network(wanted), atol=1e-3, rtol=1e-3)
    assert not torch.allclose(fed(x), network(x), atol=0.1)
    with pytest.raises(UserError, match="ends in one tensor of scores"):
        load_entry(replace(plain, outputs="probabilities"), CPU)
