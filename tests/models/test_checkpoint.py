"""Weights as training scripts leave them: what is found by itself, what has to be named, what cannot be used."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from segviz.models.checkpoint import load_weights, read_checkpoint
from segviz.types import UserError


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))


@pytest.fixture
def weights():
    torch.manual_seed(1)
    return network().state_dict()


def put(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    made = network()
    load_weights(made, weights, "run.pt")
    return made.state_dict()


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("start", ["module.", "model.", "_orig_mod.", "ema.", "net.", "module._orig_mod.", "student.backbone."])
def test_beginnings_that_all_names_have(weights, start):
    assert same(put({f"{start}{name}": value for name, value in weights.items()}), weights)


def test_averages_of_weights(weights):
    made = network()
    made.load_state_dict(weights)
    assert same(put(AveragedModel(made).state_dict()), weights)


def test_parts_that_were_compiled(weights):
    assert same(put({name.replace("0.", "0._orig_mod.", 1) if name.startswith("0.") else name: v for name, v in weights.items()}), weights)


def test_weights_of_what_a_network_wraps(weights):
    outer = nn.Module()
    outer.inside = network()
    load_weights(outer, weights, "run.pt")
    assert same(outer.inside.state_dict(), weights)


def test_containers_within_containers(weights, tmp_path):
    for found in ({"checkpoint": {"model": weights}, "epoch": 1}, {"state": {"model": {"state_dict": weights}}}):
        torch.save(found | {"optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}}, tmp_path / "run.pt")
        assert same(put(read_checkpoint(tmp_path / "run.pt")), weights)


def test_a_network_and_its_average_have_to_be_told_apart(weights, tmp_path):
    both = {f"model.{name}": value for name, value in weights.items()} | {f"ema.{name}": value + 1 for name, value in weights.items()}
    with pytest.raises(UserError, match=r"hold the network 2 times, under ema\. and model\.\. .*checkpoint_part = 'ema'"):
        put(both)
    torch.save({"state_dict": both}, tmp_path / "run.pt")
    assert same(put(read_checkpoint(tmp_path / "run.pt", "model")), weights)
    assert not same(put(read_checkpoint(tmp_path / "run.pt", "ema")), weights)


@pytest.mark.parametrize("container", ["state_dict", "model_state_dict", "model", "net", "weights", "params", "ema", "my_own_name"])
def test_containers(weights, tmp_path, container):
    torch.save({container: weights, "epoch": 3, "optimizer": {"state": {}, "lr": 0.1}}, tmp_path / "run.pt")
    assert same(read_checkpoint(tmp_path / "run.pt"), weights)
    torch.save({"checkpoint": {container: weights}}, tmp_path / "run.pt")
    assert same(read_checkpoint(tmp_path / "run.pt", "checkpoint"), weights)


def test_containers_that_have_to_be_named(weights, tmp_path):
    torch.save({"teacher": weights, "pupil": {name: value + 1 for name, value in weights.items()}}, tmp_path / "run.pt")
    with pytest.raises(UserError, match=r"holds teacher, pupil\. Say in segviz.toml which are the weights: checkpoint_part = 'teacher'"):
        read_checkpoint(tmp_path / "run.pt")
    assert same(read_checkpoint(tmp_path / "run.pt", "teacher"), weights)
    with pytest.raises(UserError, match="holds nothing called 'nobody'"):
        read_checkpoint(tmp_path / "run.pt", "nobody")


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda value: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8), "a quantised tensor"),
        (lambda value: value.to_sparse(), "a sparse tensor"),
        (lambda value: value.to("meta"), "without values"),
        (lambda value: (100 * value).to(torch.int8), r"whole numbers \(int8\)"),
        (lambda value: value > 0, r"whole numbers \(bool\)"),
        (lambda value: value.to(torch.complex64), "complex numbers"),
    ],
    ids=["quantised", "sparse", "meta", "integers", "bool", "complex"],
)
def test_tensors_that_are_no_weights(weights, spoil, kind):
    with pytest.raises(UserError, match=rf"run\.pt cannot be used: 2\.weight is .*{kind}"):
        put({**weights, "2.weight": spoil(weights["2.weight"])})


def test_a_quantised_network_is_named(tmp_path):
    torch.save({"0.scale": torch.ones(()), "0._packed_params": "x"}, tmp_path / "run.pt")
    with pytest.raises(UserError, match="holds a quantised network"):
        read_checkpoint(tmp_path / "run.pt")


def test_part_of_a_safetensors_file(weights, tmp_path):
    save_file({f"ema.{name}": value for name, value in weights.items()}, tmp_path / "run.safetensors")
    assert same(put(read_checkpoint(tmp_path / "run.safetensors")), weights)
    assert same(read_checkpoint(tmp_path / "run.safetensors", "ema"), weights)
