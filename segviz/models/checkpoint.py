"""Weights files: tensors and nothing else, put into a network strictly."""

import io
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file
from torch import Tensor

from segviz.types import UserError

CONTAINERS = (
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "weights",
    "params",
    "model_state",
    "ema_state_dict",
    "model_ema",
    "ema",
)
"""Where training scripts put the weights in a checkpoint that holds more, those of the network itself before averages of them."""
INSERTED = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
"""What compiling and wrapping a part of a network puts into the names of its weights."""


def load_weights(network: torch.nn.Module, weights: dict[str, Tensor], key: str, fits: str = "its network") -> None:
    """Put the weights of `key` into a network, called `fits`, strictly; raises UserError with the first name that does not fit.

    All names may begin with what wrappers, averages and training scripts put before them, as in `module.` or `model.`.
    """
    expected = network.state_dict()
    weights = renamed(weights, expected, key)
    for name, value in weights.items():
        if name not in expected:
            continue
        kind = unusable(value, expected[name])
        if kind:
            raise UserError(
                f"The weights of {key} cannot be used: {name} is {kind}. Save the state_dict() of the network in ordinary float32 tensors."
            )
        if expected[name].shape != value.shape:
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


def renamed(weights: dict[str, Tensor], expected: dict[str, Tensor], key: str) -> dict[str, Tensor]:
    """The weights by the names that are `expected`, where only a beginning that all have in common is in the way.

    Single numbers beside them, as averages keep to count their updates, are left out then. Raises UserError where there are two such
    beginnings, as in files that hold a network and its average.
    """
    needed = {name for name in expected if not name.endswith("num_batches_tracked")}
    if not needed or needed <= set(weights):
        return weights
    for word in INSERTED:
        weights = {name if name in expected else name.replace(word, ""): value for name, value in weights.items()}
    first = min(needed)
    before = sorted(name.removesuffix(first) for name in weights if name == first or name.endswith(f".{first}"))
    before = [start for start in before if all(start + name in weights for name in needed)]
    if "" in before:
        return weights
    if len(before) > 1:
        raise UserError(
            f"The weights of {key} hold the network {len(before)} times, under {' and '.join(before)}. Say which in segviz.toml: "
            f"checkpoint_part = '{before[0].removesuffix('.')}'."
        )
    if before:
        outside = {name: value for name, value in weights.items() if not name.startswith(before[0]) and value.numel() != 1}
        return {name.removeprefix(before[0]): value for name, value in weights.items() if name.startswith(before[0])} | outside
    # The network may be wrapped itself, and the file hold what is inside.
    starts = {name.removesuffix(other) for name in [first] for other in weights if name.endswith(f".{other}")}
    wrapped = [start for start in starts if {name.removeprefix(start) for name in needed} <= set(weights)]
    return {f"{wrapped[0]}{name}": value for name, value in weights.items()} if wrapped else weights


def unusable(value: Tensor, expected: Tensor) -> str:
    """What kind of tensor a weight is that cannot be put in the place of `expected`; empty where it can."""
    if value.is_meta:
        return "a tensor without values (on the device 'meta')"
    if value.is_quantized:
        return "a quantised tensor"
    if value.layout != torch.strided:
        return "a sparse tensor"
    if value.is_complex() and not expected.is_complex():
        return "a tensor of complex numbers"
    if expected.is_floating_point() and not value.is_floating_point():
        return f"a tensor of whole numbers ({str(value.dtype).removeprefix('torch.')}), as quantised weights are"
    return ""


def read_checkpoint(file: Path, part: str = "") -> dict[str, Tensor]:
    """The tensors of a safetensors file or of a PyTorch checkpoint, or of its `part` of that name; on the CPU.

    Of a checkpoint that holds more than weights they are what stands under one of `CONTAINERS`, or the only tensors that there are.

    Nothing in the file is run: PyTorch files are read with `weights_only`. Raises UserError for files that are damaged, TorchScript or
    hold anything but tensors.
    """
    if file.suffix == ".safetensors":
        try:
            return weights_in(load_file(file), file.name, part)
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
    return weights_in(found, file.name, part)


def weights_in(found: object, name: str, part: str) -> dict[str, Tensor]:
    """The tensors by name in what a checkpoint `name` holds, or in its `part`; raises UserError where there are none."""
    if part:
        return weights_in(part_of(found, name, part), name, "")
    if not isinstance(found, dict) or not found:
        raise UserError(f"{name} holds no state_dict of tensors. Save model.state_dict().")
    if all(isinstance(key, str) and isinstance(value, Tensor) for key, value in found.items()):
        return dict(found)
    dicts = {key: value for key, value in found.items() if isinstance(value, dict) and isinstance(key, str)}
    within = next((dicts[key] for key in CONTAINERS if key in dicts), None)
    holding = [key for key, value in dicts.items() if leads_to_tensors(value)]
    if within is None and len(holding) == 1:
        within = dicts[holding[0]]
    if within is not None:
        return weights_in(within, name, "")
    if any("_packed_params" in str(key) for key in found):
        raise UserError(f"{name} holds a quantised network, which has no gradients. Save the state_dict() from before it was quantised.")
    if holding:
        raise UserError(f"{name} holds {', '.join(holding)}. Say in segviz.toml which are the weights: checkpoint_part = '{holding[0]}'.")
    odd = next((key for key, value in found.items() if not isinstance(value, Tensor)), "")
    raise UserError(f"{name} holds no state_dict of tensors ('{odd}' is none). Save model.state_dict().")


def leads_to_tensors(found: dict[str, object]) -> bool:
    """Whether a dict holds tensors alone, or in it one of `CONTAINERS` does."""
    if found and all(isinstance(value, Tensor) for value in found.values()):
        return True
    return any(isinstance(value, dict) and leads_to_tensors(value) for value in map(found.get, CONTAINERS))


def part_of(found: object, name: str, part: str) -> dict[str, object]:
    """What a checkpoint `name` holds under `part`, or under names that begin with it; raises UserError where there is nothing."""
    if isinstance(found, dict):
        if isinstance(found.get(part), dict):
            return dict(found[part])
        for place in (found, *(found[key] for key in CONTAINERS if isinstance(found.get(key), dict))):
            begun = {key.removeprefix(f"{part}."): value for key, value in place.items() if str(key).startswith(f"{part}.")}
            if begun:
                return begun
    raise UserError(f"{name} holds nothing called '{part}'.")


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
