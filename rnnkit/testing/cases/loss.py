"""Losses: every mask, targets at both ends of the vocabulary, and scores that underflow."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from rnnkit.kinds import Array, Ints, Loss, Mask, Rng
from rnnkit.testing.example import Broken, Case, Example, Leaves, copied

M, V = 6, 5


def loss_cases(plugin: Loss) -> Iterator[Case]:
    """The cases of one loss."""
    masks = {
        "all": np.ones(M, bool),
        "none": np.zeros(M, bool),
        "ragged": np.arange(M) % 3 != 1,
        "one": np.arange(M) == 2,
    }
    for name, mask in masks.items():
        yield Case(f"mask={name}", partial(_drawn, plugin=plugin, mask=mask))
    for target in (0, V - 1):
        yield Case(f"targets={target}", partial(_drawn, plugin=plugin, target=target))
    yield Case("one position", partial(_drawn, plugin=plugin, mask=np.ones(1, bool)))
    yield Case("scores=0", partial(_drawn, plugin=plugin, scale=0.0))
    yield Case("scores=1e3", partial(_far, plugin=plugin, mask=masks["ragged"]))


def _drawn(
    rng: Rng,
    plugin: Loss,
    mask: Mask | None = None,
    target: int | None = None,
    scale: float = 2.0,
) -> Example:
    mask = np.ones(M, bool) if mask is None else mask
    drawn = rng.integers(0, V, len(mask))
    targets = drawn if target is None else np.full(len(mask), target)
    return _at(plugin, scale * rng.standard_normal((len(mask), V)), targets, mask)


def _far(rng: Rng, plugin: Loss, mask: Mask) -> Example:
    """Scores so far apart that probabilities underflow."""
    scores = 1e3 * rng.choice([-1.0, 1.0], (M, V)) + rng.standard_normal((M, V))
    return _at(plugin, scores, rng.integers(0, V, M), mask, types_only=True)


def _at(
    plugin: Loss, scores: Array, targets: Ints, mask: Mask, *, types_only: bool = False
) -> Example:
    def forward(at: Leaves) -> tuple[Leaves, Any]:
        loss, dscores = plugin.evaluate(at["scores"], targets, mask)
        return {"loss": np.asarray(loss)}, dscores

    def backward(at: Leaves, cotangents: Leaves, dscores: Any) -> Leaves:
        return {"scores": dscores * cotangents["loss"]}

    def masked_positions_do_not_matter(example: Example) -> None:
        loss, dscores = plugin.evaluate(scores.copy(), targets, mask)
        if np.any(dscores[~mask]):
            raise Broken("mask", "a masked position has a gradient")
        other = np.where(mask[:, None], scores, scores[:, ::-1] - 3.0)
        moved = np.where(mask, targets, (targets + 1) % V)
        again, _ = plugin.evaluate(other, moved, mask)
        if abs(float(again) - float(loss)) > 1e-12 * max(1.0, abs(float(loss))):
            raise Broken("mask", "the scores at a masked position change the loss")

    def is_a_sum_over_positions(example: Example) -> None:
        whole = float(forward(copied(example.leaves))[0]["loss"])
        parts = sum(
            float(plugin.evaluate(scores[i : i + 1].copy(), targets[i : i + 1], mask[i : i + 1])[0])
            for i in range(len(scores))
        )
        if abs(whole - parts) > 1e-12 * max(1.0, abs(whole)):
            raise Broken("sum", "the loss is not the sum of the losses of its positions")

    laws = (masked_positions_do_not_matter, is_a_sum_over_positions)
    return Example(
        {"scores": scores},
        forward,
        backward,
        laws=laws,
        single="types" if types_only else "compare",
    )
