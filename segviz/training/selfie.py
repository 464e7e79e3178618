"""`python -m segviz.training.selfie FILE.tflite OUT.safetensors`: the weights of MediaPipe's selfie segmentation, named as in `SelfieNet`.

The files are those of the npm package `@mediapipe/selfie_segmentation`; they are parsed with the PyPI package `tflite`.
"""

import argparse
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from segviz.models.selfie import SelfieNet

FLOAT16 = 1
CONVOLUTIONS = {"CONV_2D", "DEPTHWISE_CONV_2D", "CUSTOM"}


def convert(file: bytes) -> dict[str, Tensor]:
    """The weights of a tflite file of this network as halves, by the names of `SelfieNet`.

    A tflite file lists its convolutions in the order in which they run, which is the order in which `SelfieNet` holds them. Raises
    ValueError where their number or a shape differs.
    """
    layers = [(name, layer) for name, layer in SelfieNet().named_modules() if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))]
    found = stored_convolutions(file)
    if len(found) != len(layers):
        raise ValueError(f"The file has {len(found)} convolutions, the network {len(layers)}.")
    state: dict[str, Tensor] = {}
    for (name, layer), (weight, bias) in zip(layers, found, strict=True):
        # Stored with the channels last; an ordinary one as (outputs,H,W,inputs), a depthwise one as (1,H,W,channels) and the transposed
        # one as (outputs,H,W,inputs), which torch takes as (inputs,outputs,H,W).
        order = (3, 0, 1, 2) if isinstance(layer, nn.ConvTranspose2d) or layer.groups > 1 else (0, 3, 1, 2)
        weight = weight.permute(order)
        if weight.shape != layer.weight.shape:
            raise ValueError(f"The file has weights {tuple(weight.shape)} for {name}, the network {tuple(layer.weight.shape)}.")
        state |= {f"{name}.weight": weight.contiguous(), f"{name}.bias": bias.contiguous()}
    return state


def stored_convolutions(file: bytes) -> list[tuple[Tensor, Tensor]]:
    """Weights and biases of all convolutions in a tflite file, in the order in which they run."""
    tflite = importlib.import_module("tflite")
    model = tflite.Model.GetRootAsModel(file, 0)
    graph = model.Subgraphs(0)
    operators = [graph.Operators(index) for index in range(graph.OperatorsLength())]
    kinds = {code: kind for kind, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}

    def kind(operator: Any) -> str:
        code = model.OperatorCodes(operator.OpcodeIndex())
        return kinds[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]

    stored = {operator.Outputs(0): operator.Inputs(0) for operator in operators if kind(operator) == "DEQUANTIZE"}

    def tensor(index: int) -> Tensor:
        described = graph.Tensors(stored.get(index, index))
        kind_of_number = np.float16 if described.Type() == FLOAT16 else np.float32
        values = model.Buffers(described.Buffer()).DataAsNumpy().view(kind_of_number)
        return torch.from_numpy(values.astype(np.float16).reshape(described.ShapeAsNumpy()))

    return [(tensor(one.Inputs(1)), tensor(one.Inputs(2))) for one in operators if kind(one) in CONVOLUTIONS]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m segviz.training.selfie", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE.tflite")
    parser.add_argument("out", type=Path, metavar="OUT.safetensors")
    options = parser.parse_args()
    save_file(convert(options.file.read_bytes()), options.out)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
