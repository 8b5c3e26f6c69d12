"""features = f(pixels): what is computed, in one line.

Authors, "Title" (year), section.
"""

from __future__ import annotations

import attrs

from rnnkit.data.photos import fit_picture
from rnnkit.kinds import Array, Encoder, Picture, Prepared


@attrs.frozen
class NewPlugin(Encoder):
    """What it is, in one line.

    An option is a field, as in `size: int = 224`, and is described here under `Attributes:`.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        return (3,)

    def prepare(self, picture: Picture) -> Prepared:
        return fit_picture(picture, 224)

    def encode(self, prepared: Prepared) -> Array:
        raise NotImplementedError("write the features (n, *shape) of pictures (n, 224, 224, 3)")
