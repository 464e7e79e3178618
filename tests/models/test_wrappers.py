"""Multi-scale and mean-field CRF: gradients, agreement with dense inference, keys."""

import pytest
import torch
import torch.nn.functional as F

from segviz.defences.load import load_model
from segviz.lab import sample_picture, to_tensor
from segviz.models.crf import MeanField
from segviz.models.encoder import EfficientNetLite0
from segviz.models.keys import split_key
from segviz.models.wrappers import WRAPPERS, MultiScale
from segviz.models.zoo import MODELS
from segviz.types import UserError

CPU = torch.device("cpu")


def picture(side: int) -> torch.Tensor:
    """Two flat halves with a soft pattern, (1,3,side,side) float64."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(1, 3, 4, 4, generator=generator, dtype=torch.float64)
    x = 0.4 + 0.2 * F.interpolate(coarse, (side, side), mode="bilinear", align_corners=True)
    x[..., side // 2 :] += torch.tensor([0.25, -0.2, 0.1]).view(3, 1, 1)
    return x


@pytest.mark.parametrize("name", WRAPPERS)
def test_input_gradient_agrees_with_finite_differences(smooth, name):
    wrapped = WRAPPERS[name](smooth)
    x = picture(20).requires_grad_()
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(1, 7, 20, 20, generator=generator, dtype=torch.float64)
    (wrapped(x) * weight).sum().backward()
    assert x.grad is not None
    for _ in range(3):
        direction = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            ahead, behind = ((wrapped(x + step * direction) * weight).sum() for step in (1e-7, -1e-7))
        assert (x.grad * direction).sum().item() == pytest.approx(((ahead - behind) / 2e-7).item(), rel=1e-5)


def dense_mean_field(field: MeanField, scores: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """The equations of `MeanField`, with every pair of pixels written out."""
    height, width = image.shape[-2:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    position = torch.stack([rows, columns]).flatten(1).double()
    colour = image[0].flatten(1)
    apart = (position.unsqueeze(2) - position.unsqueeze(1)).pow(2).sum(0)
    unlike = (colour.unsqueeze(2) - colour.unsqueeze(1)).pow(2).sum(0)
    smoothness = torch.exp(-apart / (2 * field.theta_gamma**2))
    appearance = torch.exp(-apart / (2 * field.theta_alpha**2) - unlike / (2 * field.theta_beta**2))
    kernel = field.smoothness * smoothness / smoothness.sum(1, keepdim=True)
    kernel = kernel + field.appearance * appearance / appearance.sum(1, keepdim=True)
    unary = scores[0].flatten(1)
    potts = 1 - torch.eye(len(unary), dtype=torch.float64)
    x = unary
    for _ in range(field.iterations):
        x = unary - potts @ x.softmax(0) @ kernel.T
    return x.view_as(scores)


@pytest.mark.parametrize(
    "field", [MeanField(), MeanField(appearance=2.0, theta_alpha=5.0, theta_beta=0.1), MeanField(smoothness=3.0, appearance=0.0)]
)
def test_mean_field_agrees_with_dense_inference(field):
    image = picture(16)
    scores = torch.randn(1, 5, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    scores[:, 2, :, 6:] += 1.5
    exact = dense_mean_field(field, scores, image).softmax(1)
    close = field(scores, image).softmax(1)
    assert (close.argmax(1) == exact.argmax(1)).float().mean() > 0.99
    assert (close - exact).abs().mean() < 0.02 * (scores.softmax(1) - exact).abs().mean()


def test_single_scale_is_the_model_itself(smooth):
    x = picture(21)
    assert torch.equal(MultiScale(smooth, (1.0,))(x), smooth(x))


def test_fusion_is_the_maximum_or_the_mean_of_the_scales(smooth):
    x = picture(24)
    half, full = MultiScale(smooth, (0.5,))(x), smooth(x)
    torch.testing.assert_close(MultiScale(smooth, (0.5, 1.0))(x), torch.maximum(half, full))
    torch.testing.assert_close(MultiScale(smooth, (0.5, 1.0), "mean")(x), (half + full) / 2)


def test_crf_moves_the_boundary_to_the_edge_of_the_picture():
    """Scores that are one pixel off a sharp edge, and a wrong spot in a flat region."""
    image = picture(32)
    scores = torch.zeros(1, 2, 32, 32, dtype=torch.float64)
    scores[:, 1, :, 18:] = scores[:, 0, :, :18] = 1.0
    scores[:, :, 8, 4] = torch.tensor([0.0, 1.0])
    labels = MeanField()(scores, image).argmax(1)
    assert torch.equal(labels[0], (torch.arange(32) >= 16).long().expand(32, 32))


@pytest.mark.parametrize("key", ["voc7-lraspp+multiscale", "voc7-lraspp+crf", "voc7-lraspp+multiscale-mean+crf"])
def test_keys_with_wrappers(model, key):
    wrapped = load_model(key, CPU)
    x = to_tensor(sample_picture("chelsea", MODELS["voc7-lraspp"]).pixels, CPU)[..., ::2, ::2]
    assert not wrapped.training
    assert wrapped.label_set is model.label_set
    assert wrapped.mean.device == CPU
    with torch.no_grad():
        ours, plain = wrapped(x).argmax(1), model(x).argmax(1)
        assert torch.equal(wrapped.features(x)[32], model.features(x)[32])
    assert 0.9 < (ours == plain).float().mean() < 1


def test_internal_representations_are_those_of_the_network_inside(model):
    wrapped = load_model("voc7-lraspp+multiscale+crf", CPU)
    assert isinstance(wrapped.get_submodule(wrapped.feature_layer), EfficientNetLite0)


def test_split_key():
    assert split_key("voc7-lraspp") == ("voc7-lraspp", [])
    assert split_key("voc7-lraspp+multiscale-mean+crf") == ("voc7-lraspp", ["multiscale-mean", "crf"])
    assert split_key("c++/factory.py:build+crf") == ("c++/factory.py:build", ["crf"])
    assert split_key("voc7-lraspp+random-noise=8,4+jpeg=50") == ("voc7-lraspp", ["random-noise=8,4", "jpeg=50"])


def test_unknown_wrapper():
    with pytest.raises(UserError, match="Known: multiscale"):
        load_model("voc7-lraspp+magic", CPU)


def test_mean_field_keeps_no_product_per_corner_for_its_gradient():
    """Those would be 64 tensors as large as the scores in every iteration: gigabytes for a large picture."""
    scores = torch.randn(1, 21, 48, 48, requires_grad=True)
    image = torch.full((1, 3, 48, 48), 0.5, requires_grad=True)
    kept: dict[int, int] = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    network = MeanField()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = network(scores, image)
    assert sum(kept.values()) < 16 * network.iterations * scores.nbytes
    assert torch.autograd.grad(output.square().sum(), image)[0].abs().sum() > 0
