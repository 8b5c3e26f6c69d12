"""loss = -sum over v of q_v log softmax(scores)_v, summed over unmasked positions: scores (M, V), targets (M,);

q = (1 - smoothing) onehot(target) + smoothing / V.

Szegedy, Vanhoucke, Ioffe, Shlens & Wojna, "Rethinking the Inception architecture" (2016), section 7.
"""

from __future__ import annotations

import attrs
import numpy as np
from attrs.validators import and_, ge, lt

from rnnkit.kinds import Array, Ints, Loss, Mask, Scalar


@attrs.frozen
class SoftmaxCrossEntropy(Loss):
    """Negative log likelihood of the targets under the softmax of the scores, in nats.

    Targets at masked positions do not matter, whatever they are.

    Attributes:
        smoothing: the part of the target distribution that is spread evenly over the vocabulary, in [0, 1).
    """

    smoothing: float = attrs.field(default=0.0, validator=and_(ge(0.0), lt(1.0)))

    def evaluate(
        self, scores: Array, targets: Ints, mask: Mask, weights: Array | None = None
    ) -> tuple[Scalar, Array]:
        z = scores - scores.real.max(axis=-1, keepdims=True)
        e = np.exp(z)
        total = e.sum(axis=-1, keepdims=True)
        rows = np.flatnonzero(mask)
        wanted, log_total = (rows, targets[rows]), np.log(total[rows, 0])
        spread = self.smoothing / scores.shape[-1]
        losses = log_total - (1.0 - self.smoothing) * z[wanted]
        dscores = np.divide(e, total, out=e)
        if spread:
            losses -= spread * z[rows].sum(axis=-1)
            dscores -= spread
        dscores[wanted] -= 1.0 - self.smoothing
        dscores[~mask] = 0.0
        if weights is not None:
            losses *= weights[rows]
            dscores *= weights[:, None]
        loss: Scalar = losses.sum()
        return loss, dscores

    def of_target(self, log_probs: Array) -> tuple[Array, Array] | None:
        return None if self.smoothing else (-log_probs, np.full_like(log_probs, -1.0))

    def weighted(
        self, scores: Array, targets: Ints, mask: Mask, weights: Array
    ) -> tuple[Scalar, Array]:
        return self.evaluate(scores, targets, mask, weights)
