"""What a run can be taken home as: its curve, and the code that repeats it."""

from dataclasses import asdict, fields

from segviz.export import csv_of
from segviz.models.zoo import model_entry
from segviz.records import Point, Trajectory
from segviz.types import UNSAID


def curve_csv(trajectory: Trajectory) -> str:
    """The curve, one row per iteration, rates as fractions of 1."""
    return csv_of([field.name for field in fields(Point)], map(asdict, trajectory.curve))


def snippet(trajectory: Trajectory, sample: bool) -> str:
    """Python code that repeats the run with the library."""
    settings = trajectory.settings
    arguments = ", ".join(f"{name}={value!r}" for name, value in asdict(settings).items())
    if sample:
        picture = f"sample_picture({settings.image!r}, entry)"
    else:
        labels = "None" if trajectory.picture.labels is None else 'Path("labels.png")'
        picture = f'open_picture("own", Path("photo.png"), {labels}, entry)  # put the names of your files here'
    reading, changed, said = trajectory.picture.reading, "", ""
    if reading != UNSAID:
        said = "from segviz.types import Reading\n"
        changed = f"entry = replace(entry, label_set=replace(entry.label_set, reading={reading!r}))\n"
    entry, imported, upload = model_entry(settings.model), "", ""
    if entry.network_of:
        imported = "from segviz.models.uploads import upload\n"
        file = "Path('weights.safetensors')"
        fed = "" if (entry.channels, entry.input_range) == ("rgb", 1.0) else f", {entry.channels!r}, {entry.input_range!r}"
        upload = f"upload(model_entry({entry.network_of!r}), 'weights', {file}.read_bytes(){fed})  # put the name of your file here\n"
    return f"""\
# This repeats the run, wherever it is saved, and writes adversarial.png into the folder that it is started in.
{"from dataclasses import replace" + chr(10) if changed else ""}from importlib.util import find_spec
from pathlib import Path

from PIL import Image

if find_spec("segviz") is None:
    raise SystemExit("Install segviz first: pip install FOLDER, with the folder that holds app.py.")
from segviz.defences.load import load_model
from segviz.lab import attack_picture, open_picture, sample_picture
from segviz.models.load import default_device
{imported}from segviz.models.zoo import model_entry
from segviz.settings import Settings
{said}
settings = Settings({arguments})
{upload}entry = model_entry(settings.model)
{changed}picture = {picture}
model = load_model(settings.model, default_device())
for trajectory in attack_picture(settings, picture, model):
    print(trajectory.curve[-1])
print(trajectory.report)
Image.fromarray(trajectory.final.pixels).save(Path("adversarial.png"))
"""
