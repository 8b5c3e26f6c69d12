"""Losses: every mask, targets at both ends of the vocabulary, and scores that underflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from rnnkit.kinds import Array, Ints, Loss, Mask, Rng, Scalar
from rnnkit.numerics import log_softmax
from rnnkit.testing.cases.graphs import graph_of
from rnnkit.testing.constants import thresholds
from rnnkit.testing.example import Broken, Case, Example, Leaves, Traceable, copied
from rnnkit.testing.laws import calls_do_not_meet, close

M, V = 6, 5
SURE = 40
"""Rows, so that some targets are all but certain."""
MOST = 600
"""The largest size for a threshold in the code to be tried beyond."""


def loss_cases(plugin: Loss) -> Iterator[Case]:
    """The cases of one loss."""
    masks = {
        "all": np.ones(M, bool),
        "none": np.zeros(M, bool),
        "ragged": np.arange(M) % 3 != 1,
        "one": np.arange(M) == 2,
    }
    for name, mask in masks.items():
        made = partial(_drawn, plugin=plugin, mask=mask)
        yield Case(f"mask={name}", made, core=name == "ragged")
    for target in (0, V - 1):
        yield Case(f"targets={target}", partial(_drawn, plugin=plugin, target=target))
    yield Case("one position", partial(_drawn, plugin=plugin, mask=np.ones(1, bool)))
    yield Case("scores=0", partial(_drawn, plugin=plugin, scale=0.0))
    yield Case("scores=1e3", partial(_far, plugin=plugin, mask=masks["ragged"]), core=True)
    sure = partial(_drawn, plugin=plugin, mask=np.ones(SURE, bool), scale=8.0, extreme=True)
    yield Case("scores=8", sure)
    yield Case("scores=100", partial(_drawn, plugin=plugin, scale=100.0, extreme=True))
    yield Case("scores=1e-4", partial(_drawn, plugin=plugin, scale=1e-4))
    rows = max(40, thresholds(type(plugin), 40, MOST))
    words = max(300, thresholds(type(plugin), 300, MOST))
    most = np.arange(rows) % 5 != 2
    many = partial(_drawn, plugin=plugin, mask=most, words=words)
    yield Case(f"M={rows},V={words}", many)
    for name in ("all", "ragged"):
        weighted = partial(_drawn, plugin=plugin, mask=masks[name], weighted=True)
        yield Case(f"weights,mask={name}", weighted, core=name == "ragged")


def _drawn(
    rng: Rng,
    plugin: Loss,
    mask: Mask | None = None,
    target: int | None = None,
    scale: float = 2.0,
    words: int = V,
    *,
    extreme: bool = False,
    weighted: bool = False,
) -> Example:
    mask = np.ones(M, bool) if mask is None else mask
    drawn = rng.integers(0, words, len(mask))
    targets = drawn if target is None else np.full(len(mask), target)
    scores = scale * rng.standard_normal((len(mask), words))
    # Both signs, nothing at all, and one number twice.
    weights = np.resize([1.7, -0.3, 0.0, 1.7, 1.0, -12.0], len(mask)) if weighted else None
    return _at(plugin, scores, targets, mask, weights, types_only=extreme)


def _far(rng: Rng, plugin: Loss, mask: Mask) -> Example:
    """Scores so far apart that probabilities underflow."""
    scores = 1e3 * rng.choice([-1.0, 1.0], (M, V)) + rng.standard_normal((M, V))
    return _at(plugin, scores, rng.integers(0, V, M), mask, types_only=True)


def _at(
    plugin: Loss,
    scores: Array,
    targets: Ints,
    mask: Mask,
    weights: Array | None = None,
    *,
    types_only: bool = False,
) -> Example:
    def evaluate(
        scores: Array, targets: Ints, mask: Mask, weights: Array | None
    ) -> tuple[Scalar, Array]:
        if weights is None:
            return plugin.evaluate(scores, targets, mask)
        of_type = weights.astype(scores.real.dtype)
        found = plugin.weighted(scores, targets, mask, of_type)
        if not np.array_equal(of_type, weights.astype(of_type.dtype)):
            raise Broken("inputs unchanged", "weighted changes the weights it is given in place")
        return found

    def forward(at: Leaves) -> tuple[Leaves, Any]:
        given, seen = targets.copy(), mask.copy()
        loss, dscores = evaluate(at["scores"], given, seen, weights)
        for what, a, kept in (("targets", given, targets), ("mask", seen, mask)):
            if not np.array_equal(a, kept):
                raise Broken(
                    "inputs unchanged", f"evaluate changes the {what} it is given in place"
                )
        return {"loss": np.asarray(loss)}, dscores

    def backward(at: Leaves, cotangents: Leaves, dscores: Any) -> Leaves:
        return {"scores": dscores * cotangents["loss"]}

    def masked_positions_do_not_matter(example: Example) -> None:
        loss, dscores = evaluate(scores.copy(), targets.copy(), mask.copy(), weights)
        if np.any(dscores[~mask]):
            raise Broken("mask", "a masked position has a gradient")
        other = np.where(mask[:, None], scores, scores[:, ::-1] - 3.0)
        moved = np.where(mask, targets, (targets + 1) % scores.shape[1])
        again, _ = evaluate(other, moved, mask.copy(), weights)
        if abs(float(again) - float(loss)) > 1e-12 * max(1.0, abs(float(loss))):
            raise Broken("mask", "the scores at a masked position change the loss")

    def is_a_sum_over_positions(example: Example) -> None:
        whole = float(forward(copied(example.leaves))[0]["loss"])
        parts = 0.0
        for i in range(len(scores)):
            one = slice(i, i + 1)
            loss, _ = plugin.evaluate(scores[one].copy(), targets[one].copy(), mask[one].copy())
            parts += float(loss) * (1.0 if weights is None else float(weights[i]))
        if abs(whole - parts) > 1e-12 * max(1.0, abs(whole)):
            what = "" if weights is None else ", each times its weight"
            raise Broken("sum", f"the loss is not the sum of the losses of its positions{what}")

    def is_that_of_its_targets(example: Example) -> None:
        """of_target, where there is one, has the same loss and gradient."""
        log_probs, rows = log_softmax(scores), np.arange(len(scores))
        made = plugin.of_target(log_probs[rows, targets])
        if made is None:
            return
        losses, slopes = (np.where(mask, a if weights is None else a * weights, 0.0) for a in made)
        of_targets = -slopes[:, None] * np.exp(log_probs)
        of_targets[rows, targets] += slopes
        loss, dscores = evaluate(scores.copy(), targets.copy(), mask.copy(), weights)
        for what, found, wanted in (
            ("loss", losses.sum(), np.asarray(loss)),
            ("gradient", of_targets, dscores),
        ):
            if not close(found, wanted):
                raise Broken("targets", f"by of_target the {what} is another than by evaluate")

    laws: list[Callable[[Example], None]] = [
        masked_positions_do_not_matter,
        is_a_sum_over_positions,
        is_that_of_its_targets,
    ]
    if not types_only:
        laws.append(calls_do_not_meet(type(plugin)))
    return Example(
        {"scores": scores},
        forward,
        backward,
        laws=tuple(laws),
        single="types" if types_only else "compare",
        traceable=None
        if weights is not None
        else Traceable(
            partial(graph_of, plugin),
            {"targets": targets, "mask": mask},
            ones=True,
            letters={"N": "len(scores)", "K": "mask.sum()", "H": "V"},
            function=plugin.evaluate,
        ),
    )
