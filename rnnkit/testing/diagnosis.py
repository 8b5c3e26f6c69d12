"""Why a gradient is wrong: where, by how much, and in what way, if the way is a known one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import numpy as np

from rnnkit.kinds import Array
from rnnkit.testing.derivative import Judge
from rnnkit.testing.example import Leaves
from rnnkit.testing.tolerances import FLOOR

MOST_SWEPT = 4000
"""Elements of one leaf that are differentiated one by one; of larger leaves, evenly spread ones are."""


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


def diagnose(
    judge: Judge, gradients: Leaves, wrong: Sequence[str], cache: Any
) -> tuple[LeafFinding, ...]:
    """Sweep the wrong leaves element by element, and look for a pattern in each."""
    example = judge.example
    factors = dict(_factors(cache, example.leaves, judge.cotangents))
    found = []
    for name in example.leaves:
        if name not in wrong:
            found.append(LeafFinding(name, right=True))
            continue
        wanted = sweep(judge, name)
        found.append(
            _leaf(name, gradients[name], wanted, example.gates.get(name, ()), factors, judge)
        )
    return tuple(found)


def sweep(judge: Judge, name: str) -> Array:
    """The derivative with respect to every element of a leaf; nan where a large leaf is not sampled."""
    leaf = judge.example.leaves[name]
    wanted = np.full(leaf.size, np.nan)
    stride = -(-leaf.size // MOST_SWEPT)
    for i in range(0, leaf.size, stride):
        direction = np.zeros(leaf.size)
        direction[i] = 1.0
        wanted[i] = judge.slope({name: direction.reshape(leaf.shape)}).value
    return wanted.reshape(leaf.shape)


def _leaf(
    name: str,
    given: Array,
    wanted: Array,
    gates: Sequence[str],
    factors: dict[str, Array],
    judge: Judge,
) -> LeafFinding:
    off = _off(given, wanted, judge.tolerance)
    place = np.unravel_index(np.nanargmax(np.abs(given - wanted)), given.shape)
    blocks: dict[str, bool] = {}
    hint = ""
    if gates:
        columns = np.split(np.arange(given.shape[-1]), len(gates))
        blocks = {gate: not off[..., c].any() for gate, c in zip(gates, columns, strict=True)}
    bad = [gate for gate, right in blocks.items() if not right]
    if len(bad) in (0, len(gates)):
        hint = pattern(given, wanted, factors, judge.tolerance)
    if not hint:
        for gate in bad:
            at = columns[list(blocks).index(gate)]
            told = pattern(given[..., at], wanted[..., at], factors, judge.tolerance)
            if told:
                hint = f"gate {gate}: {told}"
                break
    return LeafFinding(
        name,
        right=False,
        place=tuple(int(i) for i in place),
        given=float(given[place]),
        wanted=float(wanted[place]),
        wrong_share=float(np.mean(off)),
        gates=blocks,
        hint=hint,
    )


def _off(given: Array, wanted: Array, tolerance: float) -> Any:
    """Which elements differ by more than rounding explains."""
    scale = max(
        float(np.nanmax(np.abs(wanted), initial=0.0)), float(np.max(np.abs(given), initial=0.0))
    )
    return np.abs(given - wanted) > 10 * tolerance * np.maximum(np.abs(wanted), FLOOR * scale)


def pattern(given: Array, wanted: Array, factors: dict[str, Array], tolerance: float) -> str:
    """The way in which `given` differs from `wanted`, in words; empty if it is none of the known ones."""

    def same(a: Array, b: Array) -> bool:
        return a.shape == b.shape and not np.any(_off(a, b, max(tolerance, 1e-11)))

    if np.isnan(wanted).any():
        given, wanted = given[~np.isnan(wanted)], wanted[~np.isnan(wanted)]
    if not np.any(given):
        return "it is 0 everywhere: this path has no gradient"
    if same(given, -wanted):
        return "the sign is wrong"
    if given.ndim == 2 and same(given, wanted.T):
        return "it is the transpose of the right one"
    ratio = _constant_ratio(given, wanted)
    if ratio is not None:
        return f"it is {ratio:.6g} times the right one: a constant factor is wrong{_known_ratio(ratio, given)}"
    if not np.any(wanted):
        return "the derivative is 0: this leaf does not matter, but has a gradient"
    for axis in range(given.ndim):
        for shift in (1, -1):
            if given.shape[axis] > 2 and _shifted(given, wanted, axis, shift, same):
                return (
                    f"it is shifted by one along axis {axis}: a step or row takes its neighbour's"
                )
        for i in range(given.shape[axis]) if given.shape[axis] > 1 else ():
            rest = np.delete(np.arange(given.shape[axis]), i)
            if (
                not np.any(np.take(given, i, axis))
                and np.any(np.take(wanted, i, axis))
                and same(np.take(given, rest, axis), np.take(wanted, rest, axis))
            ):
                return f"index {i} of axis {axis} has been left out"
    for name, factor in factors.items():
        for f in _fits(factor, given.shape):
            if same(given * f, wanted):
                return f"a factor {name} is missing"
            if same(wanted * f, given):
                return f"there is a factor {name} too many"
    for (a, x), (b, y) in itertools.combinations(factors.items(), 2):
        for f, g in itertools.product(_fits(x, given.shape), _fits(y, given.shape)):
            if same(given * f, wanted * g):
                return f"there is a factor {b} where {a} belongs"
    missing = wanted - given
    for name, factor in factors.items():
        for f in _fits(factor, given.shape):
            if np.all(f != 0) and _constant_ratio(missing, f) == 1.0:
                return f"a term {name} is missing"
    return ""


def _constant_ratio(given: Array, wanted: Array) -> float | None:
    used = np.abs(wanted) > 1e-6 * np.max(np.abs(wanted), initial=0.0)
    if not used.any():
        return None
    ratios = given[used] / wanted[used]
    ratio = float(np.median(ratios))
    off = np.abs(given - ratio * wanted) > 1e-9 * max(abs(ratio), 1e-12) * np.max(np.abs(wanted))
    return None if off.any() or abs(ratio) < 1e-12 else float(f"{ratio:.10g}")


def _known_ratio(ratio: float, given: Array) -> str:
    for n in range(2, 10):
        if np.isclose(ratio, 1 / n, rtol=1e-9):
            return f" (1/{n}: a mean in the place of a sum?)"
        if np.isclose(ratio, n, rtol=1e-9):
            return f" ({n}: a term counted {n} times?)"
    return ""


def _shifted(given: Array, wanted: Array, axis: int, shift: int, same: Any) -> bool:
    n = given.shape[axis]
    a = np.take(given, np.arange(1, n) if shift > 0 else np.arange(n - 1), axis)
    b = np.take(wanted, np.arange(n - 1) if shift > 0 else np.arange(1, n), axis)
    return bool(np.any(b)) and bool(same(a, b))


def _factors(cache: Any, leaves: Leaves, cotangents: Leaves) -> Iterator[tuple[str, Array]]:
    """Arrays that a backward pass multiplies by: those of the cache, the leaves, and their usual slopes."""
    named = {**dict(_arrays(cache, "")), **leaves}
    for name, a in named.items():
        yield name, a
        yield f"(1 - {name})", 1.0 - a
        yield f"{name} (1 - {name})", a * (1.0 - a)
        yield f"(1 - {name}^2)", 1.0 - a * a
    for name, c in cotangents.items():
        yield f"d{name}", np.asarray(c)


def _arrays(value: Any, name: str) -> Iterator[tuple[str, Array]]:
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        yield name or "saved", value
    elif isinstance(value, tuple | list):
        for i, item in enumerate(value):
            yield from _arrays(item, f"{name}[{i}]")
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from _arrays(getattr(value, field.name), field.name)


def _fits(factor: Array, shape: tuple[int, ...]) -> Iterator[Array]:
    """The factor, if it broadcasts to the shape without making it larger."""
    try:
        if np.broadcast_shapes(factor.shape, shape) == shape:
            yield factor
    except ValueError:
        return
