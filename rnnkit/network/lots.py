"""Captions of several losses in one batch: one pass through the network, and at the head each with its own loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
import numpy as np

from rnnkit.kinds import Array, Ints, Loss, Mask, Rng, Scalar, map_arrays
from rnnkit.network.head import Head
from rnnkit.network.needs import Needs
from rnnkit.network.packing import Packing
from rnnkit.network.parts import Made


@attrs.frozen(eq=False)
class Lot:
    """Captions of a batch that have one loss.

    Attributes:
        features: (N, F), of their images.
        captions: (N, T), tokens `<START> w1 .. wk <END> <NULL> ..`.
        loss: of the scores of their words.
        scale: what its gradient is multiplied by.
        weights: (N,), what the loss of each caption is multiplied by; 1 if left open.
    """

    features: Array
    captions: Ints
    loss: Loss
    scale: float
    weights: Array | None = None


def joined(lots: Sequence[Lot], null: int) -> tuple[Array, Ints]:
    """The features and captions of all lots, one after the other; short captions filled with `null`."""
    if len(lots) == 1:
        return lots[0].features, lots[0].captions
    rows, steps = sum(len(lot.captions) for lot in lots), max(lot.captions.shape[1] for lot in lots)
    captions = np.full((rows, steps), null, np.result_type(*(lot.captions.dtype for lot in lots)))
    begin = 0
    for lot in lots:
        n, length = lot.captions.shape
        captions[begin : begin + n, :length] = lot.captions
        begin += n
    return np.concatenate([lot.features for lot in lots]), captions


def evaluate_lots(
    head: Head,
    lots: Sequence[Lot],
    h: Array,
    targets: Ints,
    counts: Mask,
    packing: Packing,
    rng: Rng | None,
    needs: Needs,
    *,
    backward: bool,
) -> tuple[list[Scalar], Array, list[Made]]:
    """The sum of each lot's losses, and the gradient of the sum of scale times that.

    Args:
        head: of the network.
        lots: in the order of the packing's rows.
        h: (M, ..), what the head reads.
        targets: (M,).
        counts: (M,), which positions have a loss.
        packing: of all.
        rng: source of randomness for dropout and its like.
        needs: of which parameters there are gradients, and whether dh is needed.
        backward: whether there are gradients.

    Returns:
        (losses, dh, gradients): of each lot; then as `Head.evaluate` has them.
    """
    totals: list[Scalar] = []
    found: list[list[Made]] = []
    parts: list[tuple[Ints | slice, Array]] = []
    for lot, (begin, at) in zip(lots, _places(lots, packing), strict=True):
        weights = None
        if lot.weights is not None:
            weights = lot.weights[packing.rows[at] - begin].astype(h.real.dtype, copy=False)
        total, part, gradients = head.evaluate(
            h[at],
            targets[at],
            counts[at],
            lot.loss,
            rng,
            lot.scale,
            backward=backward,
            weights=weights,
            wanted=needs.wanted,
            below=needs.head,
        )
        totals.append(total)
        found.append(gradients)
        parts.append((at, part))
    return totals, _whole(parts, h), _summed(found)


def _places(lots: Sequence[Lot], packing: Packing) -> Iterator[tuple[int, Ints | slice]]:
    """Of each lot its first row, and where its positions are; of a single one they are all, without a copy."""
    if len(lots) == 1:
        yield 0, slice(None)
        return
    begin = 0
    for lot in lots:
        end = begin + len(lot.captions)
        yield begin, np.flatnonzero((packing.rows >= begin) & (packing.rows < end))
        begin = end


def _whole(parts: Sequence[tuple[Ints | slice, Array]], h: Array) -> Array:
    """An array like h of its parts."""
    if len(parts) == 1:
        return parts[0][1]
    dh = np.empty_like(h)
    for at, part in parts:
        dh[at] = part
    return dh


def _summed(found: Sequence[list[Made]]) -> list[Made]:
    """The sum over lots, link by link."""
    first, *rest = found
    for gradients in rest:
        first = [
            None if a is None or b is None else map_arrays(np.add, a, b)
            for a, b in zip(first, gradients, strict=True)
        ]
    return first
