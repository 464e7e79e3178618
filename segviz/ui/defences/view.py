"""A trial on screen, its three columns and curves; and models side by side at growing eps."""

from collections.abc import Hashable, Sequence
from statistics import mean

import streamlit as st

from segviz import draw
from segviz.defences.catalog import defence_entry
from segviz.draw import MapLook
from segviz.models.zoo import model_entry
from segviz.records import MARGIN, Trajectory
from segviz.report.kinds import trial_document
from segviz.studies.defences import Ladder, Trial, signs_of_masking
from segviz.ui.kit.attacks import attack_title
from segviz.ui.kit.beside import show_warnings
from segviz.ui.kit.charts import QUANTITIES, comparison_curves, show_chart
from segviz.ui.kit.export import download_buttons, page_link, report_file
from segviz.ui.kit.layers import PERTURBATION, label_set_of, layer_title, layers_of
from segviz.ui.kit.models import model_title
from segviz.ui.kit.pictures import encoded, show_row
from segviz.ui.kit.words import MADE_BEFORE, basis

INTRODUCTION = (
    "Defences often fail once the attacker knows them. Left: the attack on the network alone. Middle: the **same pictures** seen through "
    "the defence. Right: the attack that **knows** the defence and goes through it, at equal cost. Choose on the left and press **Run**, "
    "or take one of these:"
)
COLUMNS = (
    ("No defence", "#d9480f"),
    ("Defence, attack does not know it", "#1971c2"),
    ("Defence, attack knows it", "#9c36b5"),
)
SHOWN = ("Adversarial map", "Clean map", "Adversarial", PERTURBATION)


def runs_of(trial: Trial) -> tuple[Trajectory | None, Trajectory | None, Trajectory | None]:
    """The three columns."""
    return trial.plain, trial.naive, trial.adaptive


def show_trial(trial: Trial, look: MapLook, run: str) -> None:
    """What the trial is, signs of masked gradients, the columns and the curves."""
    entry = defence_entry(trial.defence)
    if trial.settings.steps > 0:
        settings = trial.settings
        views = f", {trial.passes} views at a time" if trial.passes > 1 else ""
        st.markdown(
            f"**{attack_title(settings)}**, ε = {settings.eps:g}/255, against **{entry.title}** "
            f"(`{settings.model}+{trial.defence}`{views}).{MADE_BEFORE if run == 'precomputed' else ''}"
        )
    if trial.plain is not None:
        show_warnings(trial.plain.warnings)
    for sign in signs_of_masking(trial):
        st.warning(f"**Masked gradients?** {sign}", icon=":material/visibility_off:")
    if trial.ended and not signs_of_masking(trial) and trial.settings.steps > 0:
        st.caption(
            f"No sign of masked gradients: the attack that knows is at most {100 * MARGIN:.0f} points weaker than the one that does not, "
            "its loss moves, more steps do not weaken it."
        )
    show_columns(trial, look, run)
    if trial.plain is not None:
        st.caption(f"{basis(trial.plain)} {layer_title(PERTURBATION, trial.settings)}.")
    if trial.settings.steps > 0:
        quantity = st.segmented_control(
            "Curves of",
            list(QUANTITIES),
            default="pixels won",
            required=True,
            key="defence_quantity",
            persist_state="session",
            label_visibility="collapsed",
        )
        runs = {name: (found, colour) for (name, colour), found in zip(COLUMNS, runs_of(trial), strict=True) if found is not None}
        show_chart(
            comparison_curves(runs, quantity, trial.budget),
            key="defence_curves",
            config={"displayModeBar": False},
            alt=f"{quantity} in the three columns over the gradient evaluations",
        )


def show_columns(trial: Trial, look: MapLook, run: str) -> None:
    """The three columns: figures and pictures of the 8-bit results, or of the newest stored iterates until then."""
    columns = st.columns(3, gap="medium")
    for number, (column, (name, _), trajectory) in enumerate(zip(columns, COLUMNS, runs_of(trial), strict=True)):
        with column:
            st.markdown(f"**{name}**")
            if trajectory is None:
                st.caption("Press **Run**.")
                continue
            show_rates(trajectory)
            judged = (None, trial.naive_judged, trial.adaptive_judged)[number]
            if judged is not None:
                st.caption(f"Over {len(judged.success)} draws: mIoU {over_draws(judged.miou)}, pixels won {over_draws(judged.success)}.")
            frame = trajectory.final or trajectory.frames[-1]
            found = layers_of(trajectory, frame, label_set_of(trajectory), None, look)
            moment = frame.index if trajectory.final is None else "result"
            identity: tuple[Hashable, ...] = (run, look, number, moment, hash(trajectory.picture.pixels.tobytes()))
            for layer in SHOWN:
                drawn = encoded((*identity, layer), trajectory.final is None, found[layer])
                st.image(drawn, caption=layer, width="stretch", alt=f"{layer}: {name}")


def show_trial_report(trial: Trial) -> None:
    """The report of a trial that has ended."""
    if trial.ended and trial.settings.steps > 0:
        link, label_set = page_link(), model_entry(trial.settings.model).label_set
        download_buttons("trial", [report_file(lambda: trial_document(trial, label_set, link))])


def over_draws(values: Sequence[float]) -> str:
    """Mean, lowest and highest of rates, in words."""
    return f"{mean(values):.1%} ({min(values):.1%} to {max(values):.1%})"


def show_rates(trajectory: Trajectory) -> None:
    """Pixels won and mIoU of one column, with the clean mIoU of the same network."""
    point, report = trajectory.curve[-1], trajectory.report
    miou = report.adversarial.miou if report is not None else point.miou
    success = report.success if report is not None else point.success
    left, right = st.columns(2)
    left.metric("mIoU of this image", f"{miou:.1%}", f"{100 * (miou - trajectory.clean.miou):+.1f} from {trajectory.clean.miou:.1%}")
    right.metric("Pixels won", f"{success:.1%}")


def show_ladder(ladder: Ladder, look: MapLook, run: str) -> None:
    """Per model a row of maps and a row of perturbations, one for each eps."""
    for key, runs in ladder.runs.items():
        if not runs:
            continue
        told = " · ".join(f"{one.settings.eps:g}: {one.report.adversarial.miou:.1%}" for one in runs if one.report is not None)
        st.markdown(f"**{model_title(key)}** · clean mIoU of this image {runs[0].clean.miou:.1%}; at ε = {told}")
        maps, changes = {}, {}
        for one in runs:
            assert one.final is not None
            found = layers_of(one, one.final, label_set_of(one), None, look)
            maps[f"map, ε = {one.settings.eps:g}"] = found["Adversarial map"]
            changes[f"perturbation, ε = {one.settings.eps:g}: ±{draw.full_scale(one.settings.eps, one.settings.norm)}/255"] = found[
                PERTURBATION
            ]
        show_row(maps, (run, "ladder", key, look))
        show_row(changes, (run, "ladder", key, look))
