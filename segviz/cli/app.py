"""The command `app`: start the app in the browser."""

import argparse
import runpy
import sys

from segviz.cli.options import Commands
from segviz.places import APP


def add(commands: Commands) -> None:
    """The command; what it does not know itself is meant for Streamlit, such as `--server.port 8600`."""
    starting = commands.add_parser(
        "app",
        help="start the app; further options go to Streamlit",
        epilog="All options of `streamlit run` may follow, such as --server.port 8600 or --server.headless true.",
    )
    starting.set_defaults(command=start, streamlit=[])


def start(options: argparse.Namespace) -> None:
    """Turn this process into `streamlit run app.py`, with `options.streamlit` at the end; does not return."""
    sys.argv = ["streamlit", "run", str(APP), *options.streamlit]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
