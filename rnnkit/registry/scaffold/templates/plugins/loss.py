"""loss = sum of f(scores, target) over unmasked positions: the equation, in one line; scores (M, V), targets (M,).

Authors, "Title" (year), section.
"""

from __future__ import annotations

import attrs

from rnnkit.kinds import Array, Ints, Loss, Mask, Scalar


@attrs.frozen
class NewPlugin(Loss):
    """What it is, in one line.

    An option is a field, as in `margin: float = 0.5`, and is described here under `Attributes:`.
    """

    def evaluate(
        self,
        scores: Array,  # (M, V)
        targets: Ints,  # (M,)
        mask: Mask,  # (M,), False where a position has no loss
    ) -> tuple[Scalar, Array]:
        raise NotImplementedError("write the loss, and dscores (M, V), which is 0 where masked")
