"""The settings of one run: a typed record and table that pages keep in links, the terminal fills from options and studies from files."""

from dataclasses import dataclass

from segviz.fields import check_all, fields_of, setting
from segviz.types import UserError

GOALS = ("break", "class", "everywhere", "remove", "swap")
GIVEN = "map"
"""The goal of whoever brings a target map along, which settings alone cannot hold."""
LABEL_SOURCES = ("truth", "prediction")
NORMS = ("linf", "l2")
MAX_STEPS = 1000
WHOLE = ("link", "terminal", "study")
"""Where settings are asked for that all attacks of a study share."""
REGION = r"|(class|outside):.+|polygon:[\d.,eE |+-]*"
REGION_FORMS = "class:NAME, outside:NAME or polygon:X,Y X,Y X,Y with corners in per cent"


@dataclass(frozen=True)
class Settings:
    """What is attacked, and how. The table of these fields is `FIELDS`: a new setting is a row here, and its use.

    `goal`: "break" the labels; break only those of the "class" `target`; reach the class `target` "everywhere"; "remove" it, so that the
    nearest other class takes its place and the rest stays; or "swap" it with the class `other`; or reach a "map" that is given beside the
    settings. `against`: which labels "break" and "class" break and figures refer to, the photo's label map ("truth") or the model's own
    clean prediction ("prediction"); without a label map it is always the prediction. `region` says where the picture may change, as in
    `segviz.attacks.regions`; empty: all of it. `break_region`,
    written alike, is the only part that counts for the goal and in figures: perturb here, break there (Nakka & Salzmann, "Indirect Local
    Attacks for Context-aware Semantic Segmentation Networks", ECCV 2020, 1911.13038).
    `variant`, `layer` and `q` are those of the attack, empty or None for its own choice; `transforms` are keys of input transforms.
    `eps` and `alpha` are in grey levels (n of n/255; for the norm "l2" the root mean square); `alpha` None means the attack's own rule.
    `steps` are iterations per restart; 0 only looks at the clean picture. `clip` False leaves the result of an attack that looks for
    the smallest perturbation outside the ball of radius `eps`. Raises UserError for a value out of range.
    """

    model: str = setting(
        "voc7-lraspp", where=("link", "terminal"), metavar="KEY", help="default %(default)s; see the command models", label="Model"
    )
    image: str = setting("chelsea", where=("link",), label="Picture")
    goal: str = setting("break", choices=lambda: GOALS, besides=(GIVEN,), where=WHOLE, label="Goal")
    target: str | None = setting(None, where=WHOLE, metavar="CLASS", help="class of every goal but break", label="Class")
    other: str | None = setting(None, where=WHOLE, metavar="CLASS", help="the class that the goal swap swaps with the target", label="With")
    region: str = setting(
        "",
        pattern=REGION,
        form=REGION_FORMS,
        where=WHOLE,
        metavar="WHERE",
        help=f"change only this part of the picture: {REGION_FORMS}",
        label="Change only",
        tip="The part of the picture that the attack may touch. What it breaks stays the goal's affair.",
    )
    break_region: str = setting(
        "",
        pattern=REGION,
        form=REGION_FORMS,
        where=WHOLE,
        option="break-region",
        metavar="WHERE",
        help="break, and judge, only this part of the picture, written as for --region",
        label="Break only",
        tip="The part of the picture that the attack is about: nothing else counts, neither for the goal nor in any figure. With another "
        "part to change, the attack works from afar, by what the network takes from the surroundings.",
    )
    against: str = setting(
        "truth",
        choices=lambda: LABEL_SOURCES,
        where=WHOLE,
        help="labels to break",
        label="Attack and measure against",
        tip="The label map, or the model's own clean prediction. Without a label map it is always the prediction.",
    )
    attack: str = setting("pgd", where=("link", "terminal"), metavar="KEY", help="see the command attacks", label="Attack")
    norm: str = setting("linf", choices=lambda: NORMS, where=WHOLE, label="Norm")
    eps: float = setting(
        4.0,
        low=0,
        high=255,
        unit="grey levels",
        where=("link", "terminal"),
        help="grey levels (n of n/255); for l2 their root mean square",
        label="Epsilon, in n/255",
        tip="Largest change of any colour value, in grey levels out of 255. For L2: the root mean square of all changes.",
        step=1.0,
        usual=16,
    )
    steps: int = setting(
        20,
        low=1,
        high=MAX_STEPS,
        besides=(0,),
        where=("link", "terminal", "attack"),
        help="iterations",
        label="Steps",
        marks=(1, 2, 5, 10, 20, 50, 100, 200, 300, 500),
    )
    alpha: float | None = setting(
        None,
        low=0,
        high=255,
        above=True,
        unit="grey levels",
        help="step size in grey levels; default: the attack's own rule",
        label="Step size, in n/255",
        tip="Empty: the attack's own rule.",
        step=0.01,
    )
    restarts: int = setting(1, low=1, high=20, label="Restarts")
    seed: int = setting(0, low=0, high=2**32 - 1, where=("link", "terminal"), label="Seed")
    variant: str = setting("", where=("link", "terminal", "attack"), help="variant of the attack; see attacks --json", label="Variant")
    layer: str = setting(
        "",
        pattern=r"[\w.]*",
        form="the name of a layer, such as encoder.blocks.4",
        metavar="NAME",
        help="layer of cira and cira-plus; default: the encoder",
        label="Layer",
        tip="Name of a layer, such as encoder.blocks.4.",
    )
    q: float | None = setting(
        None,
        low=-10,
        high=1,
        help="q of tsallispgd; default: rising from -2 to 1 over the run",
        label="q of the Tsallis cross-entropy",
        tip="A pixel weighs p to the power of 1 - q, p the probability of its label: at 1 all weigh the same, far below 1 only those that "
        "the network is still sure of. Empty: it rises from -2 to 1 over the run.",
    )
    transforms: tuple[str, ...] = setting(
        (),
        where=("link", "terminal", "attack"),
        option="transform",
        metavar="KEY",
        help="input transform, any number of times",
        label="Input transforms",
        tip="Other views of the picture through which the gradient is taken. They cost white-box strength and help an attack to transfer "
        "to other networks; what you see is always measured on the picture itself.",
    )
    clip: bool = setting(
        True,
        option="unclipped",
        help="do not bring a smallest perturbation into the ball of radius eps",
        label="Clip the result to epsilon",
        tip="On: the smallest perturbation is brought into the ball, to compare with bounded attacks. Off: it may be larger.",
    )

    def __post_init__(self) -> None:
        # From JSON they come as a list.
        object.__setattr__(self, "transforms", tuple(self.transforms))
        check_all(self)
        if self.goal not in ("break", GIVEN) and self.target is None:
            raise UserError(f"The goal '{self.goal}' needs a target class.")
        if self.goal == "swap" and self.other in (None, self.target):
            raise UserError("The goal 'swap' needs two different classes, the target and the other.")


FIELDS = fields_of(Settings)
