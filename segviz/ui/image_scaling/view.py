"""Parts of the page on image scaling: status, figures, pictures, the grid of scalers, prevention, detection, downloads."""

import csv
import io
import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from segviz import draw
from segviz.attacks.rows import ATTACKS
from segviz.data.label_sets import LabelSet
from segviz.data.samples import samples
from segviz.engine.jobs import Job, State
from segviz.models.zoo import model_entry
from segviz.records import Frame
from segviz.scaling.attack import Scaled
from segviz.scaling.detection import DETECTORS, Roc, detector_roc, threshold_at
from segviz.scaling.kernels import SCALERS
from segviz.scaling.solver import Verdict
from segviz.studies.scaling import ROUNDING, DetectionStudy, Prevented, ScalerCell, ScalingSettings, ScalingStudy, agreement
from segviz.ui.kit.layers import read_out
from segviz.ui.kit.pictures import COLOURS, encoded
from segviz.ui.kit.session import engine
from segviz.ui.kit.status import AWAY
from segviz.ui.viewer import Layer, viewer

INTRODUCTION = (
    "A picture that becomes another one when it is scaled down: scaling reads only some of the pixels, and the attack rewrites just those "
    "([Xiao et al., USENIX Security 2019](https://www.usenix.org/conference/usenixsecurity19/presentation/xiao); "
    "[Quiring et al., USENIX Security 2020](https://www.usenix.org/conference/usenixsecurity20/presentation/quiring)). The solver is ours: "
    "one joint problem over both directions, exact, and measured on what the real library makes of the 8-bit picture."
)
VISIBLE_PSNR = 25.0
"""Decibels below which a change is easily seen; a rule of thumb."""
ENLARGED = 384
LARGE = 1024
"""Longer side, in pixels, from which full-size pictures are shown only once a run has ended: twice a second they are too much."""


def show_status(job: Job[ScalingStudy] | None, study: ScalingStudy | None) -> None:
    """Progress of a run under way, or what is on screen; errors as messages."""
    if job is not None and job.state is State.WAITING:
        st.progress(0.0, f"Waiting: {engine().ahead_of(job)} runs are served first.")
    elif job is not None and job.state is State.RUNNING:
        latest = job.latest
        stopping = ", stopping" if job.stopping else ""
        st.progress(latest.progress if latest else 0.0, f"{latest.stage if latest else 'Loading the model'}{stopping} …")
    else:
        if job is not None and (job.error is not None or job.state is State.ABANDONED):
            st.error(job.error or AWAY)
        if study is not None:
            st.markdown(describe(study))


def describe(study: ScalingStudy) -> str:
    """One line that tells what is on screen."""
    settings = study.settings
    height, width = study.source.shape[:2]
    hidden = {
        "photo": f"{name_of(settings.other)} hidden in it",
        "adversarial": f"an adversarial version of itself hidden in it ({ATTACKS[settings.attack].title}, ε = {settings.attack_eps:g}/255)",
        "colour": f"the colour {settings.colour} hidden in it",
    }
    name = name_of(settings.image)
    told = (
        f"**{name[0].upper()}{name[1:]}**, {width}x{height}, with {hidden[settings.hidden]} for "
        f"**{SCALERS[settings.scaler].title}** to {study.size[1]}x{study.size[0]}, slack {settings.eps:g} "
        f"grey level{'' if settings.eps == 1 else 's'}."
    )
    return told if study.ended else told + " Stopped before the end: what was reached is below."


def name_of(key: str) -> str:
    """A picture in words."""
    return samples()[key].title if key in samples() else "your own picture"


def warning_before(settings: ScalingSettings, reads: float) -> str | None:
    """What to expect of a scaling that reads the share `reads` of all pixels, if that is nothing good."""
    title = SCALERS[settings.scaler].title
    if reads < 0.99:
        return None
    if SCALERS[settings.scaler].antialias:
        return f"{title} reads every pixel here, all with similar weight, so the attack image changes all over and shows what it hides."
    return f"{title} reads every pixel at this ratio, so the attack has to change them all. A larger ratio leaves pixels that are not read."


def show_headline(study: ScalingStudy) -> None:
    """The figures of the attack image, and what they mean in words."""
    result, frames = study.result, study.frames
    if result is None:
        return
    columns = st.columns(6)
    columns[0].metric(
        "Error after scaling",
        f"{result.max_error}/255",
        help="Largest difference, in grey levels, between the hidden picture and what the real library makes of the 8-bit attack image.",
    )
    columns[1].metric("Changed pixels", f"{result.changed_pixels:.1%}", help="Share of the source's pixels with any change.")
    columns[2].metric(
        "PSNR",
        "∞" if result.psnr is None else f"{result.psnr:.1f} dB",
        help="Of the attack image against the source; more is less visible.",
    )
    columns[3].metric("SSIM", f"{result.ssim:.3f}", help="Structural similarity of attack image and source, 1 for equal ones.")
    if "scaled" in frames:
        columns[4].metric(
            "Map kept",
            f"{agreement(frames['source'], frames['attack']):.1%}",
            help="Share of the pixels to which the model gives the same class in source and attack image, at full size.",
        )
        columns[5].metric(
            "Map kept, scaled",
            f"{agreement(frames['honest'], frames['scaled']):.1%}",
            help="The same after scaling both; where the attack works, the model sees the hidden picture instead.",
        )
    for kind, text in verdicts(result):
        {"warning": st.warning, "success": st.success}[kind](text)


def verdicts(result: Scaled) -> list[tuple[str, str]]:
    """What became of the attack: kind of message and text."""
    title = result.scaler.title
    found = []
    if result.feasible:
        found.append(("success", f"{title} makes the hidden picture of it, within the slack: solved in {result.seconds:.2f} s."))
    else:
        reasons = {
            Verdict.INFEASIBLE: "There is no such picture: no attack image keeps the slack, and that is proven.",
            Verdict.UNFINISHED: "The solver gave up before it met the slack everywhere.",
            Verdict.STOPPED: "Stopped: this is what was reached.",
            Verdict.OPTIMAL: "In real numbers there is one, but the 8-bit arithmetic of the library costs more than the slack.",
        }
        found.append(
            (
                "warning",
                f"{reasons[result.verdict]} {result.missed.mean():.1%} of the scaled pixels are off by more, {result.max_error} grey "
                "levels at most. Allow more slack, or hide a picture that is more like the source.",
            )
        )
    if result.psnr is not None and result.psnr < VISIBLE_PSNR:
        why = (
            f"{title} reads every pixel here, so the hidden picture shows."
            if result.changed_pixels > 0.9
            else "A larger ratio changes fewer pixels; more slack, or a hidden picture more like the source, changes them less."
        )
        found.append(("warning", f"The change can be seen (PSNR {result.psnr:.1f} dB). {why}"))
    return found


def enlarged(pixels: np.ndarray, side: int = ENLARGED) -> np.ndarray:
    """A small picture with every pixel as a square of whole pixels, so that its longer side is about `side`."""
    factor = max(round(side / max(pixels.shape[:2])), 1)
    return pixels.repeat(factor, 0).repeat(factor, 1)


def show_picture(identity: tuple[Hashable, ...], drawn: Callable[[], np.ndarray], caption: str | None = None, alt: str = "") -> None:
    """A lossless picture at the width of its column, drawn once for all polls that show it."""
    st.image(encoded(identity, False, drawn), caption=caption, width="stretch", alt=alt or caption or "")


@st.cache_resource(max_entries=32, show_spinner=False)
def as_png(identity: tuple[Hashable, ...], _drawn: Callable[[], np.ndarray]) -> bytes:
    """A picture as PNG, encoded once for all polls that show it."""
    return draw.png(_drawn())


def show_viewer(study: ScalingStudy, run: str) -> None:
    """Source and attack image at full size, pixel by pixel, with their maps; two of them against each other."""
    frames, label_set = study.frames, model_entry(study.settings.model).label_set
    if "source" not in frames or study.result is None:
        show_picture((run, "source"), lambda: study.source, "Source")
        return
    image, source = study.result.pixels, study.source
    attacked = frames.get("attack", frames["source"])
    largest = max(study.result.linf, 1)
    difference = f"Difference ×{127.5 / largest:.3g} about grey"
    layers: dict[str, Callable[[], np.ndarray]] = {
        "Source": lambda: source,
        "Attack image": lambda: image,
        "Difference": lambda: draw.perturbation_rgb(image, source, largest),
        "Map of the source": lambda: over(frames["source"], label_set),
    }
    if "attack" in frames:
        layers["Map of the attack image"] = lambda: over(attacked, label_set)
    if study.adaptive is not None:
        adaptive = study.adaptive
        layers["Adaptive attack image"] = lambda: adaptive
    names = list(layers)
    for key, wanted in (("scaling_left", "Source"), ("scaling_right", "Attack image")):
        if st.session_state.get(key) not in names:
            st.session_state[key] = wanted
    sides = st.columns(2)
    left = sides[0].selectbox("Left", names, key="scaling_left")
    right = sides[1].selectbox("Right", names, key="scaling_right")

    def layer(name: str) -> Layer:
        return Layer(difference if name == "Difference" else name, as_png((run, "layer", name), layers[name]))

    viewer(
        layer(left),
        layer(right),
        read_out(frames["source"]),
        read_out(attacked),
        label_set.classes,
        label_set.palette,
        key="scaling_viewer",
        height=420,
    )
    st.caption("Every pixel as it is, zoom in to see which ones are rewritten. Shown much smaller than it is, a browser scales it, too.")


def over(frame: Frame, label_set: LabelSet) -> np.ndarray:
    """The map of a look over its picture."""
    return draw.over_photo(draw.colour_map(frame.prediction, label_set), frame.pixels)


LOOKS = (
    ("source", "Source"),
    ("attack", "Attack image"),
    ("honest", "Source, scaled"),
    ("scaled", "Attack image, scaled"),
    ("hidden", "Hidden picture"),
)


def show_looks(study: ScalingStudy, run: str) -> None:
    """Pictures and maps at full size and after scaling."""
    st.subheader("What the model sees, before and after scaling")
    label_set = model_entry(study.settings.model).label_set
    for column, (name, title) in zip(st.columns(len(LOOKS)), LOOKS, strict=True):
        frame = study.frames.get(name)
        if frame is None:
            continue
        height, width = frame.prediction.shape
        with column:
            show_picture((run, "look", name), partial(enlarged, frame.pixels), title)
            show_picture((run, "map", name), partial(enlarged, over(frame, label_set)), alt=f"Map of {title.lower()}")
            st.caption(f"{width}x{height}: {classes_in(frame, label_set)}")


def classes_in(frame: Frame, label_set: LabelSet) -> str:
    """The classes of a map with their shares, largest first."""
    shares = np.bincount(frame.prediction.ravel(), minlength=len(label_set.classes)) / frame.prediction.size
    order = [index for index in np.argsort(-shares)[:4] if shares[index] >= 0.005]
    return ", ".join(f"{label_set.classes[index]} {shares[index]:.0%}" for index in order)


def drawing(study: ScalingStudy, on_photo: bool) -> Callable[[Frame], np.ndarray]:
    """How a look at the target size is drawn: its map over its picture, or the picture alone."""
    label_set = model_entry(study.settings.model).label_set
    return lambda frame: enlarged(over(frame, label_set) if on_photo else frame.pixels)


def mark_of(cell: ScalerCell, adversarial: bool) -> str:
    """How the trick fares with a scaler, as a mark and words; an adversarial picture need not come out exactly to fool the model."""
    if cell.works:
        return "✓ works"
    if adversarial and cell.map_share >= 0.9:
        return "◐ fools the model"
    return "◐ shows, not exactly" if cell.hidden_share >= 0.5 else "✗ fails"


def show_grid(study: ScalingStudy, run: str) -> None:
    """What every scaler makes of the attack image."""
    if not study.grid:
        return
    st.subheader("The same attack image, scaled by everyone")
    adversarial = study.settings.hidden == "adversarial"
    partly = "◐ it shows, with larger errors" + (", or the model still sees 90 % of its map" if adversarial else "")
    st.caption(
        f"Made for **{SCALERS[study.settings.scaler].title}**. ✓ the hidden picture, within the slack and {ROUNDING} grey "
        f"levels for differences of rounding; {partly}; ✗ mostly the source. Max is the largest and mean the average "
        "difference to the hidden picture, in grey levels; map is the share of the pixels to which the model gives the same class as "
        "in the hidden picture; reads is the share of the pixels that the scaler looks at."
    )
    on_photo = st.toggle(
        "What the model sees in them",
        key="scaling_maps",
        persist_state="session",
        help="The maps over the pictures, here and under prevention.",
    )
    colours = {"✓": "green", "◐": "orange", "✗": "gray"}
    draw_frame = drawing(study, on_photo)
    with st.grid(5, min_column_width=150, gap="small"):
        for cell in study.grid:
            with st.container(gap="xxsmall"):
                title, mark = SCALERS[cell.key].title, mark_of(cell, adversarial)
                show_picture((run, "cell", cell.key, on_photo), partial(draw_frame, cell.frame), alt=title)
                st.markdown(f"**{title}**  \n:{colours[mark[0]]}[**{mark}**]")
                st.caption(f"max {cell.max_error:.0f} · mean {cell.mean_error:.1f} · map {cell.map_share:.0%} · reads {cell.reads:.0%}")


def show_prevention(study: ScalingStudy, run: str) -> None:
    """The attack image through safe scalings and reconstruction filters, and the adaptive attack on the filters."""
    if not study.prevention:
        return
    st.subheader("Prevention")
    st.markdown(
        "Scaling that gives every pixel its weight leaves nothing to hide behind. Where the scaling cannot be changed, a filter replaces "
        "the pixels that it reads by others around them "
        "([Quiring et al., USENIX Security 2020](https://www.usenix.org/conference/usenixsecurity20/presentation/quiring))."
    )
    for note in study.notes:
        st.info(note)
    show_prevented(study, [one for one in study.prevention if not one.adaptive], run)
    adaptive = [one for one in study.prevention if one.adaptive]
    if adaptive and study.adaptive is not None:
        st.markdown(
            f"**The adaptive attack** knows of the filter. It writes the hidden picture into {study.settings.share:.0%} of the pixels that "
            "the filter trusts, so that the filter itself passes it on. That shows wherever the two pictures differ: "
            f"{study.adaptive_psnr:.1f} dB PSNR against the source. Which pixels it takes is our choice, not the paper's; of a rough "
            "picture, half of them bring only a part through the median filter."
        )
        image = study.adaptive
        columns = st.columns(6)
        with columns[0]:
            show_picture((run, "adaptive"), lambda: image, "Adaptive attack image")
            st.caption(f"{(image != study.source).any(2).mean():.0%} of its pixels are changed.")
        show_prevented(study, adaptive, run, columns[1:])


def show_prevented(study: ScalingStudy, rows: Sequence[Prevented], run: str, columns: Sequence[Any] | None = None) -> None:
    """What comes out at the target size, side by side."""
    on_photo = bool(st.session_state.get("scaling_maps"))
    draw_frame = drawing(study, on_photo)
    for column, one in zip(columns or st.columns(6), rows, strict=False):
        with column:
            show_picture((run, "prevented", one.title, one.adaptive, on_photo), partial(draw_frame, one.frame), one.title)
            st.caption(
                f"Mean difference {one.to_source:.1f} to the source, {one.to_hidden:.1f} to the hidden picture. "
                f"Map: {one.map_share:.0%} as in the hidden picture."
            )


@st.cache_resource
def measured() -> dict[ScalingSettings, DetectionStudy]:
    """Finished measurements on the samples by what matters for them, for everyone on this server."""
    return {}


def show_detection(study: ScalingStudy, samples_study: DetectionStudy | None, active: bool) -> None:
    """The detectors' scores of source and attack image and, once it is measured, where they lie among the samples, with ROC curves."""
    st.markdown(
        "Each detector scores a picture, higher for a more likely attack. The down-and-up, minimum-filter and spectrum scores follow "
        "[Kim et al., Decamouflage, DSN 2021](https://arxiv.org/abs/2010.03735), the histogram Xiao et al., maximum and clean filter "
        "Quiring et al., ACSAC 2023. They know which library, kernel and size are used."
    )
    if not study.scores:
        return
    finished = samples_study is not None and samples_study.finished
    if samples_study is not None and active:
        st.progress(samples_study.done / samples_study.total, f"{samples_study.done} of {samples_study.total} pictures")
    rows = [row_of(key, *study.scores[key], samples_study if finished else None) for key in study.scores]
    percent = st.column_config.NumberColumn(format="%.0f %%", help="Share of the untouched samples that score lower.")
    st.dataframe(
        {name: [row[name] for row in rows] for name in rows[0]},
        hide_index=True,
        placeholder="–",
        key="scaling_scores",
        column_config={
            "detector": st.column_config.TextColumn(width="medium"),
            "source": st.column_config.NumberColumn(format="%.4g"),
            "attack image": st.column_config.NumberColumn(format="%.4g"),
            "threshold": st.column_config.NumberColumn(format="%.4g", help="At most 1 % of the untouched samples score above it."),
            "samples below source": percent,
            "samples below attack": percent,
            "AUC": st.column_config.NumberColumn(
                format="%.3f", help="Area under the ROC curve over the samples: 0.5 guesses, 1 is perfect."
            ),
        },
        alt="Scores of the detectors for source and attack image",
    )
    if finished and samples_study is not None:
        st.caption(basis_of(samples_study))
        curves = {key: detector_roc(*samples_study.values(key)) for key in study.scores if all(samples_study.values(key))}
        st.plotly_chart(
            roc_curves(curves), key="scaling_roc", config={"displayModeBar": False}, alt="ROC curve of each detector over the samples"
        )


def basis_of(samples_study: DetectionStudy) -> str:
    """What the thresholds and curves were measured on."""
    settings = samples_study.settings
    hidden = {"photo": "other samples", "colour": "this colour", "adversarial": "an adversarial version of the crop"}[settings.hidden]
    return (
        f"Over {len(samples_study.benign)} crops of the sample photos as they are and {len(samples_study.attacked)} attack images that "
        f"hide {hidden} in them, for the same scaling at ratio {settings.size[1:]} and slack {settings.eps:g}. "
        "Crops of a photo overlap, and there are few: of fewer than a hundred pictures, the threshold at 1 % is the highest score of an "
        "untouched one. Your picture may have another size than the crops."
    )


def row_of(key: str, source: float, attacked: float, samples_study: DetectionStudy | None) -> dict[str, Any]:
    """One line of the table of detectors."""
    row: dict[str, Any] = {"detector": DETECTORS[key].title, "source": source, "attack image": attacked}
    if samples_study is None or not all(samples_study.values(key)):
        return row | dict.fromkeys(("samples below source", "samples below attack", "threshold", "AUC", "says"))
    benign, hidden = samples_study.values(key)
    threshold = threshold_at(benign)
    says = {(False, True): "attack found", (False, False): "attack missed"}.get((source > threshold, attacked > threshold), "false alarm")
    return row | {
        "samples below source": 100 * float(np.mean(np.array(benign) < source)),
        "samples below attack": 100 * float(np.mean(np.array(benign) < attacked)),
        "threshold": threshold,
        "AUC": detector_roc(benign, hidden).auc,
        "says": says,
    }


def roc_curves(curves: Mapping[str, Roc]) -> go.Figure:
    """ROC curves of detectors, by key."""
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": "#adb5bd", "dash": "dot"}, showlegend=False, hoverinfo="skip")
    for number, (key, curve) in enumerate(curves.items()):
        figure.add_scatter(
            x=curve.false_positive_rate,
            y=curve.true_positive_rate,
            name=f"{DETECTORS[key].title}, AUC {curve.auc:.3f}",
            mode="lines",
            line={"shape": "hv", "color": COLOURS[number % len(COLOURS)]},
            hovertemplate="%{y:.1%} found at %{x:.1%} false alarms",
        )
    figure.update_xaxes(title_text="false positive rate", range=[-0.02, 1.02], tickformat=".0%")
    figure.update_yaxes(title_text="true positive rate", range=[-0.02, 1.02], tickformat=".0%")
    figure.update_layout(height=420, margin={"l": 10, "r": 10, "t": 20, "b": 10}, uirevision="roc")
    return figure


def show_downloads(study: ScalingStudy) -> None:
    """The attack image, the hidden picture, figures and the grid, once there are any."""
    result, hidden = study.result, study.hidden
    if result is None or hidden is None:
        return
    bar = st.container(horizontal=True)
    # Made on the click, as in the attack lab.
    files: tuple[tuple[str, Callable[[], str | bytes], str, str, str], ...] = (
        ("Attack image (PNG)", lambda: draw.png(result.pixels), "attack.png", "image/png", ":material/image:"),
        ("Hidden picture (PNG)", lambda: draw.png(hidden), "hidden.png", "image/png", ":material/hide_image:"),
        ("Figures (JSON)", lambda: figures_json(study), "scaling.json", "application/json", ":material/settings:"),
        ("Grid (CSV)", lambda: grid_csv(study), "scalers.csv", "text/csv", ":material/grid_on:"),
    )
    for label, data, name, mime, icon in files:
        bar.download_button(label, data, name, mime, on_click="ignore", icon=icon, key=f"scaling_{name}")


def figures_json(study: ScalingStudy) -> str:
    """Settings and all figures as JSON."""
    frames = study.frames
    seen = {}
    if "scaled" in frames:
        seen = {
            "full_size": agreement(frames["source"], frames["attack"]),
            "scaled": agreement(frames["honest"], frames["scaled"]),
            "scaled_against_hidden": agreement(frames["hidden"], frames["scaled"]),
        }
    pictures = {"frame"}
    value = {
        "settings": asdict(study.settings),
        "attack": study.result.figures() if study.result is not None else None,
        "same_classes": seen,
        "grid": [without(cell, pictures) for cell in study.grid],
        "prevention": [without(one, pictures) for one in study.prevention],
        "detectors": {key: {"source": of[0], "attack": of[1]} for key, of in study.scores.items()},
    }
    return json.dumps(value, indent=2) + "\n"


def grid_csv(study: ScalingStudy) -> str:
    """The grid, one row per scaler."""
    text = io.StringIO()
    rows = [without(cell, {"frame"}) for cell in study.grid]
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["key"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def without(record: ScalerCell | Prevented, names: set[str]) -> dict[str, Any]:
    """The fields of a record but those in `names`."""
    return {name: value for name, value in vars(record).items() if name not in names}
