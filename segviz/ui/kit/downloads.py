"""What a run can be taken home as: picture, settings, curve, and the code that repeats it."""

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, fields

from segviz import draw
from segviz.data.label_sets import LabelSet
from segviz.models.zoo import model_entry
from segviz.records import Point, Trajectory
from segviz.results import attack_result, comparison_result, targets_result
from segviz.settings import Settings
from segviz.studies.compare import Entrant
from segviz.studies.targets import RATES, Moment, Victim, mean_curve


def settings_json(trajectory: Trajectory, label_set: LabelSet) -> str:
    """Settings and result as JSON, as the terminal writes it."""
    return json.dumps(attack_result(trajectory, label_set), indent=2) + "\n"


def curve_csv(trajectory: Trajectory) -> str:
    """The curve, one row per iteration, rates as fractions of 1."""
    text = io.StringIO()
    rows = csv.DictWriter(text, list(asdict(trajectory.curve[0])), lineterminator="\n")
    rows.writeheader()
    rows.writerows(asdict(point) for point in trajectory.curve)
    return text.getvalue()


def comparison_json(entrants: Sequence[Entrant], budget: int, label_set: LabelSet) -> str:
    """Settings and results of a comparison as JSON."""
    return json.dumps(comparison_result(entrants, budget, label_set), indent=2) + "\n"


def comparison_csv(entrants: Sequence[Entrant]) -> str:
    """The curves of all attacks under one another, one row per attack and iteration, rates as fractions of 1."""
    text = io.StringIO()
    rows = csv.DictWriter(text, ["attack", "variant", *(field.name for field in fields(Point))], lineterminator="\n")
    rows.writeheader()
    for entrant in entrants:
        if entrant.trajectory is not None:
            settings = entrant.settings
            rows.writerows({"attack": settings.attack, "variant": settings.variant, **asdict(point)} for point in entrant.trajectory.curve)
    return text.getvalue()


def targets_zip(victims: Sequence[Victim]) -> bytes:
    """The adversarial pictures as lossless PNGs in a ZIP, named after the photos."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for victim in victims:
            if victim.result is not None and victim.pixels is not None:
                archive.writestr(victim.picture.name.removesuffix(".png") + ".png", draw.png(victim.pixels))
    return data.getvalue()


def targets_csv(victims: Sequence[Victim]) -> str:
    """The curves of all pictures under one another, one row per picture and iteration, and those of their mean; rates as fractions of 1."""
    text = io.StringIO()
    rows = csv.DictWriter(text, ["picture", *(field.name for field in fields(Moment))], lineterminator="\n")
    rows.writeheader()
    for victim in victims:
        rows.writerows({"picture": victim.picture.name, **asdict(moment)} for moment in victim.curve)
    means = zip(*(mean_curve(victims, rate) for rate in RATES), strict=True)
    rows.writerows({"picture": "mean", "index": index, **dict(zip(RATES, rates, strict=True))} for index, rates in enumerate(means))
    return text.getvalue()


def targets_json(victims: Sequence[Victim], settings: Settings, target: str) -> str:
    """Settings and results of pictures led to a target map as JSON."""
    return json.dumps(targets_result(victims, settings, target), indent=2) + "\n"


def snippet(trajectory: Trajectory, sample: bool) -> str:
    """Python code that repeats the run with the library."""
    settings = trajectory.settings
    arguments = ", ".join(f"{name}={value!r}" for name, value in asdict(settings).items())
    if sample:
        picture = f"sample_picture({settings.image!r}, entry)"
    else:
        labels = "None" if trajectory.picture.labels is None else 'Path("labels.png")'
        picture = f'open_picture("own", Path("photo.png"), {labels}, entry)  # put the names of your files here'
    entry, imported, upload = model_entry(settings.model), "", ""
    if entry.network_of:
        imported = "from segviz.models.uploads import upload\n"
        file = "Path('weights.safetensors')"
        upload = f"upload(model_entry({entry.network_of!r}), 'weights', {file}.read_bytes())  # put the name of your file here\n"
    return f"""\
# Run this where segviz is installed, or in its folder, the one that holds app.py. It writes adversarial.png.
from pathlib import Path

from PIL import Image

from segviz.lab import attack_picture, open_picture, sample_picture
from segviz.models.load import default_device, load_model
{imported}from segviz.models.zoo import model_entry
from segviz.settings import Settings

settings = Settings({arguments})
{upload}entry = model_entry(settings.model)
picture = {picture}
model = load_model(settings.model, default_device())
for trajectory in attack_picture(settings, picture, model):
    print(trajectory.curve[-1])
print(trajectory.report)
Image.fromarray(trajectory.final.pixels).save(Path("adversarial.png"))
"""
