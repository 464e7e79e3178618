"""The settings of one run: a typed record that the page keeps in its URL and the terminal fills from its options."""

from dataclasses import dataclass

from segviz.types import UserError

GOALS = ("break", "class", "everywhere", "remove", "swap")
GIVEN = "map"
"""The goal of whoever brings a target map along, which settings alone cannot hold."""
LABEL_SOURCES = ("truth", "prediction")
MAX_STEPS = 1000


@dataclass(frozen=True)
class Settings:
    """What is attacked, and how.

    `goal`: "break" the labels; break only those of the "class" `target`; reach the class `target` "everywhere"; "remove" it, so that the
    nearest other class takes its place and the rest stays; or "swap" it with the class `other`; or reach a "map" that is given beside the
    settings. `against`: which labels "break" and "class" break and figures refer to, the photo's label map ("truth") or the model's own
    clean prediction ("prediction"); without a label map it is always the prediction. `region` says where the picture may change, as in
    `segviz.attacks.regions`; empty: all of it.
    `variant` and `layer` are those of the attack, empty for its own choice; `transforms` are keys of input transforms.
    `eps` and `alpha` are in grey levels (n of n/255; for the norm "l2" the root mean square); `alpha` None means the attack's own rule.
    `steps` are iterations per restart; 0 only looks at the clean picture. `clip` False leaves the result of an attack that looks for
    the smallest perturbation outside the ball of radius `eps`. Raises UserError for a value out of range.
    """

    model: str = "voc7-lraspp"
    image: str = "chelsea"
    goal: str = "break"
    target: str | None = None
    other: str | None = None
    region: str = ""
    against: str = "truth"
    attack: str = "pgd"
    norm: str = "linf"
    eps: float = 4.0
    steps: int = 20
    alpha: float | None = None
    restarts: int = 1
    seed: int = 0
    variant: str = ""
    layer: str = ""
    transforms: tuple[str, ...] = ()
    clip: bool = True

    def __post_init__(self) -> None:
        # From JSON they come as a list.
        object.__setattr__(self, "transforms", tuple(self.transforms))
        if self.goal not in (*GOALS, GIVEN):
            raise UserError(f"Unknown goal '{self.goal}'. Known: {', '.join(GOALS)}.")
        if self.goal not in ("break", GIVEN) and self.target is None:
            raise UserError(f"The goal '{self.goal}' needs a target class.")
        if self.goal == "swap" and self.other in (None, self.target):
            raise UserError("The goal 'swap' needs two different classes, the target and the other.")
        if self.against not in LABEL_SOURCES:
            raise UserError(f"Unknown kind of labels '{self.against}'. Known: {', '.join(LABEL_SOURCES)}.")
        # Written so that nan, which compares false with everything, is refused as well.
        if not 0 <= self.eps <= 255:
            raise UserError(f"eps is {self.eps:g} grey levels; it must lie between 0 and 255.")
        if self.alpha is not None and not 0 < self.alpha <= 255:
            raise UserError(f"The step size is {self.alpha:g} grey levels; it must be above 0 and at most 255.")
        if not 0 <= self.steps <= MAX_STEPS:
            raise UserError(f"{self.steps} steps; between 1 and {MAX_STEPS} are allowed.")
        if not 1 <= self.restarts <= 20:
            raise UserError(f"{self.restarts} restarts; between 1 and 20 are allowed.")
        if not 0 <= self.seed < 2**32:
            raise UserError(f"The seed is {self.seed}; it must lie between 0 and {2**32 - 1}.")
