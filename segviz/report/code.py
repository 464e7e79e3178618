"""Python code that repeats a result."""

from collections.abc import Sequence
from dataclasses import asdict

from segviz.data.samples import samples
from segviz.models.zoo import model_entry
from segviz.records import Picture, Trajectory
from segviz.scaling.kernels import Scaler
from segviz.settings import GIVEN, Settings
from segviz.studies.defences import Trial
from segviz.studies.grid import Study
from segviz.studies.scaling import ScalingSettings
from segviz.studies.transfer import Plan
from segviz.types import UNSAID


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
    read_map, target_map = "", ""
    if settings.goal == GIVEN:
        read_map, target_map = "read_target_map, ", ', target_map=read_target_map(Path("map.png"), entry).indices'
    return f"""\
# This repeats the run, wherever it is saved, and writes adversarial.png into the folder that it is started in.
{"from dataclasses import replace" + chr(10) if changed else ""}from importlib.util import find_spec
from pathlib import Path

from PIL import Image

if find_spec("segviz") is None:
    raise SystemExit("Install segviz first: pip install FOLDER, with the folder that holds app.py.")
from segviz.defences.load import load_model
from segviz.lab import attack_picture, open_picture, {read_map}sample_picture
from segviz.models.load import default_device
{imported}from segviz.models.zoo import model_entry
from segviz.settings import Settings
{said}
settings = Settings({arguments})
{upload}entry = model_entry(settings.model)
{changed}picture = {picture}
model = load_model(settings.model, default_device())
for trajectory in attack_picture(settings, picture, model{target_map}):
    print(trajectory.curve[-1])
print(trajectory.report)
Image.fromarray(trajectory.final.pixels).save(Path("adversarial.png"))
"""


def program(imports: Sequence[str], *lines: str) -> str:
    """A program that needs segviz, from its imports and what it does."""
    return "\n".join(
        ["# This repeats the result; it needs segviz: pip install FOLDER, with the folder that holds app.py.", *imports, "", *lines, ""]
    )


def picture_line(settings: Settings, picture: Picture) -> str:
    """The line that opens a picture for the model `entry`."""
    if settings.image in samples():
        return f"picture = sample_picture({settings.image!r}, entry)"
    labels = "None" if picture.labels is None else 'Path("labels.png")'
    return f'picture = open_picture("own", Path("photo.png"), {labels}, entry)  # put the names of your files here'


ONE_PICTURE = (
    "from pathlib import Path",
    "",
    "from segviz.defences.load import load_model",
    "from segviz.lab import open_picture, sample_picture",
    "from segviz.models.load import default_device",
    "from segviz.models.zoo import model_entry",
    "from segviz.settings import Settings",
)


def comparison_code(runs: Sequence[Settings], picture: Picture) -> str:
    """A comparison of attacks on one picture."""
    return program(
        [*ONE_PICTURE, "from segviz.studies.compare import compare"],
        "runs = [",
        *(f"    {settings!r}," for settings in runs),
        "]",
        f"entry = model_entry({runs[0].model!r})",
        picture_line(runs[0], picture),
        f"for entrants in compare(runs, picture, load_model({runs[0].model!r}, default_device())):",
        "    pass",
        "for one in entrants:",
        "    print(one.settings.attack, one.error or one.trajectory.report)",
    )


def trial_code(trial: Trial, picture: Picture) -> str:
    """A defence on trial."""
    return program(
        [*ONE_PICTURE, "from segviz.studies.defences import on_trial"],
        f"settings = {trial.settings!r}",
        f"entry = model_entry({trial.settings.model!r})",
        picture_line(trial.settings, picture),
        f"model = load_model({trial.settings.model!r}, default_device())",
        f"for trial in on_trial(settings, {trial.defence!r}, picture, model, {trial.budget}):",
        "    pass",
        "for run in (trial.plain, trial.naive, trial.adaptive):",
        "    print(run.settings.model, run.report)",
    )


def survey_code(settings: Settings, defences: Sequence[str], budget: int) -> str:
    """Defences over the samples."""
    return program(
        [
            "from segviz.settings import Settings",
            "from segviz.studies.runs import run_survey",
        ],
        f"settings = {settings!r}",
        f"for survey in run_survey(settings, {list(defences)!r}, {budget}, stopped=lambda: False):",
        "    pass",
        "for row in survey.rows:",
        "    print(row)",
    )


def transfer_code(plan: Plan, over: Sequence[str]) -> str:
    """A study of transfer, over the samples of these names or, without any, over a folder."""
    photos = f"sample_files({list(over)!r}, label_set)"
    opened = "samples are named; for photos of your own: PhotoFile(name, Path(...), Path(...) or None, ...)"
    return program(
        [
            "from segviz.models.load import default_device",
            "from segviz.settings import Settings",
            "from segviz.studies.transfer import PhotoFile, Plan, Run, common_label_set, sample_files, transfer",
        ],
        f"plan = {plan!r}",
        "label_set = common_label_set([*(run.settings.model for run in plan.runs), *plan.victims])",
        f"photos = {photos}  # {opened}",
        "for study in transfer(plan, photos, default_device()):",
        "    pass",
        "for cell in study.cells:",
        "    print(cell)",
    )


def scaling_code(settings: ScalingSettings) -> str:
    """A scaling attack with its consequences."""
    other = f"sample_full_size({settings.other!r}).pixels" if settings.hidden == "photo" else "None"
    return program(
        [
            "from segviz.studies.runs import run_scaling",
            "from segviz.studies.scaling import ScalingSettings, sample_full_size",
        ],
        f"settings = {settings!r}",
        f"source, other = sample_full_size({settings.image!r}).pixels, {other}  # or open_full_size(name, bytes)",
        "for study in run_scaling(settings, source, other, stopped=lambda: False):",
        "    print(study.stage)",
        "print(study.result.figures())",
    )


def scaled_code(scaler: Scaler, slack: float) -> str:
    """A scaling attack alone."""
    return program(
        [
            "from pathlib import Path",
            "",
            "from segviz.data.images import read_photo",
            "from segviz.scaling.attack import MAX_SIDE, attack",
            "from segviz.scaling.kernels import SCALERS",
        ],
        "# Put the names of your files here; the second one has the size that is scaled to.",
        'source, target = (read_photo(Path(name), MAX_SIDE).pixels for name in ("source.png", "target.png"))',
        f"for look in attack(source, target, SCALERS[{scaler.key!r}], {slack!r}):",
        "    pass",
        "print(look.result.figures())",
    )


def study_code(study: Study) -> str:
    """A grid of runs."""
    return program(
        [
            "from segviz.settings import Settings",
            "from segviz.studies.grid import AttackRow, Images, Study",
            "from segviz.studies.run import run",
            "from segviz.studies.store import Store",
            "from segviz.studies.table import table",
        ],
        f"study, store = {study!r}, Store()",
        "for progress in run(study, store):",
        "    print(progress.done, progress.total)",
        "for row in table(study, store):",
        "    print(row.point.settings.attack, row.point.settings.eps, row.adversarial)",
    )
