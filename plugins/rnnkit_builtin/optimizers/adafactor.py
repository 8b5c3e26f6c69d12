"""w' = w - a g / sqrt(V) / max(1, rms(g / sqrt(V)) / clip),  a = max(epsilon, rms(w)) min(learning_rate, 1 / sqrt(t))

at update t, with g = dw, and of a matrix V_ij = r_i c_j / mean(r), where r and c are running means of the rows' and the
columns' mean squares of g; of any other array V is the running mean of g^2. Both means forget the share t^-decay of
what was.

Shazeer & Stern, "Adafactor: adaptive learning rates with sublinear memory cost" (2018), algorithms 4 and 5, as
`torch.optim.Adafactor`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import ClassVar, Final

import attrs
import numpy as np
from attrs.validators import ge, gt, le

from rnnkit.kinds import Array, Optimizer, Slots

BLOCK: Final = 1 << 16
"""Elements that are computed at once, so that no array as large as w is ever made."""


@attrs.frozen
class AdafactorSlots(Slots):
    """What is remembered of an array that is no matrix."""

    square: Array


@attrs.frozen
class FactoredSlots(AdafactorSlots):
    """What is remembered of a matrix (R, C): r (R,) is `square`."""

    columns: Array


@attrs.frozen
class Adafactor(Optimizer[AdafactorSlots]):
    """Adam's second moment in R + C numbers for a matrix (R, C), no first moment, and steps relative to the parameters.

    Attributes:
        learning_rate: step size, in units of the parameters' root mean square; at most 1.
        decay: the exponent by which the means forget ever less, above 0, at most 1.
        epsilon: the least root mean square of parameters that steps are taken relative to, above 0.
        clip: the largest root mean square of g / sqrt(V), at least 1; a larger one is scaled down to it.
        weight_decay: part of w that goes at each update, in units of the learning rate; at least 0.
    """

    learning_rate: float = attrs.field(default=1e-2, validator=[gt(0.0), le(1.0)])
    decay: float = attrs.field(default=0.8, validator=[gt(0.0), le(1.0)])
    epsilon: float = attrs.field(default=1e-3, validator=gt(0.0))
    clip: float = attrs.field(default=1.0, validator=ge(1.0))
    weight_decay: float = attrs.field(default=0.0, validator=ge(0.0))
    elementwise: ClassVar[bool] = False

    @classmethod
    def variants(cls) -> list[Adafactor]:
        """For the harness, which tries only the edge of `clip`."""
        return [cls(clip=1.5)]

    def slots(self, w: Array) -> AdafactorSlots:
        if w.ndim != 2:
            return AdafactorSlots(np.zeros_like(w))
        rows, columns = w.shape
        return FactoredSlots(np.zeros(rows, w.dtype), np.zeros(columns, w.dtype))

    def update(self, w: Array, dw: Array, slots: AdafactorSlots, step: int, factor: float) -> None:
        if not w.size:
            return
        rate, share = self.learning_rate * factor, math.pow(step, -self.decay)
        size = max(self.epsilon, _rms(w, lambda part: w[part]))
        if self.weight_decay:
            w *= 1.0 - rate * self.weight_decay
        change = _change(dw, slots, share)
        clip = max(1.0, _rms(w, change) / self.clip)
        scale = size * min(rate, 1.0 / math.sqrt(step)) / clip
        for part in _parts(w):
            w[part] -= scale * change(part)


def _change(dw: Array, slots: AdafactorSlots, share: float) -> Callable[[slice | tuple[()]], Array]:
    """Take a gradient into the means; what gives g / sqrt(V) of some rows."""
    least = float(np.finfo(dw.dtype).eps)
    r, c = slots.square, slots.columns if isinstance(slots, FactoredSlots) else None
    if c is None:
        r += share * (dw * dw - r)
    else:
        r += share * (np.einsum("ij,ij->i", dw, dw) / len(c) - r)
        c += share * (np.einsum("ij,ij->j", dw, dw) / len(r) - c)
    mean = max(float(r.mean()), least)

    def change(part: slice | tuple[()]) -> Array:
        v: Array = np.array(r[part]) if c is None else np.multiply.outer(r[part], c / mean)
        np.maximum(v, least * least, out=v)
        np.sqrt(v, out=v)
        return np.divide(dw[part], v, out=v)

    return change


def _rms(w: Array, values: Callable[[slice | tuple[()]], Array]) -> float:
    """The root mean square of all values."""
    squares = [float(np.sum(np.square(values(part)))) for part in _parts(w)]
    return math.sqrt(sum(squares) / w.size)


def _parts(w: Array) -> Iterator[slice | tuple[()]]:
    """Some rows at a time; all of a single number."""
    if not w.ndim:
        yield ()
        return
    rows = max(1, BLOCK * len(w) // w.size)
    for i in range(0, len(w), rows):
        yield slice(i, i + rows)
