"""Settings that somebody can ask for, and values that nobody can, for property tests."""

from hypothesis import settings
from hypothesis import strategies as st

from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import TRANSFORMS
from segviz.models.zoo import MODELS
from segviz.settings import FIELDS, GOALS, Settings

quick = settings(max_examples=50, derandomize=True, deadline=None)

CLASSES = ("cat", "dog", "person", "background")
REGIONS = ("", "class:cat", "outside:potted plant", "polygon:1,2 30.5,4 -5,60", "polygon:0,0 9,9 0,9|50,50 60,60 50,60")
KNOWN = {
    "model": tuple(MODELS),
    "image": ("chelsea", "dog", "camera"),
    "goal": GOALS,
    "target": CLASSES,
    "other": CLASSES,
    "region": REGIONS,
    "break_region": REGIONS,
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
    "q": ("1.5", "-11", "abc"),
}
"""Texts that no field of that name can have, whatever the model and the attack."""


@st.composite
def invalid(draw) -> tuple[str, str]:
    name = draw(st.sampled_from(sorted(WRONG)))
    return name, draw(st.sampled_from(WRONG[name]))
