"""Weights files: tensors and nothing else, put into a network strictly."""

import io
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file
from torch import Tensor

from segviz.types import UserError

CONTAINERS = ("state_dict", "model_state_dict", "model")
"""Where training scripts put the weights in a checkpoint that holds more."""


def load_weights(network: torch.nn.Module, weights: dict[str, Tensor], key: str, fits: str = "its network") -> None:
    """Put the weights of `key` into a network, called `fits`, strictly; raises UserError with the first name that does not fit.

    Names may be those of the network in DataParallel, which begin with `module.`.
    """
    expected = network.state_dict()
    if weights and all(name.startswith("module.") and name not in expected for name in weights):
        weights = {name.removeprefix("module."): value for name, value in weights.items()}
    for name, value in weights.items():
        if name in expected and expected[name].shape != value.shape:
            ours, theirs = tuple(expected[name].shape), tuple(value.shape)
            head = " That is a layer for another number of classes or channels." if ours[1:] == theirs[1:] else ""
            raise UserError(f"The weights of {key} do not fit {fits}: {name} has the shape {theirs}, expected {ours}.{head}")
    floats = {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
    incompatible = network.load_state_dict(floats, strict=False)
    # The counters of batch normalisation are the only entries that a weights file may leave out.
    absent = [name for name in incompatible.missing_keys if not name.endswith("num_batches_tracked")]
    if absent:
        raise UserError(f"The weights of {key} do not fit {fits}: {absent[0]} is missing.")
    if incompatible.unexpected_keys:
        raise UserError(f"The weights of {key} do not fit {fits}, which has no {incompatible.unexpected_keys[0]}.")


def read_checkpoint(file: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file or of a PyTorch checkpoint, its `state_dict` if it has one; on the CPU.

    Nothing in the file is run: PyTorch files are read with `weights_only`. Raises UserError for files that are damaged, TorchScript or
    hold anything but tensors.
    """
    if file.suffix == ".safetensors":
        try:
            return load_file(file)
        except SafetensorError as error:
            raise UserError(no_safetensors(file.name, error)) from None
    refuse_code(file, file.name)
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception:
        # What PyTorch raises and says here depends on the bytes in the file.
        raise UserError(
            f"{file.name} cannot be read as weights alone: it is damaged or holds more than tensors. "
            "Save the state_dict() with safetensors.torch.save_file."
        ) from None
    if isinstance(found, dict):
        found = next((found[name] for name in CONTAINERS if isinstance(found.get(name), dict)), found)
    tensors = isinstance(found, dict) and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in found.items())
    if not tensors or not found:
        raise UserError(f"{file.name} holds no state_dict of tensors. Save model.state_dict().")
    return dict(found)


def read_upload(data: bytes, name: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file that the user knows by `name`; raises UserError for anything else."""
    refuse_code(io.BytesIO(data), name)
    if name.endswith((".pt", ".pth")):
        raise UserError(
            f"{name} is a file of PyTorch's own format; uploads are safetensors. Save its state_dict() with "
            "safetensors.torch.save_file, or name it as the checkpoint of a model in segviz.toml."
        )
    try:
        return load(data)
    except SafetensorError as error:
        raise UserError(no_safetensors(name, error)) from None


def no_safetensors(name: str, error: SafetensorError) -> str:
    """Message for a file that safetensors cannot read."""
    return f"{name} is damaged or no safetensors file: {error}."


def refuse_code(file: Path | io.BytesIO, name: str) -> None:
    """Raise UserError if a file, which the user knows by `name`, is a TorchScript archive: a zip with code in it."""
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as archive:
        code = any("/code/" in member or member.endswith("/constants.pkl") for member in archive.namelist())
    if code:
        raise UserError(
            f"{name} is a TorchScript archive. It carries code that would run here, so it is refused; "
            "save its state_dict() as safetensors instead, for a network of the catalogue or one that a factory builds."
        )
