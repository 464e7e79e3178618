"""A certificate on screen: its figures, maps, and how much is certified within which radius."""

from collections.abc import Callable, Sequence

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from segviz import draw
from segviz.data.eye import Colour
from segviz.export import json_of
from segviz.models.zoo import model_entry
from segviz.results import certificate_result
from segviz.studies.certify import Certificate, root_mean_square
from segviz.ui.kit.beside import show_warnings
from segviz.ui.kit.charts import show_chart
from segviz.ui.kit.export import File, download_buttons
from segviz.ui.kit.models import model_title
from segviz.ui.kit.pictures import show_row
from segviz.ui.kit.words import MADE_BEFORE, OWN, image_title

INTRODUCTION = (
    "An attack that fails proves nothing: a better one may not. This is a **proof**. The network looks at the picture many times, each "
    "time under other noise; where nearly all looks agree on a class, **no change within the radius can make another class the one that "
    "most looks see**, whoever makes it. Everywhere else it abstains: those pixels are white. Of an ordinary network this noise leaves "
    "little to certify; choose the one **trained on noise** on the left."
)


def show_certificate(found: Certificate, run: str) -> None:
    """What it is of, its figures, its maps and the chart."""
    settings = found.settings
    label_set = model_entry(settings.model).label_set
    height, width = found.picture.pixels.shape[:2]
    before = MADE_BEFORE if run == "precomputed" else ""
    image = "your own picture" if settings.image == OWN else image_title(settings.image)
    looks = f"noise σ = {settings.sigma:g}, {found.first} + {found.looks} looks"
    st.markdown(f"**{model_title(settings.model)}** on {image}, {looks}.{before}")
    show_warnings(found.warnings)
    certified, clean = found.figures_of(found.certified()), found.figures_of(found.clean)
    columns = st.columns(5)
    columns[0].metric("Certified pixel accuracy", f"{certified.pixel_accuracy:.1%}", help="Pixels that are certified, and right.")
    columns[1].metric("Certified mIoU of this image", f"{certified.miou:.1%}", help="Where it abstains, a pixel counts as missed.")
    columns[2].metric("Abstains at", f"{found.abstained:.1%}")
    columns[3].metric("Pixel accuracy, network alone", f"{clean.pixel_accuracy:.1%}", help="One look without noise, nothing certified.")
    columns[4].metric("Radius, L2", f"{255 * settings.radius:.1f}/255", help="σ·Φ⁻¹(τ), in grey levels: the length of the whole change.")
    show_row(maps_of(found, label_set.screen_palette), (run, found.looks, settings.tau))
    measured = "the network's own clean map" if found.own_prediction else "the label map"
    st.caption(
        f"Everything is at {width}x{height} pixels, figures are against {measured}. The radius is the length (L2 norm) of the change: one "
        f"value of one pixel may change by {255 * settings.radius:.0f} grey levels, or every value by "
        f"{root_mean_square(settings.radius, height, width):.2f}; that is the ε of attacks with the norm L2. With probability "
        f"{1 - settings.alpha:.1%} no pixel of the picture is certified in vain. The proof is about the class that most noisy looks see, "
        "not about the network's single look."
    )
    show_radii(found)
    download_buttons(
        "certificate",
        [
            File("Certified map (PNG)", "certified.png", lambda: draw.png(draw.certified_map(found.certified(), label_set.palette))),
            File("Settings and result (JSON)", "certificate.json", lambda: json_of(certificate_result(found, label_set))),
        ],
    )


def maps_of(found: Certificate, palette: Sequence[Colour]) -> dict[str, Callable[[], np.ndarray]]:
    """The picture and its maps by title, with functions that draw them."""
    maps: dict[str, Callable[[], np.ndarray]] = {
        "Input": lambda: found.picture.pixels,
        "Clean map, one look": lambda: draw.colour_map(found.clean, palette),
        "Under noise, most looks": lambda: draw.colour_map(found.top, palette),
        "Certified, white: abstains": lambda: draw.certified_map(found.certified(), palette),
    }
    if not found.own_prediction:
        maps["Label map"] = lambda: draw.colour_map(found.reference, palette)
    return maps


def show_radii(found: Certificate) -> None:
    """The certified pixel accuracy over the radius: for no attack within it the accuracy of the smoothed network is lower."""
    radii, accuracies = zip(*found.accuracy_by_radius(), strict=True)
    figure = go.Figure()
    figure.add_scatter(
        x=[255 * radius for radius in radii],
        y=accuracies,
        mode="lines+markers",
        name="certified",
        line_color="#1971c2",
        fill="tozeroy",
        hovertemplate="%{y:.1%} within %{x:.1f}/255",
    )
    figure.add_vline(255 * found.settings.radius, line={"dash": "dot", "color": "#868e96"}, annotation_text="the map above")
    figure.update_xaxes(title_text="radius, L2 norm in grey levels", rangemode="tozero")
    figure.update_yaxes(title_text="certified pixel accuracy", tickformat=".0%", range=[0, 1.03])
    figure.update_layout(height=300, margin={"l": 10, "r": 10, "t": 30, "b": 10}, showlegend=False)
    show_chart(figure, key="certificate_radii", config={"displayModeBar": False}, alt="Certified pixel accuracy over the radius")
    st.caption(
        "A lower bound: within the radius no attack, known or unknown, leaves the smoothed network less. Each point asks more looks to "
        "agree (τ from 50 to 95 %) and is a certificate of its own. After Fischer, Baader & Vechev, "
        "[Scalable Certified Segmentation via Randomized Smoothing](https://arxiv.org/abs/2107.00228), ICML 2021."
    )
