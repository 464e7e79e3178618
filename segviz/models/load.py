"""Loading: from a catalogue entry to a frozen network on a device."""

import hashlib
from functools import lru_cache

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from segviz.models.segmenter import Segmenter
from segviz.models.wrappers import split_key, wrap
from segviz.models.zoo import ModelEntry, model_entry
from segviz.types import UserError


def default_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@lru_cache(maxsize=4)
def load_model(key: str, device: torch.device) -> Segmenter:
    """The model of a catalogue entry: weights verified, in eval mode and frozen. The same object for everyone who asks.

    A key may end in wrappers, applied from left to right: `voc7-lraspp+multiscale+crf`.
    Raises UserError for an unknown key or wrapper and for weights that are missing or damaged.
    """
    base, names = split_key(key)
    model = load_entry(model_entry(base), device)
    for name in names:
        model = wrap(model, name)
    return model


def load_entry(entry: ModelEntry, device: torch.device) -> Segmenter:
    """`load_model` for an entry that need not be in the catalogue, not cached."""
    if not entry.weights.is_file():
        raise UserError(f"The weights of {entry.key} are missing: {entry.weights.name} belongs in {entry.weights.parent}.")
    if hashlib.sha256(entry.weights.read_bytes()).hexdigest() != entry.sha256:
        raise UserError(f"The weights of {entry.key} are damaged (sha256 differs). Get {entry.weights.name} again.")
    model = entry.build()
    try:
        halves = load_file(entry.weights)
        incompatible = model.load_state_dict({name: value.float() for name, value in halves.items()}, strict=False)
    except (SafetensorError, RuntimeError) as error:
        raise UserError(f"The weights of {entry.key} do not fit its network: {error}") from None
    # The counters of batch normalisation are the only entries that a weights file leaves out.
    absent = [name for name in incompatible.missing_keys if not name.endswith("num_batches_tracked")]
    if absent or incompatible.unexpected_keys:
        raise UserError(f"The weights of {entry.key} do not fit its network: {(absent + incompatible.unexpected_keys)[0]}.")
    model.eval().requires_grad_(False)
    return model.to(device).to(memory_format=torch.channels_last)
