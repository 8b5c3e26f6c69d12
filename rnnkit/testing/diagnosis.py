"""Why a gradient is wrong: where, by how much, and in what way, if the way is a known one."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.testing import products, steps
from rnnkit.testing.example import Leaves, copied
from rnnkit.testing.judge import Judge
from rnnkit.testing.patterns import (
    ELEMENTWISE,
    ENOUGH,
    POOLED,
    SHAPED,
    Gap,
    explain,
    is_part,
    off,
    wrong_term,
)
from rnnkit.testing.slopes import Slopes, sweep
from rnnkit.testing.views import View, views_of

COMES_FROM: Final = "in the part that comes from"


@attrs.frozen
class LeafFinding:
    """What was found for one leaf.

    Attributes:
        name: of the leaf.
        right: whether its gradient is right.
        place: index of the worst element.
        given: what backward says there.
        wanted: the derivative there.
        wrong_share: part of the elements that are wrong.
        wrong: how many are, of those looked at.
        gates: gate -> whether its block is right, for leaves with gates.
        hint: the pattern of the error, if it is a known one.
    """

    name: str
    right: bool
    place: tuple[int, ...] = ()
    given: float = 0.0
    wanted: float = 0.0
    wrong_share: float = 0.0
    wrong: int = 0
    gates: dict[str, bool] = attrs.field(factory=dict)
    hint: str = ""


@attrs.frozen(slots=False)  # so that what takes long is done once, and only if it is asked for
class Diagnosis:
    """A wrong gradient, to be looked into.

    Attributes:
        judge: that found it wrong.
        gradients: what backward gives.
        wrong: names of the leaves that it is wrong for.
        cache: what backward was given.
    """

    judge: Judge
    gradients: Leaves
    wrong: Sequence[str]
    cache: Any

    @functools.cached_property
    def views(self) -> tuple[View, ...]:
        """The whole, and what comes from each output."""
        return tuple(views_of(self.judge, self.cache))

    @functools.cached_property
    def slopes(self) -> Mapping[str, Slopes]:
        """Of every element of the wrong leaves."""
        return {name: sweep(self.judge, name) for name in self.wrong}

    def leaves(self) -> tuple[LeafFinding, ...]:
        """What is found for each leaf."""
        return tuple(
            _leaf(self, name) if name in self.wrong else LeafFinding(name, right=True)
            for name in self.judge.example.leaves
        )

    def bears_out(self, name: str, reason: str) -> bool:
        """Whether a reason found elsewhere explains every wrong element of this leaf."""
        return name not in self.wrong or bool(_leaf(self, name, reason).hint)


def _leaf(of: Diagnosis, name: str, asked: str = "") -> LeafFinding:
    judge, given = of.judge, of.gradients[name]
    wanted = of.slopes[name].along(judge.cotangents)
    known = ~np.isnan(wanted)
    wrong = off(given, wanted, judge.tolerance)
    place = np.unravel_index(np.nanargmax(np.abs(given - wanted)), given.shape)
    gates = judge.example.gates.get(name, ())
    width = given.shape[-1] // len(gates) if gates else 0
    blocks = {g: (..., slice(i * width, (i + 1) * width)) for i, g in enumerate(gates)}
    bad = [gate for gate, at in blocks.items() if wrong[at].any()]
    if known.all():
        hint = _hint(judge, name, of.slopes, of.views, blocks, bad, asked)
    else:
        gap = Gap(given[known], wanted[known], judge.tolerance, asked=asked)
        hint = explain(gap, ELEMENTWISE)
    return LeafFinding(
        name,
        right=False,
        place=tuple(int(i) for i in place),
        given=float(given[place]),
        wanted=float(wanted[place]),
        wrong_share=float(np.mean(wrong[known])),
        wrong=int(np.count_nonzero(wrong[known])),
        gates={gate: gate not in bad for gate in gates},
        hint=hint,
    )


def _hint(
    judge: Judge,
    name: str,
    swept: Mapping[str, Slopes],
    views: Sequence[View],
    blocks: Mapping[str, Any],
    bad: Sequence[str],
    asked: str,
) -> str:
    """What explains all of a leaf, else its bad gates one by one, else which output's part is wrong.

    If a reason is asked for, only what it says counts.
    """
    slopes = swept[name]
    whole, *parts = views
    leaf = judge.example.leaves[name]

    def gap(view: View, at: Any) -> Gap:
        given, wanted = view.gradients[name][at], slopes.along(view.cotangents)
        return Gap(
            given,
            wanted[at],
            judge.tolerance,
            {
                k: f
                for k, f in view.factors.items()
                if _fits(f.shape, given.shape) and (k in asked if asked else k in view.distinct)
            },
            () if slopes.by_row else [slopes.along(row.cotangents)[at] for row in view.rows],
            {
                gate: wanted[other]
                for gate, other in blocks.items()
                if at is not ... and other != at
            },
            [use[at] for use in slopes.uses(view.cotangents)],
            lambda: _matters(judge, name, at, view),
            (name, leaf[at]) if slopes.by_row else None,
            asked,
        )

    def pooled(view: View, at: Any) -> Gap:
        """What comes from each row, all rows in one array."""
        rows = [gap(row, at) for row in view.rows]
        kept = [k for k in rows[0].factors if all(k in row.factors for row in rows)]
        return Gap(
            np.stack([row.given for row in rows]),
            np.stack([row.wanted for row in rows]),
            judge.tolerance,
            {k: np.stack([row.factors[k] + 0 * row.given for row in rows]) for k in kept},
            gates={k: np.stack([row.gates[k] for row in rows]) for k in rows[0].gates},
            matters=lambda: _matters(judge, name, at, view),
            asked=asked,
        )

    def told(at: Any) -> str:
        """What explains the whole, else what explains each output's part that is wrong; then row by row."""
        gaps = {view.label: gap(view, at) for view in views}
        if not gaps[whole.label].wrong:
            return asked  # it is off by what rounding may be off where a reason is asked for
        looked_at = [view for view in views if view is whole or gaps[view.label].wrong]
        pools: dict[str, Gap] = {}
        for patterns, of_pool in ((SHAPED, POOLED), ((wrong_term,), (wrong_term,))):
            for by_row in (False,) if slopes.by_row or not whole.rows else (False, True):
                if by_row and not pools:
                    pools = {view.label: pooled(view, at) for view in looked_at}
                hints = {
                    view.label: explain(pools[view.label], of_pool)
                    if by_row
                    else explain(gaps[view.label], patterns)
                    for view in looked_at
                }
                all_told = hints.pop("")
                if not all_told and hints and all(hints.values()):
                    all_told = _grouped(COMES_FROM, COMES_FROM, hints)
                if all_told:
                    return all_told
        return ""

    def by_gate() -> str:
        hints = {gate: told(blocks[gate]) for gate in bad} if len(blocks) > 1 else {}
        return _grouped("in gate", "in gates", hints) if all(hints.values()) else ""

    def by_part() -> str:
        wrong = [part.label for part in parts if gap(part, ...).wrong]
        some = 0 < len(wrong) < len(parts)
        return f"only the part that comes from {', '.join(wrong)} is wrong" if some else ""

    def patterned() -> Iterator[str]:
        if len(bad) == len(blocks):
            yield told(...)
        yield by_gate()

    def others() -> Iterator[str]:
        yield from products.told(judge, name, swept, whole, 1 if asked else ENOUGH)
        yield steps.told(judge.example, name, whole, lambda v: gap(v, ...), list(swept))
        yield by_part()

    def asked_for() -> Iterator[str]:
        yield from (hint for hint in others() if hint and is_part(hint, asked))
        yield from patterned()

    hints = asked_for() if asked else itertools.chain(patterned(), others())
    return next(filter(None, hints), "")


def _matters(judge: Judge, name: str, at: Any, view: View) -> bool:
    """Whether an output that a view looks at changes when part of a leaf moves by 1, or as far as it is large."""
    example, rng = judge.example, np.random.default_rng(0)
    seen = [k for k, c in view.cotangents.items() if np.any(c)]
    before, _ = example.forward(copied(example.leaves))
    for size in (1.0, max(1.0, float(np.max(np.abs(example.leaves[name]), initial=0.0)))):
        for _ in range(4):
            moved = copied(example.leaves)
            moved[name][at] += size * rng.standard_normal(moved[name][at].shape)
            after, _ = example.forward(moved)
            if any(np.any(after[k] != before[k]) for k in seen):
                return True
    return False


def _grouped(one: str, several: str, hints: Mapping[str, str]) -> str:
    """Hints by what they are for, those with the same hint together."""
    places: dict[str, list[str]] = {}
    for place, hint in hints.items():
        places.setdefault(hint, []).append(place)
    return "; ".join(
        f"{several if len(some) > 1 else one} {', '.join(some)}: {hint}"
        for hint, some in places.items()
    )


@functools.cache
def _fits(factor: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether a factor of a shape broadcasts to another without making it larger."""
    try:
        return np.broadcast_shapes(factor, shape) == shape
    except ValueError:
        return False
