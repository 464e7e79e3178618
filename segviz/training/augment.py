"""Training data in memory, with random scale, rotation, crop, flip and colour."""

from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from segviz.data.datasets import labelled_pairs
from segviz.data.label_sets import LabelSet
from segviz.types import VOID


class TrainingPairs(Dataset[tuple[Tensor, Tensor]]):
    """Augmented crops of a data-set folder; all photos are decoded once and kept.

    Item: image (3,crop,crop) in [0,1] and labels (crop,crop) int64 with 255 for void and padding. The augmentation of an item depends
    on `seed`, the epoch and its index alone, so that a resumed run sees what an uninterrupted one would have seen.
    """

    def __init__(
        self, folder: Path, label_set: LabelSet, crop: int, seed: int, scales: tuple[float, float] = (0.6, 2.0), jitter: float = 0.4
    ):
        self.pairs = []
        for photo, labels in labelled_pairs(folder):
            image = np.asarray(Image.open(photo).convert("RGB"))
            self.pairs.append((image, label_set.from_stored(np.asarray(Image.open(labels)))))
        self.crop, self.seed, self.scales, self.jitter, self.epoch = crop, seed, scales, jitter, 0

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, labels = self.pairs[index]
        rng = np.random.default_rng((self.seed, self.epoch, index))
        matrix = random_affine(image.shape[0], image.shape[1], self.crop, self.scales, rng)
        size = (self.crop, self.crop)
        grey = (127, 127, 127)
        image = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=grey)
        labels = cv2.warpAffine(labels, matrix, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=(VOID,))
        x = torch.from_numpy(jitter_colour(image, self.jitter, rng)).permute(2, 0, 1)
        return x, torch.from_numpy(labels).long()


def random_affine(height: int, width: int, crop: int, scales: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """2x3 matrix from photo to crop: scale between `scales`, rotation within 10 degrees, flip in half the cases, random position."""
    scale = np.exp(rng.uniform(*np.log(scales)))
    angle = np.deg2rad(rng.uniform(-10, 10))
    aspect = np.exp(rng.uniform(-0.15, 0.15))
    flip = rng.choice([-1.0, 1.0])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag([flip * scale * aspect, scale / aspect])
    # The centre of the crop lies where the crop stays inside the photo as far as it can.
    reach = np.maximum(np.array([width, height]) * scale - crop, 0.15 * crop) / (2 * scale)
    centre = np.array([width, height]) / 2 + rng.uniform(-reach, reach)
    offset = np.array([crop, crop]) / 2 - linear @ centre
    return np.column_stack([linear, offset])


def jitter_colour(image: np.ndarray, jitter: float, rng: np.random.Generator) -> np.ndarray:
    """(H,W,3) uint8 to float32 in [0,1]: brightness, contrast and saturation change by up to the share `jitter`; grey once in twenty."""
    brightness, contrast, saturation = rng.uniform(1 - jitter, 1 + jitter, 3).astype(np.float32)
    if rng.random() < 0.05:
        saturation = np.float32(0)
    x = image.astype(np.float32) / 255 * brightness
    grey = x @ np.array([0.299, 0.587, 0.114], np.float32)
    x = (x - grey[..., None]) * saturation + grey[..., None]
    return np.clip((x - grey.mean()) * contrast + grey.mean(), 0, 1).astype(np.float32)
