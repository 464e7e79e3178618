"""Parts of the page of target maps: status, drawing, headline, a card per picture, curves, table, downloads."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from segviz import draw
from segviz.attacks.catalog import iterations_of
from segviz.attacks.rows import ATTACKS
from segviz.data.label_sets import LabelSet
from segviz.draw import MapLook
from segviz.export import json_of
from segviz.models.zoo import model_entry
from segviz.records import Picture, gathered
from segviz.results import targets_result
from segviz.studies.target_maps import Painted
from segviz.studies.targets import PASSED, Victim, mean_now
from segviz.ui.kit.beside import show_warnings
from segviz.ui.kit.charts import show_chart
from segviz.ui.kit.export import File, download_buttons
from segviz.ui.kit.layers import PERTURBATION
from segviz.ui.kit.look import choose_look
from segviz.ui.kit.models import is_here
from segviz.ui.kit.pictures import COLOURS, data_url, encoded, swatch
from segviz.ui.kit.state import tab
from segviz.ui.kit.status import show_problem
from segviz.ui.kit.words import MADE_BEFORE
from segviz.ui.region import region_editor
from segviz.ui.targets.charts import MEAN, target_curves
from segviz.ui.targets.controls import PRESETS, MorphWish, material, photo_title, read_target
from segviz.ui.targets.files import targets_csv, targets_zip
from segviz.ui.targets.state import MADE, Morph, MorphShown, choose_preset

PHOTO, ADVERSARIAL, NOW, TARGET, CLEAN, LABELS = "Photo", "Adversarial", "Map now", "Target map", "Clean map", "Label map"
PICTURES = (NOW, TARGET, ADVERSARIAL, PHOTO, CLEAN, LABELS, PERTURBATION)
SHOWN_FIRST = (NOW, TARGET, ADVERSARIAL, PHOTO)
MOVING = (ADVERSARIAL, NOW, PERTURBATION)
"""Pictures that change while an attack runs."""

INTRODUCTION = (
    "What you see: photos, what the model makes of each, and the **target map** that each is to be segmented as. Press **Run**, and all of "
    "them morph towards it under a change of the photo that hardly shows."
)
SOURCES = (
    "One target map for every picture, and a class made to vanish, are the attacks of [Metzen et al., Universal Adversarial Perturbations "
    "Against Semantic Image Segmentation, ICCV 2017](https://arxiv.org/abs/1704.05712), here each picture gets its own perturbation. "
    "Agreement with the target, with the original prediction and with the label map are told apart as in [CosPGD, ICML "
    "2024](https://arxiv.org/abs/2302.02213)."
)


def victim_colours(victims: Sequence[Victim]) -> dict[str, str]:
    """The colour of each picture's curve by its name."""
    return {victim.picture.name: COLOURS[number % len(COLOURS)] for number, victim in enumerate(victims)}


def target_preset_buttons(classes: Sequence[str] | None) -> None:
    """A button for each preset; those whose class is none of the network's `classes` (None: not known) are out of use."""
    with st.container(horizontal=True, gap="small"):
        for key, preset in PRESETS.items():
            wanted = (read_target(preset.target) or {}).get("class")
            lacking = classes is not None and wanted is not None and wanted not in classes
            help_text = f"This network knows no {wanted}." if lacking else preset.help
            st.button(preset.title, help=help_text, disabled=lacking, key=f"targets-preset-{key}", on_click=choose_preset, args=(key,))


def say_what_is_missing(wish: MorphWish) -> None:
    """What is to be done on the left, or on the picture, before there is something to run."""
    if not is_here(model_entry(wish.settings.model)):
        st.info("Download the model on the left to attack it. Until then the last view stays.")
    elif not wish.victims:
        st.info("Choose one or several pictures on the left. Until then the last view stays.")
    elif wish.target == "drawn":
        st.info("Draw the target on the picture above. **Run** waits for that.", icon=":material/draw:")
    elif wish.target == "file":
        st.info("Upload the target map on the left. **Run** waits for that.")


def show_morph_status(state: Morph, shown: MorphShown) -> None:
    """What is on screen; errors as messages."""
    show_problem(state.job)
    before = MADE_BEFORE if shown.run == MADE else ""
    st.markdown(INTRODUCTION if shown.look else f"{describe_morph(shown)}{before}")


def describe_morph(shown: MorphShown) -> str:
    """One line that tells what was done."""
    settings, count = shown.wish.settings, len(shown.victims)
    unit = "" if settings.norm == "linf" else " (root mean square)"
    pictures = f"**{count} pictures**" if count > 1 else f"**{photo_title(shown.victims[0].picture.name)}**"
    stopped = any(victim.result is not None and victim.result.stopped for victim in shown.victims)
    steps = f"{iterations_of(settings)} steps" + (", stopped before" if stopped else "")
    return (
        f"{ATTACKS[settings.attack].title} leads {pictures} to {target_words(shown.wish.target)}: ε = {settings.eps:g}/255{unit}, {steps}, "
        f"seed {settings.seed}. Adversarial pictures and figures are of the step that came nearest, rounded to a real image."
    )


def target_words(target: str) -> str:
    """A target in words, from its text in a link."""
    kind, _, name = target.partition(":")
    if kind == "photo":
        photo, _, source = name.rpartition(":")
        whose = "the label map of" if source == "labels" else "the model's prediction on"
        return f"{whose} **{photo_title(photo)}**"
    return {
        "class": f"**{name} everywhere**",
        "remove": f"a map **without {name}**",
        "mirror": "its own map **mirrored**",
        "drawn": "a **drawn map**",
        "file": "an **uploaded map**",
    }[kind]


def show_editor(state: Morph, picture: Picture, label_set: LabelSet) -> None:
    """The picture to draw the target on: what is painted so far lies over it, the shapes of the chosen class can be changed."""
    brush, drawing = st.session_state.targets_brush, material().drawing

    def drawn(text: str) -> None:
        drawing[brush] = text

    first = state.shown.victims[0] if state.shown is not None else None
    clean = first.clean if first is not None and first.picture.name == picture.name else None
    fits = clean is not None and clean.shape == picture.pixels.shape[:2]
    others = tuple((name, shapes) for name, shapes in drawing.items() if shapes and name != brush and name in label_set.classes)
    base = np.zeros(picture.pixels.shape[:2], np.uint8) if clean is None or not fits else clean
    labels = Painted(others, st.session_state.targets_base).over(base, label_set)
    canvas, notes = st.columns([3, 2], gap="medium")
    with canvas:
        region_editor(
            data_url(draw.seen_map(labels, label_set, picture.pixels, replace(tab().look, on_photo=True))),
            drawing.get(brush, ""),
            drawn,
            key=f"targets_editor_{brush}",
            height=300,
        )
    notes.markdown(f"Draw where **{brush}** is to be seen; choose other classes on the left and draw those as well.")
    notes.caption(
        "Shapes are in per cent, so that each picture gets them at its own size. A class that was drawn later covers those before it."
    )


def show_morph_figures(victims: Sequence[Victim]) -> None:
    """Means over the pictures: live from the newest iterates, in the end from the 8-bit results."""
    show_warnings(gathered((victim.picture.name, victim.warnings) for victim in victims))
    able = [victim for victim in victims if victim.now is not None]
    columns = st.columns(4)
    open_ones = [victim for victim in able if not victim.there_before]
    reached = sum(victim.now is not None and victim.now.target_accuracy >= PASSED for victim in open_ones)
    columns[0].metric(
        f"Pictures at {PASSED:.0%}",
        f"{reached} of {len(open_ones)}",
        help="How many have that share of their pixels as the target map says, of those that do not have it without an attack.",
    )
    for column, (rate, title, told) in zip(
        columns[1:],
        (
            ("target_accuracy", "Target accuracy", "Share of pixels with the class of the target map, mean over the pictures."),
            ("target_miou", "Target mIoU", "mIoU of each image with respect to its target map, mean over the pictures."),
            ("original_miou", "IoU with the original", "mIoU of each image with respect to the clean prediction: what is left of it."),
        ),
        strict=True,
    ):
        value = mean_now(able, rate)
        column.metric(title, "–" if value is None else f"{value:.1%}", help=told)


def show_cards(shown: MorphShown, active: bool) -> None:
    """A card per picture, side by side: where it stands, and the pictures that were chosen to be seen."""
    bar = st.container(horizontal=True, vertical_alignment="center")
    names = bar.pills(
        "Pictures on the cards",
        PICTURES,
        default=SHOWN_FIRST,
        selection_mode="multi",
        key="targets_pictures",
        persist_state="session",
        label_visibility="collapsed",
    )
    with bar:
        look = choose_look("targets_on_photo")
    colours = victim_colours(shown.victims)
    with st.grid(min(max(len(shown.victims), 3), 4), min_column_width=180, gap="small"):
        for victim in shown.victims:
            with st.container(border=True):
                show_card(victim, shown, [name for name in PICTURES if name in names], look, colours[victim.picture.name], active)


def show_card(victim: Victim, shown: MorphShown, names: Sequence[str], look: MapLook, colour: str, active: bool) -> None:
    """One picture: title, figures, mark of 90 %, its pictures; until its attack has ended the changing ones are small JPEG previews."""
    head = st.container(horizontal=True, vertical_alignment="center", gap="small")
    head.image(swatch(colour), width=16, alt="")
    # Narrow enough to stay beside the swatch.
    head.markdown(f"**{photo_title(victim.picture.name)}**", width=130)
    if victim.error is not None:
        st.warning(victim.error)
    elif victim.there_before:
        st.badge(f"{PASSED:.0%} without an attack", color="gray", help="The target is so near to the clean map that this is no success.")
    elif victim.passed is not None:
        st.badge(f"{PASSED:.0%} at iteration {victim.passed}", icon=":material/check:", color="green")
    elif victim.now is not None:
        st.badge(f"below {PASSED:.0%}", color="gray")
    if victim.now is not None:
        st.caption(f"target {victim.now.target_accuracy:.1%} · mIoU {victim.now.target_miou:.1%}")
    found = pictures_of(victim, shown, look)
    moving = victim.result is None and active
    moment = "result" if victim.result is not None else victim.now.index if victim.now is not None else "clean"
    for name in names:
        if name in found:
            identity = (shown.run, victim.picture.name, look, name, moment if name in MOVING else victim.clean is None)
            st.image(encoded(identity, moving and name in MOVING, found[name]), caption=name, width="stretch", alt=name)
    st.caption(sizes(victim, shown.size))


def pictures_of(victim: Victim, shown: MorphShown, look: MapLook) -> dict[str, Callable[[], np.ndarray]]:
    """Name of each picture that there is to a function that draws it as (H,W,3) uint8."""
    photo, settings = victim.picture.pixels, shown.wish.settings

    def drawn_map(labels: np.ndarray) -> Callable[[], np.ndarray]:
        return lambda: draw.seen_map(labels, shown.label_set, photo, look)

    found: dict[str, Callable[[], np.ndarray]] = {PHOTO: lambda: photo}
    for name, labels in ((NOW, victim.prediction), (TARGET, victim.target), (CLEAN, victim.clean), (LABELS, victim.picture.labels)):
        if labels is not None:
            found[name] = drawn_map(labels)
    adversarial = victim.pixels
    if adversarial is not None:
        scale = draw.full_scale(settings.eps, settings.norm)
        found[ADVERSARIAL] = lambda: adversarial
        found[PERTURBATION] = lambda: draw.perturbation(adversarial, photo, scale)
    return found


def sizes(victim: Victim, size: tuple[int, int] | None) -> str:
    """The size of a picture, and what had to be done to the target map to fit it."""
    height, width = victim.picture.pixels.shape[:2]
    text = f"{width}x{height} pixels"
    if victim.target is not None and size not in (None, (height, width)):
        assert size is not None
        text += f"; the target map came in {size[1]}x{size[0]} and was stretched to fit (nearest neighbour)"
    return text


def show_morph_curves(shown: MorphShown) -> None:
    """The curves of all pictures."""
    titles = {victim.picture.name: photo_title(victim.picture.name) for victim in shown.victims}
    show_chart(
        target_curves(shown.victims, victim_colours(shown.victims), titles, iterations_of(shown.wish.settings)),
        key="targets_curves",
        config={"displayModeBar": False},
        alt="Target accuracy, target mIoU, IoU with the original prediction and accuracy of each picture over the iterations",
    )


def show_victims(shown: MorphShown, active: bool) -> None:
    """A row per picture and their mean: figures of the 8-bit result, or of the newest iterate while it runs."""
    rows = [victim_row(victim, active) for victim in shown.victims]
    if len(rows) > 1:
        mean = {column: mean_now(shown.victims, rate) for column, rate in COLUMNS.items()}
        rows.append({"picture": MEAN} | {column: None if value is None else 100 * value for column, value in mean.items()})
    percent = st.column_config.NumberColumn(format="%.1f %%")
    st.dataframe(
        {name: [row.get(name) for row in rows] for name in rows[0]},
        hide_index=True,
        placeholder="–",
        column_config={
            **dict.fromkeys(COLUMNS, percent),
            "target accuracy": st.column_config.ProgressColumn(format="%.1f %%", width=130, min_value=0, max_value=100),
            "passed": st.column_config.NumberColumn(f"{PASSED:.0%} at", format="%d", help="First iteration with that target accuracy."),
            "max |d|": st.column_config.NumberColumn(format="%.0f/255", help="Largest change of any colour value in the 8-bit result."),
            "PSNR": st.column_config.NumberColumn(format="%.1f dB"),
        },
        alt="Figures of the pictures and their mean",
    )


COLUMNS = {
    "target accuracy": "target_accuracy",
    "target mIoU": "target_miou",
    "accuracy, original": "original_accuracy",
    "IoU, original": "original_miou",
    "accuracy, label map": "true_accuracy",
    "mIoU, label map": "true_miou",
}
"""Column of the table to the rate that it shows."""


def victim_row(victim: Victim, active: bool) -> dict[str, str | float | None]:
    """One line of the table."""
    row: dict[str, str | float | None] = {"picture": photo_title(victim.picture.name), "state": state_of_victim(victim, active)}
    for column, rate in COLUMNS.items():
        value = None if victim.now is None else getattr(victim.now, rate)
        row[column] = None if value is None else 100 * value
    result = victim.result
    row["passed"] = victim.passed
    row["max |d|"] = result.linf if result else None
    row["PSNR"] = result.psnr if result else None
    return row


def state_of_victim(victim: Victim, active: bool) -> str:
    """Where a picture stands, in words; `active` says whether the run is under way."""
    if victim.error is not None:
        return victim.error
    if victim.result is None:
        return ("running" if victim.curve else "waiting") if active else "not finished"
    return f"stopped after {victim.result.moment.index}" if victim.result.stopped else "done"


def show_morph_files(shown: MorphShown) -> None:
    """Adversarial pictures, curves, settings and results, once the run has ended."""
    settings, target = shown.wish.settings, shown.wish.target
    download_buttons(
        "targets",
        [
            File("Adversarial PNGs (ZIP)", "adversarial.zip", lambda: targets_zip(shown.victims)),
            File("Curves (CSV)", "targets.csv", lambda: targets_csv(shown.victims)),
            File("Settings and results (JSON)", "targets.json", lambda: json_of(targets_result(shown.victims, settings, target))),
        ],
    )
