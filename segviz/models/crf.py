"""Mean-field inference in a fully connected CRF, unrolled and differentiable (CRF-RNN)."""

import itertools
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# Standard deviation, in cells, of what splatting to two cells, blurring with (1, 2, 1) / 4 and slicing from two cells do together.
GRID_SIGMA = math.sqrt(1 / 6 + 1 / 2 + 1 / 6)


class MeanField(nn.Module):
    """Zheng et al., "Conditional Random Fields as Recurrent Neural Networks", ICCV 2015 (1502.03240), with fixed parameters.

    Scores U(l) are the negative unary energies. Every iteration sets

        Q = softmax(x),   x(l) = U(l) - sum over l' of mu(l, l') sum over m of w_m (K_m Q(l')) / (K_m 1)

    from x = U, with the Potts compatibility mu(l, l') = [l != l'] and the Gaussian kernels of Kraehenbuehl & Koltun (NIPS 2011, 1210.5644):
    smoothness exp(-|p - q|^2 / 2 theta_gamma^2), appearance exp(-|p - q|^2 / 2 theta_alpha^2 - |I_p - I_q|^2 / 2 theta_beta^2), positions
    in pixels, colours in [0,1]. As in CRF-RNN's filtering a pixel counts among its own neighbours.

    The smoothness kernel is a separable convolution, cut off at 4 theta_gamma. The appearance kernel is a bilateral grid in the five
    dimensions x, y, R, G, B: splat, blur, slice (Chen, Paris & Durand, SIGGRAPH 2007), linear in each dimension, time proportional to the
    number of pixels. Gradients flow through the scores and through the image's colours in the appearance kernel.
    """

    def __init__(
        self,
        iterations: int = 5,
        smoothness: float = 1.0,
        appearance: float = 5.0,
        theta_alpha: float = 50.0,
        theta_beta: float = 13 / 255,
        theta_gamma: float = 2.0,
    ):
        super().__init__()
        self.iterations = iterations
        self.smoothness, self.appearance = smoothness, appearance
        self.theta_alpha, self.theta_beta, self.theta_gamma = theta_alpha, theta_beta, theta_gamma

    def forward(self, scores: Tensor, image: Tensor) -> Tensor:
        """Scores (N,C,H,W) and images (N,3,H,W) in [0,1] to scores (N,C,H,W); their softmax is the marginal Q after the last iteration."""
        return torch.cat([self.infer(u, i) for u, i in zip(scores.split(1), image.split(1), strict=True)])

    def infer(self, unary: Tensor, image: Tensor) -> Tensor:
        """`forward` for one image."""
        grid = BilateralGrid(image[0], self.theta_alpha, self.theta_beta)
        ones = torch.ones_like(unary[:, :1])
        appearance_norm, smoothness_norm = grid.filter(ones[0]), gaussian_filter(ones, self.theta_gamma)
        x = unary
        for _ in range(self.iterations):
            q = x.softmax(1)
            appearance = grid.filter(q[0]) / appearance_norm
            message = self.smoothness * gaussian_filter(q, self.theta_gamma) / smoothness_norm + self.appearance * appearance
            x = unary - (message.sum(1, keepdim=True) - message)
        return x


def gaussian_filter(x: Tensor, sigma: float) -> Tensor:
    """Convolve every channel of (N,C,H,W) with an unnormalised Gaussian of `sigma` pixels, zeros outside."""
    reach = math.ceil(4 * sigma)
    kernel = torch.exp(-(torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype) ** 2) / (2 * sigma**2))
    channels = x.shape[1]
    x = F.conv2d(x, kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1), padding=(reach, 0), groups=channels)
    return F.conv2d(x, kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1), padding=(0, reach), groups=channels)


class BilateralGrid:
    """A five-dimensional grid over positions and colours of one image (3,H,W) in [0,1]."""

    def __init__(self, image: Tensor, theta_alpha: float, theta_beta: float):
        _, height, width = image.shape
        rows, columns = torch.meshgrid(
            torch.arange(height, device=image.device, dtype=image.dtype),
            torch.arange(width, device=image.device, dtype=image.dtype),
            indexing="ij",
        )
        position = torch.stack([rows, columns]) * (GRID_SIGMA / theta_alpha)
        cell = torch.cat([position, image * (GRID_SIGMA / theta_beta)]).flatten(1)
        low = cell.detach().floor()
        fraction = cell - low
        low = low.long() - low.long().amin(1, keepdim=True) + 1
        self.sides = [side + 3 for side in low.amax(1).tolist()]
        strides = torch.tensor([math.prod(self.sides[axis + 1 :]) for axis in range(5)]).to(low.device, non_blocking=True).unsqueeze(1)
        corners = torch.tensor(list(itertools.product((0, 1), repeat=5))).to(low.device, non_blocking=True)
        self.indices = torch.stack([((low + corner.unsqueeze(1)) * strides).sum(0) for corner in corners])
        self.weights = torch.stack([torch.where(corner.unsqueeze(1) == 1, fraction, 1 - fraction).prod(0) for corner in corners])

    def filter(self, x: Tensor) -> Tensor:
        """Apply the kernel, up to a factor, to every channel of (C,H,W)."""
        grid = Splat.apply(x.flatten(1).t(), self.weights, self.indices, math.prod(self.sides)).view(*self.sides, -1)
        for axis in range(5):
            grid = blur_121(grid, axis)
        return Slice.apply(grid.flatten(0, 4), self.weights, self.indices).t().view_as(x)


def splat(values: Tensor, weights: Tensor, indices: Tensor, cells: int) -> Tensor:
    """Spread the pixels' values (pixels,C) over a grid (cells,C): to cell `indices[k]`, `weights[k]` of each (both (corners,pixels))."""
    grid = values.new_zeros(cells, values.shape[1])
    for index, weight in zip(indices, weights, strict=True):
        grid.index_add_(0, index, values * weight.unsqueeze(1))
    return grid


def gather(grid: Tensor, weights: Tensor, indices: Tensor) -> Tensor:
    """The weighted sums (pixels,C) of the cells around each pixel: the transpose of `splat`."""
    values = grid.new_zeros(indices.shape[1], grid.shape[1])
    for index, weight in zip(indices, weights, strict=True):
        values += grid.index_select(0, index) * weight.unsqueeze(1)
    return values


def gradient_of_weights(grid: Tensor, values: Tensor, indices: Tensor) -> Tensor:
    """What a loss changes by with the weights (corners,pixels) of either, where one side is the data and the other its gradient."""
    return torch.stack([(grid.index_select(0, index) * values).sum(1) for index in indices])


class Splat(torch.autograd.Function):
    """`splat` with a gradient that keeps no product per corner: those are gigabytes for large pictures."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weights: Tensor, indices: Tensor, cells: int) -> Tensor:
        ctx.save_for_backward(values, weights, indices)
        return splat(values, weights, indices, cells)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        values, weights, indices = ctx.saved_tensors
        return gather(gradient, weights, indices), gradient_of_weights(gradient, values, indices), None, None


class Slice(torch.autograd.Function):
    """`gather` with a gradient that keeps no product per corner."""

    @staticmethod
    def forward(ctx: Any, grid: Tensor, weights: Tensor, indices: Tensor) -> Tensor:
        ctx.save_for_backward(grid, weights, indices)
        return gather(grid, weights, indices)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        grid, weights, indices = ctx.saved_tensors
        return splat(gradient, weights, indices, len(grid)), gradient_of_weights(grid, gradient, indices), None


def blur_121(x: Tensor, axis: int) -> Tensor:
    """Convolve with (1, 2, 1) / 4 along one axis, zeros outside."""
    inner = x.shape[axis] - 1
    edge = x.new_zeros([1 if dim == axis else side for dim, side in enumerate(x.shape)])
    before = torch.cat([edge, x.narrow(axis, 0, inner)], axis)
    after = torch.cat([x.narrow(axis, 1, inner), edge], axis)
    return 0.5 * x + 0.25 * (before + after)
