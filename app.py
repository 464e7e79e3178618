"""The app: what the server is when this file is imported, and the navigation when Streamlit runs it for a visitor.

Start it with `streamlit run app.py`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pkgutil import walk_packages

import streamlit as st
from starlette.middleware import Middleware

import segviz.ui
from segviz.engine.jobs import engine
from segviz.live.deep_links import deep_link_routes
from segviz.live.password import PasswordGate, chosen_password
from segviz.live.rooms import LiveRooms
from segviz.live.routes import Live
from segviz.live.service import Service
from segviz.places import ASSETS
from segviz.types import UserError
from segviz.ui.kit.later import have_code_of_pictures
from segviz.ui.kit.presenter import show_presenter_switch
from segviz.ui.kit.ready import ready
from segviz.ui.kit.session import first_trajectory
from segviz.ui.kit.state import tab
from segviz.ui.kit.style import show_style

# How long what is not needed for a first view waits for a visitor, and then for his browser to draw it.
NOBODY_SECONDS, SHOWN_SECONDS = 10.0, 1.0


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """Have what pages need ready before the first visitor, and soon what they need next; end the engine with the server."""
    # Modules of the ui register components, for which Streamlit has to run.
    for module in walk_packages(segviz.ui.__path__, "segviz.ui."):
        import_module(module.name)
    first_trajectory()
    ready.within(NOBODY_SECONDS)
    yield
    engine().close()


if __name__ != "__main__":
    # What pages import is there before the first visitor is; Plotly, besides, trips over a pandas that another visitor's script is only
    # half through importing.
    for module in ("pandas", "plotly.graph_objects", "segviz.live.views", "segviz.results", "segviz.studies.plot"):
        import_module(module)
    base = st.get_option("server.baseUrlPath")
    live = Live()
    routes = [*Service(live.streams).routes(base), *LiveRooms().routes(base), *live.routes(base), *deep_link_routes(base)]
    password = chosen_password()
    gate = [Middleware(PasswordGate, password=password, base=base)] if password else []
    app = st.App(__file__, routes=routes, middleware=gate, lifespan=lifespan)
else:
    from segviz.ui.classroom.news import show_banner

    st.set_page_config(page_title="segviz", page_icon=ASSETS / "icon.png", layout="wide")
    tab().through_app = True
    navigation = st.navigation(
        {
            "": [
                st.Page("pages/lessons.py", title="Lessons"),
                st.Page("pages/attack_lab.py", title="Attack lab", default=True),
                st.Page("pages/compare.py", title="Compare"),
                st.Page("pages/targets.py", title="Target maps"),
                st.Page("pages/transfer.py", title="Transfer"),
                st.Page("pages/image_scaling.py", title="Image scaling"),
                st.Page("pages/defences.py", title="Defences"),
                st.Page("pages/certificate.py", title="Certificate"),
            ],
            "Studies": [st.Page("pages/curves.py", title="Curves"), st.Page("pages/leaderboard.py", title="Leaderboard")],
            "More": [
                st.Page("pages/models.py", title="Models"),
                st.Page("pages/classroom.py", title="Classroom"),
                st.Page("pages/room.py", title="Join a room", visibility="hidden"),
                st.Page("pages/about.py", title="About"),
            ],
        },
        position="top",
    )
    if (wanted := tab().wanted) is not None:
        tab().wanted = None
        st.switch_page(wanted[0], query_params=wanted[1])
    show_style()
    if navigation.url_path not in ("room", "classroom"):
        show_banner(navigation.url_path)
    page = st.container()
    have_code_of_pictures()
    with page:
        try:
            navigation.run()
        except UserError as error:
            # As when the model of what is on screen was taken out of segviz.toml.
            st.error(str(error))
    show_presenter_switch()
    ready.sooner(SHOWN_SECONDS)
