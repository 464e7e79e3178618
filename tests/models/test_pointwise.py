"""1x1 convolutions: the same function, and the same gradient every time."""

import pytest
import torch
from torch import nn

from segviz.defences.load import load_model
from segviz.models.pointwise import PointConv2d, make_repeatable


@pytest.mark.parametrize("key", ["voc7-lraspp", "voc7-pspnet", "voc7-deeplab"])
def test_a_gradient_comes_out_the_same_to_the_last_bit_every_time(key):
    model = load_model(key, torch.device("cpu"))
    picture = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))

    def gradient():
        x = picture.clone().requires_grad_()
        return torch.autograd.grad(model(x).log_softmax(1)[:, 0].mean(), x)[0]

    first = gradient()
    assert all(torch.equal(gradient(), first) for _ in range(40))


@pytest.mark.parametrize("shape", [(1, 6, 1, 1), (2, 6, 1, 1), (1, 6, 3, 4)])
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_the_same_function(shape, bias):
    conv = nn.Conv2d(6, 5, 1, bias=bias).double()
    x = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    expected = conv(x)
    (gradient,) = torch.autograd.grad(expected.square().sum(), x)
    network = nn.Sequential(conv)
    make_repeatable(network)
    assert type(network[0]) is PointConv2d
    torch.testing.assert_close(network(x), expected)
    torch.testing.assert_close(torch.autograd.grad(network(x).square().sum(), x)[0], gradient)


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1, groups=4), nn.Conv2d(4, 4, 1, stride=2), nn.Conv2d(4, 4, 1, padding=1)]
)
def test_other_convolutions_are_left_alone(layer):
    make_repeatable(layer)
    assert type(layer) is nn.Conv2d
