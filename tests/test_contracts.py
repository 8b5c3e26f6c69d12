"""Contracts of the kinds without a gradient: each clause against little plugins that break it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import attrs
import numpy as np
import pytest

from rnnkit.kinds import (
    Array,
    Decoded,
    Decoder,
    DType,
    Encoder,
    Initializer,
    Ints,
    Judge,
    M,
    Memory,
    Optimizer,
    Picture,
    Plugin,
    Prepared,
    Progress,
    Reward,
    Rng,
    Schedule,
    Slots,
    Words,
    word_by_word,
)
from rnnkit.registry import load, names
from rnnkit.testing.contracts import contracts_of
from rnnkit.testing.example import Broken, seeded
from rnnkit.testing.variants import variants
from rnnkit_builtin.activations.tanh import Tanh
from rnnkit_builtin.decoders.beam import Beam
from rnnkit_builtin.decoders.greedy import Greedy
from rnnkit_builtin.decoders.sample import Sample

KINDS: tuple[type[Plugin], ...] = (Optimizer, Schedule, Initializer, Decoder, Reward)


def said_of(plugin: Plugin, contract: str) -> str:
    """What is said of a contract that does not hold; nothing if it does."""
    law = {c.id: c.law for c in contracts_of(plugin)}[contract]
    try:
        law(seeded(contract, 0))
    except Broken as e:
        return f"{e.law}: {e.text}"
    return ""


@pytest.mark.parametrize(
    "plugin",
    [
        pytest.param(made.plugin, id=f"{kind.noun} {name} {made.label}".rstrip())
        for kind in KINDS
        for name in names(kind)
        for made in variants(load(kind, name))
    ],
)
def test_what_comes_with_rnnkit_keeps_its_contracts(plugin: Plugin) -> None:
    ids = [contract.id for contract in contracts_of(plugin)]
    assert len(ids) == len(set(ids)) > 0
    assert {id: said_of(plugin, id) for id in ids} == dict.fromkeys(ids, "")


def test_a_plugin_with_a_gradient_has_no_contract() -> None:
    assert list(contracts_of(Tanh())) == []


# Optimizers


@attrs.frozen
class Velocity(Slots):
    v: Array


Rule = Callable[[Array, Array, Array, float], object]
"""(w, dw, velocity, factor), in place."""


def momentum(w: Array, dw: Array, v: Array, factor: float) -> None:
    v *= 0.9
    v += dw
    w -= 0.01 * factor * v


def like(w: Array) -> Velocity:
    return Velocity(np.zeros_like(w))


@attrs.frozen
class By(Optimizer[Velocity]):
    """An optimizer given as functions."""

    rule: Rule = momentum
    make: Callable[[Array], Any] = like
    learning_rate: float = 0.01

    def slots(self, w: Array) -> Velocity:
        made: Velocity = self.make(w)
        return made

    def update(self, w: Array, dw: Array, slots: Velocity, step: int, factor: float) -> None:
        factor *= self.learning_rate / 0.01  # which the rules have in them
        return self.rule(w, dw, slots.v, factor)  # type: ignore[return-value]  # wrong ones return something


def test_a_right_optimizer_is_right() -> None:
    assert [said_of(By(), c.id) for c in contracts_of(By())] == [""] * 13


def test_a_learning_rate_of_zero_need_not_lead_anywhere() -> None:
    standing = By(lambda w, dw, v, factor: None, learning_rate=0.0)
    assert [said_of(standing, c.id) for c in contracts_of(standing)] == [""] * 13


def sign(w: Array, dw: Array, v: Array, factor: float) -> None:
    """Lion's way."""
    w -= 0.01 * factor * np.sign(0.9 * v + 0.1 * dw)
    v *= 0.99
    v += 0.01 * dw


def every_other(w: Array, dw: Array, v: Array, factor: float) -> None:
    """Gathers two gradients for each change."""
    whole = v != 0.0
    w -= np.where(whole, 0.05 * factor * (v + dw), 0.0)
    v[...] = np.where(whole, 0.0, dw)


def multiplies(w: Array, dw: Array, v: Array, factor: float) -> None:
    """Exponentiated gradient: no sign ever changes."""
    w *= np.exp(-0.01 * factor * dw * np.sign(w))


def decays_by_the_factor(w: Array, dw: Array, v: Array, factor: float) -> None:
    """Decay outside of the learning rate, as algorithm 2 of AdamW's paper has it."""
    w *= 1.0 - 1e-3 * factor
    momentum(w, dw, v, factor)


@pytest.mark.parametrize("rule", [sign, every_other, multiplies, decays_by_the_factor])
def test_unusual_optimizers_are_right(rule: Rule) -> None:
    plugin = By(rule)
    assert [said_of(plugin, c.id) for c in contracts_of(plugin)] == [""] * 13


def rebinds(w: Array, dw: Array, v: Array, factor: float) -> None:
    w = w - 0.01 * factor * dw


def returns(w: Array, dw: Array, v: Array, factor: float) -> Array:
    return w - 0.01 * factor * dw


def spoils_gradient(w: Array, dw: Array, v: Array, factor: float) -> None:
    dw *= 0.01 * factor
    w -= dw


def forgets_factor(w: Array, dw: Array, v: Array, factor: float) -> None:
    momentum(w, dw, v, 1.0)


def decays_anyway(w: Array, dw: Array, v: Array, factor: float) -> None:
    w *= 0.999
    momentum(w, dw, v, factor)


def clips_the_norm(w: Array, dw: Array, v: Array, factor: float) -> None:
    momentum(w, dw / float(np.linalg.norm(dw)), v, factor)


def flattens(w: Array, dw: Array, v: Array, factor: float) -> None:
    flat = w.reshape(-1)  # a copy, unless w is contiguous
    flat -= 0.01 * factor * dw.reshape(-1)


def divides_by_zero(w: Array, dw: Array, v: Array, factor: float) -> None:
    w -= 0.01 * factor * dw / np.sqrt(dw * dw)


def divides_by_zero_in_silence(w: Array, dw: Array, v: Array, factor: float) -> None:
    with np.errstate(invalid="ignore"):
        divides_by_zero(w, dw, v, factor)


def climbs(w: Array, dw: Array, v: Array, factor: float) -> None:
    momentum(w, -dw, v, factor)


def draws(w: Array, dw: Array, v: Array, factor: float) -> None:
    w -= 0.01 * factor * np.random.default_rng().random() * dw


def shared_memory() -> Rule:
    """One velocity for all arrays."""
    kept: dict[str, float] = {}

    def shares(w: Array, dw: Array, v: Array, factor: float) -> None:
        kept["v"] = 0.9 * kept.get("v", 0.0) + dw.item(0)
        w -= 0.01 * factor * kept["v"] * dw

    return shares


def hidden_memory() -> Rule:
    """A velocity for each array, but not in its slots."""
    kept: dict[int, tuple[Array, Array]] = {}

    def hides(w: Array, dw: Array, v: Array, factor: float) -> None:
        before = kept[id(v)][1] if id(v) in kept else np.zeros_like(w)
        kept[id(v)] = v, 0.9 * before + dw  # v itself is kept lest its id comes again
        w -= 0.01 * factor * kept[id(v)][1]

    return hides


@pytest.mark.parametrize(
    ("plugin", "contract", "words"),
    [
        (By(rebinds), "in place", "w has not changed after 12 updates"),
        (By(returns), "in place", "update returns ndarray: it must change w in place"),
        (By(spoils_gradient), "in place", "update 1 changes dw"),
        (By(make=lambda w: {"v": w}), "slots", "slots gives dict"),
        (By(make=lambda w: Velocity(0.0)), "slots", "slot 'v' is float, not an array"),  # type: ignore[arg-type]  # the mistake
        (
            By(make=lambda w: Velocity(np.zeros(w.shape))),
            "slots",
            "is float64 of shape (6,), and w is float32",
        ),
        (
            By(make=lambda w: Velocity(np.zeros(6, w.dtype))),
            "slots",
            "and w is float64 of shape (2, 3)",
        ),
        (By(make=lambda w: Velocity(w)), "slots", "slot 'v' is a view of w"),
        (By(forgets_factor), "factor", "update 1 with factor 0 changes w by up to 0.0"),
        (By(decays_anyway), "factor", "weight decay too"),
        (By(clips_the_norm), "elementwise", "updated in two halves is off by"),
        (By(flattens), "layout", "an array with Fortran order is off by"),
        (
            By(divides_by_zero),
            "zero gradient",
            "no warnings: it warns: RuntimeWarning: invalid value",
        ),
        (By(divides_by_zero_in_silence), "zero gradient", "w is [nan, nan"),
        (By(climbs), "descends", "w must move against the gradient"),
        (By(draws), "pure", "two arrays updated in turns are off by"),
        (By(shared_memory()), "pure", "must be in its slots, not on the instance or the class"),
        (By(hidden_memory()), "restored", "going on from saved slots is off by"),
    ],
)
def test_wrong_optimizers(plugin: Plugin, contract: str, words: str) -> None:
    assert words in said_of(plugin, contract)


# Schedules


@attrs.frozen
class Told(Schedule):
    """A schedule given as a function."""

    tell: Callable[[Progress], Any]

    def factor(self, at: Progress) -> float:
        told: float = self.tell(at)
        return told


def counting() -> Callable[[Progress], float]:
    calls: list[Progress] = []

    def count(at: Progress) -> float:
        calls.append(at)
        return 1.0 / len(calls)

    return count


@pytest.mark.parametrize(
    ("tell", "contract", "words"),
    [
        (lambda at: 1, "factor", "is int 1, not a float"),
        (lambda at: np.float32(1.0), "factor", "is float32"),
        (lambda at: 1.0 - at.step / 1000, "factor", "is -"),
        (lambda at: math.inf if at.step == 11 else 1.0, "factor", "is inf: a factor on the"),
        (lambda at: np.divide(1.0, at.step), "factor", "RuntimeWarning: divide by zero"),
        (counting(), "pure", "it may depend on its Progress and the options only"),
        (lambda at: float(np.random.default_rng().random()), "pure", "when asked again"),
    ],
)
def test_wrong_schedules(tell: Callable[[Progress], Any], contract: str, words: str) -> None:
    assert words in said_of(Told(tell), contract)


# Initializers

Fill = Callable[[tuple[int, ...], int, Rng, DType], Any]


@attrs.frozen
class Filled(Initializer):
    """An initializer given as a function of (shape, fan_in, rng, dtype), and what it says of itself."""

    by: Fill
    says: Callable[[int, int], Any] = lambda fan_in, fan_out: None

    def fill(
        self, shape: tuple[int, ...], fan_in: int, fan_out: int, rng: Rng, dtype: DType
    ) -> Array:
        filled: Array = self.by(shape, fan_in, rng, dtype)
        return filled

    def moments(self, fan_in: int, fan_out: int) -> tuple[float, float] | None:
        said: tuple[float, float] | None = self.says(fan_in, fan_out)
        return said


def lecun(shape: tuple[int, ...], fan_in: int, rng: Rng, dtype: DType) -> Array:
    return rng.normal(0.0, fan_in**-0.5, shape).astype(dtype)


def refuses(shape: tuple[int, ...], fan_in: int, rng: Rng, dtype: DType) -> Array:
    raise ValueError("never again")


def squares_only(shape: tuple[int, ...], fan_in: int, rng: Rng, dtype: DType) -> Array:
    if len(set(shape)) != 1 or len(shape) != 2:
        raise ValueError(f"not square: {shape}")
    return np.eye(shape[0], dtype=dtype)


def test_an_initializer_may_refuse_shapes() -> None:
    plugin = Filled(squares_only)
    assert [said_of(plugin, c.id) for c in contracts_of(plugin)] == [""] * 5


ONE = np.ones((100, 100))


@pytest.mark.parametrize(
    ("plugin", "contract", "words"),
    [
        (Filled(refuses), "arrays", "fill refuses every one of the shapes"),
        (Filled(lambda s, n, r, t: 0.0), "arrays", "gives float, not an array"),
        (
            Filled(lambda s, n, r, t: np.zeros(s[::-1], t)),
            "arrays",
            "fill((5, 8), dtype=float64) gives an array of shape (8, 5)",
        ),
        (
            Filled(lambda s, n, r, t: r.normal(size=s)),
            "arrays",
            "dtype=float32) gives an array of float64",
        ),
        (Filled(lambda s, n, r, t: np.full(s, np.nan, t)), "arrays", "not finite"),
        (
            Filled(lambda s, n, r, t: np.broadcast_to(t.type(1), s)),
            "arrays",
            "cannot be written to",
        ),
        (
            Filled(lambda s, n, r, t: ONE.astype(t, copy=False)[: s[0], : s[-1]].reshape(s)),
            "arrays",
            "another fill gives too",
        ),
        (
            Filled(lambda s, n, r, t: r.standard_normal(s, t.type)),
            "types agree",
            "draw in float64 and cast",
        ),
        (
            Filled(lambda s, n, r, t: np.random.default_rng().random(s).astype(t)),
            "repeatable",
            "must be the only source",
        ),
        (
            Filled(lambda s, n, r, t: np.random.default_rng(int(r.random())).random(s).astype(t)),
            "random",
            "same numbers for two seeds",
        ),
        (
            Filled(lecun, lambda i, o: (0.0, o**-0.5)),
            "moments",
            "the standard deviation of 73728 elements with fan_in=12",
        ),
        (Filled(lecun, lambda i, o: (0.0, 1.03 * i**-0.5)), "moments", "the standard deviation"),
        (Filled(lecun, lambda i, o: (0.1 * i**-0.5, i**-0.5)), "moments", "the mean of"),
        (Filled(lecun, lambda i, o: (0.0, -1.0)), "moments", "is (0.0, -1.0), and must be None or"),
        (Filled(lecun, lambda i, o: 0.1), "moments", "moments(40, 40) is 0.1, and must be None or"),
        (
            Filled(lambda s, n, r, t: np.full(s, 0.1, t), lambda i, o: (0.2, 0.0)),
            "moments",
            "is 0.1, and moments says 0.2",
        ),
    ],
)
def test_wrong_initializers(plugin: Plugin, contract: str, words: str) -> None:
    assert words in said_of(plugin, contract)


# Decoders

Step = Callable[[Ints, Any], tuple[Array, Any]]
Decode = Callable[[Step, Any, int, int, int, Rng], Any]


@attrs.frozen
class Written(Decoder):
    """A decoder given as a function of the arguments of `decode`."""

    by: Decode

    def decode(
        self,
        step: Callable[[Ints, M], tuple[Array, M]],
        memory: M,
        start: int,
        end: int,
        limit: int,
        rng: Rng,
    ) -> Decoded:
        decoded: Decoded = self.by(step, memory, start, end, limit, rng)
        return decoded


@attrs.frozen
class Crossed(Memory):
    """A memory whose rows are not the ones asked for."""

    inner: Memory
    cross: Callable[[Ints], Any]

    def __len__(self) -> int:
        return len(self.inner)

    def take(self, rows: Ints) -> Crossed:
        return Crossed(self.inner.take(self.cross(rows)), self.cross)


def crossed(decoder: Decoder, cross: Callable[[Ints], Any]) -> Decode:
    """A decoder that takes memories wrongly."""

    def decode(step: Step, memory: Any, *rest: Any) -> Decoded:
        def through(tokens: Ints, wrapped: Crossed) -> tuple[Array, Crossed]:
            scores, after = step(tokens, wrapped.inner)
            return scores, Crossed(after, cross)

        return decoder.decode(through, Crossed(memory, cross), *rest)

    return decode


def rescaled(factor: float) -> Decode:
    """Greedy on tempered scores."""

    def decode(step: Step, memory: Any, *rest: Any) -> Decoded:
        def tempered(tokens: Ints, memory: Any) -> tuple[Array, Any]:
            scores, memory = step(tokens, memory)
            z = scores * factor
            return z - np.log(np.exp(z).sum(axis=1, keepdims=True)), memory

        return Greedy().decode(tempered, memory, *rest)

    return decode


def after(decoder: Decoder, change: Callable[[Ints, Array], Any]) -> Decode:
    """A decoder whose result is changed."""

    def decode(*given: Any) -> Any:
        decoded = decoder.decode(*given)
        return change(decoded.tokens, decoded.log_probs)

    return decode


def endless(
    step: Step, memory: Any, start: int, end: int, limit: int, rng: Rng, mask: bool = False
) -> Decoded:
    """Greedy that does not stop at the end; `mask` at least writes nothing behind it."""
    n = len(memory)
    tokens, log_probs, last = np.full((n, 1, limit), end), np.zeros((n, 1)), np.full(n, start)
    ended = np.zeros(n, bool)
    for t in range(limit):
        scores, memory = step(last, memory)
        last = scores.argmax(axis=1)
        log_probs[:, 0] += scores.max(axis=1)
        tokens[:, 0, t] = np.where(ended & mask, end, last)
        ended |= last == end
    return Decoded(tokens, log_probs)


def several(step: Step, memory: Any, start: int, end: int, limit: int, rng: Rng) -> Decoded:
    """Five samples of each image by float32 sums, every row stepped to the last; sorted."""
    n, k = len(memory), 5
    memory = memory.take(np.repeat(np.arange(n), k))
    tokens, last = np.full((n * k, limit), end), np.full(n * k, start)
    log_probs, on = np.zeros(n * k, np.float32), np.ones(n * k, bool)
    for t in range(limit):
        scores, memory = step(last, memory)
        last = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
        log_probs[on] += scores[on, last[on]].astype(np.float32)
        tokens[on, t] = last[on]
        on &= last != end
    ranks = np.argsort(-log_probs.reshape(n, k), axis=1) + k * np.arange(n)[:, None]
    return Decoded(tokens[ranks], log_probs[ranks])


def test_an_unusual_decoder_is_right() -> None:
    plugin = Written(several)
    assert [said_of(plugin, c.id) for c in contracts_of(plugin)] == [""] * 7


def forbidden(step: Step, memory: Any, start: int, end: int, limit: int, rng: Rng) -> Decoded:
    """The worst word each time, after -inf was made a number."""

    def floored(tokens: Ints, memory: Any) -> tuple[Array, Any]:
        scores, memory = step(tokens, memory)
        return np.maximum(scores, -30.0), memory

    def worst(scores: Array) -> Ints:
        chosen: Ints = scores.argmin(axis=1)
        return chosen

    return word_by_word(worst, floored, memory, start, end, limit)


def batch_wide(step: Step, memory: Any, *rest: Any) -> Decoded:
    return Beam(min(3, len(memory))).decode(step, memory, *rest)


def squeezed(tokens: Ints, log_probs: Array) -> Decoded:
    """One axis less where there is nothing."""
    return Decoded(tokens if len(tokens) else tokens[:, 0], log_probs)


@pytest.mark.parametrize(
    ("by", "contract", "words"),
    [
        (endless, "captions", "end: a caption goes on after its end token"),
        (partial(endless, mask=True), "captions", "has log probability"),
        (
            lambda s, m, start, end, limit, r: Greedy().decode(s, m, start, end, limit + 1, r),
            "captions",
            "limit: captions have 2 tokens where the limit is 1",
        ),
        (
            lambda s, m, start, end, limit, r: Greedy().decode(s, m, start, 1, limit, r),
            "forced",
            "goes on after its end token",
        ),
        (
            lambda s, m, start, end, limit, r: Greedy().decode(s, m, end, end, limit, r),
            "forced",
            "all other tokens have -inf",
        ),
        (
            lambda s, m, start, end, limit, r: Greedy().decode(s, m, start, end, limit - 1 or 1, r),
            "forced",
            "the caption is",
        ),
        (
            lambda s, *a: Greedy().decode(lambda t, m: s(t[:1], m), *a),
            "captions",
            "step is given tokens of shape (1,) with a memory of 6 rows",
        ),
        (
            lambda s, *a: Greedy().decode(lambda t, m: s(t + 8, m), *a),
            "captions",
            "of a vocabulary of 8",
        ),
        (
            lambda s, *a: Greedy().decode(lambda t, m: s(t.tolist(), m), *a),
            "captions",
            "step is given list",
        ),
        (crossed(Beam(), lambda rows: rows + 1), "captions", "memory.take is given rows"),
        (crossed(Beam(), lambda rows: rows.tolist()), "captions", "memory.take is given list"),
        (
            crossed(Beam(), lambda rows: rows[::-1].copy()),
            "captions",
            "each row's memory must follow its caption",
        ),
        (rescaled(0.5), "captions", "not divided by a temperature"),
        (after(Beam(), lambda t, p: Decoded(t, p / 2)), "captions", "a temperature or a length"),
        (forbidden, "captions", "forbidden token: "),
        (after(Greedy(), lambda t, p: (t, p)), "captions", "decode returns tuple"),
        (
            after(Greedy(), lambda t, p: Decoded(t[:, 0], p)),
            "captions",
            "tokens has shape (6, 1) and log_probs (6, 1)",
        ),
        (
            after(Greedy(), lambda t, p: Decoded(t[:1], p[:1])),
            "captions",
            "for N=6 images tokens has shape (1, 1, 1)",
        ),
        (after(Greedy(), lambda t, p: Decoded(t * 1.0, p)), "captions", "types: tokens is float64"),  # type: ignore[arg-type]  # the mistake
        (after(Greedy(), lambda t, p: Decoded(t, p * np.nan)), "captions", "[[nan]"),
        (after(Greedy(), lambda t, p: Decoded(t, p - np.inf)), "captions", "[[-inf]"),
        (
            after(Beam(), lambda t, p: Decoded(t[:, ::-1], p[:, ::-1])),
            "best first",
            "comes before (",
        ),
        (
            lambda s, m, start, end, limit, r: Sample().decode(
                s, m, start, end, limit, np.random.default_rng()
            ),
            "repeatable",
            "the only source of randomness",
        ),
        (batch_wide, "images apart", "among 6 images it has"),
        (after(Greedy(), squeezed), "no images", "without rows), tokens has shape (0, 0)"),
    ],
)
def test_wrong_decoders(by: Decode, contract: str, words: str) -> None:
    assert words in said_of(Written(by), contract)


# Encoders


@attrs.frozen
class Seen(Encoder):
    """The mean colour of a picture, or what is put in its place."""

    means: Callable[[Array], Any] = lambda x: x.mean(axis=(1, 2), dtype=np.float32)
    fitted: Callable[[Picture], Any] = lambda picture: picture[:1, :1].copy()
    declared: Any = (3,)
    weights: Any = ""

    @property
    def shape(self) -> tuple[int, ...]:
        declared: tuple[int, ...] = self.declared
        return declared

    def prepare(self, picture: Picture) -> Prepared:
        prepared: Prepared = self.fitted(picture)
        return prepared

    def encode(self, prepared: Prepared) -> Array:
        features: Array = self.means(prepared)
        return features

    def digest(self) -> str:
        digest: str = self.weights
        return digest


def mean_of(x: Array) -> Array:
    return np.asarray(x.mean(axis=(1, 2), dtype=np.float32))


def blackened(x: Array) -> Array:
    found = mean_of(x)
    x[...] = 0
    return found


def reddened(picture: Picture) -> Picture:
    picture[0, 0, 0] ^= 1
    return picture[:1, :1]


def standardized(x: Array) -> Array:
    found = mean_of(x)
    return np.asarray(found - found.mean(axis=0))


@attrs.frozen
class Counting:
    """Keeps how often it was called."""

    calls: list[None] = attrs.field(factory=list)

    def __call__(self, x: Array) -> Array:
        self.calls.append(None)
        return np.asarray(mean_of(x) + np.float32(len(self.calls)))


@attrs.frozen
class Slot:
    """Keeps what it is given in one place for all threads."""

    kept: dict[str, Array] = attrs.field(factory=dict)

    def __call__(self, x: Array) -> Array:
        self.kept["x"] = x
        time.sleep(0.05)
        return mean_of(self.kept["x"])


def test_an_encoder_of_mean_colours_keeps_its_contracts() -> None:
    encoder = Seen(mean_of)
    assert [said_of(encoder, contract.id) for contract in contracts_of(encoder)] == [""] * 7


@pytest.mark.parametrize(
    ("encoder", "contract", "words"),
    [
        (Seen(declared=[3]), "declared", "shape is [3], not a tuple of whole numbers"),
        (Seen(declared=(3, 0, 1)), "declared", "shape is (3, 0, 1), not a tuple"),
        (Seen(declared=(3, 1)), "declared", "(F,) for a vector, or (C, h, w) for a map"),
        (Seen(weights=None), "declared", "digest() is None, not a SHA-256"),
        (Seen(weights="abc"), "declared", "digest() is 'abc', not a SHA-256"),
        (
            Seen(fitted=lambda p: p),
            "any picture",
            "prepare gives uint8 (1, 9, 3) for a picture of 1",
        ),
        (Seen(fitted=lambda p: p[:1, :1] / p.max()), "any picture", "RuntimeWarning"),
        (Seen(fitted=lambda p: p.tolist()), "any picture", "prepare gives list for"),
        (Seen(declared=(4,)), "any picture", "float32 (1, 3) for a picture of 1 x 1 pixels, where"),
        (Seen(lambda x: x.mean(axis=(1, 2))), "any picture", "encode gives float64 (1, 3)"),
        (Seen(lambda x: mean_of(x).tolist()), "any picture", "encode gives list"),
        (Seen(lambda x: mean_of(x) * np.float32(np.inf)), "any picture", "not finite"),
        (Seen(fitted=reddened), "input unchanged", "prepare changes a picture of 1 x 1 pixels"),
        (Seen(blackened), "input unchanged", "encode changes what it is given"),
        (Seen(lambda x: 0 * mean_of(x)), "sees", "the same features for all pictures"),
        (Seen(standardized), "pictures apart", "the features of a picture are others alone, by"),
        (Seen(lambda x: mean_of(x)[::-1]), "pictures apart", "are others in another order"),
        (Seen(lambda x: mean_of(x[:1])), "pictures apart", "float32 (1, 3) for several, where"),
        (
            Seen(lambda x: mean_of(x)[np.minimum(np.arange(len(x)), 5)]),
            "pictures apart",
            "are others among 9, by",
        ),
        (Seen(Counting()), "repeatable", "other features the second time"),
        (Seen(Slot()), "threads", "while another thread encodes: keep nothing between calls"),
    ],
)
def test_wrong_encoders(encoder: Encoder, contract: str, words: str) -> None:
    assert words in said_of(encoder, contract)


# Rewards


def worth(values: Callable[[Words], float]) -> Judge:
    """A judge that looks at captions alone."""

    def judge(captions: Sequence[Words], images: Ints) -> Array:
        return np.array([values(caption) for caption in captions], np.float64)

    return judge


def shared_words(references: Sequence[Sequence[Words]]) -> Judge:
    known = [{word for text in of_image for word in text} for of_image in references]

    def judge(captions: Sequence[Words], images: Ints) -> Array:
        found = zip(captions, images.tolist(), strict=True)
        return np.array([float(len({*caption} & known[i])) for caption, i in found], np.float64)

    return judge


@attrs.frozen
class Judged(Reward):
    """How many words of a caption the references have, or what is put in its place."""

    by: Callable[[Sequence[Sequence[Words]]], Any] = shared_words

    def judge(self, references: Sequence[Sequence[Words]]) -> Judge:
        found: Judge = self.by(references)
        return found


def among(references: Sequence[Sequence[Words]]) -> Judge:
    """Better than the others."""
    plain = shared_words(references)

    def judge(captions: Sequence[Words], images: Ints) -> Array:
        values = plain(captions, images)
        return values - values.mean() if len(values) else values

    return judge


def emptying(references: Sequence[Sequence[Words]]) -> Judge:
    def judge(captions: Sequence[Words], images: Ints) -> Array:
        images[:] = 0
        return worth(len)(captions, images)

    return judge


def cutting(references: Sequence[Sequence[Words]]) -> Judge:
    for text in references[0]:
        if isinstance(text, list) and text:
            text.pop()
    return worth(len)


@attrs.frozen
class Asked:
    """Keeps how often it was asked."""

    calls: list[None] = attrs.field(factory=list)

    def __call__(self, references: Sequence[Sequence[Words]]) -> Judge:
        def judge(captions: Sequence[Words], images: Ints) -> Array:
            self.calls.append(None)
            return worth(len)(captions, images) + len(self.calls)

        return judge


def test_a_reward_of_shared_words_keeps_its_contracts() -> None:
    reward = Judged()
    assert [said_of(reward, contract.id) for contract in contracts_of(reward)] == [""] * 7


@pytest.mark.parametrize(
    ("by", "contract", "words"),
    [
        (lambda r: [1.0], "numbers", "judge returns list, not a function"),
        (lambda r: lambda c, i: [len(x) for x in c], "numbers", "list is returned, not an array"),
        (lambda r: lambda c, i: np.ones(1), "numbers", "float64 (1,) is returned for 72 captions"),
        (lambda r: lambda c, i: np.ones(len(c), int), "numbers", "int64 (72,) is returned"),
        (
            lambda r: worth(lambda c: math.inf if not c else 1.0),
            "numbers",
            "'' is worth inf, which is not finite",
        ),
        (cutting, "inputs unchanged", "judge changes the references: work on a copy"),
        (emptying, "inputs unchanged", "the array of images is changed"),
        (among, "captions apart", "is worth something else alone, by"),
        (Asked(), "repeatable", "worth something else the second time: keep nothing"),
        (lambda r: worth(lambda c: 0.5), "tells apart", "all captions are worth 0.5"),
    ],
)
def test_wrong_rewards(
    by: Callable[[Sequence[Sequence[Words]]], Any], contract: str, words: str
) -> None:
    assert words in said_of(Judged(by), contract)


def test_rewards_that_cannot_take_everything_raise() -> None:
    with pytest.raises(ValueError, match="need at least one"):
        said_of(Judged(lambda r: lambda c, i: np.stack([len(x) for x in c])), "no captions")
    with pytest.raises(ZeroDivisionError):
        said_of(
            Judged(lambda r: lambda c, i: np.array([1 / len(r[k][0]) for k in i])), "any references"
        )
