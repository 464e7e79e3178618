"""`python -m docs.catalogue`: write the page of all attacks, defences and models from the tables of the program."""

from collections.abc import Iterable
from pathlib import Path

from segviz.attacks.entry import FAMILIES
from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import TRANSFORMS
from segviz.defences.rows import DEFENCES
from segviz.models.zoo import MODELS

PAGE = Path(__file__).parent / "catalogue.md"


def table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [columns, ("---",) * len(columns), *(tuple(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def linked(paper: str, url: str) -> str:
    """The name of a paper with its address, where it has one."""
    return f"[{paper}]({url})" if url else paper


def attacks(family: str) -> str:
    """The attacks of one family."""
    return table(
        ("attack", "key", "what it does", "paper", "ours, not the paper's"),
        (
            (row.title, f"`{row.key}`", row.summary, linked(row.paper, row.url), row.ours)
            for row in ATTACKS.values()
            if row.family == family
        ),
    )


def transforms() -> str:
    """The input transforms."""
    return table(
        ("transform", "key", "what it does", "paper", "ours, not the paper's"),
        ((row.title, f"`{row.key}`", row.summary, linked(row.paper, row.url), row.ours) for row in TRANSFORMS.values()),
    )


def defences() -> str:
    """The defences, each with its parameters and their defaults in the order of the key."""
    return table(
        ("defence", "key", "values", "what it does", "gradient of an attack that knows it", "paper", "ours, not the paper's"),
        (
            (
                row.title,
                f"`{row.key}`",
                ", ".join(f"{one.title} {one.default} ({one.low} to {one.high})" for one in row.parameters),
                row.summary,
                row.gradient,
                linked(row.paper, row.url),
                row.ours,
            )
            for row in DEFENCES.values()
        ),
    )


def models() -> str:
    """The models; mIoU in percent."""
    return table(
        ("model", "key", "where", "label set", "mIoU, ours", "measured on", "published", "licence"),
        (
            (
                row.title,
                f"`{row.key}`",
                "to be downloaded" if row.url else "in the box",
                row.label_set.name,
                "" if row.val_miou is None else f"{row.val_miou:.1%}",
                "" if row.val_miou is None else row.val_data,
                row.published,
                row.licence,
            )
            for row in MODELS.values()
        ),
    )


def page() -> str:
    """The whole page."""
    families = "\n\n".join(f"### {title}\n\n{attacks(family)}" for family, title in FAMILIES.items())
    return f"""\
<!-- Written by `python -m docs.catalogue` from the tables of the program. Change those, not this page. -->

# Catalogue

All attacks, defences and models. The app shows the formula of each attack beside its settings, and the card of each bundled model on the
page **Models**. The terminal lists them with `segviz attacks` and `segviz models`.

## Attacks

{families}

### Input transforms

Any bounded attack takes any number of them, with `--transform KEY`.

{transforms()}

## Defences

Any of them goes around any model: `MODEL+KEY`, or `MODEL+KEY=VALUE,VALUE` with values of its own.

{defences()}

## Models

{models()}
"""


if __name__ == "__main__":
    PAGE.write_text(page())
