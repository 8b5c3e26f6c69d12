"""One example examined: the laws first, then each leaf's gradient before the judge."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from rnnkit.errors import MissingPackage
from rnnkit.kinds import Rng
from rnnkit.testing import laws
from rnnkit.testing.derivative import magnitude
from rnnkit.testing.diagnosis import Diagnosis, LeafFinding
from rnnkit.testing.example import Broken, Example, Leaves, Pass, copied
from rnnkit.testing.judge import Judge, appoint
from rnnkit.testing.kinks import kink
from rnnkit.testing.raised import raising
from rnnkit.testing.rounding import unrest
from rnnkit.testing.tolerances import FLOOR, NEARLY, ROUNDED


@attrs.frozen
class Finding:
    """What came of one example.

    Attributes:
        error: the worst error of a gradient, relative to its scale.
        reached: whether each leaf's gradient has a number other than 0, or else an output changes when the leaf
            moves; without leaves of no elements.
        note: what the author should know although nothing is wrong.
        broken: the law that does not hold, if one does not.
        text: how.
        blame: the pass that is at fault.
        leaves: if gradients are wrong, what was found for each leaf, the right ones too, once it is explained.
        answers: what wrong gradients should be, a line for each.
        diagnosis: what explains it then.
    """

    error: float = 0.0
    reached: dict[str, bool] = attrs.field(factory=dict)
    note: str | None = None
    broken: str | None = None
    text: str = ""
    blame: Pass = "backward"
    leaves: tuple[LeafFinding, ...] = ()
    answers: tuple[str, ...] = ()
    diagnosis: Diagnosis | None = attrs.field(default=None, repr=False, eq=False)

    @property
    def ok(self) -> bool:
        """Whether all is well."""
        return self.broken is None

    def explained(self) -> Finding:
        """The same, with what was found for each leaf: where it is wrong, and perhaps why."""
        if self.diagnosis is None:
            return self
        try:
            return attrs.evolve(self, leaves=self.diagnosis.leaves(), diagnosis=None)
        except Exception as e:
            return Finding(broken="runs", text=raising("it", e))


def examine(example: Example, rng: Rng) -> Finding:
    """Check an example by all laws and its gradient leaf by leaf; why it is wrong, `explained` says."""
    try:
        return _examine(example, rng)
    except Broken as e:
        return Finding(broken=e.law, text=e.text, blame=e.blame)
    except MissingPackage:
        raise
    except Exception as e:
        return Finding(broken="runs", text=raising("it", e))


def trouble(example: Example) -> str:
    """Why the forward pass cannot compute an example; nothing if it can."""
    try:
        outputs, _ = laws.run_forward(example)
        laws.arrays_are_whole("output", outputs)
    except Broken as e:
        return e.text
    return ""


def _examine(example: Example, rng: Rng) -> Finding:
    if example.daring and trouble(example):
        return Finding()
    returned, cache = laws.run_forward(example)
    laws.arrays_are_whole("output", returned)
    outputs = copied(returned)
    cotangents = example.cotangents or {
        name: rng.standard_normal(np.shape(y)) for name, y in outputs.items()
    }
    returned_back = laws.run_backward(example, cotangents, cache)
    laws.gradients_fit_leaves(example, returned_back)
    laws.arrays_are_whole("gradient of", returned_back)
    gradients = copied(returned_back)
    laws.caches_are_their_own(example, cache, cotangents, gradients)
    copies, kept = (outputs, gradients), (returned, returned_back)
    laws.results_are_their_own(example, cotangents, copies, kept)
    laws.bits_repeat(example, outputs, cotangents, gradients)
    laws.zero_gives_zero(example, cache, cotangents)
    laws.scales_to_the_bit(example, cache, cotangents, gradients)
    laws.parts_add_up(example, cache, cotangents, gradients, rng)
    # First what is wrong with the forward pass itself: it often makes the gradient wrong, too.
    if example.rows:
        laws.rows_are_independent(example, outputs)
    for law in example.laws:
        law(example)
    laws.memory_order_does_not_matter(example, outputs, cotangents, gradients)
    judge = appoint(example, cotangents, rng)
    wrong, worst = probe(judge, gradients, magnitude(outputs, cotangents), cache, rng)
    if wrong:
        return Finding(
            worst,
            note=judge.note,
            broken="gradient",
            text=f"the gradient of {', '.join(map(repr, wrong))} is wrong",
            diagnosis=Diagnosis(judge, gradients, wrong, cache),
        )
    if example.single != "skip":
        laws.single_precision(example, outputs, cotangents, gradients, rng)
    reached = {name: bool(np.any(g)) for name, g in gradients.items() if g.size}
    reached |= {name: moves(example, name, outputs) for name, any_ in reached.items() if not any_}
    return Finding(worst, reached, judge.note)


def moves(example: Example, name: str, outputs: Leaves) -> bool:
    """Whether a leaf moved by 1 changes an output: where a function is flat, its gradient alone does not tell."""
    given = copied(example.leaves)
    given[name] += 1.0
    moved, _ = example.forward(given)
    return any(not np.array_equal(moved[k], y, equal_nan=True) for k, y in outputs.items())


def probe(
    judge: Judge, gradients: Leaves, size: float, cache: Any, rng: Rng
) -> tuple[list[str], float]:
    """The leaves whose gradient is not the derivative along a random direction, and the worst error.

    At a kink there is no derivative: what is within the slopes to either side is not wrong. Where outputs saturate, slopes
    come out of numbers of the outputs' magnitude `size` by rounding, so that is part of the scale; and what is within a
    few times of what rounding in the cache does is not wrong.
    """
    directions = {name: rng.standard_normal(a.shape) for name, a in judge.example.leaves.items()}
    slopes = {name: judge.slope({name: v}) for name, v in directions.items()}
    claims = {name: float(np.sum(gradients[name] * v)) for name, v in directions.items()}
    scales = {
        name: max(slopes[name].scale, float(np.sum(np.abs(gradients[name] * v))))
        for name, v in directions.items()
    }
    whole = max(size, *scales.values())

    def moves_by(name: str) -> float:
        return unrest(judge.example, judge.cotangents, cache, name, directions[name], rng)

    wrong, worst = [], 0.0
    for name, slope in slopes.items():
        scale = max(scales[name], FLOOR * whole, np.finfo(float).tiny)
        error = max(0.0, abs(slope.value - claims[name]) - slope.error) / scale
        if (
            error > judge.tolerance
            and error * scale > kink(judge.example, judge.cotangents, {name: directions[name]})
            and not judge.is_misled(slope, claims[name], {name: directions[name]}, scale)
            and not (error < NEARLY and error * scale <= ROUNDED * moves_by(name))
        ):
            wrong.append(name)
            worst = max(worst, error)
        else:  # what is within the judge's own error has been measured all the same
            measured = abs(slope.value - claims[name]) / scale
            worst = max(worst, min(measured, judge.tolerance))
    return wrong, worst
