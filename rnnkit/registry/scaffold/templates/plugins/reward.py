"""reward = f(caption, references): the equation, in one line.

Authors, "Title" (year), section.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from rnnkit.kinds import Array, Ints, Judge, Reward, Words


@attrs.frozen
class NewPlugin(Reward):
    """What it is, in one line.

    An option is a field, as in `power: float = 1.0`, and is described here under `Attributes:`.
    """

    def judge(self, references: Sequence[Sequence[Words]]) -> Judge:
        # What can be counted once, of the references of all images, is counted here.
        def judge(captions: Sequence[Words], images: Ints) -> Array:
            worth = [
                self.worth(caption, references[image])
                for caption, image in zip(captions, images.tolist(), strict=True)
            ]
            return np.array(worth, np.float64)

        return judge

    def worth(self, caption: Words, references: Sequence[Words]) -> float:
        raise NotImplementedError("write what a caption is worth beside its references")
