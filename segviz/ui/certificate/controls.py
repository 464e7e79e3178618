"""The settings of a certificate as widgets; their values live in the link of the page."""

from dataclasses import asdict, replace

import streamlit as st

from segviz.fields import Table, fields_of, parameters
from segviz.models.zoo import catalogue
from segviz.studies.certify import CertifySettings
from segviz.ui.kit.fields import marks, number, slider
from segviz.ui.kit.links import LINK, open_link
from segviz.ui.kit.state import put
from segviz.ui.kit.subject import model_controls, open_with, upload_controls
from segviz.ui.kit.words import OWN, image_keys, image_title

PREFIX = "certificate_"
"""Of the keys of the page's own widgets; those of model and picture are shared by all pages."""
DEFAULT = CertifySettings()
TABLE: Table = {
    **fields_of(CertifySettings),
    "model": replace(LINK["model"], default=DEFAULT.model),
    "image": replace(LINK["image"], default=DEFAULT.image),
}
"""What a link of this page can say."""
OWN_NAMES = [name for name in TABLE if name not in ("model", "image")]


def link_of_certificate(settings: CertifySettings) -> dict[str, str]:
    """The parameters of a link that reproduces the settings; defaults are left out."""
    return parameters(asdict(settings), TABLE)


def certificate_controls() -> CertifySettings:
    """Draw the controls, filled from the link at first, and return what they say. Raises UserError where they make no valid settings."""
    link = open_link("certificate", TABLE)
    open_with({name: link.get(name, getattr(DEFAULT, name)) for name in ("model", "image")}, "certificate")
    if f"{PREFIX}sigma" not in st.session_state:
        put(PREFIX, {name: link.get(name, getattr(DEFAULT, name)) for name in OWN_NAMES})
    model = model_controls()
    image = st.selectbox("Picture", image_keys(), format_func=image_title, key="image", persist_state="session")
    if image == OWN:
        upload_controls(catalogue()[st.session_state.model])
    sigma, tau = (slider(TABLE[name], f"{PREFIX}{name}") for name in ("sigma", "tau"))
    looks = marks(TABLE["looks"], f"{PREFIX}looks")
    with st.expander("More settings", key="more_settings"):
        first, alpha, seed = (number(TABLE[name], f"{PREFIX}{name}", **more) for name, more in MORE.items())
    return CertifySettings(model, image, sigma, tau, first, looks, alpha, seed)


MORE: dict[str, dict[str, str]] = {"first_looks": {}, "alpha": {"format": "%.4f"}, "seed": {}}
