"""The terminal: `segviz COMMAND`, or `python -m segviz COMMAND`; a module per group of commands."""

import argparse
import os
import sys

import torch

from segviz import __version__
from segviz.cli import app, certify, defences, listings, pictures, runtime, scale, study, transfer, why
from segviz.cli.options import OneLineParser
from segviz.types import UserError

GROUPS = (app, pictures, study, transfer, defences, certify, why, scale, runtime, listings)


def main(arguments: list[str] | None = None) -> int:
    """Run one command, by default that of the command line.

    Returns the exit code: 0, 2 with one line on stderr for what the user can put right, 1 out of memory.
    """
    top = parser()
    options, further = top.parse_known_args(arguments)
    if "streamlit" in options:
        options.streamlit = further
    elif further:
        top.error(f"unrecognized arguments: {' '.join(further)}")
    try:
        options.command(options)
        sys.stdout.flush()
    except UserError as error:
        print(f"segviz: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except torch.OutOfMemoryError:
        print("segviz: the device is out of memory; end other programs on it, or hide the GPU with CUDA_VISIBLE_DEVICES=", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("segviz: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Who read the output has gone, as `head` does. Python flushes once more when it ends, and must not find the broken pipe then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    top = OneLineParser(prog="segviz", description="Attack semantic-segmentation networks.")
    top.add_argument("--version", action="version", version=f"segviz {__version__}")
    commands = top.add_subparsers(required=True, parser_class=OneLineParser)
    for group in GROUPS:
        group.add(commands)
    commands.metavar = "|".join(commands.choices)
    return top
