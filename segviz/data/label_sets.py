"""Label sets: class names, colours, and how stored label maps are read into them."""

from dataclasses import dataclass

import numpy as np

from segviz.types import VOID, UserError


@dataclass(frozen=True)
class LabelSet:
    """Classes of a model.

    `stored_ids` are the ids that label-map files may hold, besides 255 for void; `index_of` maps the ones that are classes of their
    own to class indices, every other stored id counts as class 0 (background).
    """

    name: str
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    stored_ids: range
    index_of: dict[int, int]
    training_pixels: tuple[float, ...] | None = None

    def from_stored(self, stored: np.ndarray) -> np.ndarray:
        """Stored label map (H,W) of integers to class indices (H,W) uint8 with 255 for void.

        Raises UserError where the map holds ids that are neither in `stored_ids` nor 255.
        """
        unknown = sorted(set(np.unique(stored).tolist()) - set(self.stored_ids) - {VOID})
        if unknown:
            shown = ", ".join(map(str, unknown[:5])) + (", ..." if len(unknown) > 5 else "")
            raise UserError(
                f"The label map holds the values {shown}, which are no {self.name} labels. "
                f"Expected ids {self.stored_ids[0]} to {self.stored_ids[-1]} and {VOID} for void."
            )
        table = np.full(256, VOID, np.uint8)
        table[list(self.stored_ids)] = [self.index_of.get(i, 0) for i in self.stored_ids]
        return table[stored]


VOC_COLOURS = {
    0: (0, 0, 0),
    8: (64, 0, 0),
    10: (64, 128, 0),
    12: (64, 0, 128),
    13: (192, 0, 128),
    15: (192, 128, 128),
    17: (128, 64, 0),
}

VOC7 = LabelSet(
    name="VOC",
    classes=("background", "cat", "cow", "dog", "horse", "person", "sheep"),
    palette=tuple(VOC_COLOURS.values()),
    stored_ids=range(21),
    index_of={voc_id: index for index, voc_id in enumerate(VOC_COLOURS)},
    training_pixels=(130604624, 20730594, 3458462, 18508673, 5784097, 5716235, 3849981),
)
