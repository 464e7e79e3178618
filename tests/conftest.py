"""Shared by all tests: a linear segmenter with a known optimum, a smooth one, the bundled model, a small labelled data set."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from in_thread import InThread
from PIL import Image
from torch import Tensor, nn

from segviz.data.label_sets import VOC7
from segviz.data.samples import samples
from segviz.defences.load import load_model
from segviz.engine import jobs
from segviz.models.segmenter import Segmenter

# Every run of a test is to be computed.
os.environ["SEGVIZ_RUNS_MB"] = "0"
# Pages sees what a test has patched, and no test waits for a process to start; those of the engine and in a browser have one.
jobs.CONNECT = InThread
# Threads of torch that wait for a core which something else has make a step ten times as long; small pictures gain nothing by them.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def engines_end() -> Iterator[None]:
    """No engine of a test computes on when the interpreter ends."""
    yield
    jobs.engine().close()
    for engine in InThread.started:
        engine.wait()


class LinearSegmenter(nn.Module):
    """Two classes; the logit of class 1 at a pixel is w . x + b, that of class 0 its negative. Pixels do not see each other.

    From a pixel with margin m = w . x + b, the smallest L-inf change that flips it is |m| / sum |w|, the smallest L2 change |m| / |w|.
    """

    def __init__(self, weight: list[float], bias: float):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight).view(1, 3, 1, 1), requires_grad=False)
        self.bias = bias

    def margin(self, x: Tensor) -> Tensor:
        return (x * self.weight).sum(1) + self.bias

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([-self.margin(x), self.margin(x)], 1)


class OneLevel(nn.Module):
    """A smooth encoder: features at stride 4."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 5, stride=4, padding=2)

    def forward(self, x):
        return {4: self.conv(x).tanh()}


class OneLayer(nn.Conv2d):
    def forward(self, features):
        return super().forward(features[4])


@pytest.fixture
def smooth() -> Segmenter:
    """A small segmenter without kinks, in float64."""
    torch.manual_seed(0)
    model = Segmenter(OneLevel(), OneLayer(8, 7, 1), (0.5,) * 3, (0.2,) * 3, VOC7)
    return model.double().eval().requires_grad_(False)


@pytest.fixture
def linear() -> LinearSegmenter:
    return LinearSegmenter([0.8, -0.5, 0.3], -0.2)


@pytest.fixture
def eight_bit() -> Tensor:
    """Two random 8-bit images (2,3,12,16), values kept away from 0 and 255 so that the box does not interfere."""
    levels = torch.randint(40, 216, (2, 3, 12, 16), generator=torch.Generator().manual_seed(1))
    return levels / 255


@pytest.fixture(scope="session")
def model() -> Segmenter:
    return load_model("voc7-lraspp", torch.device("cpu"))


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data-set folder of four small pictures, cut from the samples, of two sizes."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    for key, size in (("chelsea", (128, 96)), ("person", (128, 96)), ("horses", (128, 96)), ("astronaut", (96, 96))):
        sample = samples()[key]
        Image.open(sample.photo).convert("RGB").resize(size).save(folder / "images" / f"{key}.png")
        labels = Image.fromarray(np.array(Image.open(sample.labels)))
        labels.resize(size, Image.Resampling.NEAREST).save(folder / "labels" / f"{key}.png")
    return folder
