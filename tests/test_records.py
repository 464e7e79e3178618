"""Tests of the records: they are read without torch, and their figures are those of the metrics."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from segviz import metrics
from segviz.records import Frame, figures_of_counts, figures_of_frame
from segviz.types import VOID

ROOT = Path(__file__).parents[1]


def test_records_settings_and_drawing_load_no_torch():
    code = "import sys, segviz.records, segviz.settings, segviz.types, segviz.draw, segviz.data.label_sets; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_figures_are_those_of_the_metrics():
    rng = np.random.default_rng(0)
    prediction, reference = (rng.integers(0, 5, (20, 30)).astype(np.uint8) for _ in range(2))
    reference[:4] = VOID
    found = figures_of_frame(Frame(3, np.zeros((20, 30, 3), np.uint8), prediction, prediction), reference, 8)
    counts = metrics.confusion_matrix(torch.from_numpy(prediction)[None], torch.from_numpy(reference)[None], 8)[0]
    assert found == figures_of_counts(counts.numpy())
    assert found.miou == pytest.approx(metrics.mean_iou(counts).item(), abs=1e-15)
    assert found.pixel_accuracy == metrics.pixel_accuracy(counts).item()
    assert found.iou[5:] == (None, None, None)
    assert found.iou[:5] == tuple(metrics.class_iou(counts)[:5].tolist())


def test_void_alone_has_no_figures():
    empty = np.zeros((2, 2), np.uint8)
    figures = figures_of_frame(Frame(0, np.zeros((2, 2, 3), np.uint8), empty, empty), np.full((2, 2), VOID, np.uint8), 3)
    assert np.isnan(figures.miou)
    assert np.isnan(figures.pixel_accuracy)
    assert figures.iou == (None, None, None)
