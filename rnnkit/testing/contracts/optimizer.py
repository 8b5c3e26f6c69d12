"""Optimizers: updates in place, element by element unless they say otherwise, that know nothing but their arguments, and
lead down."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, Optimizer, Rng, Slots, map_arrays, named_arrays
from rnnkit.testing.contracts.contract import Contract
from rnnkit.testing.example import Broken, equal_bits
from rnnkit.testing.raised import in_words

DTYPES: Final[tuple[DType, ...]] = (np.dtype(np.float64), np.dtype(np.float32))

STEPS: Final = 12
"""Updates in a row."""

SHAPES: Final = ((), (1,), (0,), (3, 0), (2, 3), (2, 1, 2))
"""Shapes of parameters; a gain may be one number, and a layer may have none."""

SMALL: Final = (1e-5, 1e-4)
"""Factors so small that a change is proportional to them."""

PROPORTIONAL: Final = (5.6, 17.8)
"""What ten times the factor may make of the change: closer to 10 than to what its root or its square would."""

LATE: Final = (5_000, 1_000_000)
"""Updates done before, as in a long training."""

ROUNDING: Final = 1e-9
"""Relative; functions such as exp may round another way in another memory layout."""

DESCENT: Final = 400
"""Updates in which the loss must have come down to FALLEN of what it was."""

FALLEN: Final = 0.9

FACTORS: Final = (1.0, 0.1, 1e-2, 1e-3, 10.0, 100.0)
"""Factors on the learning rate, one of which must lead down: options at an edge make poor step sizes."""


def optimizer_contracts(plugin: Optimizer[Any]) -> Iterator[Contract]:
    """The contracts of one optimizer."""
    laws: dict[str, Callable[[Optimizer[Any], Rng], None]] = {
        "slots": _slots_are_like_w,
        "in place": _updates_in_place,
        "shapes": _takes_any_shape,
        "factor": _obeys_the_factor,
        "proportional": _multiplies_by_the_factor,
        "learning rate": _uses_the_learning_rate,
        "zero gradient": _bears_zeros,
        "elementwise": _sees_one_element,
        "layout": _sees_no_layout,
        "pure": _keeps_nothing,
        "restored": _goes_on_from_its_slots,
        "descends": _comes_down,
        "late": _goes_on_for_long,
    }
    if not plugin.elementwise:
        del laws["elementwise"]
    for name, law in laws.items():
        yield Contract(name, partial(law, plugin))


def _gradients(rng: Rng, size: int) -> Array:
    """STEPS gradients without a 0."""
    return rng.choice([-1.0, 1.0], (STEPS, size)) * rng.uniform(0.2, 2.0, (STEPS, size))


def _weights(rng: Rng, size: int) -> Array:
    return rng.choice([-1.0, 1.0], size) * rng.uniform(0.2, 2.0, size)


def _run(
    plugin: Optimizer[Any], w: Array, gradients: Array, slots: Any = None, done: int = 0
) -> Any:
    """Update `w` by these gradients, the factor falling; returns the slots."""
    slots = plugin.slots(w) if slots is None else slots
    for step, dw in enumerate(gradients, done + 1):
        plugin.update(w, dw.reshape(w.shape), slots, step, 1.0 / (1.0 + 0.1 * step))
    return slots


def _slots_are_like_w(plugin: Optimizer[Any], rng: Rng) -> None:
    for dtype in DTYPES:
        for shape in ((6,), (2, 3)):
            w = _weights(rng, 6).reshape(shape).astype(dtype)
            kept, slots = w.copy(), plugin.slots(w)
            if not isinstance(slots, Slots):
                got = type(slots).__name__
                raise Broken("slots", f"slots gives {got}, not a subclass of rnnkit.kinds.Slots")
            if not equal_bits(w, kept):
                raise Broken("slots", "slots changes w, but may only read it")
            arrays = dict(named_arrays(slots))
            for name, a in arrays.items():
                _slot_is_like_w(name, a, w, any_shape=not plugin.elementwise)
            for one, other in itertools.combinations(arrays, 2):
                if np.shares_memory(arrays[one], arrays[other]):
                    raise Broken(
                        "slots",
                        f"slots {one!r} and {other!r} are one array: give each an array of its own",
                    )


def _slot_is_like_w(name: str, a: object, w: Array, any_shape: bool) -> None:
    if not isinstance(a, np.ndarray):
        raise Broken("slots", f"slot {name!r} is {type(a).__name__}, not an array like w")
    if (a.shape != w.shape and not any_shape) or a.dtype != w.dtype:
        raise Broken(
            "slots",
            f"slot {name!r} is {a.dtype} of shape {a.shape}, and w is {w.dtype} of shape {w.shape}: make "
            "it with np.zeros_like(w) or the like",
        )
    if np.shares_memory(a, w):
        raise Broken("slots", f"slot {name!r} is a view of w: give it an array of its own")


def _updates_in_place(plugin: Optimizer[Any], rng: Rng) -> None:
    update: Callable[..., object] = plugin.update
    for dtype in DTYPES:
        w, gradients = _weights(rng, 6).astype(dtype), _gradients(rng, 6).astype(dtype)
        kept, slots = w.copy(), plugin.slots(w)
        for step, dw in enumerate(gradients, 1):
            given = dw.copy()
            result = update(w, given, slots, step, 1.0)
            if result is not None:
                raise Broken(
                    "in place",
                    f"update returns {type(result).__name__}: it must change w in place, as with "
                    "`w -= change`, and return None",
                )
            if not equal_bits(given, dw):
                raise Broken("in place", f"update {step} changes dw: work on a copy of it")
        if np.array_equal(w, kept) and getattr(plugin, "learning_rate", None) != 0.0:
            raise Broken(
                "in place",
                f"w has not changed after {STEPS} updates with gradients other than 0: change it in place, "
                "as with `w -= change`; `w = w - change` makes a new array",
            )


def _takes_any_shape(plugin: Optimizer[Any], rng: Rng) -> None:
    for dtype in DTYPES:
        for shape in SHAPES:
            w, size = np.ones(shape, dtype), math.prod(shape)
            flat = np.ones(size, dtype)
            gradients = _gradients(rng, size).astype(dtype)
            _run(plugin, flat, gradients)
            try:
                _run(plugin, w, gradients)
            except Exception as e:
                raise Broken(
                    "shapes",
                    f"update fails for w of shape {shape}: {in_words(e)}; NumPy makes a number of "
                    "`dw * dw` if dw has no axes, so use operations with out=, or np.asarray",
                ) from e
            alike = np.allclose(w.reshape(-1), flat, rtol=1e-6)
            if w.shape != shape or (plugin.elementwise and not alike):
                raise Broken(
                    "shapes", f"w of shape {shape} is updated another way than one axis is"
                )


def _multiplies_by_the_factor(plugin: Optimizer[Any], rng: Rng) -> None:
    """Small factors: one a tenth as large makes a tenth of the change, however w and the slots are used."""
    start, gradients = _weights(rng, 6), _gradients(rng, 6)
    changes = []
    for factor in SMALL:
        w, slots = start.copy(), plugin.slots(start)
        for step, dw in enumerate(gradients, 1):
            plugin.update(w, dw, slots, step, factor)
        changes.append(float(np.max(np.abs(w - start))))
    if changes[0] == 0.0 or not math.isfinite(changes[0]):
        return
    ratio = changes[1] / changes[0]
    if not PROPORTIONAL[0] < ratio < PROPORTIONAL[1]:
        raise Broken(
            "factor",
            f"a factor of {SMALL[1]:g} changes w by {ratio:.3g} times as much as {SMALL[0]:g} does, where "
            f"{SMALL[1] / SMALL[0]:.3g} is expected: multiply the change by `factor`, and once",
        )


def _uses_the_learning_rate(plugin: Optimizer[Any], rng: Rng) -> None:
    rate = getattr(plugin, "learning_rate", 0.0)
    if not isinstance(rate, float) or rate == 0.0:
        return
    start, gradients = _weights(rng, 6), _gradients(rng, 6)
    one, other = start.copy(), start.copy()
    half: Optimizer[Any] = attrs.evolve(plugin, learning_rate=0.5 * rate)  # type: ignore[misc]  # as above
    _run(plugin, one, gradients)
    _run(half, other, gradients)
    if np.array_equal(one, other) and not np.array_equal(one, start):
        raise Broken(
            "learning rate",
            f"learning_rate={rate:g} and half of it lead to the same w: it is the base step size",
        )


def _goes_on_for_long(plugin: Optimizer[Any], rng: Rng) -> None:
    for done in LATE:
        w = _weights(rng, 6)
        _run(plugin, w, _gradients(rng, 6), done=done)
        if not np.isfinite(w).all():
            raise Broken("late", f"w is {w.tolist()} after update {done + STEPS}")
        _comes_down(plugin, rng, done)


def _obeys_the_factor(plugin: Optimizer[Any], rng: Rng) -> None:
    w = _weights(rng, 6)
    kept, slots = w.copy(), plugin.slots(w)
    for step, dw in enumerate(_gradients(rng, 6), 1):
        plugin.update(w, dw, slots, step, 0.0)
        if not equal_bits(w, kept):
            off = float(np.max(np.abs(w - kept)))
            raise Broken(
                "factor",
                f"update {step} with factor 0 changes w by up to {off:.2g}: all of the change must be "
                "multiplied by `factor`, weight decay too",
            )


def _bears_zeros(plugin: Optimizer[Any], rng: Rng) -> None:
    for dtype in DTYPES:
        w, gradients = _weights(rng, 6), _gradients(rng, 6)
        gradients[:, :2], gradients[: STEPS // 2, 2:4] = 0.0, 0.0
        w = w.astype(dtype)
        _run(plugin, w, gradients.astype(dtype))
        if not np.isfinite(w).all():
            raise Broken(
                "zero gradient",
                f"w is {w.tolist()} after gradients that are 0 in places, such as those of words that a batch "
                "does not have: keep the divisor above 0",
            )


def _sees_one_element(plugin: Optimizer[Any], rng: Rng) -> None:
    whole, gradients = _weights(rng, 6), _gradients(rng, 6)
    gradients[:, 3:] *= 8.0
    halves = whole[:3].copy(), whole[3:].copy()
    _run(plugin, whole, gradients)
    for half, dw in zip(halves, (gradients[:, :3], gradients[:, 3:]), strict=True):
        _run(plugin, half, dw)
    _same(
        "elementwise",
        np.concatenate(halves),
        whole,
        "an array updated in two halves",
        "the update of an element must not depend on the others (no norms, means or clipping)",
    )


def _sees_no_layout(plugin: Optimizer[Any], rng: Rng) -> None:
    start, gradients = _weights(rng, 24), _gradients(rng, 24)
    plain = start.copy() if plugin.elementwise else start.reshape(4, 6).copy()
    _run(plugin, plain, gradients)
    layouts = {
        "shape (4, 6)": start.reshape(4, 6).copy(),
        "Fortran order": np.asfortranarray(start.reshape(4, 6)),
        "every other element of a larger array": np.repeat(start, 2)[::2].reshape(plain.shape),
    }
    for name, w in layouts.items():
        _run(plugin, w, gradients)
        hint = "w may have any shape and strides: use elementwise operations with out=, not views of it"
        _same("layout", w.reshape(-1), plain.reshape(-1), f"an array with {name}", hint)


def _same(law: str, got: Array, want: Array, what: str, hint: str) -> None:
    off = float(np.max(np.abs(got - want)))
    if not off <= ROUNDING * float(np.max(np.abs(want))):
        sentence = f"{what} is off by {off:.2g} from the same numbers in one plain array"
        raise Broken(law, f"{sentence} after {STEPS} updates: {hint}")


def _keeps_nothing(plugin: Optimizer[Any], rng: Rng) -> None:
    starts = [_weights(rng, 6), _weights(rng, 6)]
    gradients = [_gradients(rng, 6), _gradients(rng, 6)]
    alone = [w.copy() for w in starts]
    for w, dw in zip(alone, gradients, strict=True):
        _run(plugin, w, dw)
    # In turns: one step of the first array, one of the second, with an optimizer each, then with one for both.
    for pair in ((plugin, _fresh(plugin)), (plugin, plugin)):
        turns = [w.copy() for w in starts]
        slots = [p.slots(w) for p, w in zip(pair, turns, strict=True)]
        for step in range(STEPS):
            for p, w, s, dw in zip(pair, turns, slots, gradients, strict=True):
                _run(p, w, dw[step : step + 1], s, step)
        for w, want in zip(turns, alone, strict=True):
            if not equal_bits(w, want):
                off = float(np.max(np.abs(w - want)))
                raise Broken(
                    "pure",
                    f"two arrays updated in turns are off by {off:.2g} from each updated alone: what is "
                    "remembered of an array must be in its slots, not on the instance or the class",
                )


def _goes_on_from_its_slots(plugin: Optimizer[Any], rng: Rng) -> None:
    _slots_are_like_w(plugin, rng)
    w, gradients, half = _weights(rng, 6), _gradients(rng, 6), STEPS // 2
    slots = _run(plugin, w, gradients[:half])
    restored, copies = w.copy(), map_arrays(np.copy, slots)
    _run(plugin, w, gradients[half:], slots, half)
    _run(_fresh(plugin), restored, gradients[half:], copies, half)
    if not equal_bits(w, restored):
        off = float(np.max(np.abs(w - restored)))
        raise Broken(
            "restored",
            f"going on from saved slots is off by {off:.2g} from going on without a break: keep all that is "
            "remembered in arrays of the slots, and update them in place",
        )


def _fresh(plugin: Optimizer[Any]) -> Optimizer[Any]:
    """Another instance with the same options."""
    fresh: Optimizer[Any] = attrs.evolve(plugin)  # type: ignore[misc]  # all plugins are attrs classes
    return fresh


def _comes_down(plugin: Optimizer[Any], rng: Rng, done: int = 0) -> None:
    if getattr(plugin, "learning_rate", None) == 0.0:
        return
    target, curvature = _weights(rng, 20), rng.uniform(0.5, 2.0, 20)
    parts = []
    for factor in FACTORS:
        parts.append(_part_left(plugin, target, curvature, factor, done))
        if parts[-1] < FALLEN:
            return
    shown = ", ".join(f"{p:.3g} (factor {f:g})" for p, f in zip(parts, FACTORS, strict=True))
    raise Broken(
        "descends",
        f"after {done + DESCENT} updates on sum(c (w - t)^2) / 2, the loss divided by the first one is still "
        f"{shown}: w must move against the gradient",
    )


def _part_left(
    plugin: Optimizer[Any], target: Array, curvature: Array, factor: float, done: int
) -> float:
    """The smallest loss on the way as a part of that at the beginning; from a fifth of the way to the target."""
    w = 0.2 * target
    before = least = float(np.sum(curvature * (w - target) ** 2))
    slots = plugin.slots(w)
    with np.errstate(all="ignore"):  # too large a factor may diverge
        for step in range(done + 1, done + DESCENT + 1):
            plugin.update(w, curvature * (w - target), slots, step, factor)
            least = np.fmin(least, np.sum(curvature * (w - target) ** 2))
    return float(least) / before
