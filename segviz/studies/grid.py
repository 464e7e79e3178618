"""A study: a grid of models, attacks, eps, steps, images and seeds, read from TOML or made by the page, and its cells."""

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segviz.attacks.catalog import check_settings, steps_of
from segviz.data.datasets import open_data_set
from segviz.data.label_sets import LabelSet, label_set_named
from segviz.data.samples import samples
from segviz.defences.catalog import evaluations_of
from segviz.fields import Field, Table, read_record, read_values, refuse_unknown, setting
from segviz.models.zoo import model_entry
from segviz.settings import FIELDS, Settings
from segviz.types import UserError

SAMPLES = "samples"


OF_AN_ATTACK: Table = {name: field for name, field in FIELDS.items() if "attack" in field.where}
"""Settings that an attack of a study may have of its own."""


@dataclass(frozen=True, init=False)
class AttackRow:
    """One attack of a study, with `changes` of the study's settings: pairs of name and value, in the order of `OF_AN_ATTACK`.

    Changes are given by name, as in AttackRow("pgd", steps=3); a value that is empty or None changes nothing. `source` is the model on
    which the adversarial pictures are made, which are then shown to each model of the study: a transfer attack; empty: each model's own.
    `name` is what curves and tables call it; by default made from the rest. Raises UserError for a value that the setting cannot have,
    TypeError for a setting that no attack has of its own.
    """

    attack: str
    changes: tuple[tuple[str, Any], ...] = ()
    source: str = ""
    name: str = ""

    def __init__(self, attack: str, changes: Iterable[tuple[str, Any]] = (), source: str = "", name: str = "", **settings: Any):
        given = {key: value for key, value in (dict(changes) | settings).items() if value not in ("", (), [], None)}
        if unknown := given.keys() - OF_AN_ATTACK.keys():
            raise TypeError(f"An attack has no {min(unknown)} of its own.")
        for key, field in OF_AN_ATTACK.items():
            if key in given:
                given[key] = tuple(given[key]) if field.kind is tuple else given[key]
                field.check(given[key])
        object.__setattr__(self, "attack", attack)
        object.__setattr__(self, "changes", tuple((key, given[key]) for key in OF_AN_ATTACK if key in given))
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "name", name)

    def own(self, setting: str) -> Any:
        """Its own value of a setting; None where it has that of the study."""
        return dict(self.changes).get(setting)

    def others(self, *told: str) -> list[str]:
        """Its own values of all settings but those `told`, in words."""
        return [f"{key} {OF_AN_ATTACK[key].format(value)}" for key, value in self.changes if key not in told]

    @property
    def title(self) -> str:
        """What to call it."""
        if self.name:
            return self.name
        steps, restarts = self.own("steps"), self.own("restarts")
        parts = [self.attack, self.own("variant"), *(self.own("transforms") or ())]
        parts += [f"{steps} steps"] if steps is not None else []
        parts += [f"x{restarts}"] if restarts is not None else []
        parts += self.others("variant", "transforms", "steps", "restarts")
        parts += [f"from {self.source}"] if self.source else []
        return " ".join(filter(None, parts))

    def applied(self, base: Settings) -> Settings:
        """The settings with the changes of this row."""
        return replace(base, attack=self.attack, **dict(self.changes))


ROW_KEYS: Table = {"attack": Field("attack"), **OF_AN_ATTACK, "source": Field("source"), "name": Field("name")}
"""What the table of an attack in a study's file may hold."""


@dataclass(frozen=True)
class Images:
    """Which pictures: the samples, all or those of the keys `names`; or the data set in a folder, as `open_data_set` reads it.

    `limit` takes the first N; `labels` says what the ids in a folder's label maps mean where it does not tell; `label_set` reads model and
    labels in this coarser label set.
    """

    folder: str = SAMPLES
    names: tuple[str, ...] = ()
    split: str | None = None
    limit: int | None = setting(None, low=1)
    labels: str | None = None
    label_set: str | None = None


@dataclass(frozen=True)
class Study:
    """A grid: every model under every attack at every eps (grey levels), number of steps and seed, on every image.

    `base` holds the settings that all cells share, such as goal, `against` and norm; its model, image, attack, eps, steps and seed are not
    looked at.
    """

    name: str
    models: tuple[str, ...]
    attacks: tuple[AttackRow, ...]
    eps: tuple[float, ...]
    steps: tuple[int, ...] = (20,)
    seeds: tuple[int, ...] = (0,)
    images: Images = Images()
    base: Settings = dataclasses.field(default_factory=Settings)


@dataclass(frozen=True)
class ImageRef:
    """A picture of a study by its files; `stored` is the label set of the ids in the label map, None where it is that of the model.

    `sample` marks a sample photo, which may be looked at without its label map by a model of other classes.
    """

    name: str
    photo: Path
    labels: Path | None
    stored: LabelSet | None = dataclasses.field(default=None, hash=False)
    sample: bool = False


@dataclass(frozen=True)
class GridPoint:
    """One point of the curves: all that a cell is except its image. The `image` in the settings is empty."""

    settings: Settings
    row: AttackRow


@dataclass(frozen=True)
class Cell:
    """One run: `settings` as the attack lab would take them, on one picture; `label_set` as in `Images`."""

    settings: Settings
    image: ImageRef
    row: AttackRow
    label_set: str | None = None

    @property
    def source(self) -> str:
        """The model on which the adversarial picture is made."""
        return self.row.source or self.settings.model

    @property
    def point(self) -> GridPoint:
        """The point of the curves that this cell is a part of."""
        return GridPoint(replace(self.settings, image=""), self.row)


def points(study: Study) -> tuple[GridPoint, ...]:
    """All points of a study's curves, each once: an attack with steps of its own, or of one step, has no curve over steps.

    Raises UserError for an unknown model or attack and for settings that do not fit the attack.
    """
    found: dict[GridPoint, None] = {}
    for model in study.models:
        model_entry(model)
        for row in study.attacks:
            if row.source:
                model_entry(row.source)
            for eps in study.eps:
                for steps in study.steps:
                    for seed in study.seeds:
                        settings = row.applied(replace(study.base, model=model, image="", eps=eps, steps=steps, seed=seed))
                        check_settings(settings)
                        found[GridPoint(replace(settings, steps=steps_of(settings)), row)] = None
    return tuple(found)


def images_of(study: Study) -> tuple[ImageRef, ...]:
    """The pictures of a study, in order; raises UserError as `open_data_set` and for unknown samples."""
    images = study.images
    if images.folder == SAMPLES:
        known = samples()
        unknown = [name for name in images.names if name not in known]
        if unknown:
            raise UserError(f"Unknown sample '{unknown[0]}'. Known: {', '.join(known)}.")
        chosen = [known[name] for name in images.names or known]
        voc = label_set_named("VOC21")
        return tuple(ImageRef(one.key, one.photo, one.labels, voc, sample=True) for one in chosen[: images.limit])
    data = open_data_set(Path(images.folder).expanduser(), images.split)
    stored = label_set_named(images.labels) if images.labels else data.label_set
    refs = [ImageRef(photo.stem, photo, labels, stored) for photo, labels in data.pairs]
    if images.names:
        refs = [ref for ref in refs if ref.name in images.names]
        if not refs:
            raise UserError(f"None of the named images is in {images.folder}.")
    return tuple(refs[: images.limit])


def cells(study: Study) -> tuple[Cell, ...]:
    """All cells, image by image over all points, so that after every image each curve has one image more; raises as its parts."""
    grid = points(study)
    return tuple(
        Cell(replace(point.settings, image=ref.name if ref.sample else str(ref.photo)), ref, point.row, study.images.label_set)
        for ref in images_of(study)
        for point in grid
    )


def gradients(study: Study) -> int:
    """Gradient evaluations of a whole study, over all images."""
    return len(images_of(study)) * sum(evaluations_of(point.settings, point.row.source) for point in points(study))


SHARED_SETTINGS = tuple(name for name, field in FIELDS.items() if "study" in field.where)
"""Fields of `Settings` that stand at the top of a study's file and hold for all its cells."""


def read_study(path: Path) -> Study:
    """A study from a TOML file; raises UserError that names the file and the key, or the line, that is wrong.

    Keys: `models` (list of keys), `attacks` (list of keys or of tables with the keys of `ROW_KEYS`), `eps` (grey levels), `steps`,
    `seeds` (lists or single numbers), `name`, the fields of `SHARED_SETTINGS`, and a table `images` with the fields of `Images`. A folder
    is meant relative to where the command is run.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Cannot read the study {path}: {getattr(error, 'strerror', None) or error}.") from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"The study {path} is no TOML: {error}.") from None
    try:
        study = study_of({"name": path.stem} | table)
        points(study)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return study


def study_of(table: Mapping[str, Any]) -> Study:
    """A study from the values of its file; raises UserError that names the key which is wrong."""
    known = ("name", "models", "attacks", "eps", "steps", "seeds", "images", *SHARED_SETTINGS)
    refuse_unknown(table, known)
    if "models" not in table or "attacks" not in table or "eps" not in table:
        missing = next(key for key in ("models", "attacks", "eps") if key not in table)
        raise UserError(f"{missing} is missing. A study needs models, attacks and eps, each a list.")
    shared = {key: table[key] for key in SHARED_SETTINGS if key in table}
    images = table.get("images", {})
    if isinstance(images, str):
        images = {"folder": images}
    return Study(
        name=str(table["name"]),
        models=values(table["models"], "models", FIELDS["model"]),
        attacks=tuple(attack_row(one) for one in as_list(table["attacks"], "attacks")),
        eps=values(table["eps"], "eps", FIELDS["eps"]),
        steps=values(table.get("steps", [20]), "steps", FIELDS["steps"]),
        seeds=values(table.get("seeds", [0]), "seeds", FIELDS["seed"]),
        images=read_record(Images, images, "images"),
        base=read_record(Settings, shared),
    )


def attack_row(value: object) -> AttackRow:
    """An attack from its key or its table."""
    if isinstance(value, str):
        return AttackRow(value)
    if not isinstance(value, dict) or not isinstance(value.get("attack"), str):
        raise UserError(f'attacks holds {value!r}; write a key such as "pgd", or a table such as {{attack = "pgd", steps = 3}}.')
    return AttackRow(**read_values(ROW_KEYS, value, "attacks"))


def as_list(value: object, key: str) -> list[Any]:
    """A list that is not empty; a single value counts as a list of one."""
    found = value if isinstance(value, list) else [value]
    if not found:
        raise UserError(f"{key} is empty; it needs at least one value.")
    return found


def values(value: object, key: str, field: Field) -> tuple[Any, ...]:
    """A list of values of one field, each once."""
    return tuple(dict.fromkeys(field.read(one, key) for one in as_list(value, key)))
