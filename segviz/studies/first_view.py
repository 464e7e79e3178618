"""The precomputed run that is on screen before any model is loaded.

`python -m segviz.studies.first_view` makes it anew from the bundled weights.
"""

import json
from collections import deque
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from segviz.defences.load import load_model
from segviz.lab import attack_picture, sample_picture
from segviz.models.load import default_device
from segviz.models.zoo import model_entry
from segviz.places import ASSETS
from segviz.records import Figures, Frame, Point, Report, Trajectory
from segviz.settings import Settings

FILE = ASSETS / "first_view.npz"
KEPT = (0, 1, 2, 3, 5, 8, 12, 16, 20)


def make_first_view() -> Trajectory:
    """Run the default settings, keeping a selection of the frames."""
    settings = Settings()
    picture = sample_picture(settings.image, model_entry(settings.model))
    trajectory = deque(attack_picture(settings, picture, load_model(settings.model, default_device())), maxlen=1).pop()
    return replace(trajectory, frames=tuple(frame for frame in trajectory.frames if frame.index in KEPT))


def save(trajectory: Trajectory, file: Path) -> None:
    """Write a finished run with a label map as reference, without its picture, which is a sample."""
    assert trajectory.final is not None
    assert trajectory.report is not None
    frames = (*trajectory.frames, trajectory.final)
    facts = {
        "settings": asdict(trajectory.settings),
        "device": trajectory.device,
        "clean": asdict(trajectory.clean),
        "curve": [asdict(point) for point in trajectory.curve],
        "report": asdict(trajectory.report),
    }
    np.savez_compressed(
        file,
        facts=np.array(json.dumps(facts)),
        index=np.array([frame.index for frame in frames]),
        pixels=np.stack([frame.pixels for frame in frames]),
        prediction=np.stack([frame.prediction for frame in frames]),
        confidence=np.stack([frame.confidence for frame in frames]),
    )


def load(file: Path = FILE) -> Trajectory:
    """Read what `save` wrote."""
    with np.load(file, allow_pickle=False) as stored:
        facts = json.loads(str(stored["facts"]))
        columns = zip(stored["index"].tolist(), stored["pixels"], stored["prediction"], stored["confidence"], strict=True)
        *frames, final = [Frame(*row) for row in columns]
    settings = Settings(**facts["settings"])
    picture = sample_picture(settings.image, model_entry(settings.model))
    assert picture.labels is not None
    return Trajectory(
        settings=settings,
        picture=picture,
        reference=picture.labels,
        own_prediction=False,
        target=None,
        device=facts["device"],
        clean=figures(facts["clean"]),
        curve=tuple(Point(**point) for point in facts["curve"]),
        frames=tuple(frames),
        final=final,
        report=Report(**facts["report"] | {"adversarial": figures(facts["report"]["adversarial"]), "smallest": ()}),
    )


def figures(values: dict[str, Any]) -> Figures:
    """Figures from their JSON values."""
    return Figures(values["miou"], values["pixel_accuracy"], tuple(values["iou"]))


if __name__ == "__main__":
    save(make_first_view(), FILE)
    print(f"wrote {FILE}")
