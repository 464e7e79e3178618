"""Parts of the leaderboard page: the table of models by their worst case, the papers' numbers marked as theirs."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from segviz.defences.titles import short_title
from segviz.export import csv_of
from segviz.studies.evaluate import SetFigures
from segviz.studies.grid import SAMPLES, Study, points
from segviz.studies.leaderboard import RANKED, Standing, places, published_models
from segviz.studies.lines import line_name
from segviz.ui.kit.export import File, download_buttons
from segviz.ui.kit.presenter import in_pixels
from segviz.ui.study.page import show_errors
from segviz.ui.study.state import Shown

FIGURES = ("mIoU", "NmIoU", "pixel accuracy")
FIELDS_OF = dict(zip(FIGURES, RANKED, strict=True))
OURS, THEIRS = "ours", "theirs"
ONE_CLASS = "one class everywhere"
CLASSES = {"VOC": 21, "ADE20K": 151}
"""Classes of the papers' data, background included."""
FEW_PHOTOS = 30
"""Photos below which a band says little."""


def show_board(shown: Shown, active: bool) -> None:
    """The table of the models of a study, with the choice of the figure, and of whether to see the papers' numbers."""
    standings = shown.standings
    st.markdown(board_in_words(shown, standings))
    show_errors(shown)
    bar = st.container(horizontal=True, vertical_alignment="center")
    figure = bar.segmented_control(
        "Figure", FIGURES, required=True, default=FIGURES[0], key="board_figure", label_visibility="collapsed", persist_state="session"
    )
    theirs = bar.toggle("The papers' numbers below ours", True, key="board_theirs", persist_state="session")
    attacks = attacks_in_words(shown.study)
    rows = our_rows(standings, attacks, figure) + (their_rows(shown.study.eps, figure) if theirs else [])
    radii = [eps_name(eps) for eps in shown.study.eps]
    columns: dict[str, Any] = {name: st.column_config.NumberColumn(format="%.1f %%", width=in_pixels(72)) for name in ("clean", *radii)}
    columns["whose"] = st.column_config.TextColumn(
        width=in_pixels(60), help="Ours: measured on this server. Theirs: as the paper prints it."
    )
    columns["place"] = st.column_config.TextColumn(width=in_pixels(60), help="Models whose 95 % bands overlap have no order.")
    columns["band"] = st.column_config.TextColumn(
        width=in_pixels(100), help="95 % bootstrap band over photos of the mean over ε, in per cent."
    )
    columns["classes"] = st.column_config.NumberColumn(width=in_pixels(60), help="mIoU over other numbers of classes is not comparable.")
    columns["data"] = st.column_config.TextColumn(width=in_pixels(90))
    columns["source"] = st.column_config.LinkColumn(width=in_pixels(60), display_text="paper", help="Where the paper is; ours have none.")
    alt = f"{figure} of every model, clean and in the worst case"
    st.dataframe(rows, hide_index=True, column_config=columns, placeholder="–", height="content", alt=alt)
    st.caption(" ".join([board_note(figure), still_falling(standings), *(shown.class_notes if figure != "pixel accuracy" else ())]))
    if not active:
        everyone = our_rows(standings, attacks, figure) + their_rows(shown.study.eps, figure)
        made = partial(csv_of, list(everyone[0]), everyone)
        download_buttons("board", [File("Table (CSV)", "leaderboard.csv", made, ":material/table:")])


def board_in_words(shown: Shown, standings: Sequence[Standing]) -> str:
    """One line that tells what is on screen."""
    study = shown.study
    images = max((standing.images for standing in standings), default=0)
    photos = "photo" if images == 1 else "photos"
    pictures = f"sample {photos}" if study.images.folder == SAMPLES else f"{photos} of {study.images.folder}"
    attacks = attacks_in_words(study)
    text = f"**What is left of each model in the worst case, on {images} {pictures}**: per photo the attack that hurts most, of {attacks}."
    if images < FEW_PHOTOS:
        text += " So few photos say little about others, and models whose bands overlap have no order."
    if shown.made_before:
        text += " This table was made beforehand with the bundled models; **Run** computes it here."
    return text


def attacks_in_words(study: Study) -> str:
    """The attacks whose worst case counts, as a list; a suite's steps are those of each of its attacks."""
    return ", ".join(dict.fromkeys(line_name(point) for point in points(study)))


def board_note(figure: str) -> str:
    """How the figure is taken, and what the rows marked as theirs are."""
    how = {
        "mIoU": "mIoU over all pictures together; SEA's greedy search chooses the attack that counts for each picture. Below **one class "
        "everywhere**, always answering with one class is better.",
        "NmIoU": "The mean over pictures of each picture's lowest mIoU (Halmosi, Mohos & Jelasity, ECCV 2024). The papers here print none.",
        "pixel accuracy": "The mean over pictures of each picture's lowest accuracy, as in SEA.",
    }[figure]
    return (
        f"{how} A worst case over few steps flatters a model: more steps and more attacks can only lower it. Rows marked **{THEIRS}** are "
        "printed in Croce, Singh & Hein, ECCV 2024, for **other models and other pictures** (validation sets of VOC and ADE20K, SEA with "
        "300 steps per attack): for orientation, not for ranking. Click the head of a column to sort."
    )


STILL_FALLING = 0.005
"""Share of pixels that attacks must still have won in the last fifth of their steps for that to be said."""


def still_falling(standings: Sequence[Standing]) -> str:
    """Where attacks had not come to an end with their last step, in words."""
    falling = [(worst.still_won, standing.model, worst.eps) for standing in standings for worst in standing.worst]
    falling = [one for one in falling if one[0] >= STILL_FALLING]
    if not falling:
        return "In the last fifth of their steps no attack won half a point of accuracy any more."
    most, model, eps = max(falling)
    return (
        f"**{len(falling)} of the figures still fall** with more steps: in the last fifth of theirs attacks won half a point of accuracy "
        f"or more, most on {short_title(model)} at ε = {eps:g} ({100 * most:.1f} points)."
    )


def eps_name(eps: float) -> str:
    """The head of a column."""
    return f"ε = {eps:g}"


def percent_of(figures: SetFigures | None, figure: str) -> float | None:
    """One of FIGURES in per cent; the accuracy is the mean over images, as a worst case over attacks is."""
    if figures is None:
        return None
    value: float = getattr(figures, FIELDS_OF[figure])
    return 100 * value


def our_rows(standings: Sequence[Standing], attacks: str, figure: str) -> list[dict[str, Any]]:
    """A row per model of the study that has any result, in per cent, the one that keeps most on average first.

    Of the mIoU a last row is that of a map of one class alone, as long as all models have the same classes and photos.
    """
    there = [standing for standing in standings if standing.clean is not None]
    bands = [standing.band(FIELDS_OF[figure]) for standing in there]
    rows: list[dict[str, Any]] = []
    for standing, band, place in zip(there, bands, places(bands), strict=True):
        values = {eps_name(worst.eps): percent_of(worst.figures, figure) for worst in standing.worst}
        missing = sum(worst.pending for worst in standing.worst)
        state = f"{standing.images} pictures" + (f", {missing} runs to go" if missing else "")
        rows.append(
            {
                "whose": OURS,
                "place": place_in_words(place),
                "model": short_title(standing.model),
                "clean": percent_of(standing.clean, figure),
                **values,
                "band": None if band is None else f"{100 * band[0]:.1f} to {100 * band[1]:.1f}",
                "classes": len(standing.classes),
                "data": state,
                "attack": attacks,
                "source": None,
            }
        )
    rows.sort(key=lambda row: -sum(value or 0 for name, value in row.items() if name.startswith("ε")))
    alone = {(standing.constant_miou, len(standing.classes)) for standing in there}
    if figure == "mIoU" and len(alone) == 1:
        ((miou, classes),) = alone
        same = dict.fromkeys(("clean", *(eps_name(worst.eps) for worst in there[0].worst)), 100 * (miou or 0))
        empty = dict.fromkeys(rows[0])
        rows.append(empty | {"whose": OURS, "model": ONE_CLASS, **same, "classes": classes, "data": rows[0]["data"]})
    return rows


def place_in_words(place: tuple[int, int] | None) -> str | None:
    """The places that a model may have."""
    return None if place is None else f"{place[0]}" if place[0] == place[1] else f"{place[0]} to {place[1]}"


def their_rows(radii: Sequence[float], figure: str) -> list[dict[str, Any]]:
    """The papers' models, in per cent; without a value where the paper prints none."""
    rows = []
    for model, data, by_eps in published_models():
        if figure == "NmIoU":
            break
        name = "miou" if figure == "mIoU" else "accuracy"
        values = {eps: getattr(row, name) for eps, row in by_eps.items()}
        anyone = next(iter(by_eps.values()))
        rows.append(
            {
                "whose": THEIRS,
                "place": None,
                "model": model,
                "clean": values.get(0.0),
                **{eps_name(eps): values.get(eps) for eps in radii},
                "band": None,
                "classes": CLASSES[data],
                "data": f"{data} val",
                "attack": f"SEA, 300 steps ({anyone.where})",
                "source": anyone.url,
            }
        )
    return rows
