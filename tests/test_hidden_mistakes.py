"""Plugins that are wrong in few places only: wherever that is, some check goes there and says what holds no more."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np
import pytest
from attrs.validators import gt

from rnnkit.kinds import (
    Array,
    DType,
    Ints,
    Layer,
    Loss,
    Mask,
    NoParams,
    Params,
    Plugin,
    Rng,
    Scalar,
    State,
    SummingLayer,
)
from rnnkit.numerics import sum_rows
from tests.plain_plugins import Kept, PlainActivation, PlainCell, PlainLayer, Weights, sentences


@attrs.frozen
class ClipsGradients(PlainCell):
    def step_back(self, p: Weights, ds: State, cache: Kept) -> tuple[Array, State, Weights]:
        dx, before, dp = super().step_back(p, ds, cache)
        return np.clip(dx, -9e9, 9e9), before, dp


@attrs.frozen
class DropsTinyGradients(PlainCell):
    def step_back(self, p: Weights, ds: State, cache: Kept) -> tuple[Array, State, Weights]:
        x, h, z = cache
        dz = ds.h * self.df(z)
        return self.spread(p, x, h, np.where(np.abs(dz) < 1e-9, 0.0, dz))


@attrs.frozen
class LooksForZeros(PlainLayer):
    """Takes a row for one without a gradient if the first number of its own is 0."""

    def backward(self, p: NoParams, dy: Array, cache: Any) -> tuple[Array, NoParams]:
        dx, _ = super().backward(p, dy, cache)
        return np.where(dy[..., :1] == 0.0, 0.0, dx).astype(dy.dtype), p


@attrs.frozen
class GoesBackOtherwiseWhenFrozen(PlainLayer):
    def backward_input(self, p: NoParams, dy: Array, cache: Any) -> Array:
        return dy


@attrs.frozen
class NeedsItsOutput(PlainLayer, SummingLayer[Array, NoParams, Any]):
    def forward(self, p: NoParams, x: Array, rng: Rng | None) -> tuple[Array, Any]:
        y = np.tanh(x)
        return y, y

    def backward_onto(self, p: NoParams, dy: Array, cache: Any, sums: NoParams) -> Array:
        return self.backward(p, dy, cache)[0]


@attrs.frozen
class Shift(Params):
    b: Array  # (D,)


@attrs.frozen
class ForgetsItsSum(SummingLayer[Array, Shift, None]):
    """x + b."""

    def out_features(self, in_features: int) -> int:
        return in_features

    def init(self, in_features: int, rng: Rng, dtype: DType) -> Shift:
        return Shift(rng.standard_normal(in_features).astype(dtype))

    def forward(self, p: Shift, x: Array, rng: Rng | None) -> tuple[Array, None]:
        return x + p.b, None

    def backward(self, p: Shift, dy: Array, cache: None) -> tuple[Array, Shift]:
        return dy.copy(), Shift(dy.reshape(-1, len(p.b)).sum(axis=0))

    def backward_onto(self, p: Shift, dy: Array, cache: None, sums: Shift) -> Array:
        dx, dp = self.backward(p, dy, cache)
        sums.b[...] = dp.b
        return dx


BUFFERS: dict[Any, Array] = {}


def buffer(key: str, a: Array) -> Array:
    """The same memory for each array of this shape and type."""
    return BUFFERS.setdefault((key, a.shape, a.dtype), np.empty_like(a))


@attrs.frozen
class ReusesItsOutput(PlainLayer):
    def forward(self, p: NoParams, x: Array, rng: Rng | None) -> tuple[Array, Any]:
        y = np.tanh(x, out=buffer("y", x))
        return y, y.copy()


@attrs.frozen
class ReusesItsGradient(PlainLayer):
    def backward(self, p: NoParams, dy: Array, cache: Any) -> tuple[Array, NoParams]:
        return np.multiply(dy, 1.0 - cache * cache, out=buffer("dx", dy)), p


@attrs.frozen
class WritesThroughRavel(PlainLayer):
    def forward(self, p: NoParams, x: Array, rng: Rng | None) -> tuple[Array, Any]:
        return np.tanh(x), np.tanh(x)

    def backward(self, p: NoParams, dy: Array, cache: Any) -> tuple[Array, NoParams]:
        dx = np.zeros_like(cache)
        dx.ravel()[:] = (dy * (1.0 - cache**2)).ravel()
        return dx, p


@attrs.frozen
class ClipsItsSum(PlainCell):
    """f(z) = tanh(min(max(z, -6), 6)), and the slope of tanh."""

    def f(self, z: Array) -> Array:
        clipped: Array = np.clip(z, -6.0, 6.0)
        return np.tanh(clipped)


@attrs.frozen
class ClipsItsWeights(PlainCell):
    def step(self, p: Weights, x: Array, s: State) -> tuple[State, Kept]:
        return super().step(attrs.evolve(p, Wh=np.clip(p.Wh, -3.0, 3.0)), x, s)


@attrs.frozen
class IsFlatNearZero(PlainCell):
    def df(self, z: Array) -> Array:
        return np.where(np.abs(z) < 1e-3, 0.0, super().df(z)).astype(z.dtype)


@attrs.frozen
class ForgetsWideColumns(PlainCell):
    def spread(self, p: Weights, x: Array, h: Array, dz: Array) -> tuple[Array, State, Weights]:
        dx, before, dp = super().spread(p, x, h, dz)
        dp.Wh[:, 16:] = 0.0
        return dx, before, dp


@attrs.frozen
class ForgetsManyRows(PlainCell):
    def step_back(self, p: Weights, ds: State, cache: Kept) -> tuple[Array, State, Weights]:
        x, h, z = cache
        dz = ds.h * self.df(z)
        dz[64:] *= 2.0
        return self.spread(p, x, h, dz)


@attrs.frozen
class Overflows(PlainCell):
    """f(z) = log(1 + exp(z)), which is z where exp(z) does not fit."""

    def f(self, z: Array) -> Array:
        y: Array = np.log(1.0 + np.exp(z))
        return y

    def df(self, z: Array) -> Array:
        slope: Array = 1.0 / (1.0 + np.exp(-z))
        return slope


@attrs.frozen
class BeginsInDouble(PlainCell):
    def init(self, in_features: int, hidden: int, rng: Rng, dtype: DType) -> Weights:
        return super().init(in_features, hidden, rng, np.dtype(np.float64))


@attrs.frozen
class StartsInDouble(PlainCell):
    def start(self, h0: Array) -> State:
        return State(h0 + np.float64(0.0))


@attrs.frozen
class KeepsAMask(PlainCell):
    """A mask for each width, drawn once from the generator that all code shares."""

    def f(self, z: Array) -> Array:
        width = z.shape[1]
        if width not in MASKS:
            MASKS[width] = np.random.random(width) < 0.7  # noqa: NPY002  # the mistake
        masked: Array = np.tanh(z) * MASKS[width].astype(z.real.dtype)
        return masked

    def df(self, z: Array) -> Array:
        slope: Array = super().df(z) * MASKS[z.shape[1]].astype(z.dtype)
        return slope


MASKS: dict[int, Any] = {}


@attrs.frozen
class SharesAScratch(PlainCell):
    """Right, unless another call comes between two of its lines."""

    def f(self, z: Array) -> Array:
        room = buffer("f", z)
        room[...] = z
        np.tanh(room, out=room)
        return room.copy()


@attrs.frozen
class RefusesEveryWidth(PlainLayer):
    def out_features(self, in_features: int) -> int:
        raise ValueError("not today")


@attrs.frozen
class TakesMultiplesOfFive(PlainLayer):
    def out_features(self, in_features: int) -> int:
        if in_features % 5:
            raise ValueError("the width must be a multiple of 5")
        return in_features

    def backward(self, p: NoParams, dy: Array, cache: Any) -> tuple[Array, NoParams]:
        return np.zeros_like(dy), p


@attrs.frozen
class ForgetsAnOddColumn(PlainLayer):
    def backward(self, p: NoParams, dy: Array, cache: Any) -> tuple[Array, NoParams]:
        dx, _ = super().backward(p, dy, cache)
        if dx.shape[-1] > 1 and dx.shape[-1] % 2:
            dx[..., -1] = 0.0
        return dx, p


@attrs.frozen
class SaysAnotherWidth(PlainLayer):
    def out_features(self, in_features: int) -> int:
        return in_features + 1


@attrs.frozen
class MixesSteps(PlainLayer):
    """Less the mean over T for (N, T, D), with the right gradient."""

    def forward(self, p: NoParams, x: Array, rng: Rng | None) -> tuple[Array, Any]:
        return (x - x.mean(axis=1, keepdims=True) if x.ndim == 3 else x * 1.0), None

    def backward(self, p: NoParams, dy: Array, cache: Any) -> tuple[Array, NoParams]:
        return (dy - dy.mean(axis=1, keepdims=True) if dy.ndim == 3 else dy * 1.0), p


@attrs.frozen
class DividesByItsLength(PlainLayer):
    """y = x / |x|, which a row of zeros does not have."""

    def forward(self, p: NoParams, x: Array, rng: Rng | None) -> tuple[Array, Any]:
        n = np.sqrt((x * x).sum(axis=-1, keepdims=True))
        return x / n, (x / n, n)

    def backward(self, p: NoParams, dy: Array, cache: Any) -> tuple[Array, NoParams]:
        y, n = cache
        return (dy - y * (dy * y).sum(axis=-1, keepdims=True)) / n, p


@attrs.frozen
class NaiveSoftmax(PlainLayer):
    def forward(self, p: NoParams, x: Array, rng: Rng | None) -> tuple[Array, Any]:
        y = np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)
        return y, y.copy()

    def backward(self, p: NoParams, dy: Array, cache: Any) -> tuple[Array, NoParams]:
        return cache * (dy - (dy * cache).sum(axis=-1, keepdims=True)), p


@attrs.frozen
class DrawsTheSame(PlainLayer):
    random: ClassVar[bool] = True

    def forward(self, p: NoParams, x: Array, rng: Rng | None) -> tuple[Array, Any]:
        if rng is None:
            return x * 1.0, np.zeros_like(x)
        m = (SAME > 0.5)[: x.shape[-1]].astype(x.real.dtype)
        return x * m, np.sqrt(1.0 - m).astype(x.dtype)


SAME = np.random.default_rng(7).random(1000)


@attrs.frozen
class OwnGenerator(PlainLayer):
    def forward(self, p: NoParams, x: Array, rng: Rng | None) -> tuple[Array, Any]:
        noise = np.random.default_rng(5).standard_normal((1, x.shape[-1]))
        y: Array = np.tanh(x + noise.astype(x.real.dtype))
        return y, y.copy()


@attrs.frozen
class Table(Params):
    W: Array


@attrs.frozen
class ChangesTokens(Layer[Ints, Table, Ints]):
    """Words of 0 become 1 in the caller's array."""

    tokens: ClassVar[bool] = True

    def out_features(self, in_features: int) -> int:
        return 3

    def init(self, in_features: int, rng: Rng, dtype: DType) -> Table:
        return Table(rng.standard_normal((in_features, 3)).astype(dtype))

    def forward(self, p: Table, x: Ints, rng: Rng | None) -> tuple[Array, Ints]:
        x[x == 0] = min(1, len(p.W) - 1)
        return p.W[x], x.copy()

    def backward(self, p: Table, dy: Array, cache: Ints) -> tuple[None, Table]:
        return None, Table(sum_rows(dy.reshape(-1, 3), cache.reshape(-1), len(p.W)))


@attrs.frozen
class WrongInABand(PlainActivation):
    def backward(self, dy: Array, saved: Array) -> Array:
        there = (saved > 10) & (saved < 25)
        return super().backward(dy, saved) + np.where(there, 0.1 * dy, 0.0).astype(dy.dtype)


@attrs.frozen
class HasNoValueAtZero(PlainActivation):
    """sin(x) / x."""

    def forward(self, x: Array) -> tuple[Array, Array]:
        return np.sin(x) / x, x

    def backward(self, dy: Array, saved: Array) -> Array:
        dx: Array = dy * (np.cos(saved) / saved - np.sin(saved) / saved**2)
        return dx


@attrs.frozen
class SoftmaxAsActivation(PlainActivation):
    def forward(self, x: Array) -> tuple[Array, Array]:
        e = np.exp(x - x.real.max())
        y = e / e.sum()
        return y, y

    def backward(self, dy: Array, saved: Array) -> Array:
        dx: Array = saved * (dy - (dy * saved).sum())
        return dx


@attrs.frozen
class Squares(Loss):
    """Half the sum of squared scores."""

    def evaluate(self, scores: Array, targets: Ints, mask: Mask) -> tuple[Scalar, Array]:
        d = np.where(mask[:, None], scores, 0.0).astype(scores.dtype)
        return 0.5 * (d * d).sum(), d


@attrs.frozen
class DoublesManyRows(Squares):
    def evaluate(self, scores: Array, targets: Ints, mask: Mask) -> tuple[Scalar, Array]:
        loss, d = super().evaluate(scores, targets, mask)
        d[32:] *= 2.0
        return loss, d


@attrs.frozen
class ForgetsLikelyWords(Loss):
    """-log p of the target, without a gradient where p > 0.999."""

    def evaluate(self, scores: Array, targets: Ints, mask: Mask) -> tuple[Scalar, Array]:
        z = scores - scores.real.max(axis=-1, keepdims=True)
        e = np.exp(z)
        total = e.sum(axis=-1, keepdims=True)
        rows = np.arange(len(targets))
        d = e / total
        unsure = d[rows, targets].real <= 0.999
        d[rows, targets] -= 1.0
        d[~(mask & unsure)] = 0.0
        return -(z - np.log(total))[rows, targets][mask].sum(), d


@attrs.frozen
class ForgetsOneOptionBesideAnother(PlainLayer):
    """tanh(k x), k = gain or gain * more, whose factor is missing only if gain is large and both count."""

    gain: float = attrs.field(default=1.0, validator=gt(0.0))
    more: float = 2.0
    both: bool = False

    @property
    def k(self) -> float:
        return self.gain * (self.more if self.both else 1.0)

    def forward(self, p: NoParams, x: Array, rng: Rng | None) -> tuple[Array, Any]:
        y = np.tanh(self.k * x)
        return y, y.copy()

    def backward(self, p: NoParams, dy: Array, cache: Any) -> tuple[Array, NoParams]:
        k = self.gain if self.both and self.gain > 1.5 else self.k
        return dy * k * (1.0 - cache * cache), p


@attrs.frozen
class ChangesTargets(Squares):
    def evaluate(self, scores: Array, targets: Ints, mask: Mask) -> tuple[Scalar, Array]:
        targets[~mask] = 0
        return super().evaluate(scores, targets, mask)


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (
            ClipsGradients,
            "linear: 1e+18 times the cotangents do not make the gradient of 'x' 1e+18",
        ),
        (DropsTinyGradients, "linear: 9e-19 times the cotangents do not make the gradient of 'x'"),
        (LooksForZeros, "linear: the gradient of 'x' is not the sum of what comes from parts of"),
        (GoesBackOtherwiseWhenFrozen, "backward_input: backward_input gives another dx than"),
        (NeedsItsOutput, "backward_onto: backward_onto gives another dx than backward does"),
        (ForgetsItsSum, "backward_onto: backward_onto gives another dx than backward does"),
        (ReusesItsOutput, "results kept: output 'y' of forward changes when it runs again"),
        (ReusesItsGradient, "results kept: backward's gradient of 'x' changes when it runs again"),
        (
            WritesThroughRavel,
            "memory order: gradient of 'x' is another with arrays in Fortran order",
        ),
        (ClipsItsSum, "gradient: the gradient of 'x', 's.h', 'p.Wx', 'p.Wh', 'p.b' is wrong"),
        (ClipsItsWeights, "gradient: the gradient of 's.h', 'p.Wh' is wrong"),
        (IsFlatNearZero, "gradient: the gradient of 'x', 's.h', 'p.Wx', 'p.Wh', 'p.b' is wrong"),
        (ForgetsWideColumns, "gradient: the gradient of 'p.Wh' is wrong"),
        (ForgetsManyRows, "gradient: the gradient of 'x', 's.h', 'p.Wx', 'p.Wh', 'p.b' is wrong"),
        (Overflows, "float32: output 's.h' is not finite in float32, and in float64 it would fit"),
        (BeginsInDouble, "types: parameter 'Wx' of init is float64 where float32 is asked for"),
        (StartsInDouble, "types: slot 'h' of start is float64 where float32 is asked for"),
        (KeepsAMask, "randomness: it draws from np.random, which all code shares"),
        (SharesAScratch, "threads: output 's.h' is another when two calls run at the same time"),
        (RefusesEveryWidth, "widths: every width from 1 to 64 is refused"),
        (TakesMultiplesOfFive, "gradient: the gradient of 'x' is wrong"),
        (ForgetsAnOddColumn, "gradient: the gradient of 'x' is wrong"),
        (SaysAnotherWidth, "shapes: for an input of shape (1, 4) y has shape (1, 4), where"),
        (MixesSteps, "positions apart: for an input of shape (2, 3, 4) y is another than"),
        (DividesByItsLength, "no warnings: forward warns: invalid value encountered in divide"),
        (NaiveSoftmax, "float32: output 'y' is not finite in float32, and in float64 it would fit"),
        (DrawsTheSame, "random: it says random = True, and gives the same in training whatever"),
        (OwnGenerator, "randomness: it makes a generator of its own, default_rng(5) ["),
        (ChangesTokens, "inputs unchanged: forward changes the tokens that it is given in place"),
        (WrongInABand, "gradient: the gradient of 'x' is wrong"),
        (HasNoValueAtZero, "no warnings: forward warns: invalid value encountered in divide"),
        (SoftmaxAsActivation, "elementwise: f("),
        (ForgetsLikelyWords, "gradient: the gradient of 'scores' is wrong"),
        (ForgetsOneOptionBesideAnother, "gradient: the gradient of 'x' is wrong"),
        (DoublesManyRows, "gradient: the gradient of 'scores' is wrong"),
        (ChangesTargets, "inputs unchanged: evaluate changes the targets it is given in place"),
    ],
)
def test_a_mistake_that_shows_in_few_places_is_found_and_told(
    cls: type[Plugin], words: str
) -> None:
    told: list[str] = []
    for sentence in sentences(cls):
        told.append(sentence)
        if sentence.startswith(words):
            return
    pytest.fail(f"all that is told: {told}")


@pytest.mark.parametrize("cls", [PlainCell, PlainLayer, PlainActivation, Squares])
def test_without_the_mistake_all_is_well(cls: type[Plugin]) -> None:
    assert list(sentences(cls)) == []
