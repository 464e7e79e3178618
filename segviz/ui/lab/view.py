"""Parts of the attack lab's page: status, headline, pictures, legend, curves, downloads."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segviz import draw
from segviz.attacks.catalog import iterations_of, rounding_notice, steps_of
from segviz.attacks.regions import inside
from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import TRANSFORMS
from segviz.data.label_sets import LabelSet
from segviz.data.samples import samples
from segviz.defences.titles import short_title
from segviz.draw import MapLook
from segviz.export import json_of
from segviz.records import Frame, Picture, Report, Trajectory, figures_of_frame
from segviz.report.code import snippet
from segviz.report.kinds import run_document
from segviz.results import attack_result, curve_csv
from segviz.settings import Settings
from segviz.types import THRESHOLDS, UserError
from segviz.ui.kit.beside import show_warnings
from segviz.ui.kit.charts import run_curves, show_chart
from segviz.ui.kit.export import File, download_buttons, page_address, report_file
from segviz.ui.kit.layers import SIX, label_set_of, layer_title, layers_of, read_out
from segviz.ui.kit.look import choose_look
from segviz.ui.kit.pictures import data_url, png_of
from segviz.ui.kit.presenter import in_pixels
from segviz.ui.kit.session import first_trajectory
from segviz.ui.kit.state import tab
from segviz.ui.kit.status import problem_of_job
from segviz.ui.kit.words import PASSES_HELP, REGIONS, basis, in_percent, in_points, where_of
from segviz.ui.lab.controls import NOTHING_DRAWN
from segviz.ui.lab.film import show_film
from segviz.ui.lab.glance import show_glance
from segviz.ui.lab.state import Lab
from segviz.ui.lab.why import ask_by_click, show_why
from segviz.ui.region import region_editor
from segviz.ui.viewer import Layer, viewer

RESULT = "result"


def describe_run(settings: Settings) -> str:
    """One line that tells what is on screen."""
    model = short_title(settings.model)
    image = samples()[settings.image].title if settings.image in samples() else "your own picture"
    if settings.steps == 0:
        return f"{image[0].upper()}{image[1:]} as {model} sees it, not attacked yet. Press **Run**."
    goals = {
        "break": "break the labels",
        "class": f"break {settings.target}",
        "everywhere": f"{settings.target} everywhere",
        "remove": f"hide {settings.target}",
        "swap": f"swap {settings.target} and {settings.other}",
    }
    unit = "" if settings.norm == "linf" else " (root mean square)"
    steps = f"{steps_of(settings)} step{'s' if steps_of(settings) > 1 else ''}"
    entry = ATTACKS[settings.attack]
    if entry.members is not None:
        steps += f" × {len(entry.members(settings))} attacks"
    restarts = f" × {settings.restarts} restarts" if settings.restarts > 1 else ""
    random = entry.random_start or any(TRANSFORMS[key].random for key in settings.transforms)
    seed = f", seed {settings.seed}" if random else ""
    variant = f" ({settings.variant})" if settings.variant else ""
    variant += f" with q = {settings.q:g}" if settings.q is not None else ""
    through = "".join(f" + {TRANSFORMS[key].title}" for key in settings.transforms)
    radius = f"ε = {settings.eps:g}/255{unit}" if settings.clip else "not clipped"
    where = f", changing only {where_of(settings.region)}" if settings.region else ""
    where += f", breaking only {where_of(settings.break_region)}" if settings.break_region else ""
    return (
        f"**{entry.title}**{variant}{through} against {model} on {image}: {goals[settings.goal]}, {radius}, {steps}{restarts}{seed}{where}."
    )


def show_region_editors(settings: Settings, picture: Picture) -> bool:
    """The picture to draw each region on that is to be drawn; returns whether there are regions to attack."""
    drawn = [show_region_editor(name, getattr(settings, name), picture) for name in REGIONS]
    return all(drawn)


def show_region_editor(name: str, region: str, picture: Picture) -> bool:
    """The picture to draw the region of that setting on, if it is to be drawn; returns whether there is a region."""
    kind, _, polygons = region.partition(":")
    if kind != "polygon":
        return True
    what, purpose, key = {
        "region": ("The attack may change", "where the attack may change it", "region_editor"),
        "break_region": ("The attack is to break", "what the attack is to break", "break_region_editor"),
    }[name]

    def drawn(text: str) -> None:
        tab().polygons[name] = text

    canvas, notes = st.columns([3, 2], gap="medium")
    with canvas:
        region_editor(data_url(picture.pixels), polygons, drawn, key=key)
    if region == NOTHING_DRAWN:
        notes.info(f"Draw on the picture {purpose}. **Run** waits for that.", icon=":material/draw:")
        return False
    try:
        share = inside(polygons, *picture.pixels.shape[:2]).mean()
    except UserError as error:
        notes.error(str(error))
        return False
    notes.caption(f"{what} {share:.1%} of the pixels. **Run** starts it; drawing alone does not.")
    return True


def show_run_status(state: Lab, trajectory: Trajectory) -> None:
    """What is on screen and how its run ended; errors as messages."""
    if state.error is not None:
        st.error(state.error)
    job = state.job
    problem = problem_of_job(job) if job is not None else None
    if problem is not None and problem != state.error:
        st.error(problem)
    parts = [describe_run(trajectory.settings)]
    if trajectory is first_trajectory():
        parts.append("This run was made beforehand with the bundled model; **Run** makes it live.")
    if job is not None and job.before:
        parts.append("This run was computed before, and its result kept: these settings always give the same. **Run again** makes it live.")
    if job is not None and job.left:
        parts.append("You left this run; others watch it on. What is shown is as far as it was then.")
    if trajectory.report is not None and trajectory.report.stopped:
        parts.append(f"Stopped after {trajectory.report.iterations} of {iterations_of(trajectory.settings)} iterations.")
    st.markdown(" ".join(parts))


def show_run_figures(trajectory: Trajectory, frame: Frame, cursor: int | None) -> None:
    """The figures of the iteration `cursor` on screen, whose look is `frame`; of the 8-bit result where it is None."""
    clean = trajectory.clean
    report = trajectory.report if cursor is None else None
    point = trajectory.curve[-1] if cursor is None else next(point for point in trajectory.curve if point.index == cursor)
    miou, accuracy, success = point.miou, point.pixel_accuracy, point.success
    if report is not None:
        miou, accuracy, success = report.adversarial.miou, report.adversarial.pixel_accuracy, report.success
    show_warnings(trajectory.warnings)
    attacked = trajectory.settings.steps > 0
    columns = st.columns(6)
    columns[0].metric(
        "mIoU of this image",
        f"{miou:.1%}",
        in_points(miou - clean.miou) if attacked else None,
        help="Mean IoU over the classes in the labels or in the prediction of this one picture; not comparable with published mIoU.",
    )
    columns[1].metric(
        "Pixel accuracy",
        f"{accuracy:.1%}",
        in_points(accuracy - clean.pixel_accuracy) if attacked else None,
        help="Share of labelled pixels with the right class.",
    )
    show_goal_figure(columns[2], trajectory, miou, success)
    scrubbed = report is None and trajectory.report is not None and attacked
    if scrubbed:
        change = np.abs(frame.pixels.astype(np.int16) - trajectory.picture.pixels).max()
        columns[3].metric("Largest change", f"{change}/255", help="max |d| of the iteration on screen, in 8-bit values.")
        columns[5].metric("Gradients", point.gradients, help="Gradient evaluations up to the iteration on screen.")
    if report is not None and attacked:
        show_cost_of_result(columns[3:], report, trajectory.device)
    told = basis(replace(trajectory, report=report))
    if scrubbed and trajectory.report is not None:
        told += f" They are those of iteration {point.index}, on screen; the result is that of step {trajectory.report.strongest}."
    st.caption(told)
    if report is not None and attacked and report.linf == 0 and not rounding_notice(trajectory.settings):
        why = "every change was below half a grey level, and rounding removed it" if report.strongest else "no step fooled more pixels"
        st.info(f"The result is the clean picture itself: {why}.")
    if trajectory.report is not None:
        show_new_classes(trajectory, frame, miou, accuracy)


def show_goal_figure(column: DeltaGenerator, trajectory: Trajectory, miou: float, success: float) -> None:
    """How far the goal is reached, as a figure."""
    attacked = trajectory.settings.steps > 0
    if trajectory.target is not None:
        column.metric(
            "Target reached",
            f"{success:.1%}",
            in_points(success - trajectory.curve[0].success) if attacked else None,
            help="Share of pixels that the model gives the class of the target map; below, how many more than in the clean picture.",
        )
    elif trajectory.settings.goal == "class":
        column.metric(
            f"Broken {trajectory.settings.target}",
            f"{success:.1%}",
            help="Share of the pixels labelled so that the model now gives another class.",
        )
    elif attacked:
        ratio = f"{miou / trajectory.clean.miou:.2f}" if trajectory.clean.miou > 0 else "–"
        column.metric("IoU ratio", ratio, help="mIoU of the adversarial over that of the clean image (Arnab et al.).")


def show_cost_of_result(columns: Sequence[DeltaGenerator], report: Report, device: str) -> None:
    """What the result takes, in three columns: its largest change, PSNR and gradients."""
    psnr = "∞" if report.psnr is None else f"{report.psnr:.1f} dB"
    seconds = f"{report.seconds:.2f} s of attacking on {device}, waiting not counted."
    columns[0].metric("Largest change", f"{report.linf:.0f}/255", help="max |d|, measured on the 8-bit image that you can download.")
    columns[1].metric("PSNR", psnr, help=f"Peak signal-to-noise ratio. The Euclidean norm of the change is {report.l2:.2f}.")
    columns[2].metric(
        "Gradients",
        report.gradient_evaluations,
        help=f"Gradient evaluations. With all forward passes it took {report.passes:,} passes through the network. {seconds}",
    )


NEW_CLASS = 0.05
"""By how much new classes must have lowered an image's mIoU for that to be said."""


def show_new_classes(trajectory: Trajectory, frame: Frame, miou: float, accuracy: float) -> None:
    """Says so where the mIoU of the look `frame` has fallen because classes that were in neither map before enter its mean with IoU 0."""
    classes, clean = label_set_of(trajectory).classes, trajectory.clean
    after = figures_of_frame(frame, trajectory.reference, len(classes)).iou
    new = [index for index, before in enumerate(clean.iou) if before is None and after[index] is not None]
    kept = [value for value, before in zip(after, clean.iou, strict=True) if before is not None and value is not None]
    without = sum(kept) / max(len(kept), 1)
    if new and without - miou >= NEW_CLASS:
        names = " and ".join(filter(None, [", ".join(classes[index] for index in new[:-1]), classes[new[-1]]]))
        st.info(
            f"mIoU went from {clean.miou:.1%} to {miou:.1%} while accuracy went from {clean.pixel_accuracy:.1%} to {accuracy:.1%}. Part of "
            f"that is how one image's mIoU counts: {names} {'was' if len(new) == 1 else 'were'} in neither map before, and now with some "
            f"pixels enters the mean with IoU 0. Over the classes of the clean picture alone it is {without:.1%}.",
            icon=":material/info:",
        )


def show_outcomes(trajectory: Trajectory) -> None:
    """What is particular to the kind of attack: the attacks of a suite, strongest first, or the smallest norms."""
    if trajectory.outcomes:
        ordered = sorted(trajectory.outcomes, key=lambda outcome: -outcome.success)
        st.dataframe(
            {
                "attack": [outcome.member for outcome in ordered],
                "pixels won": [100 * outcome.success for outcome in ordered],
                "pixel accuracy": [100 * outcome.pixel_accuracy for outcome in ordered],
                "mIoU of this image": [100 * outcome.miou for outcome in ordered],
                "gradients": [outcome.gradients for outcome in ordered],
                "passes": [outcome.passes for outcome in ordered],
            },
            hide_index=True,
            column_config={
                name: st.column_config.NumberColumn(format="%.1f %%") for name in ("pixels won", "pixel accuracy", "mIoU of this image")
            }
            | {"passes": st.column_config.NumberColumn(help=PASSES_HELP)},
            alt="Results of the suite's attacks, strongest first",
        )
        st.caption("Each attack's own 8-bit result, strongest first; the suite's result is the first one.")
    report = trajectory.report
    if report is not None and report.smallest:
        norms = ["not reached" if norm is None else f"{norm:.2f}/255" for norm in report.smallest]
        columns = st.columns(len(norms))
        for column, threshold, norm in zip(columns, THRESHOLDS, norms, strict=True):
            column.metric(f"Smallest change, {threshold:.0%} of the pixels", norm)
        st.caption(
            "The smallest L∞ norm of an iterate of the search that won that share of the pixels, before rounding to 8 bits. The search "
            "aims at 99 %: what it passed at 90 and 98 % on its way may be had for less. It is not bound by epsilon and moves away from "
            "the picture only as far as it finds it must; a result that was clipped to epsilon "
            "afterwards may win as much with less."
        )


def frame_on_screen(trajectory: Trajectory, run: str) -> tuple[Frame, int | None]:
    """The frame that `choose_frame` has put on screen, and its place on the curves, None for the result."""
    final = trajectory.final
    if final is None:
        return trajectory.frames[-1], trajectory.curve[-1].index
    place = st.session_state.get(f"scrub-{run}", RESULT)
    return next(((frame, frame.index) for frame in trajectory.frames if frame.index == place), (final, None))


def choose_frame(trajectory: Trajectory, run: str) -> None:
    """Scrub through the stored iterations of a run that has ended."""
    if trajectory.final is None or len(trajectory.frames) == 1:
        return
    options: list[int | str] = [*(frame.index for frame in trajectory.frames), RESULT]
    st.select_slider(
        "Iteration on screen",
        options,
        RESULT,
        key=f"scrub-{run}",
        help="Stored iterations, with the step that fooled most pixels, rounded to a real image, as the result.",
    )


def show_legend(trajectory: Trajectory, frame: Frame, label_set: LabelSet) -> None:
    """Class table with colour and IoU before and after."""
    after = figures_of_frame(frame, trajectory.reference, len(label_set.classes)).iou
    shares = [float((frame.prediction == index).mean()) for index in range(len(label_set.classes))]
    legend(label_set, tab().look, in_percent(trajectory.clean.iou), in_percent(after), in_percent(shares))
    st.caption(
        "Tick classes to see only those in the maps. IoU before is that of the clean picture; the rest is of the iteration on screen."
    )


Column = Sequence[float | None] | None


def classes_ticked() -> set[int] | None:
    """The classes that are chosen in `legend`, which is drawn after the pictures; None for all of them."""
    rows = st.session_state["legend"]["selection"]["rows"] if "legend" in st.session_state else ()
    return set(rows) or None


def legend(label_set: LabelSet, look: MapLook, before: Column = None, after: Column = None, shares: Column = None) -> None:
    """The table of classes, with figures in percent as far as there are any."""
    figures = {"IoU before": before, "IoU after": after, "pixels": shares}
    table = {
        "": [data_url(np.full((16, 16, 3), colour, np.uint8)) for colour in look.palette(label_set)],
        "class": label_set.classes,
        **{name: column for name, column in figures.items() if column is not None},
    }
    percent = {name: st.column_config.NumberColumn(format="%.1f %%", width=in_pixels(66)) for name in ("IoU before", "IoU after", "pixels")}
    st.dataframe(
        table,
        hide_index=True,
        placeholder="–",
        key="legend",
        on_select="rerun",
        selection_mode="multi-row",
        column_config={"": st.column_config.ImageColumn(width=30), "class": st.column_config.TextColumn(width=in_pixels(84)), **percent},
        alt="Classes with their colours, IoU before and after the attack, and share of pixels",
    )


def choose_view(names: Sequence[str]) -> tuple[bool, str, str, MapLook]:
    """Whether six pictures are to be seen, the left and the right layer of the viewer, and how maps look."""
    bar = st.container(horizontal=True, vertical_alignment="center")
    views = ("Compare", "Six pictures")
    view = bar.segmented_control(
        "View", views, default=views[0], required=True, key="view", label_visibility="collapsed", persist_state="session"
    )
    with bar:
        look = choose_look("on_photo")
    if view == views[1]:
        return True, "", "", look
    sides = st.columns(2)
    left = sides[0].selectbox("Left", names, index=names.index("Clean map"), key="left_layer", persist_state="session")
    right = sides[1].selectbox("Right", names, index=names.index("Adversarial map"), key="right_layer", persist_state="session")
    return False, left, right, look


def show_pictures(
    trajectory: Trajectory, frame: Frame, label_set: LabelSet, shown: set[int] | None, glance: DeltaGenerator, run: str
) -> None:
    """The viewer with its two layers, or the plain row of six pictures; the two photos and maps at the place `glance`."""
    six, left, right, look = choose_view(list(layers_of(trajectory, frame, label_set, shown, MapLook())))
    found = layers_of(trajectory, frame, label_set, shown, look)
    with glance:
        show_glance(trajectory, frame, found)
    if six:
        for row in (SIX[:3], SIX[3:]):
            for column, name in zip(st.columns(3), row, strict=True):
                column.image(data_url(found[name]()), caption=layer_title(name, trajectory.settings), width="stretch", alt=name)
        return
    viewer(
        Layer(layer_title(left, trajectory.settings), png_of(found[left]())),
        Layer(layer_title(right, trajectory.settings), png_of(found[right]())),
        read_out(trajectory.frames[0]),
        read_out(frame),
        label_set.classes,
        look.palette(label_set),
        key="viewer",
        height=400,
        on_pixel=partial(ask_by_click, trajectory, frame, run),
    )
    show_why(trajectory, frame, run)


def show_run_curves(trajectory: Trajectory, cursor: int | None) -> None:
    """Curves of the run so far."""
    show_chart(
        run_curves(trajectory, iterations_of(trajectory.settings), cursor),
        key="curves",
        config={"displayModeBar": False},
        alt="Accuracy and loss over the iterations",
    )


def show_run_files(trajectory: Trajectory) -> None:
    """Adversarial picture, settings, curve, code, report and animation of a finished run."""
    if trajectory.final is None or trajectory.settings.steps == 0:
        return
    address, label_set = page_address(), label_set_of(trajectory)
    final, sample = trajectory.final, trajectory.settings.image in samples()
    download_buttons(
        "lab",
        [
            File("Adversarial PNG", "adversarial.png", lambda: draw.png(final.pixels)),
            File("Settings and result", "settings.json", lambda: json_of(attack_result(trajectory, label_set))),
            File("Curve", "curve.csv", lambda: curve_csv(trajectory)),
            File("Python", "attack.py", lambda: snippet(trajectory, sample)),
            report_file(lambda: run_document(trajectory, label_set, address)),
        ],
    )
    show_film(trajectory, label_set)
