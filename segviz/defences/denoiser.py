"""A small residual U-Net that takes an attack's noise out of a picture, and its bundled weights."""

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from segviz.places import ASSETS
from segviz.types import UserError

WEIGHTS = ASSETS / "models" / "denoiser.safetensors"
CHANNELS = (16, 32, 64, 96)


def convolutions(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3 convolutions with ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
    )


class Denoiser(nn.Module):
    """A smaller DUNET (Liao et al., "Defense against Adversarial Attacks Using High-Level Representation Guided Denoiser", 1712.02976).

    An encoder that halves the sides three times and a decoder with skip connections predict what to add to the picture; fresh weights add
    nothing. Four levels of 16 to 96 channels, about 0.4 million parameters, no normalisation layers: all ours.
    """

    def __init__(self) -> None:
        super().__init__()
        first, *deeper = CHANNELS
        self.down = nn.ModuleList([convolutions(3, first)])
        self.up = nn.ModuleList()
        for above, below in zip(CHANNELS, deeper, strict=False):
            self.down.append(convolutions(above, below))
            self.up.insert(0, convolutions(above + below, above))
        self.noise = nn.Conv2d(first, 3, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                # Without normalisation layers the signal must neither fade nor grow from layer to layer.
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        nn.init.zeros_(self.noise.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (N,3,H,W) in [0,1] to pictures (N,3,H,W) in [0,1]."""
        height, width = x.shape[-2:]
        multiple = 2 ** (len(CHANNELS) - 1)
        z = F.pad(4 * x - 2, (0, -width % multiple, 0, -height % multiple), mode="replicate")
        skips = []
        for level, block in enumerate(self.down):
            z = block(F.avg_pool2d(z, 2) if level else z)
            skips.append(z)
        skips.pop()
        for block in self.up:
            z = block(torch.cat([F.interpolate(z, scale_factor=2.0, mode="nearest"), skips.pop()], 1))
        return (x + self.noise(z)[..., :height, :width]).clamp(0, 1)


def bundled_denoiser() -> Denoiser:
    """The bundled weights, on the CPU, frozen. Raises UserError where they are missing."""
    if not WEIGHTS.is_file():
        raise UserError(f"The weights of the denoiser are missing: {WEIGHTS.name} belongs in {WEIGHTS.parent}.")
    denoiser = Denoiser().float()
    denoiser.load_state_dict({name: value.float() for name, value in load_file(WEIGHTS).items()})
    return denoiser.eval().requires_grad_(False)
