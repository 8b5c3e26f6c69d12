"""Initializers: shape, type, where the numbers come from, and the moments that are declared."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from functools import partial
from typing import Final

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, Initializer, Rng
from rnnkit.testing.contracts.contract import Contract
from rnnkit.testing.example import Broken, equal_bits

SHAPES: Final = ((6, 6), (5, 8), (8, 5), (3, 12), (7,), (1, 1), (1,))
"""Shapes to fill; an initializer may refuse some."""

LARGE: Final = ((40, 40), (20, 60), (60, 20), (80,))
"""Shapes in which random numbers do not come out the same twice."""

FANS: Final = ((40, 40), (12, 96), (96, 12), (1, 64), (64, 1))
"""Fans for the moments."""

OTHERS: Final[dict[tuple[int, int], list[tuple[int, ...]]]] = {
    (1, 24): [(60, 24)],  # an embedding: each output sums over one input
    (12, 80): [(80,)],  # a bias
    (30, 24): [(5, 6, 24)],
}
"""Fans that are not the first and the last axis of what is filled, with its shapes."""

FILLS: Final = 64
"""Fills for each pair of fans: the spread between them says how sure their mean is."""

SIGMAS: Final = 8.0
"""How far a mean may be off, in units of its standard error (of FILLS fills, so nearly normal)."""

SINGLE: Final[DType] = np.dtype(np.float32)
DOUBLE: Final[DType] = np.dtype(np.float64)


def initializer_contracts(plugin: Initializer) -> Iterator[Contract]:
    """The contracts of one initializer."""
    yield Contract("arrays", partial(_gives_arrays, plugin))
    yield Contract("types agree", partial(_types_agree, plugin))
    yield Contract("repeatable", partial(_repeats, plugin))
    yield Contract("random", partial(_uses_what_it_draws, plugin))
    yield Contract("moments", partial(_has_its_moments, plugin))


def _fill(plugin: Initializer, shape: tuple[int, ...], rng: Rng, dtype: DType = DOUBLE) -> Array:
    """An array whose fans are its first and last axis, as those of weights."""
    return plugin.fill(shape, shape[0], shape[-1], rng, dtype)


def _taken(plugin: Initializer, shapes: tuple[tuple[int, ...], ...]) -> list[tuple[int, ...]]:
    """The shapes that the initializer does not refuse."""
    taken, refusal = [], None
    for shape in shapes:
        try:
            _fill(plugin, shape, np.random.default_rng(0))
        except ValueError as e:
            refusal = e
        else:
            taken.append(shape)
    if not taken:
        raise Broken("arrays", f"fill refuses every one of the shapes {shapes}: {refusal}")
    return taken


def _gives_arrays(plugin: Initializer, rng: Rng) -> None:
    for shape in _taken(plugin, SHAPES):
        for dtype in (DOUBLE, SINGLE):
            a: object = _fill(plugin, shape, rng, dtype)
            what = f"fill({shape}, dtype={dtype})"
            if not isinstance(a, np.ndarray):
                raise Broken("arrays", f"{what} gives {type(a).__name__}, not an array")
            if a.shape != shape:
                raise Broken("arrays", f"{what} gives an array of shape {a.shape}")
            if a.dtype != dtype:
                raise Broken(
                    "arrays", f"{what} gives an array of {a.dtype}: cast with .astype(dtype)"
                )
            if not np.isfinite(a).all():
                raise Broken("arrays", f"{what} gives values that are not finite: {a.tolist()}")
            if not a.flags.writeable or np.shares_memory(a, _fill(plugin, shape, rng, dtype)):
                raise Broken(
                    "arrays",
                    f"{what} gives an array that cannot be written to, or that another fill gives too: "
                    "training changes arrays in place, so make a new one each time",
                )


def _types_agree(plugin: Initializer, rng: Rng) -> None:
    for shape in _taken(plugin, SHAPES):
        double = _fill(plugin, shape, copy.deepcopy(rng), DOUBLE).astype(SINGLE)
        single = _fill(plugin, shape, rng, SINGLE)
        if not np.array_equal(double, single):
            off = float(np.max(np.abs(double - single)))
            raise Broken(
                "types agree",
                f"fill({shape}) gives float32 and float64 numbers that differ by up to {off:.2g}: draw in "
                "float64 and cast",
            )


def _repeats(plugin: Initializer, rng: Rng) -> None:
    for shape in _taken(plugin, SHAPES):
        first = _fill(plugin, shape, copy.deepcopy(rng))
        fresh: Initializer = attrs.evolve(plugin)  # type: ignore[misc]  # all plugins are attrs classes
        for again in (plugin, plugin, fresh):
            if not equal_bits(first, _fill(again, shape, copy.deepcopy(rng))):
                raise Broken(
                    "repeatable",
                    f"fill({shape}) gives other numbers for the same seed: `rng` must be "
                    "the only source of randomness, and nothing may be kept between calls",
                )
        rng.random()


def _uses_what_it_draws(plugin: Initializer, rng: Rng) -> None:
    for shape in _taken(plugin, LARGE):
        one, other = (np.random.default_rng(s) for s in rng.integers(2**62, size=2).tolist())
        before = copy.deepcopy(one.bit_generator.state)
        a, b = _fill(plugin, shape, one), _fill(plugin, shape, other)
        drew, alike = before != one.bit_generator.state, bool(np.all(a == a.flat[0]))
        if drew and not alike and np.array_equal(a, b):
            raise Broken(
                "random",
                f"fill({shape}) draws from `rng`, but gives the same numbers for two seeds",
            )


def _has_its_moments(plugin: Initializer, rng: Rng) -> None:
    weights: dict[tuple[int, int], list[tuple[int, ...]]] = {fans: [fans] for fans in FANS}
    for (fan_in, fan_out), shapes in (weights | OTHERS).items():
        declared: object = plugin.moments(fan_in, fan_out)
        if declared is None:
            continue
        match declared:
            case (float() | int() as mean, float() | int() as std) if (
                math.isfinite(mean) and math.isfinite(std) and std >= 0.0
            ):
                for shape in shapes:
                    _compare(plugin, shape, (fan_in, fan_out), mean, std, rng)
            case _:
                raise Broken(
                    "moments",
                    f"moments({fan_in}, {fan_out}) is {declared!r}, and must be None or a finite mean and "
                    "a finite standard deviation of at least 0",
                )


def _compare(
    plugin: Initializer,
    shape: tuple[int, ...],
    fans: tuple[int, int],
    mean: float,
    std: float,
    rng: Rng,
) -> None:
    def fill() -> Array:
        return plugin.fill(shape, *fans, rng, DOUBLE)

    try:
        fills = np.stack([fill() for _ in range(FILLS)]).reshape(FILLS, -1)
    except ValueError:
        return  # a shape that the initializer refuses
    # Elements of one fill may depend on each other, so only whole fills are counted as draws.
    means, squares = fills.mean(axis=1), np.square(fills - mean).mean(axis=1)
    size = max(abs(mean), std)
    if shape != fans and np.ptp(squares) <= 1e-9 * squares.max() and means.any():
        return  # all fills have one norm, as orthogonal matrices have: it comes from the shape
    for what, found, draws, want, scale in (
        ("mean", means.mean(), means, mean, size),
        ("standard deviation", math.sqrt(squares.mean()), squares, std**2, size**2),
    ):
        error = float(draws.std(ddof=1)) / math.sqrt(FILLS)
        if abs(float(draws.mean()) - want) > SIGMAS * error + 1e-9 * scale:
            raise Broken(
                "moments",
                f"the {what} of {fills.size} elements{'' if shape == fans else f' of shape {shape}'} with fan_in={fans[0]}, fan_out={fans[1]} is "
                f"{found:.6g}, and moments says {mean if what == 'mean' else std:.6g}",
            )
