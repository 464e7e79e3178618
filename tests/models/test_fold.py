"""Folded batch normalisation: the same function, the same gradients, and nothing touched whose order is not known."""

import pytest
import torch
from torch import nn

from segviz.models.build import FAMILY, build_voc7
from segviz.models.fold import fold


def with_statistics(network: nn.Module) -> nn.Module:
    """Batch normalisation as after training: statistics and factors that differ from layer to layer."""
    generator = torch.Generator().manual_seed(0)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            for value, low in ((part.running_mean, -0.2), (part.running_var, 0.5), (part.weight.data, 0.5), (part.bias.data, -0.2)):
                value.copy_(low + torch.rand(value.shape, generator=generator))
    return network.eval().double()


@pytest.mark.parametrize("decoder", FAMILY)
def test_outputs_and_gradients_stay_and_no_batch_normalisation_is_left(decoder):
    torch.manual_seed(0)
    network = with_statistics(build_voc7(decoder)).requires_grad_(False)
    x = torch.rand(1, 3, 64, 80, dtype=torch.float64, requires_grad=True)
    direction = torch.randn(1, 7, 64, 80, dtype=torch.float64)
    before = network(x)
    (gradient,) = torch.autograd.grad((before * direction).sum(), x)
    fold(network)
    after = network(x)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in network.modules())
    torch.testing.assert_close(after, before)
    torch.testing.assert_close(torch.autograd.grad((after * direction).sum(), x)[0], gradient)


def test_a_container_with_a_forward_of_its_own_is_left_alone():
    class Backwards(nn.Sequential):
        def forward(self, x):
            for part in reversed(self):
                x = part(x)
            return x

    network = with_statistics(Backwards(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)))
    x = torch.rand(1, 3, 8, 8, dtype=torch.float64)
    before = network(x)
    fold(network)
    torch.testing.assert_close(network(x), before)
