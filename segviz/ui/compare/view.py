"""Parts of the compare page: status, table, curves, rows of maps, downloads."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from segviz.attacks.rows import ATTACKS
from segviz.data.samples import samples
from segviz.draw import MapLook
from segviz.export import json_of
from segviz.models.zoo import model_entry
from segviz.records import Trajectory
from segviz.report.kinds import comparison_document
from segviz.results import comparison_result
from segviz.settings import Settings
from segviz.studies.compare import Entrant, by_strength
from segviz.ui.compare.files import comparison_csv
from segviz.ui.compare.state import Comparison
from segviz.ui.kit.attacks import attack_title
from segviz.ui.kit.beside import show_warnings
from segviz.ui.kit.charts import QUANTITIES, comparison_curves, show_chart
from segviz.ui.kit.export import File, download_buttons, page_link, report_file
from segviz.ui.kit.handover import show_in_lab
from segviz.ui.kit.layers import FLIPPED, PERTURBATION, label_set_of, layer_title, layers_of
from segviz.ui.kit.pictures import COLOURS, show_row, swatch
from segviz.ui.kit.status import show_problem
from segviz.ui.kit.words import GOAL_TITLES, MADE_BEFORE, PASSES_HELP, basis

ROW = ("Adversarial", "Adversarial map", FLIPPED, PERTURBATION)
INTRODUCTION = (
    "Several attacks on one picture, side by side and live. Each may spend the same number of **gradient evaluations**, which is what an "
    "attack costs; they take turns, so that their curves grow together. Choose the attacks on the left and press **Run**."
)


def entrant_colours(entrants: Sequence[Entrant]) -> dict[Settings, str]:
    """The colour of each attack."""
    return {entrant.settings: COLOURS[number % len(COLOURS)] for number, entrant in enumerate(entrants)}


def show_comparison_status(state: Comparison) -> None:
    """What is on screen; errors as messages."""
    show_problem(state.job)
    before = MADE_BEFORE if state.made_before else ""
    st.markdown(INTRODUCTION if state.look else f"{describe_comparison(state.entrants)}{before}")


def describe_comparison(entrants: Sequence[Entrant]) -> str:
    """One line that tells what is compared."""
    settings = entrants[0].settings
    image = samples()[settings.image].title if settings.image in samples() else "your own picture"
    goal = GOAL_TITLES[settings.goal].lower()
    if settings.target is not None:
        goal += f" ({settings.target}" + (f" and {settings.other}" if settings.goal == "swap" else "") + ")"
    unit = "" if settings.norm == "linf" else " (root mean square)"
    count = f"**{len(entrants)} attacks**" if len(entrants) > 1 else "**One attack**"
    return f"{count} on {image}: {goal}, ε = {settings.eps:g}/255{unit}, seed {settings.seed}."


def show_entrants(entrants: Sequence[Entrant], budget: int, active: bool) -> None:
    """A row per attack, strongest first: figures of the 8-bit result, or of the newest iterate while it runs."""
    show_warnings(tuple(dict.fromkeys(said for one in entrants if one.trajectory is not None for said in one.trajectory.warnings)))
    colours = entrant_colours(entrants)
    rows = [entrant_row(entrant, colours[entrant.settings], active) for entrant in by_strength(entrants)]
    percent = st.column_config.NumberColumn(format="%.1f %%")
    st.dataframe(
        {name: [row[name] for row in rows] for name in rows[0]},
        hide_index=True,
        placeholder="–",
        column_config={
            "": st.column_config.ImageColumn(width=30),
            "pixels won": st.column_config.ProgressColumn(
                format="%.1f %%", width=130, min_value=0, max_value=100, help="Share of the counted pixels that are as the goal wants them."
            ),
            "accuracy": percent,
            "mIoU of this image": percent,
            "IoU ratio": st.column_config.NumberColumn(format="%.2f", help="mIoU of the adversarial over that of the clean image."),
            "max |d|": st.column_config.NumberColumn(format="%.0f/255", help="Largest change of any colour value in the 8-bit result."),
            "PSNR": st.column_config.NumberColumn(format="%.1f dB"),
            "gradients": st.column_config.NumberColumn(format="%d", help=f"Gradient evaluations spent, of {budget}."),
            "passes": st.column_config.NumberColumn(format="%d", help=PASSES_HELP),
            "seconds": st.column_config.NumberColumn(format="%.2f", help="Time of attacking on this server, waiting not counted."),
        },
        alt="Figures of the attacks, strongest first",
    )


def entrant_row(entrant: Entrant, colour: str, active: bool) -> dict[str, str | float | None]:
    """One line of the table."""
    trajectory = entrant.trajectory
    row: dict[str, str | float | None] = {"": swatch(colour), "attack": attack_title(entrant.settings)}
    shown = trajectory is not None and entrant.error is None
    point = trajectory.curve[-1] if trajectory is not None and shown else None
    report = trajectory.report if trajectory is not None and shown else None
    adversarial = report.adversarial if report is not None else None
    clean = trajectory.clean.miou if trajectory is not None else 0.0
    miou = adversarial.miou if adversarial else point.miou if point else None
    accuracy = adversarial.pixel_accuracy if adversarial else point.pixel_accuracy if point else None
    row["pixels won"] = 100 * entrant.success if shown else None
    row["accuracy"] = None if accuracy is None else 100 * accuracy
    row["mIoU of this image"] = None if miou is None else 100 * miou
    row["IoU ratio"] = miou / clean if miou is not None and clean > 0 else None
    row["max |d|"] = report.linf if report else None
    row["PSNR"] = report.psnr if report else None
    row["gradients"] = point.gradients if point else None
    row["passes"] = report.passes if report else None
    row["seconds"] = report.seconds if report else None
    row["state"] = state_of_entrant(entrant, active)
    return row


def state_of_entrant(entrant: Entrant, active: bool) -> str:
    """Where an attack stands, in words; `active` says whether the comparison is under way."""
    if entrant.error is not None:
        return entrant.error
    if entrant.trajectory is None:
        return "waiting" if active else "not begun"
    report = entrant.trajectory.report
    if report is None:
        return "running" if active else "not finished"
    if report.stopped:
        return f"stopped after {report.iterations} iteration{'' if report.iterations == 1 else 's'}"
    return "one step, by definition" if ATTACKS[entrant.settings.attack].one_step else "done"


def show_comparison_curves(entrants: Sequence[Entrant], budget: int) -> None:
    """The curves on one axis, with the choice of what they show."""
    quantity = st.segmented_control(
        "Curves of",
        list(QUANTITIES),
        default=next(iter(QUANTITIES)),
        required=True,
        key="compare_quantity",
        persist_state="session",
        label_visibility="collapsed",
    )
    colours = entrant_colours(entrants)
    runs = {attack_title(one.settings): (one.trajectory, colours[one.settings]) for one in entrants if one.trajectory is not None}
    show_chart(
        comparison_curves(runs, quantity, budget),
        key="compare_curves",
        config={"displayModeBar": False},
        alt=f"{quantity} of each attack over its gradient evaluations",
    )


def show_clean(trajectory: Trajectory, look: MapLook, run: str) -> None:
    """The picture before any attack, with its maps; `run` is the identity of the comparison, which may not have looked at it yet."""
    st.markdown(
        f"**Clean picture** · mIoU of this image {trajectory.clean.miou:.1%} · pixel accuracy {trajectory.clean.pixel_accuracy:.1%}"
    )
    found = layers_of(trajectory, trajectory.frames[0], label_set_of(trajectory), None, look)
    names = ("Input", "Clean map", "Label map", "Target map")
    show_row(
        {name: found[name] for name in names if name in found},
        (run, look, "clean", trajectory.settings.model, hash(trajectory.picture.pixels.tobytes())),
    )


def show_rows(entrants: Sequence[Entrant], look: MapLook, active: bool, run: str) -> None:
    """Per attack its picture, map, flipped pixels and perturbation: of the 8-bit result, or of the newest stored iterate until then."""
    colours, settings = entrant_colours(entrants), entrants[0].settings
    st.caption(
        f"{layer_title(FLIPPED, settings)}. {layer_title(PERTURBATION, settings)}. "
        "Until an attack has ended its pictures are small JPEG previews."
    )
    for entrant in entrants:
        trajectory = entrant.trajectory
        bar = st.container(horizontal=True, vertical_alignment="center")
        name = f"{entrant.settings.attack}-{entrant.settings.variant}".strip("-")
        bar.image(swatch(colours[entrant.settings]), width=16, alt="")
        if entrant.error is not None or trajectory is None:
            bar.markdown(f"**{attack_title(entrant.settings)}** · {state_of_entrant(entrant, active)}")
            continue
        bar.markdown(f"**{attack_title(entrant.settings)}** · {entrant.success:.1%} of the pixels won")
        if trajectory.final is not None and bar.button(
            "Open in the attack lab",
            icon=":material/science:",
            type="tertiary",
            key=f"open-{name}",
            on_click=show_in_lab,
            args=(trajectory,),
        ):
            st.switch_page("pages/attack_lab.py")
        frame = trajectory.final or trajectory.frames[-1]
        found = layers_of(trajectory, frame, label_set_of(trajectory), None, look)
        moment = frame.index if trajectory.final is None else "result"
        show_row({layer: found[layer] for layer in ROW}, (run, look, name, moment), preview=trajectory.final is None)


def show_comparison_files(entrants: Sequence[Entrant], budget: int) -> None:
    """Curves as CSV, settings and results as JSON and as a report, once the comparison has ended."""
    label_set, link = model_entry(entrants[0].settings.model).label_set, page_link()
    made = any(entrant.trajectory is not None and entrant.trajectory.final is not None for entrant in entrants)
    download_buttons(
        "compare",
        [
            File("Curves (CSV)", "comparison.csv", lambda: comparison_csv(entrants)),
            File("Settings and results (JSON)", "comparison.json", lambda: json_of(comparison_result(entrants, budget, label_set))),
            *([report_file(lambda: comparison_document(entrants, budget, label_set, link))] if made else []),
        ],
    )


def basis_of_comparison(trajectory: Trajectory) -> str:
    """What the figures are measured on and against."""
    text = basis(replace(trajectory, report=None))
    return (
        f"{text} Figures and pictures of an attack that has ended are of the step that fooled most pixels, rounded to a real image; "
        "until then of the newest."
    )
