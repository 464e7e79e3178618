"""Weights files: tensors and nothing else, put into a network strictly."""

import pickle
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from segviz.types import UserError


def load_weights(network: torch.nn.Module, weights: dict[str, Tensor], key: str) -> None:
    """Put weights into a network, strictly; raises UserError with the first name that does not fit."""
    expected = network.state_dict()
    for name, value in weights.items():
        if name in expected and expected[name].shape != value.shape:
            ours, theirs = tuple(expected[name].shape), tuple(value.shape)
            head = " That is a layer for another number of classes or channels." if ours[1:] == theirs[1:] else ""
            raise UserError(f"The weights of {key} do not fit its network: {name} has the shape {theirs}, expected {ours}.{head}")
    floats = {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
    incompatible = network.load_state_dict(floats, strict=False)
    # The counters of batch normalisation are the only entries that a weights file may leave out.
    absent = [name for name in incompatible.missing_keys if not name.endswith("num_batches_tracked")]
    if absent or incompatible.unexpected_keys:
        raise UserError(f"The weights of {key} do not fit its network: {(absent + incompatible.unexpected_keys)[0]}.")


def read_checkpoint(file: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file or of a PyTorch checkpoint, its `state_dict` if it has one; on the CPU.

    Nothing in the file is run: PyTorch files are read with `weights_only`. Raises UserError for files that are damaged, TorchScript or
    hold anything but tensors.
    """
    if file.suffix == ".safetensors":
        try:
            return load_file(file)
        except SafetensorError as error:
            raise UserError(f"{file.name} is damaged or no safetensors file: {error}.") from None
    refuse_code(file, file.name)
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise UserError(
            f"{file.name} cannot be read as weights alone: it is damaged or holds more than tensors ({str(error).splitlines()[0]}). "
            "Save the state_dict() with safetensors.torch.save_file."
        ) from None
    tensors = found.get("state_dict", found) if isinstance(found, dict) else None
    if not isinstance(tensors, dict) or not tensors or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise UserError(f"{file.name} holds no state_dict of tensors. Save model.state_dict().")
    return tensors


def refuse_code(file: Path, name: str) -> None:
    """Raise UserError if a file, which the user knows by `name`, is a TorchScript archive."""
    if is_torchscript(file):
        raise UserError(
            f"{name} is a TorchScript archive. It carries code that would run here, so it is refused; "
            "save its state_dict() as safetensors instead, for a network of the catalogue or one that a factory builds."
        )


def is_torchscript(file: Path) -> bool:
    """Whether a file is a TorchScript archive: a zip with code in it."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any("/code/" in name or name.endswith("/constants.pkl") for name in archive.namelist())
