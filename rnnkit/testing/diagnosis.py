"""Why a gradient is wrong: where, by how much, and in what way, if the way is a known one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.kinds import Array
from rnnkit.testing.derivative import Judge
from rnnkit.testing.example import Example, Leaves, copied
from rnnkit.testing.patterns import ELEMENTWISE, SHAPED, Gap, Pattern, explain, off, wrong_term

MOST_SWEPT: Final = 4000
"""Elements of one leaf that are differentiated one by one; of larger leaves, evenly spread ones are."""

COMES_FROM: Final = "in what comes from"


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
        gates: gate -> whether its block is right, for leaves with gates.
        hint: the pattern of the error, if it is a known one.
    """

    name: str
    right: bool
    place: tuple[int, ...] = ()
    given: float = 0.0
    wanted: float = 0.0
    wrong_share: float = 0.0
    gates: dict[str, bool] = attrs.field(factory=dict)
    hint: str = ""


@attrs.frozen
class View:
    """An example seen through some of its cotangents, the others set to 0.

    Backward is linear in them, so an error can show its pattern in one part where it is hidden in the whole.

    Attributes:
        label: the output that has a cotangent, if not all have.
        cotangents: of every output.
        gradients: what backward makes of them.
        factors: arrays that it may multiply by, by name.
        rows: the same row by row of the batch; there a gradient that is a sum over rows has but one term.
    """

    label: str
    cotangents: Leaves
    gradients: Leaves
    factors: Leaves
    rows: tuple[View, ...] = ()


@attrs.frozen
class Slopes:
    """The derivative of every output with respect to every element of one leaf.

    Attributes:
        shape: of the leaf.
        table: (size of the leaf, *shape of the output) by output; nan where a large leaf is not sampled.
    """

    shape: tuple[int, ...]
    table: Leaves

    def along(self, cotangents: Leaves) -> Array:
        """The gradient of sum(cotangent * output), shaped like the leaf."""
        terms = [np.tensordot(self.table[k], c, np.ndim(c)) for k, c in cotangents.items()]
        return np.asarray(sum(terms)).reshape(self.shape)


def diagnose(
    judge: Judge, gradients: Leaves, wrong: Sequence[str], cache: Any
) -> tuple[LeafFinding, ...]:
    """Sweep the wrong leaves element by element, and look for a pattern in each."""
    views = tuple(_views(judge, cache))
    return tuple(
        _leaf(judge, name, gradients[name], views)
        if name in wrong
        else LeafFinding(name, right=True)
        for name in judge.example.leaves
    )


def sweep(judge: Judge, name: str) -> Slopes:
    """Differentiate with respect to the elements of a leaf one by one."""
    leaf = judge.example.leaves[name]
    table = {k: np.full((leaf.size, *np.shape(c)), np.nan) for k, c in judge.cotangents.items()}
    for i in range(0, leaf.size, -(-leaf.size // MOST_SWEPT)):
        direction = np.zeros(leaf.size)
        direction[i] = 1.0
        derivative = judge.derivative({name: direction.reshape(leaf.shape)})
        for k in table:
            table[k][i] = derivative[k]
    return Slopes(leaf.shape, table)


def _leaf(judge: Judge, name: str, given: Array, views: Sequence[View]) -> LeafFinding:
    slopes = sweep(judge, name)
    wanted = slopes.along(judge.cotangents)
    known = ~np.isnan(wanted)
    wrong = off(given, wanted, judge.tolerance)
    place = np.unravel_index(np.nanargmax(np.abs(given - wanted)), given.shape)
    gates = judge.example.gates.get(name, ())
    width = given.shape[-1] // len(gates) if gates else 0
    blocks = {g: (..., slice(i * width, (i + 1) * width)) for i, g in enumerate(gates)}
    bad = [gate for gate, at in blocks.items() if wrong[at].any()]
    if known.all():
        hint = _hint(judge, name, slopes, views, blocks, bad)
    else:
        hint = explain(Gap(given[known], wanted[known], judge.tolerance), ELEMENTWISE)
    return LeafFinding(
        name,
        right=False,
        place=tuple(int(i) for i in place),
        given=float(given[place]),
        wanted=float(wanted[place]),
        wrong_share=float(np.mean(wrong[known])),
        gates={gate: gate not in bad for gate in gates},
        hint=hint,
    )


def _hint(
    judge: Judge,
    name: str,
    slopes: Slopes,
    views: Sequence[View],
    blocks: Mapping[str, Any],
    bad: Sequence[str],
) -> str:
    """What explains all of a leaf, else its bad gates one by one, else which output's part is wrong."""
    whole, *parts = views
    in_rows = name in judge.example.rows

    def gap(view: View, at: Any) -> Gap:
        given, wanted = view.gradients[name][at], slopes.along(view.cotangents)
        return Gap(
            given,
            wanted[at],
            judge.tolerance,
            {k: f for k, f in view.factors.items() if _fits(f, given.shape)},
            () if in_rows else [slopes.along(row.cotangents)[at] for row in view.rows],
            {
                gate: wanted[other]
                for gate, other in blocks.items()
                if at is not ... and other != at
            },
        )

    def agreed(some: Sequence[View], at: Any, patterns: Sequence[Pattern]) -> str:
        """What explains these views alike."""
        told: set[str] = set()
        for g in (gap(view, at) for view in some):
            if g.wrong and told != {""}:
                told.add(explain(g, patterns))
        return told.pop() if len(told) == 1 else ""

    def told(at: Any) -> str:
        """What explains the whole, else what explains each output's part that is wrong; then row by row."""
        wrong = [part for part in parts if gap(part, at).wrong]
        for patterns in (SHAPED, (wrong_term,)):
            for by_row in (False,) if in_rows else (False, True):
                hints = {
                    view.label: agreed(view.rows if by_row else [view], at, patterns)
                    for view in (whole, *wrong)
                }
                all_told = hints.pop("")
                if not all_told and hints and all(hints.values()):
                    all_told = _grouped(COMES_FROM, COMES_FROM, hints)
                if all_told:
                    return all_told
        return ""

    hint = told(...) if len(bad) == len(blocks) else ""
    if not hint and len(blocks) > 1:
        hint = _grouped("in gate", "in gates", {g: h for g in bad if (h := told(blocks[g]))})
    if not hint:
        wrong = [part.label for part in parts if gap(part, ...).wrong]
        if 0 < len(wrong) < len(parts):
            hint = f"only what comes from {', '.join(wrong)} is wrong"
    return hint


def _grouped(one: str, several: str, hints: Mapping[str, str]) -> str:
    """Hints by what they are for, those with the same hint together."""
    places: dict[str, list[str]] = {}
    for place, hint in hints.items():
        places.setdefault(hint, []).append(place)
    return "; ".join(
        f"{several if len(some) > 1 else one} {', '.join(some)}: {hint}"
        for hint, some in places.items()
    )


def _views(judge: Judge, cache: Any) -> Iterator[View]:
    """The whole, and what comes from each output alone."""
    example, cotangents = judge.example, judge.cotangents
    count = len(example.leaves[example.rows[0]]) if example.rows else 0
    factors = _factors(cache, example)

    def through(label: str, chosen: Leaves) -> View:
        seen = {k: np.asarray(chosen.get(k, np.zeros_like(c))) for k, c in cotangents.items()}
        back = example.backward(copied(example.leaves), copied(seen), cache)
        near = factors | {f"d{k}": c for k, c in seen.items()}
        return View(label, seen, back, near)

    def at_row(view: View, row: int) -> View:
        only = {k: np.where(_is_row(c, row), c, 0.0) for k, c in view.cotangents.items()}
        one = through(view.label, only)
        near = {k: f[row] if f.ndim and len(f) == count else f for k, f in one.factors.items()}
        return attrs.evolve(one, factors=near)

    parts = {"": cotangents}
    if len(cotangents) > 1:
        parts |= {k: {k: c} for k, c in cotangents.items()}
    for label, chosen in parts.items():
        view = through(label, chosen)
        yield attrs.evolve(view, rows=tuple(at_row(view, row) for row in range(count)))


def _is_row(a: Array, row: int) -> Any:
    """Whether each element is in this row."""
    return (np.arange(len(a)) == row).reshape(-1, *[1] * (a.ndim - 1))


def _factors(cache: Any, example: Example) -> dict[str, Array]:
    """Arrays that a backward pass multiplies by: those of the cache, their usual slopes, and the leaves.

    An array as wide as a leaf with gates is there as a whole and by gates.
    """
    widths = {example.leaves[name].shape[-1]: gates for name, gates in example.gates.items()}
    named: dict[str, Array] = {}
    for name, a in [*_arrays(cache, ""), *example.leaves.items()]:
        named.setdefault(name, a)
        gates = widths.get(a.shape[-1], ()) if a.ndim else ()
        if len(gates) > 1:
            blocks = np.split(a, len(gates), axis=-1)
            named |= {f"{name}[{g}]": b for g, b in zip(gates, blocks, strict=True)}
    factors: dict[str, Array] = {}
    seen: set[tuple[tuple[int, ...], bytes]] = set()
    for name, a in named.items():
        if (a.shape, a.tobytes()) not in seen:
            seen.add((a.shape, a.tobytes()))
            factors[name] = a
            factors[f"(1 - {name})"] = 1.0 - a
            factors[f"{name} (1 - {name})"] = a * (1.0 - a)
            factors[f"(1 - {name}^2)"] = 1.0 - a * a
    return factors


def _arrays(value: Any, name: str) -> Iterator[tuple[str, Array]]:
    """Every array in a cache, by a name that says where it is."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        yield name or "cache", value
    elif isinstance(value, tuple | list):
        for i, item in enumerate(value):
            yield from _arrays(item, f"{name or 'cache'}[{i}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _arrays(item, f"{name}.{key}" if name else str(key))
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from _arrays(getattr(value, field.name), f"{name}.{field.name}".lstrip("."))


def _fits(factor: Array, shape: tuple[int, ...]) -> bool:
    """Whether a factor broadcasts to the shape without making it larger."""
    try:
        return np.broadcast_shapes(factor.shape, shape) == shape
    except ValueError:
        return False
