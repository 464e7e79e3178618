"""One table of fields: what settings are asked for by links, on the terminal and in studies comes back, and what is wrong is named."""

import io
import json
import tomllib
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass, fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import TRANSFORMS
from segviz.cli.options import OneLineParser, add_settings, settings_from
from segviz.fields import check_all, fields_of, read_record, setting
from segviz.models.zoo import MODELS
from segviz.settings import FIELDS, GOALS, Settings
from segviz.studies.grid import SHARED_SETTINGS, AttackRow, points, study_of
from segviz.types import UserError

quick = settings(max_examples=60, derandomize=True, deadline=None)

CLASSES = ("cat", "dog", "person", "background")
REGIONS = ("", "class:cat", "outside:potted plant", "polygon:1,2 30.5,4 -5,60", "polygon:0,0 9,9 0,9|50,50 60,60 50,60")
KNOWN = {
    "model": tuple(MODELS),
    "image": ("chelsea", "dog", "camera"),
    "goal": GOALS,
    "target": CLASSES,
    "other": CLASSES,
    "region": REGIONS,
    "attack": tuple(ATTACKS),
    "variant": ("", *(name for entry in ATTACKS.values() for name in entry.variants)),
    "layer": ("", "encoder", "encoder.blocks.4"),
}


def values(name: str) -> st.SearchStrategy:
    """Any value that somebody can ask for."""
    field = FIELDS[name]
    if name in KNOWN:
        found = st.sampled_from(KNOWN[name])
    elif name == "transforms":
        found = st.lists(st.sampled_from(list(TRANSFORMS)), unique=True, max_size=3).map(tuple)
    elif field.choices is not None:
        found = st.sampled_from(list(field.choices()))
    elif field.kind is bool:
        found = st.booleans()
    elif field.kind is int:
        found = st.integers(int(field.low), int(field.high))
    else:
        found = st.floats(field.low, field.high, exclude_min=field.above)
    return found


@st.composite
def valid(draw) -> Settings:
    found = {name: draw(values(name)) for name in FIELDS}
    if found["goal"] == "swap":
        found["other"] = next(name for name in CLASSES if name != found["target"])
    return Settings(**found)


WRONG = {
    "goal": ("fly", "", "map"),
    "region": ("circle:1", "class", "polygon"),
    "against": ("nobody", "Truth"),
    "norm": ("l1", "L2"),
    "eps": ("abc", "nan", "inf", "-1", "256"),
    "steps": ("0", "1001", "2.5", "many"),
    "alpha": ("0", "-1", "abc", "255.5"),
    "restarts": ("0", "21", "x"),
    "seed": ("-1", "99999999999", "1.5"),
    "layer": ("two words", "encoder/4"),
}
"""Texts that no field of that name can have, whatever the model and the attack."""


@st.composite
def invalid(draw) -> tuple[str, str]:
    name = draw(st.sampled_from(sorted(WRONG)))
    return name, draw(st.sampled_from(WRONG[name]))


def through_link(wanted: Settings) -> Settings:
    link = {name: field.format(getattr(wanted, name)) for name, field in FIELDS.items()}
    return Settings(**{name: FIELDS[name].parse(text) for name, text in link.items()})


def through_terminal(*arguments: str) -> Settings:
    parser = OneLineParser("segviz")
    add_settings(parser, attack_required=True)
    return settings_from(parser.parse_args(arguments), image="chelsea")


def arguments_of(wanted: Settings) -> list[str]:
    found = []
    for name, field in FIELDS.items():
        value, flag = getattr(wanted, name), f"--{field.option or name}"
        if "terminal" not in field.where or value is None:
            continue
        if field.kind is bool:
            found += [] if value == field.default else [flag]
        elif field.kind is tuple:
            found += [f"{flag}={part}" for part in value]
        else:
            found.append(f"{flag}={field.format(value)}")
    return found


def toml_of(wanted: Settings) -> str:
    """A study of one point."""
    row = {name: getattr(wanted, name) for name in ("attack", "variant", "transforms")}
    axes = {"models": wanted.model, "eps": wanted.eps, "steps": wanted.steps, "seeds": wanted.seed}
    shared = {name: value for name in SHARED_SETTINGS if (value := getattr(wanted, name)) is not None}
    table = ", ".join(f"{name} = {json.dumps(value)}" for name, value in row.items())
    return "\n".join([f"{name} = {json.dumps(value)}" for name, value in {**axes, **shared}.items()] + [f"attacks = [{{{table}}}]"])


@quick
@given(valid())
def test_a_link_brings_settings_back(wanted):
    assert through_link(wanted) == wanted


@quick
@given(valid())
def test_the_terminal_brings_settings_back(wanted):
    found = through_terminal(*arguments_of(wanted))
    assert asdict(found) == asdict(wanted) | {"image": "chelsea"}


@quick
@given(valid())
def test_a_study_brings_settings_back(wanted):
    study = study_of({"name": "one"} | tomllib.loads(toml_of(wanted)))
    (row,) = study.attacks
    (eps,), (steps,), (seed,), (model,) = study.eps, study.steps, study.seeds, study.models
    found = row.applied(study.base)
    assert asdict(found) | {"eps": eps, "steps": steps, "seed": seed, "model": model} == asdict(wanted) | {"image": FIELDS["image"].default}


@quick
@given(invalid())
def test_what_is_wrong_is_named_in_links_and_on_the_terminal(case):
    name, text = case
    with pytest.raises(UserError, match=f"^{name} is ['\"-]?.*; it must be "):
        FIELDS[name].parse(text)
    said = io.StringIO()
    with redirect_stderr(said), pytest.raises(SystemExit) as stop:
        through_terminal("--attack", "pgd", f"--{name}={text}")
    assert stop.value.code == 2
    (line,) = said.getvalue().splitlines()
    assert f"argument --{name}: {name} is " in line


@quick
@given(invalid())
def test_what_is_wrong_is_named_in_studies(case):
    name, text = case
    try:
        value = FIELDS[name].meaning(text)
    except ValueError:
        value = text
    key = "seeds" if name == "seed" else name
    study = {"name": "one", "models": "voc7-lraspp", "attacks": "pgd", "eps": 1}
    with pytest.raises(UserError, match=f"^{key} is .*; it must be "):
        study_of(study | {key: value})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("eps", "abc", "eps is 'abc'; it must be a number between 0 and 255, in grey levels."),
        ("alpha", "0", "alpha is 0.0; it must be a number above 0 and at most 255, in grey levels."),
        ("seed", "99999999999", "seed is 99999999999; it must be a whole number between 0 and 4294967295."),
        ("norm", "l1", "norm is 'l1'; it must be one of linf, l2."),
        ("clip", "yes", "clip is 'yes'; it must be true or false."),
    ],
)
def test_a_message_says_what_is_wrong_and_what_is_allowed(name, text, message):
    with pytest.raises(UserError) as caught:
        FIELDS[name].parse(text)
    assert str(caught.value) == message


def test_the_program_may_set_what_nobody_can_ask_for():
    assert Settings(steps=0, goal="map").steps == 0
    with pytest.raises(UserError, match=r"^eps is nan"):
        Settings(eps=float("nan"))


@dataclass(frozen=True)
class Longer(Settings):
    """Settings with one row more."""

    warmth: float = setting(0.5, low=0, high=1, help="how warm")


def test_a_new_setting_is_one_row():
    field = fields_of(Longer)["warmth"]
    assert field.parse(field.format(0.25)) == 0.25
    assert read_record(Longer, {"warmth": 1}, "study").warmth == 1
    with pytest.raises(UserError, match=r"^study.warmth is 2; it must be a number between 0 and 1\.$"):
        read_record(Longer, {"warmth": 2}, "study")
    with pytest.raises(UserError, match=r"^warmth is 7"):
        Longer(warmth=7)
    assert {part.name for part in fields(Longer)} - set(FIELDS) == {"warmth"}


def test_the_fields_of_an_attack_in_a_study_may_be_what_they_may_be_everywhere():
    check_all(AttackRow("pgd", steps=3))
    with pytest.raises(UserError, match="between 1 and 1000"):
        check_all(AttackRow("pgd", steps=2000))
    study = study_of({"name": "one", "models": "voc7-lraspp", "attacks": "pgd", "eps": 1})
    assert len(points(study)) == 1
