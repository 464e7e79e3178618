"""One table of fields: what settings are asked for by links, on the terminal and in studies comes back, and what is wrong is named."""

import io
import json
import tomllib
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass, fields, replace

import pytest
from hypothesis import given

from segviz.cli.options import OneLineParser, add_settings, settings_from
from segviz.fields import fields_of, read_record, setting
from segviz.settings import FIELDS, Settings
from segviz.studies.grid import OF_AN_ATTACK, SHARED_SETTINGS, AttackRow, points, study_of
from segviz.types import UserError
from tests.cases import invalid, quick, valid


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
    row = {name: getattr(wanted, name) for name in ("attack", *OF_AN_ATTACK) if name not in (*SHARED_SETTINGS, "steps")}
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


@quick
@given(valid())
def test_an_attack_of_a_study_changes_every_setting_that_is_not_of_the_whole_study(wanted):
    own = {name: getattr(wanted, name) for name in OF_AN_ATTACK}
    table = {"attack": wanted.attack, "name": "mine", **{name: value for name, value in own.items() if value not in ("", (), None)}}
    (row,) = study_of({"name": "one", "models": "voc7-lraspp", "attacks": [table], "eps": 1}).attacks
    assert row == AttackRow(wanted.attack, name="mine", **own)
    assert asdict(row.applied(Settings())) == asdict(replace(Settings(attack=wanted.attack), **own))
    # Two rows that differ do not read alike.
    assert AttackRow("pgd", **own).title != AttackRow("pgd", **own | {"restarts": 1 + own["restarts"] % 20}).title


def test_the_fields_of_an_attack_in_a_study_may_be_what_they_may_be_everywhere():
    assert AttackRow("pgd", steps=3).own("steps") == 3
    with pytest.raises(UserError, match="between 1 and 1000"):
        AttackRow("pgd", steps=2000)
    with pytest.raises(TypeError, match="norm"):
        AttackRow("pgd", norm="l2")
    study = study_of({"name": "one", "models": "voc7-lraspp", "attacks": "pgd", "eps": 1})
    assert len(points(study)) == 1
