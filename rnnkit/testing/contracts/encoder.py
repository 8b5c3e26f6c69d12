"""Encoders: any picture becomes features of the shape that is declared, and nothing but the picture decides them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import attrs
import numpy as np

from rnnkit.errors import MissingPackage, RnnkitError
from rnnkit.kinds import Array, Encoder, Picture, Prepared, Rng
from rnnkit.testing.contracts.contract import Contract
from rnnkit.testing.example import Broken, equal_bits

SIZES: Final = ((1, 1), (1, 9), (64, 48), (48, 64), (100, 3))
HUGE: Final = (1500, 2000)

ROUNDING: Final = 1e-4
"""Of features by the largest of them: how many pictures are encoded at a time may decide the order of sums."""

MANY: Final = 9
"""Pictures at a time, more than blocks of 8."""

THREADS: Final = 2


def encoder_contracts(plugin: Encoder) -> Iterator[Contract]:
    """The contracts of one encoder."""
    yield Contract("declared", partial(_is_as_declared, plugin))
    yield Contract("any picture", partial(_takes_any_picture, plugin))
    yield Contract("input unchanged", partial(_leaves_its_input, plugin))
    yield Contract("sees", partial(_sees, plugin))
    yield Contract("pictures apart", partial(_keeps_pictures_apart, plugin))
    yield Contract("repeatable", partial(_repeats, plugin))
    yield Contract("threads", partial(_works_on_threads, plugin))


def _pictures(rng: Rng) -> dict[str, Picture]:
    """Pictures of all sorts, and what they are."""
    made = {
        f"a picture of {h} x {w} pixels": rng.integers(0, 256, (h, w, 3), np.uint8)
        for h, w in SIZES
    }
    made["a black picture"] = np.zeros((30, 40, 3), np.uint8)
    made["a grey picture"] = np.full((40, 30, 3), 128, np.uint8)
    made["a white picture"] = np.full((32, 32, 3), 255, np.uint8)
    coarse = rng.integers(0, 256, (HUGE[0] // 50, HUGE[1] // 50, 3), np.uint8)
    made[f"a picture of {HUGE[0]} x {HUGE[1]} pixels"] = coarse.repeat(50, 0).repeat(50, 1)
    return made


def _few(rng: Rng) -> list[Picture]:
    """Small ones, as networks take their time."""
    noise = rng.integers(0, 256, (2, 20, 30, 3), np.uint8)
    return [np.zeros((30, 40, 3), np.uint8), *noise, np.full((8, 8, 3), 255, np.uint8)]


def _stacked(plugin: Encoder, pictures: Iterable[Picture]) -> Prepared:
    return np.stack([plugin.prepare(picture) for picture in pictures])


def _is_as_declared(plugin: Encoder, rng: Rng) -> None:
    try:
        shape: object = plugin.shape
        digest: object = plugin.digest()
    except MissingPackage:
        raise
    except RnnkitError as e:
        raise Broken("declared", f"it cannot be used here: {e}") from e
    if not (isinstance(shape, tuple) and all(type(n) is int and n > 0 for n in shape)):
        raise Broken("declared", f"shape is {shape!r}, not a tuple of whole numbers above 0")
    if len(shape) not in (1, 3):
        raise Broken("declared", f"shape is {shape}: (F,) for a vector, or (C, h, w) for a map")
    if not isinstance(digest, str) or not re.fullmatch(r"([0-9a-f]{64})?", digest):
        raise Broken(
            "declared", f"digest() is {digest!r}, not a SHA-256 in 64 hexadecimal digits, or empty"
        )
    if plugin.digest() != digest or plugin.shape != shape:
        raise Broken("declared", "shape or digest() is another one when asked again")


def _takes_any_picture(plugin: Encoder, rng: Rng) -> None:
    first: Prepared | None = None
    for name, picture in _pictures(rng).items():
        prepared: object = plugin.prepare(picture)
        if not isinstance(prepared, np.ndarray):
            raise Broken(
                "prepared", f"prepare gives {type(prepared).__name__} for {name}, not an array"
            )
        first = prepared if first is None else first
        if (prepared.shape, prepared.dtype) != (first.shape, first.dtype):
            raise Broken(
                "prepared",
                f"prepare gives {prepared.dtype} {prepared.shape} for {name}, and {first.dtype} {first.shape} "
                "for another: all must be of one shape and type",
            )
        _check_features(plugin, plugin.encode(prepared[None]), 1, name)


def _check_features(plugin: Encoder, features: object, n: int, name: str) -> None:
    want = (n, *plugin.shape)
    if not isinstance(features, np.ndarray):
        raise Broken("features", f"encode gives {type(features).__name__} for {name}, not an array")
    if features.shape != want or features.dtype != np.float32:
        raise Broken(
            "features",
            f"encode gives {features.dtype} {features.shape} for {name}, where float32 {want} is declared",
        )
    if not np.isfinite(features).all():
        raise Broken("features", f"encode gives numbers that are not finite for {name}")


def _leaves_its_input(plugin: Encoder, rng: Rng) -> None:
    for name, picture in _pictures(rng).items():
        before = picture.copy()
        plugin.prepare(picture)
        if not np.array_equal(picture, before):
            raise Broken("input unchanged", f"prepare changes {name}: work on a copy")
    prepared = _stacked(plugin, _few(rng))
    stays = prepared.copy()
    plugin.encode(prepared)
    if not np.array_equal(prepared, stays):
        raise Broken("input unchanged", "encode changes what it is given: work on a copy")


def _sees(plugin: Encoder, rng: Rng) -> None:
    features = _features(plugin, _few(rng))
    if (features == features[0]).all():
        raise Broken(
            "sees", "it has the same features for all pictures, a black and a white one too"
        )


def _keeps_pictures_apart(plugin: Encoder, rng: Rng) -> None:
    prepared = _stacked(plugin, _few(rng))
    together = plugin.encode(prepared)
    _check_features(plugin, together, len(prepared), "several")
    order = rng.permutation(len(prepared))
    _check_same(plugin.encode(prepared[order]), together[order], "in another order")
    alone = [plugin.encode(prepared[i : i + 1]) for i in range(len(prepared))]
    _check_same(np.concatenate(alone), together, "alone")
    many = rng.permutation(MANY) % len(prepared)
    _check_same(plugin.encode(prepared[many]), together[many], f"among {MANY}")


def _check_same(features: Array, together: Array, how: str) -> None:
    off = np.abs(features - together).reshape(len(features), -1).max(axis=1)
    scale = max(1e-6, float(np.abs(together).max()))
    worst = int(off.argmax())
    if not off[worst] <= ROUNDING * scale:
        raise Broken(
            "pictures apart",
            f"the features of a picture are others {how}, by {off[worst]:.2g} where the largest is {scale:.2g}: "
            "each row must depend on its own picture alone",
        )


def _repeats(plugin: Encoder, rng: Rng) -> None:
    pictures = _few(rng)
    first = _features(plugin, pictures)
    for encoder in (plugin, attrs.evolve(plugin)):  # type: ignore[misc]  # all are attrs
        if not equal_bits(_features(encoder, pictures), first):
            raise Broken("repeatable", "the same pictures have other features the second time")


def _works_on_threads(plugin: Encoder, rng: Rng) -> None:
    sets = [_few(rng) for _ in range(THREADS)]
    alone = [_features(plugin, pictures) for pictures in sets]
    with ThreadPoolExecutor(THREADS) as threads:
        at_once = list(threads.map(partial(_features, plugin), sets))
    for one, other in zip(alone, at_once, strict=True):
        if not equal_bits(one, other):
            raise Broken(
                "threads",
                "pictures have other features while another thread encodes: keep nothing between calls",
            )


def _features(plugin: Encoder, pictures: Sequence[Picture]) -> Array:
    return plugin.encode(_stacked(plugin, pictures))
