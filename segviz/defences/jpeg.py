"""JPEG: the real codec, and a smooth one of our own for gradients."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segviz.defences.filters import with_gradient_of

# Quantisation tables of the JPEG standard (ITU-T T.81, Annex K.1).
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
# R, G, B to Y, Cb, Cr without offsets (JFIF).
YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def jpeg(x: Tensor, quality: int = 50) -> Tensor:
    """Pictures (N,3,H,W) in [0,1] after JPEG with 4:2:0 chroma at `quality` 1 to 100: libjpeg's values, the gradient of `smooth_jpeg`."""
    return with_gradient_of(smooth_jpeg(x, quality) if x.requires_grad else x, real_jpeg(x.detach(), quality))


def real_jpeg(x: Tensor, quality: int) -> Tensor:
    """Encoded from 8-bit values and decoded by libjpeg; no gradient."""
    coded = []
    for picture in (x * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy():
        data = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
        assert decoded is not None
        coded.append(torch.from_numpy(decoded[..., ::-1].copy()))
    return torch.stack(coded).permute(0, 3, 1, 2).to(x, non_blocking=True) / 255


def smooth_jpeg(x: Tensor, quality: int) -> Tensor:
    """JPEG whose rounding is round(c) + (c - round(c))^3 (Shin & Song, "JPEG-resistant Adversarial Images", 2017): differentiable."""
    height, width = x.shape[-2:]
    padded = F.pad(x, (0, -width % 16, 0, -height % 16), mode="replicate")
    ycbcr = torch.einsum("ij,njhw->nihw", constant(YCBCR, x), padded * 255)
    luma = quantised(ycbcr[:, :1] - 128, constant(LUMINANCE, x), quality) + 128
    chroma = quantised(F.avg_pool2d(ycbcr[:, 1:], 2), constant(CHROMINANCE, x), quality)
    decoded = torch.cat([luma, F.interpolate(chroma, scale_factor=2.0, mode="nearest")], 1)
    back = torch.linalg.inv(torch.tensor(YCBCR, dtype=x.dtype)).to(x.device, non_blocking=True)
    rgb = torch.einsum("ij,njhw->nihw", back, decoded) / 255
    return rgb[..., :height, :width].clamp(0, 1)


def constant(values: Sequence[Sequence[float]], x: Tensor) -> Tensor:
    """A table of numbers as a tensor of the kind and on the device of `x`, without waiting for that."""
    return torch.tensor(values, dtype=x.dtype).to(x.device, non_blocking=True)


def quantised(channels: Tensor, table: Tensor, quality: int) -> Tensor:
    """Channels (N,C,H,W), sides multiples of 8, after a smooth quantisation of their 8x8 DCT."""
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    steps = ((table * scale + 50) / 100).floor().clamp(1, 255)
    frequency, position = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    dct = (torch.cos((2 * position + 1) * frequency * torch.pi / 16) / 2).to(channels, non_blocking=True)
    dct[0] /= 2**0.5
    n, c, height, width = channels.shape
    blocks = channels.view(n, c, height // 8, 8, width // 8, 8).transpose(3, 4)
    coefficients = dct @ blocks @ dct.T / steps
    whole = coefficients.round().detach()
    blocks = dct.T @ ((whole + (coefficients - whole) ** 3) * steps) @ dct
    return blocks.transpose(3, 4).reshape(n, c, height, width)
